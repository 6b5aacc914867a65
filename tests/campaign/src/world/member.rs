//! A program of a fleet: the real session and the real bookkeeping of the shared store, driven as token sources do.
//!
//! Whoever drives it has the turn until what was begun has come to an end, or is overdue. Each word to the store takes
//! its time there and back, in which anything may happen.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tradovate_auth_session::Revision;
use tradovate_auth_session::{ExchangeId, StoredSession};
use tradovate_auth_token_source::{Fleet, Lease, Step, lease_time};

use super::World;
use super::queue::Event;
use super::shared_store::Record;
use crate::journal::What;
use crate::ledger::DEADLINE;
use crate::scenario::Membership;
use crate::wire::Kept;

/// As long as a request may take, as token sources have it.
const LONGEST: Duration = Duration::from_secs(45);

/// Of a program that shares its session.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) plan: Membership,
    pub(super) fleet: Fleet,
    /// The fence of the lease it has been given.
    pub(super) lease: Option<u64>,
    /// Until when the turn is somebody's, by its own clock.
    pub(super) turn: Option<(u64, Timestamp)>,
    turns: u64,
}

impl Member {
    pub(super) fn new(plan: Membership) -> Self {
        Self { plan, fleet: Fleet::new(plan.log_in), lease: None, turn: None, turns: 0 }
    }

    fn is_busy(&self, local: Timestamp) -> bool {
        self.turn.is_some_and(|(_, overdue)| local < overdue)
    }

    /// The turn ends, where it is still this one.
    pub(super) fn end_turn(&mut self, turn: u64) {
        self.turn.take_if(|(held, _)| *held == turn);
    }
}

/// What a program asks of the store.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// The lease for so long; asked for at that time.
    Lease(Timestamp, Duration),
    /// The record, with the lease that has just been given or not.
    Load(Option<Lease>),
    Save {
        snapshot: usize,
        text: String,
        id: Option<ExchangeId>,
        known: Option<Revision>,
        fence: u64,
    },
    Release(u64),
}

/// What the store says.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Leased(Timestamp, Duration, Result<Option<u64>, String>),
    Loaded(Option<Lease>, Result<(Option<(Record, Duration)>, bool), String>),
    Saved(usize, Option<ExchangeId>, Result<Option<Revision>, String>),
    Released,
}

impl World<'_> {
    /// What has to be done about the store before the session of a member may be polled: whether it may be now.
    pub(super) fn may_poll(&mut self, number: usize) -> bool {
        let local = self.local(number);
        let program = &mut self.programs[number];
        let address = program.plan.address;
        let budget = &self.addresses[address].budget;
        let (Some(member), Some(session)) = (&mut program.member, &mut program.session) else { return true };
        if member.is_busy(local) {
            return false;
        }
        let pending = session.pending(local, budget);
        let step = match session.final_snapshot(local, budget).filter(|_| member.fleet.leads()) {
            Some(snapshot) => Step::Save(snapshot, member.fleet.known()),
            None => member.fleet.step(local, pending, session.has_unstored_grant(), LONGEST),
        };
        let fence = member.lease.take_if(|_| matches!(step, Step::Lead | Step::Release));
        match step {
            Step::Poll => return true,
            Step::Lead => {
                if let Some(fence) = fence {
                    self.say(number, Ask::Release(fence));
                }
                self.ask(number, Ask::Lease(local, lease_time(LONGEST)));
            }
            Step::Look => self.ask(number, Ask::Load(None)),
            Step::Save(snapshot, known) => self.save(number, None, &snapshot, known),
            Step::Release => self.ask(number, Ask::Release(fence.unwrap_or_default())),
            Step::Rest(until) => self.rest(number, until),
        }
        false
    }

    /// Takes the turn for something that comes to an end later; returns its number.
    pub(super) fn take_turn(&mut self, number: usize) -> u64 {
        let local = self.local(number);
        let overdue = local + DEADLINE;
        let Some(member) = &mut self.programs[number].member else { return 0 };
        member.turns += 1;
        member.turn = Some((member.turns, overdue));
        let turn = member.turns;
        self.wake_at(number, overdue);
        turn
    }

    fn ask(&mut self, number: usize, ask: Ask) {
        self.take_turn(number);
        self.say(number, ask);
    }

    fn say(&mut self, number: usize, ask: Ask) {
        let program = &mut self.programs[number];
        let (life, out) = (program.life, program.latency());
        let turn = program.member.as_ref().map_or(0, |member| member.turns);
        self.queue.push(self.now + out, Event::AtStore { program: number, life, turn, ask: Box::new(ask) });
    }

    pub(super) fn save(
        &mut self,
        number: usize,
        id: Option<ExchangeId>,
        snapshot: &StoredSession,
        known: Option<Revision>,
    ) {
        let value = serde_json::to_value(snapshot).unwrap_or(Value::Null);
        let kept = Kept::read(&value, &mut self.names);
        let snapshot = self.snapshots;
        self.snapshots += 1;
        self.record(number, What::Offered(snapshot, kept));
        self.take_turn(number);
        let Some(member) = &self.programs[number].member else { return };
        let Some(fence) = member.lease else {
            let turn = member.turns;
            return self.settle_save(number, turn, snapshot, id, Ok(None));
        };
        let local = self.local(number);
        let program = &mut self.programs[number];
        if program.tamper.claims_to_have_stored()
            && let (Some(session), Some(id)) = (&mut program.session, id)
        {
            session.stored(local, id);
            self.observe(number);
        }
        if !self.halt_before(number, crate::scenario::Moment::Saving) {
            self.say(number, Ask::Save { snapshot, text: value.to_string(), id, known, fence });
            return;
        }
        // The snapshot leaves when the program goes on, if it does.
        let program = &self.programs[number];
        if let (Some(until), Some(member)) = (program.paused_until, &program.member) {
            let (life, turn) = (program.life, member.turns);
            let ask = Ask::Save { snapshot, text: value.to_string(), id, known, fence };
            self.queue.push(until, Event::AtStore { program: number, life, turn, ask: Box::new(ask) });
        }
    }

    fn rest(&mut self, number: usize, until: Timestamp) {
        self.record(number, What::Waits(until));
        self.wake_at(number, until);
    }
}
