//! The files that show how programs in other languages are tested. Without their interpreters they are not run.

use std::process::{Command, Output};

use crate::binary::Program;

/// Runs a program with the variables that the simulator prints; `None` if there is no such program here.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let works = Command::new(program).args(&arguments[..arguments.len() - 1]).arg("--version").output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("{program} is not here, so {} was not run", arguments.last().unwrap());
        return None;
    }
    let simulator = Program::start(&[]);
    let variables = simulator.exports();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    Some(Command::new(program).args(arguments).envs(variables).current_dir(folder).output().unwrap())
}

#[test]
fn the_tests_in_python_pass() {
    let Some(output) = run("python3", &["-B", "test_a_bot.py"]) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Ran 4 tests"), "{said}");
}

#[test]
fn the_tests_in_javascript_pass() {
    // Node 20 has its WebSocket behind this switch; older versions don't know it.
    let Some(output) = run("node", &["--experimental-websocket", "--test", "test_a_bot.mjs"]) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("# pass 4"), "{said}");
}
