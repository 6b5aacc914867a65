//! Runs the Python program of `docs/vectors.md`: it accepts its own client and reports a wrong one.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PAGE: &str = include_str!("../vectors.md");

fn program() -> &'static str {
    let (_, rest) = PAGE.split_once("```python\n").expect("a Python program");
    rest.split_once("```").expect("its end").0
}

/// Runs a program with the vectors; `None` if Python is not installed.
fn run(program: &str) -> Option<Output> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let mut python = Command::new("python3");
    python.arg("-").arg(vectors).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = python.spawn() else {
        println!("python3 is not installed, so the runner was not run");
        return None;
    };
    child.stdin.take().expect("its input").write_all(program.as_bytes()).expect("it reads the program");
    Some(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_python_runner_accepts_a_correct_client() {
    let Some(output) = run(program()) else { return };
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let count: usize = printed.split(' ').next().and_then(|count| count.parse().ok()).expect("how many cases");
    assert!(count > 80, "{printed}");
}

#[test]
fn the_python_runner_reports_a_wrong_client() {
    for (right, wrong) in [
        ("math.ceil(", "math.floor("),
        ("min(wait, 86400)", "wait"),
        ("if tokens and (", "if False and ("),
        ("object_pairs_hook=once, ", ""),
        ("if captcha: ", "if False: "),
        ("\"result\" if answer.get(\"accessToken\") else", "\"result\" if True else"),
    ] {
        let program = program().replacen(right, wrong, 1);
        assert!(program.contains(wrong) && program != self::program(), "the program has no {right}");
        let Some(output) = run(&program) else { return };
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && printed.contains("failed: ["), "{right}: {output:?}");
        assert!(!printed.contains("failed: []"), "{right}: {printed}");
    }
}
