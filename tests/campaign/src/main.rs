//! Runs a campaign, replays one seed, or measures how soon the checkers detect each mutant.

use std::process::ExitCode;
use std::time::Instant;

use campaign::{Mutant, Scenario, campaign, hunt, renewals_per_hour, replay, survey};
use clap::Parser;

/// Runs fleets of sessions against the simulator in virtual time and checks the laws of the session.
#[derive(Parser)]
struct Arguments {
    /// The number of session-days to simulate.
    #[arg(long, default_value_t = 1000.0)]
    days: f64,
    /// The first seed, or the seed to replay.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Replays one seed and prints its trace.
    #[arg(long)]
    trace: bool,
    /// The number of threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Runs only scenarios with sets.
    #[arg(long)]
    sets: bool,
    /// Runs this many seeds and counts their violations by law.
    #[arg(long)]
    survey: Option<u64>,
    /// Breaks each law on purpose and prints how many seeds it took to detect that.
    #[arg(long)]
    mutants: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_good = if arguments.mutants {
        mutants(arguments.seed, arguments.sets)
    } else if let Some(seeds) = arguments.survey {
        surveyed(arguments.seed, seeds, arguments.sets)
    } else if arguments.trace {
        traced(arguments.seed, arguments.sets)
    } else {
        run_all(&arguments)
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_all(arguments: &Arguments) -> bool {
    let start = Instant::now();
    let (tally, failure) = campaign(arguments.seed, arguments.days, arguments.threads, arguments.sets);
    print!("{tally}");
    let rates: Vec<_> =
        [1, 10, 100].map(|processes| format!("{processes}: {:.2}", renewals_per_hour(processes))).into();
    println!("renewals per hour by processes: {}", rates.join(", "));
    println!("wall               {:.1} s", start.elapsed().as_secs_f64());
    if let Some(failure) = &failure {
        println!("\n{failure}");
    }
    if tally.calm_logins != tally.calm_sessions {
        println!("a session without faults logs in more than once, or not at all");
    }
    failure.is_none() && tally.calm_logins == tally.calm_sessions
}

fn traced(seed: u64, sets: bool) -> bool {
    let scenario = if sets { Scenario::of_sets(seed) } else { Scenario::from_seed(seed) };
    let end = replay(&scenario);
    print!("{scenario}");
    end.trace.iter().for_each(|line| println!("{line}"));
    end.violations.iter().for_each(|found| println!("law {}: s{} {}", found.law, found.program, found.what));
    end.violations.is_empty()
}

fn surveyed(first: u64, seeds: u64, only_sets: bool) -> bool {
    let found = survey(first, seeds, only_sets);
    for (law, (seeds, what)) in &found {
        println!("law {law:>2}: {} seeds, first {:?}: {what}", seeds.len(), &seeds[..seeds.len().min(12)]);
    }
    found.is_empty()
}

fn mutants(first: u64, only_sets: bool) -> bool {
    println!("law  seeds  mutant                    message of the checker");
    let mut are_all_found = true;
    for &mutant in Mutant::ALL.iter().filter(|mutant| !only_sets || mutant.is_of_a_set()) {
        let name = format!("{mutant:?}");
        let find = hunt(mutant, first, 1000);
        are_all_found &= find.is_some();
        match find {
            Some(find) => println!("{:>3}  {:>5}  {name:<24}  {}", mutant.law(), find.seeds, find.what),
            None => println!("{:>3}      -  {name:<24}  not detected", mutant.law()),
        }
    }
    are_all_found
}
