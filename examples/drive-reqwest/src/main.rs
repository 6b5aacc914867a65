//! Runs the reqwest driver: `cargo run -p drive-reqwest`.

use std::process::ExitCode;

use tokio::runtime::Builder;

fn main() -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => drive::run(|session, program| runtime.block_on(drive_reqwest::drive(session, program))),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
