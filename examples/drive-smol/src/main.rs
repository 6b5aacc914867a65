//! Runs the smol driver: `cargo run -p drive-smol`.

use drive_smol::smol::block_on;

fn main() -> std::process::ExitCode {
    drive::run(|session, program| block_on(drive_smol::drive(session, program)))
}
