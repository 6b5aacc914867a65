//! Runs all plans of the episodes, replays one run, or shows that the oracle detects broken sessions.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use small_scope::{Episode, Mutant, Plan, Report, Scope, explore, explore_each, run};

/// Runs short episodes of one, two and three sessions with every single fault and every pair of faults.
#[derive(Parser)]
struct Arguments {
    /// Run all plans with at most two faults and two switches. Without kicks and for at most two processes, this takes
    /// half an hour; the rest takes days. The default takes less than a minute
    #[arg(long)]
    all: bool,
    /// The most switches of runs with no fault, one fault and two faults, such as `2,1,0`; `2,1` runs no pairs of
    /// faults
    #[arg(long, conflicts_with = "all")]
    switches: Option<Scope>,
    /// Run only this episode, such as `two/refresh`
    #[arg(long)]
    episode: Option<Episode>,
    /// Run each plan to its end, even if another plan has led to the same state
    #[arg(long)]
    each: bool,
    /// Replay this plan in the episode and print its steps
    #[arg(long, requires = "episode")]
    replay: Option<Plan>,
    /// Break the sessions in each known way, and count the plans that detect it
    #[arg(long)]
    mutants: bool,
    /// The number of threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let episodes = arguments.episode.map_or_else(Episode::all, |episode| vec![episode]);
    let is_good = if let (Some(episode), Some(plan)) = (arguments.episode, &arguments.replay) {
        replayed(episode, plan)
    } else if arguments.mutants {
        mutants(&episodes, arguments.threads)
    } else {
        let scope = arguments.switches.or(arguments.all.then_some(Scope::ALL));
        run_all(&episodes, scope, if arguments.each { explore_each } else { explore }, arguments.threads)
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Explore = fn(Episode, Scope, Option<Mutant>, usize) -> Report;

fn run_all(episodes: &[Episode], scope: Option<Scope>, explore: Explore, threads: usize) -> bool {
    let (start, mut plans, mut runs, mut broken) = (Instant::now(), 0, 0, 0);
    println!("plans with          no fault   one fault  two faults        runs   longest recovery   seconds");
    for &episode in episodes {
        let report = explore(episode, scope.unwrap_or_else(|| Scope::bounded(episode)), None, threads);
        let ([none, one, two], name) = (report.totals.plans, episode.to_string());
        let (recovery, seconds) = (report.totals.recovery.as_secs(), start.elapsed().as_secs());
        println!("{name:<18}{none:>10}{one:>12}{two:>12}{:>12}   {recovery:>14} s{seconds:>10}", report.ended);
        for (plan, violation) in &report.violations {
            println!("    {violation}\n        --episode {episode} --replay {plan}");
        }
        (plans, runs, broken) = (plans + report.totals.all(), runs + report.ended, broken + report.totals.broken);
    }
    println!("{plans} plans in {runs} runs, {broken} violations, {:.1} s", start.elapsed().as_secs_f64());
    broken == 0
}

fn replayed(episode: Episode, plan: &Plan) -> bool {
    let end = run(episode, plan, None, true);
    end.trace.iter().for_each(|line| println!("{line}"));
    end.violation.is_none()
}

fn mutants(episodes: &[Episode], threads: usize) -> bool {
    let mut are_all_found = true;
    for mutant in Mutant::ALL {
        let (mut total, mut broken, mut what) = (0, 0, None);
        for &episode in episodes {
            let report = explore(episode, Scope([Some(0), Some(0), None]), Some(mutant), threads);
            (total, broken) = (total + report.totals.all(), broken + report.totals.broken);
            what = what.or(report.violations.first().map(|(_, violation)| violation.to_string()));
        }
        println!(
            "{:<18} {broken:>6} of {total} plans   {}",
            format!("{mutant:?}"),
            what.as_deref().unwrap_or("not detected")
        );
        are_all_found &= broken > 0;
    }
    are_all_found
}
