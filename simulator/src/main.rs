//! The binary `tradovate-auth-simulator`. `program.rs` has its command line and its output.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use tradovate_auth_simulator::program;

fn main() -> ExitCode {
    match program::run(&program::command("tradovate-auth-simulator").get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
