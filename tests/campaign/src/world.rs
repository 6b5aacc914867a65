//! A world: sessions, a network and the simulator in virtual time. It runs a scenario and returns an [`End`] with the
//! tally, the violations and, if requested, the trace. It uses no real clock and no thread, and all random numbers come
//! from the seed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::RateBudget;

use crate::journal::{Record, What};
use crate::mutants::{Mutant, Tamper};
use crate::names::Names;
use crate::oracle::Violation;
use crate::scenario::Scenario;
use crate::tally::Tally;
use clock::Clock;
use court::Court;
use exchange::Exchange;
use program::Program;
use queue::{Event, Queue};
use server::Server;
use sets::Set;
use shared_store::SharedStore;

mod clock;
mod court;
mod exchange;
mod faults;
mod halts;
mod login_steps;
mod operator;
mod probes;
mod program;
mod queue;
mod server;
mod setbacks;
mod sets;
mod shared_store;
mod spoil;
mod steps;
mod store;

/// The result of a scenario.
#[derive(Debug)]
pub struct End {
    /// The counts.
    pub tally: Tally,
    /// The violations.
    pub violations: Vec<Violation>,
    /// The trace, one line per event, if it was requested.
    pub trace: Vec<String>,
}

/// How a scenario is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// Whether a trace is kept.
    pub is_traced: bool,
    /// The mutant that changes the sessions' behaviour, to test the checkers.
    pub mutant: Option<Mutant>,
    /// Continues after violations of all laws except this one.
    pub only_law: Option<u8>,
}

/// Runs a scenario to its end or to the first violation.
#[must_use]
pub fn run(scenario: &Scenario, way: Way) -> End {
    World::new(scenario, way).run()
}

/// A machine with one program and all its sessions. For fleets, the shared state of the programs behind one address.
struct Address {
    /// The wall clock of the machine.
    wall: Clock,
    /// The program's own clock.
    clock: Clock,
    budget: RateBudget,
    /// Whether the program runs.
    is_up: bool,
    asleep_until: Option<Timestamp>,
    /// Callers send nothing before this time because the server told them so.
    quiet_until: Option<Timestamp>,
}

