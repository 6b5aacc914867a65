//! Measures the cost of the library, compared with the same work by hand and by other libraries. `cargo run --release
//! -p benches` prints all tables, and fails if one of our budgets is exceeded.

mod allocations;
mod bare;
mod build_cost;
mod callgrind;
mod cases;
mod hand_written;
mod hot_path;
mod latency;
mod loopback;
mod plot;
mod report;
mod samples;
mod scale;
mod transports;

use std::env;
use std::fs;
use std::process::ExitCode;

use cases::Table;
use loopback::Server;
use report::Report;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None => all(),
        Some(callgrind::COUNTED) => {
            callgrind::run(&mut tables(port(&arguments)));
            ExitCode::SUCCESS
        }
        Some(loopback::SERVED) => {
            loopback::serve();
            ExitCode::SUCCESS
        }
        Some(latency::PAIRED) => {
            latency::run(port(&arguments));
            ExitCode::SUCCESS
        }
        Some(build_cost::COMMAND) => match build_cost::measure(&arguments[1..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(usage) => {
                eprintln!("{usage}");
                ExitCode::FAILURE
            }
        },
        Some("plot") => plot(arguments.get(1).map_or("renewals.svg", String::as_str)),
        Some(other) => {
            eprintln!("unknown measurement: {other}");
            ExitCode::FAILURE
        }
    }
}

/// Draws the plot that shows the effect of a session set.
fn plot(file: &str) -> ExitCode {
    let [spread, by_themselves] = scale::compare();
    match fs::write(file, plot::draw(&by_themselves, &spread)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All tables with counts: the protocol itself, and calls over the network.
fn tables(port: u16) -> Vec<Table> {
    cases::all().into_iter().chain(transports::all(port)).collect()
}

/// The port of the server, which the parent process passes as an argument.
fn port(arguments: &[String]) -> u16 {
    arguments.get(1).and_then(|port| port.parse().ok()).expect("the port of the server")
}

fn all() -> ExitCode {
    let mut report = Report::default();
    let server = Server::start();
    let counts = callgrind::measure(&[server.port().to_string()]);
    if counts.is_none() {
        println!("valgrind is not installed, so instructions were not measured");
    }
    let mut rest = counts.as_deref();
    for mut table in tables(server.port()) {
        let counts = rest.map(|counts| counts.split_at(table.cases.len()));
        rest = counts.map(|(_, rest)| rest);
        report.table(&mut table, counts.map(|(counts, _)| counts));
    }
    latency::measure(&server);
    hot_path::measure(&mut report);
    build_cost::count();
    scale::measure(&mut report, &scale::SIZES);
    if report.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
