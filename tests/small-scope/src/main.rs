//! Lives through all plans of the episodes, repeats one run, or shows that the oracle notices broken sessions.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use small_scope::{Episode, Mutant, Plan, Scope, explore, run};

/// Every single fault and every pair of faults in short episodes of one, two and three sessions.
#[derive(Parser)]
struct Arguments {
    /// All plans with at most two faults and two switches, which takes days. Without it: what is tried in a minute
    #[arg(long)]
    all: bool,
    /// Most switches of runs with no fault, with one and with two, such as `2,1,0`; `2,1` has no pairs of faults
    #[arg(long, conflicts_with = "all")]
    switches: Option<Scope>,
    /// This episode alone, such as `two/refresh`
    #[arg(long)]
    episode: Option<Episode>,
    /// Repeats the run of this plan in the episode, and prints its steps
    #[arg(long, requires = "episode")]
    replay: Option<Plan>,
    /// Breaks the sessions in each known way, and counts the runs that show it
    #[arg(long)]
    mutants: bool,
    /// How many threads
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
        lived_through(&episodes, scope, arguments.threads)
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lived_through(episodes: &[Episode], scope: Option<Scope>, threads: usize) -> bool {
    let (start, mut total, mut broken) = (Instant::now(), 0, 0);
    println!("episode             no fault   one fault  two faults   longest recovery");
    for &episode in episodes {
        let report = explore(episode, scope.unwrap_or_else(|| Scope::bounded(episode)), None, threads);
        let [none, one, two] = report.runs;
        let name = episode.to_string();
        println!("{name:<18}{none:>10}{one:>12}{two:>12}   {:>6} s", report.recovery.as_secs());
        if report.cut > 0 {
            println!("    in {} runs, placing ended before all was well", report.cut);
        }
        for (plan, violation) in &report.violations {
            println!("    {violation}\n        --episode {episode} --replay {plan}");
        }
        (total, broken) = (total + report.total(), broken + report.broken);
    }
    println!("{total} runs, {broken} violations, {:.1} s", start.elapsed().as_secs_f64());
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
            (total, broken) = (total + report.total(), broken + report.broken);
            what = what.or(report.violations.first().map(|(_, violation)| violation.to_string()));
        }
        println!(
            "{:<18} {broken:>6} of {total} runs   {}",
            format!("{mutant:?}"),
            what.as_deref().unwrap_or("not noticed")
        );
        are_all_found &= broken > 0;
    }
    are_all_found
}
