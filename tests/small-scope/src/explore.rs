//! Runs all plans of an episode. Each run reports which choices could have been added at each step, and each of these
//! makes another plan.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;

use crate::episode::{Episode, Kind, Shape};
use crate::mutant::Mutant;
use crate::oracle::Violation;
use crate::plan::Plan;
use crate::world::{End, run};

/// The plans that are run: for each number of faults, the highest number of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(pub [Option<usize>; 3]);

impl Scope {
    /// Every plan with at most two faults and two switches.
    pub const ALL: Self = Self([Some(2); 3]);

    /// The plans that take about a minute: pairs of faults without switches, and single faults with one switch. For
    /// three processes, and for a kick with its many steps, only single faults.
    #[must_use]
    pub fn bounded(episode: Episode) -> Self {
        if episode.shape == Shape::Three || episode.kind == Kind::Kick {
            Self([Some(1), Some(0), None])
        } else {
            Self([Some(2), Some(1), Some(0)])
        }
    }

    fn has(self, plan: &Plan) -> bool {
        let (faults, switches) = plan.size();
        self.0.get(faults).is_some_and(|most| most.is_some_and(|most| switches <= most))
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut scope = Self([None; 3]);
        for (number, most) in text.split(',').enumerate() {
            let place = scope.0.get_mut(number).ok_or("more than two faults")?;
            *place = Some(most.parse().map_err(|_| format!("no number: {most}"))?);
        }
        Ok(scope)
    }
}

/// The result of all plans of an episode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of runs, by their number of faults.
    pub runs: [usize; 3],
    /// The number of runs that reached the step limit for faults before they had recovered.
    pub cut: usize,
    /// The number of runs that broke a law.
    pub broken: usize,
    /// The first run for each kind of violation.
    pub violations: Vec<(Plan, Violation)>,
    /// The longest recovery.
    pub recovery: SignedDuration,
}

impl Report {
    /// The number of all runs.
    #[must_use]
    pub fn total(&self) -> usize {
        self.runs.iter().sum()
    }

    fn add(&mut self, plan: &Plan, end: &End) {
        if let Some(runs) = self.runs.get_mut(plan.size().0) {
            *runs += 1;
        }
        self.cut += usize::from(end.is_cut);
        self.recovery = self.recovery.max(end.recovery);
        if let Some(violation) = &end.violation {
            self.broken += 1;
            if !self.violations.iter().any(|(_, known)| known == violation) {
                self.violations.push((plan.clone(), violation.clone()));
            }
        }
    }

    fn join(&mut self, other: Self) {
        self.runs.iter_mut().zip(other.runs).for_each(|(runs, other)| *runs += other);
        self.cut += other.cut;
        self.broken += other.broken;
        self.recovery = self.recovery.max(other.recovery);
        for (plan, violation) in other.violations {
            if !self.violations.iter().any(|(_, known)| *known == violation) {
                self.violations.push((plan, violation));
            }
        }
    }
}

/// Runs all plans of a scope.
#[must_use]
pub fn explore(episode: Episode, scope: Scope, mutant: Option<Mutant>, threads: usize) -> Report {
    let (first, mut report) = (Plan::default(), Report::default());
    let firsts = next(episode, &first, scope, mutant, &mut report);
    let (taken, joined) = (AtomicUsize::new(0), Mutex::new(report));
    std::thread::scope(|scoped| {
        for _ in 0..threads.max(1) {
            scoped.spawn(|| {
                let mut own = Report::default();
                while let Some(plan) = firsts.get(taken.fetch_add(1, Ordering::Relaxed)) {
                    let mut plans = vec![plan.clone()];
                    while let Some(plan) = plans.pop() {
                        plans.extend(next(episode, &plan, scope, mutant, &mut own));
                    }
                }
                if let Ok(mut joined) = joined.lock() {
                    joined.join(own);
                }
            });
        }
    });
    joined.into_inner().unwrap_or_default()
}

/// Runs a plan. Returns the plans with one more choice.
fn next(episode: Episode, plan: &Plan, scope: Scope, mutant: Option<Mutant>, report: &mut Report) -> Vec<Plan> {
    let end = catch_unwind(AssertUnwindSafe(|| run(episode, plan, mutant, false)));
    let end = end.unwrap_or_else(|_| End { violation: Some(Violation::new(0, "it panics")), ..End::default() });
    report.add(plan, &end);
    let later = end.choices.into_iter().filter(|(step, choice)| plan.ends_before(*step, *choice));
    later.map(|(step, choice)| plan.with(step, choice)).filter(|plan| scope.has(plan)).collect()
}