struct World<'s> {
    scenario: &'s Scenario,
    way: Way,
    now: Timestamp,
    queue: Queue,
    server: Server,
    addresses: Vec<Address>,
    /// The machine behind each address, by the number of its first address. Its clock and its sleep count.
    machines: Vec<usize>,
    sets: Vec<Set>,
    programs: Vec<Program>,
    exchanges: Vec<Exchange>,
    /// One store for each fleet.
    stores: Vec<SharedStore>,
    snapshots: usize,
    names: Names,
    court: Court,
    tally: Tally,
    /// The refresh token of each user and its expiry, as the server knows them.
    refresh_tokens: Vec<Option<(crate::names::Name, Timestamp)>>,
    /// The time at which the faults ended.
    calm_since: Option<Timestamp>,
    is_over: bool,
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, way: Way) -> Self {
        let start: Timestamp = Timestamp::from_second(1_795_525_200).unwrap_or_default();
        let address = |plan: &crate::scenario::Address| Address {
            wall: Clock::new(start, plan.skew, plan.drift),
            clock: Clock::new(start, plan.skew, plan.drift),
            budget: RateBudget::default(),
            is_up: false,
            asleep_until: None,
            quiet_until: None,
        };
        let programs = scenario.programs.iter().enumerate();
        let program = |(number, plan)| Program::new(number, plan, scenario.seed, Tamper::new(way.mutant));
        let mut world = Self {
            scenario,
            way,
            now: start,
            queue: Queue::default(),
            server: Server::new(scenario),
            addresses: scenario.addresses.iter().map(address).collect(),
            machines: scenario.machines(),
            sets: (0..scenario.sets()).map(|_| Set::default()).collect(),
            programs: programs.map(program).collect(),
            exchanges: Vec::new(),
            stores: (0..scenario.fleets()).map(|_| SharedStore::default()).collect(),
            snapshots: 0,
            names: Names::default(),
            court: Court::new(scenario, way.is_traced),
            tally: Tally::default(),
            refresh_tokens: vec![None; scenario.users],
            calm_since: None,
            is_over: false,
        };
        for (program, plan) in scenario.present() {
            world.queue.push(start + plan.starts, Event::Start { program, life: 0 });
        }
        for (number, timed) in scenario.faults.iter().enumerate() {
            world.queue.push(start + timed.at, Event::Fault(number));
        }
        world.queue.push(start + SignedDuration::from_mins(1), Event::Probe);
        world.queue.push(start + scenario.length, Event::FaultsEnd);
        world
    }

    fn run(mut self) -> End {
        while !self.is_over
            && let Some((at, event)) = self.queue.pop()
        {
            self.now = at;
            if let Some(until) = self.put_off(&event) {
                self.queue.push(until, event);
                continue;
            }
            self.happen(event);
            let is_found = match self.way.only_law {
                Some(law) => self.court.violations.iter().any(|violation| violation.law == law),
                None => !self.court.violations.is_empty(),
            };
            if is_found {
                break;
            }
        }
        // A fleet counts as one session, and each of its programs as a part of it.
        let mut of_fleets = BTreeMap::<usize, u64>::new();
        let mut logins = Vec::new();
        for program in self.programs.iter().filter(|program| !program.plan.is_absent && !program.is_app()) {
            match program.plan.member {
                Some(member) => *of_fleets.entry(member.fleet).or_default() += program.logins,
                None => logins.push(program.logins),
            }
        }
        self.tally.password_fleets = of_fleets.len() as u64;
        self.tally.fleet_logins = of_fleets.values().sum();
        self.tally.end_of(self.scenario, logins.into_iter().chain(of_fleets.into_values()));
        self.tally.reasons = std::mem::take(&mut self.court.oracle.reasons);
        self.tally.excused = std::mem::take(&mut self.court.oracle.excused);
        let trace = self.court.trace.take().unwrap_or_default();
        End { tally: self.tally, violations: self.court.violations, trace }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { program, life } => self.start(program, life),
            Event::Wake { program, stamp } => {
                if self.programs[program].stamp == stamp {
                    self.wake(program, stamp);
                }
            }
            Event::WakeSet { set, stamp } => self.wake_set(set, stamp),
            Event::Arrive { exchange } => self.arrive(exchange),
            Event::Deliver { exchange, outcome } => self.deliver(exchange, *outcome),
            Event::AtStore { program, life, id, request, snapshot } => {
                self.at_store(program, life, id, &request, snapshot);
            }
            Event::FromStore { program, life, reply } => self.store_answers(program, life, *reply),
            Event::StoreChanged { program, life } => self.store_changed(program, life),
            Event::StoreCleared(fleet) => self.clear_store(fleet),
            Event::GoesOn { program, life } => self.goes_on(program, life),
            Event::Restart { program, left, every } => self.restart(program, left, every),
            Event::Awake(address) => self.awake(address),
            Event::Fault(number) => self.apply_fault(number),
            Event::Help { program } => self.help(program),
            Event::Tell { user, by_answer } => self.tell(user, by_answer),
            Event::Report { program, report, times } => self.report(program, report, times),
            Event::Probe => self.probe(),
            Event::FaultsEnd => self.end_faults(),
        }
    }

    fn local(&self, program: usize) -> Timestamp {
        self.machine(program).clock.at(self.now)
    }

    /// The first address of a program's machine.
    fn machine(&self, program: usize) -> &Address {
        &self.addresses[self.machines[self.programs[program].plan.address]]
    }

    fn record(&mut self, program: usize, what: What) {
        let local = self.local(program);
        self.court.record(&Record { at: self.now, local, program, what }, true);
    }

    fn note(&mut self, program: usize, text: impl FnOnce() -> String) {
        if self.court.trace.is_some() {
            self.record(program, What::Note(text()));
        }
    }
}
