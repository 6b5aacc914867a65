//! Runs the hyper driver: `cargo run -p drive-hyper`.

use std::process::ExitCode;

use tokio::runtime::Builder;

fn main() -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => drive::run(|session, program| runtime.block_on(drive_hyper::drive(session, program))),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
