//! How long a login takes beside the same by hand: pairs, one right after the other, on one core.
//!
//! Times are printed only. The ratio of a pair is of two calls some hundred microseconds apart, which what else the
//! machine does reaches alike; the middle one of all pairs is told.

use std::env;
use std::process::Command;
use std::time::Instant;

use crate::cases::Case;
use crate::loopback::Server;
use crate::transports;

/// The argument this program calls itself with.
pub(crate) const PAIRED: &str = "paired";

const PAIRS: usize = 200;
const WARM: usize = 20;

/// Prints the table, by a process that is kept to one core where the system can do that.
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

/// What that process does.
pub(crate) fn run(port: u16) {
    for mut table in transports::all(port) {
        let [ours, theirs] = &mut table.cases[..] else { unreachable!("two are compared") };
        for _ in 0..WARM {
            (ours.work)();
            (theirs.work)();
        }
        let (mut ratios, mut times) = (Vec::new(), Vec::new());
        for number in 0..PAIRS {
            // Each goes first as often as the other.
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
