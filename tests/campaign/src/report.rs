//! Runs many scenarios, on one thread or several. Adds up their tallies, and shrinks and prints the first failure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use jiff::SignedDuration;

use crate::oracle::Violation;
use crate::scenario::Scenario;
use crate::shrink::shrink;
use crate::tally::Tally;
use crate::wire::Operation;
use crate::world::{End, Way, run};

/// A scenario that violates a law.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed of the scenario.
    pub seed: u64,
    /// Whether it is the seed's scenario with sets.
    pub has_sets: bool,
    /// The violation.
    pub violation: Violation,
    /// The scenario after shrinking.
    pub scenario: Scenario,
    /// The trace of the scenario, one line per event.
    pub trace: Vec<String>,
}

/// The number of trace lines that are printed.
const LINES: usize = 200;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { law, program, what } = &self.violation;
        writeln!(f, "seed {} violates law {law}: s{program} {what}", self.seed)?;
        let sets = if self.has_sets { " --sets" } else { "" };
        writeln!(f, "replay: cargo run --release -p campaign -- --seed {}{sets} --trace", self.seed)?;
        writeln!(f, "the scenario after shrinking:\n{}", self.scenario)?;
        let skipped = self.trace.len().saturating_sub(LINES);
        if skipped > 0 {
            writeln!(f, "({skipped} earlier lines omitted)")?;
        }
        self.trace.iter().skip(skipped).try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The scenarios of a seed: the one with sets, if it has one, and the one without, unless only sets are wanted.
fn scenarios(seed: u64, only_sets: bool) -> impl Iterator<Item = Scenario> {
    let without = (!only_sets).then(|| Scenario::from_seed(seed));
    without.into_iter().chain(Scenario::has_sets(seed).then(|| Scenario::of_sets(seed)))
}

/// Runs scenarios from a seed on until this many session-days are simulated, or one scenario fails.
#[must_use]
pub fn campaign(first: u64, days: f64, threads: usize, only_sets: bool) -> (Tally, Option<Failure>) {
    let next = AtomicU64::new(first);
    let (total, failed) = (Mutex::new(Tally::default()), Mutex::new(None::<(u64, bool)>));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    for scenario in scenarios(seed, only_sets) {
                        let mut end = run(&scenario, Way::default());
                        end.tally.violations = end.violations.len() as u64;
                        let Ok(mut total) = total.lock() else { return };
                        total.add(&end.tally);
                        if !end.violations.is_empty()
                            && let Ok(mut failed) = failed.lock()
                        {
                            let found = (seed, scenario.sets() > 0);
                            *failed = Some(failed.map_or(found, |other| other.min(found)));
                        }
                        if total.session_days >= days || !end.violations.is_empty() {
                            is_over.store(true, Ordering::Relaxed);
                            break;
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_default();
    let failed = failed.into_inner().unwrap_or_default();
    (total, failed.and_then(explain))
}

/// Runs this many seeds and returns the seeds that violate each law, with the message of the first one.
#[must_use]
pub fn survey(first: u64, seeds: u64, only_sets: bool) -> BTreeMap<u8, (Vec<u64>, String)> {
    let mut found = BTreeMap::new();
    for seed in first..first + seeds {
        // No law has this number, so the run continues after every violation.
        let way = Way { only_law: Some(0), ..Way::default() };
        let scenarios = scenarios(seed, only_sets);
        let mut violations: Vec<_> = scenarios.flat_map(|scenario| run(&scenario, way).violations).collect();
        violations.sort_by_key(|violation| violation.law);
        violations.dedup_by_key(|violation| violation.law);
        for Violation { law, what, .. } in violations {
            found.entry(law).or_insert((Vec::new(), what)).0.push(seed);
        }
    }
    found
}

/// The number of renewals per hour of this many processes that share a session without faults.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
pub fn renewals_per_hour(processes: usize) -> f64 {
    let day = SignedDuration::from_hours(24);
    let tally = run(&Scenario::of_one_fleet(processes, day), Way::default()).tally;
    let renewals = tally.requests.get(&Operation::Renew).copied().unwrap_or_default();
    renewals as f64 / 24.0
}

/// Runs one scenario with a trace.
#[must_use]
pub fn replay(scenario: &Scenario) -> End {
    run(scenario, Way { is_traced: true, ..Way::default() })
}

fn explain((seed, has_sets): (u64, bool)) -> Option<Failure> {
    let scenario = if has_sets { Scenario::of_sets(seed) } else { Scenario::from_seed(seed) };
    let law = run(&scenario, Way::default()).violations.first()?.law;
    let fails =
        |scenario: &Scenario| run(scenario, Way::default()).violations.first().is_some_and(|found| found.law == law);
    let scenario = shrink(&scenario, fails);
    let end = run(&scenario, Way { is_traced: true, ..Way::default() });
    let violation = end.violations.into_iter().next()?;
    Some(Failure { seed, has_sets, violation, scenario, trace: end.trace })
}
