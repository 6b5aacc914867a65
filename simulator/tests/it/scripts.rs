//! Runs the example tests in Python and JavaScript. A test passes without running if its interpreter is not installed.

use std::process::{Command, Output};

use crate::binary::Program;

/// Runs a program with the variables that the simulator prints; `None` if the program is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let works = Command::new(program).args(&arguments[..arguments.len() - 1]).arg("--version").output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("{program} is not installed, so {} was not run", arguments.last().unwrap());
        return None;
    }
    let simulator = Program::start(&[]);
    let variables = simulator.exports();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    Some(Command::new(program).args(arguments).envs(variables).current_dir(folder).output().unwrap())
}

#[test]
fn the_python_tests_of_the_example_bot_pass() {
    let Some(output) = run("python3", &["-B", "test_a_bot.py"]) else { return };
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("Ran 4 tests"), "{printed}");
}

#[test]
fn the_javascript_tests_of_the_example_bot_pass() {
    // Node 20 needs this option to have WebSocket; older versions don't know the option.
    let Some(output) = run("node", &["--experimental-websocket", "--test", "test_a_bot.mjs"]) else { return };
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("# pass 4"), "{printed}");
}
