//! Runs the programs in `docs/other-languages.md`. A test passes without running if the interpreter is not installed.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{run, user};

/// Runs the program in a language; does nothing if its interpreter is not installed.
fn run_it(language: &str, interpreter: &str, needs: &str) {
    if !Command::new(needs).arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("{needs} is not installed, so the program in {language} was not run");
        return;
    }
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/other-languages.md")).unwrap();
    let program = page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    let user = user();
    let file = user.home.path().join(if language == "js" { "program.mjs" } else { "program" });
    fs::write(&file, program).unwrap();

    let directory = Path::new(env!("CARGO_BIN_EXE_tradovate-auth")).parent().unwrap();
    let path = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let path = env::join_paths([directory.to_owned()].into_iter().chain(path)).unwrap();
    let mut command = user.bare(interpreter);
    command.arg(&file).envs(user.variables()).env("PATH", path);
    // The interpreter may be a pyenv shim, which needs the variables of the user who runs the tests.
    command.envs(env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PYENV")));
    let good = run(&mut command);
    assert!(good.code == 0 && good.stdout.contains("\"accountType\""), "{good:?}");

    user.server.with(|server| server.close_sessions("synthetic-user"));
    let bad = run(&mut command);
    assert!(bad.code == 0 && bad.stdout.contains("dead\n"), "{bad:?}");
    let again = run(&mut command);
    assert!(again.code == 0 && again.stdout.contains("\"accountType\""), "{again:?}");
    assert_eq!(user.logins(), 2);
}

pub(crate) fn the_python_program_in_the_docs_works() {
    run_it("python", "python3", "python3");
}

pub(crate) fn the_javascript_program_in_the_docs_works() {
    run_it("js", "node", "node");
}

pub(crate) fn the_shell_program_in_the_docs_works() {
    run_it("sh", "sh", "curl");
}
