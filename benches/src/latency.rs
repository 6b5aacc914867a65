//! Compares the duration of a login with the same login by hand: pairs of calls, one after the other, on one core.
//!
//! Times are only printed. The calls of a pair are some hundred microseconds apart, so other load on the machine
//! affects both in the same way. The median of all pairs' ratios is printed.

use std::env;
use std::process::Command;
use std::time::Instant;

use crate::cases::Case;
use crate::loopback::Server;
use crate::transports;

/// The argument with which this program runs itself for this measurement.
pub(crate) const PAIRED: &str = "paired";

const PAIRS: usize = 200;
const WARM: usize = 20;

/// Prints the table from a process that is pinned to one core, if the system can do that.
pub(crate) fn measure(server: &Server) {
    let program = env::current_exe().expect("this program is a file");
    let port = server.port().to_string();
    println!(
        "\nTime of a login over the network\n\n| | median by hand | ratio, median of {PAIRS} pairs |\n|---|---|---|"
    );
    let pinned = Command::new("taskset").args(["-c", "0"]).arg(program).args([PAIRED, &port]).status();
    if !pinned.is_ok_and(|status| status.success()) {
        run(server.port());
    }
}

/// Runs the measurement in that process.
pub(crate) fn run(port: u16) {
    for mut table in transports::all(port) {
        let [ours, theirs] = &mut table.cases[..] else { unreachable!("two are compared") };
        for _ in 0..WARM {
            (ours.work)();
            (theirs.work)();
        }
        let (mut ratios, mut times) = (Vec::new(), Vec::new());
        for number in 0..PAIRS {
            // The two are first in turn.
            let [mine, by_hand] = if number % 2 == 0 {
                let mine = time(ours);
                [mine, time(theirs)]
            } else {
                let by_hand = time(theirs);
                [time(ours), by_hand]
            };
            ratios.push(mine / by_hand);
            times.push(by_hand);
        }
        println!("| {} | {:.0} µs | {:.3} |", table.title, middle(times) * 1e6, middle(ratios));
    }
}

fn time(case: &mut Case) -> f64 {
    let start = Instant::now();
    (case.work)();
    start.elapsed().as_secs_f64()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
