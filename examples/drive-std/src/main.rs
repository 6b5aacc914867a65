//! Runs the driver without an HTTP library: `cargo run -p drive-std`.

fn main() -> std::process::ExitCode {
    drive::run(drive_std::drive)
}
