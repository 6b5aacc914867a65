//! Runs the ureq driver: `cargo run -p drive-ureq`.

fn main() -> std::process::ExitCode {
    drive::run(drive_ureq::drive)
}
