//! Runs all plans of an episode. Each run reports which choices could have been added at each step, and each of these
//! makes another plan.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use crate::digest::Digest;
use crate::episode::{Episode, Kind, Shape};
use crate::mutant::Mutant;
use crate::oracle::Violation;
use crate::plan::{Choices, Plan};
use crate::world::{End, World};

/// The plans that are run: for each number of faults, the highest number of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub [Option<usize>; 3]);

impl Scope {
    /// Every plan with at most two faults and two switches.
    pub const ALL: Self = Self([Some(2); 3]);

    /// No more choices.
    const NOTHING: Self = Self([Some(0), None, None]);

    /// The plans that take less than a minute: all plans of one process. For two and three processes, pairs of faults
    /// without switches, and single faults with one switch. For kicks of two or three processes, only single faults,
    /// because a kick has many steps.
    #[must_use]
    pub fn bounded(episode: Episode) -> Self {
        match episode.shape {
            Shape::Alone | Shape::Stored => Self::ALL,
            Shape::Two | Shape::Three if episode.kind == Kind::Kick => Self([Some(1), Some(0), None]),
            Shape::Two | Shape::Three => Self([Some(2), Some(1), Some(0)]),
        }
    }

    /// What is left after these choices.
    fn after(self, (switch, fault): Choices) -> Option<Self> {
        let [none, one, two] = self.0;
        let left = if fault.is_some() { [one, two, None] } else { [none, one, two] };
        let left = left.map(|most| most?.checked_sub(usize::from(switch.is_some())));
        left[0].is_some().then_some(Self(left))
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

/// The results of all plans of an episode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The results of all plans.
    pub totals: Totals,
    /// The number of runs that were made to their end. The other ones reach a state that an earlier run has reached with
    /// the same choices left, and so have the same results.
    pub ended: u64,
    /// The first run for each kind of violation.
    pub violations: Vec<(Plan, Violation)>,
}

/// The results of a set of plans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of plans, by their number of faults.
    pub plans: [u64; 3],
    /// The number of plans that break a law.
    pub broken: u64,
    /// The longest recovery.
    pub recovery: SignedDuration,
}

impl Totals {
    /// The number of all plans.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.plans.iter().sum()
    }

    fn add(&mut self, other: Self) {
        self.plans.iter_mut().zip(other.plans).for_each(|(plans, other)| *plans += other);
        self.broken += other.broken;
        self.recovery = self.recovery.max(other.recovery);
    }

    /// The same results, if each plan has one more fault.
    fn with_fault(self) -> Self {
        let [none, one, _] = self.plans;
        Self { plans: [0, none, one], ..self }
    }
}

/// Finds the results of all plans of a scope. It makes one run of those that reach the same state.
#[must_use]
pub fn explore(episode: Episode, scope: Scope, mutant: Option<Mutant>, threads: usize) -> Report {
    search(&Search { known: Some(Mutex::default()), ..Search::default() }, episode, scope, mutant, threads)
}

/// Finds the same results as [`explore`] with a whole run of each plan.
#[must_use]
pub fn explore_each(episode: Episode, scope: Scope, mutant: Option<Mutant>, threads: usize) -> Report {
    search(&Search::default(), episode, scope, mutant, threads)
}

fn search(search: &Search, episode: Episode, scope: Scope, mutant: Option<Mutant>, threads: usize) -> Report {
    let (mut world, mut branches) = (World::new(episode, mutant, false), Vec::new());
    while world.has_choice() {
        branches.extend(world.choices().map(|choice| (world.clone(), choice)));
        world.choose((None, None));
    }
    let (first, taken) = (Plan::default(), AtomicUsize::new(0));
    let totals = Mutex::new(search.ended(&first, &world.end()));
    std::thread::scope(|scoped| {
        for _ in 0..threads.max(1) {
            scoped.spawn(|| {
                while let Some((world, choice)) = branches.get(taken.fetch_add(1, Ordering::Relaxed)) {
                    let found = search.branch(world, *choice, &first, scope);
                    lock(&totals).add(found);
                }
            });
        }
    });
    let (ended, violations) = lock(&search.ended).clone();
    Report { totals: *lock(&totals), ended, violations }
}

#[derive(Default)]
struct Search {
    /// The results of the plans that continue from a state, by its digest. `None`: each plan is run.
    known: Option<Mutex<HashMap<Digest, Totals>>>,
    /// The number of runs that were made, and the first one for each kind of violation.
    ended: Mutex<(u64, Vec<(Plan, Violation)>)>,
}

impl Search {
    /// The results of all plans that continue with a choice at this step.
    fn branch(&self, world: &World, choice: Choices, plan: &Plan, left: Scope) -> Totals {
        let Some(left) = left.after(choice) else { return Totals::default() };
        let (plan, mut world) = (plan.with(world.step, choice), world.clone());
        let explore = || {
            world.choose(choice);
            self.explore(world, &plan, left)
        };
        let panicked = |_| {
            let violation = Some(Violation::new(0, "it panics"));
            self.ended(&plan, &End { violation, ..End::default() })
        };
        let totals = catch_unwind(AssertUnwindSafe(explore)).unwrap_or_else(panicked);
        if choice.1.is_some() { totals.with_fault() } else { totals }
    }

    /// The results of all plans that continue from here.
    fn explore(&self, mut world: World, plan: &Plan, left: Scope) -> Totals {
        let (mut path, mut totals) = (Vec::new(), None);
        while totals.is_none() && world.has_choice() {
            // If no choice is left, it is enough to compare the steps that concern the store or the server.
            let known = self.known.as_ref().filter(|_| left != Scope::NOTHING || !world.is_local());
            let state = known.map(|known| (known, world.digest(left)));
            totals = state.and_then(|(known, state)| lock(known).get(&state).copied());
            if totals.is_none() {
                let mut branches = Totals::default();
                if left != Scope::NOTHING {
                    world.choices().for_each(|choice| branches.add(self.branch(&world, choice, plan, left)));
                }
                path.push((state, branches));
                world.choose((None, None));
            }
        }
        let mut totals = totals.unwrap_or_else(|| self.ended(plan, &world.end()));
        for (state, branches) in path.into_iter().rev() {
            totals.add(branches);
            if let Some((known, state)) = state {
                lock(known).insert(state, totals);
            }
        }
        totals
    }

    fn ended(&self, plan: &Plan, end: &End) -> Totals {
        let mut ended = lock(&self.ended);
        ended.0 += 1;
        if let Some(violation) = &end.violation
            && !ended.1.iter().any(|(_, known)| known == violation)
        {
            ended.1.push((plan.clone(), violation.clone()));
        }
        Totals { plans: [1, 0, 0], broken: u64::from(end.violation.is_some()), recovery: end.recovery }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
