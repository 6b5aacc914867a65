//! The programs' questions to their own and shared stores. Each question and each answer takes some time on its way,
//! and any event may happen in between.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth_session::{ExchangeId, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest};

use super::World;
use super::queue::{Event, Reply};
use super::shared_store::Found;
use crate::journal::What;
use crate::scenario::Moment;
use crate::wire::Kept;

/// A snapshot with its number, its facts and its text.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) number: usize,
    pub(super) kept: Kept,
    pub(super) taken: Timestamp,
    pub(super) text: String,
}

impl World<'_> {
    pub(super) fn ask_store(&mut self, number: usize, id: ExchangeId, request: StoreRequest) {
        let (local, now) = (self.local(number), self.now);
        let snapshot = match &request {
            StoreRequest::Keep(session) | StoreRequest::Save { snapshot: session, .. } => {
                let value = serde_json::to_value(session).unwrap_or(Value::Null);
                let kept = Kept::read(&value, &mut self.names);
                self.snapshots += 1;
                Some(Snapshot { number: self.snapshots - 1, kept, taken: now, text: value.to_string() })
            }
            _ => None,
        };
        let mut at = now + self.programs[number].latency();
        if let Some(Snapshot { number: taken, kept, .. }) = &snapshot {
            if self.programs[number].tamper.withholds(&request, kept) {
                return self.answer_from_store(number, local, id, Ok(StoreAnswer::Kept));
            }
            self.record(number, What::Offered(*taken, *kept));
            if self.programs[number].tamper.claims_to_have_stored() {
                let is_own = matches!(request, StoreRequest::Keep(_));
                let answer = if is_own { StoreAnswer::Kept } else { StoreAnswer::Saved(Some(Revision(u64::MAX))) };
                self.with(number, |session, budget| session.store_answered(local, id, Ok(answer), budget));
                self.observe(number);
            }
            if self.offers(number, kept) {
                return;
            }
            if self.halt_before(number, Moment::Saving) {
                // The snapshot leaves when the program continues, if it does.
                let Some(until) = self.programs[number].paused_until else { return };
                at = until;
            }
        }
        let (program, life, request) = (number, self.programs[number].life, Box::new(request));
        self.queue.push(at, Event::AtStore { program, life, id, request, snapshot });
    }

    /// A question arrives at the store, whether or not the program still runs.
    pub(super) fn at_store(
        &mut self,
        number: usize,
        life: u32,
        id: ExchangeId,
        request: &StoreRequest,
        snapshot: Option<Snapshot>,
    ) {
        let asked = snapshot.as_ref().map(|snapshot| (snapshot.number, snapshot.kept));
        let (answer, found) = match self.programs[number].plan.member {
            None => {
                let Some(answer) = self.keep(number, snapshot) else { return };
                if answer.is_ok() && self.programs[number].life == life && self.is_kept(number) {
                    return;
                }
                (answer, None)
            }
            Some(plan) => {
                let forced = self.programs[number].tamper.overwrites_newer_records();
                let store = &mut self.stores[plan.fleet];
                let (mut answer, found) = store.answer(self.now, request, snapshot, forced);
                if let (Ok(StoreAnswer::Saved(Some(_))), Some((snapshot, kept))) = (&answer, asked) {
                    if store.loses_confirmation() {
                        answer = Err(StoreError::new(StoreErrorKind::Unreachable, "no answer"));
                    }
                    self.record(number, What::Saved(snapshot, kept));
                    self.tell_watchers(plan.fleet);
                }
                (answer, found)
            }
        };
        let back = self.programs[number].latency();
        let reply = Box::new(Reply { id, snapshot: asked.map(|(number, _)| number), answer, found });
        self.queue.push(self.now + back, Event::FromStore { program: number, life, reply });
    }

    /// Answers for a program's own store, which may fail or not answer.
    fn keep(&mut self, number: usize, snapshot: Option<Snapshot>) -> Option<Result<StoreAnswer, StoreError>> {
        let now = self.now;
        let program = &mut self.programs[number];
        let trouble = program.store_trouble.filter(|(_, until)| now < *until).map(|(is_silent, _)| is_silent);
        if trouble == Some(false) {
            return Some(Err(StoreError::new(StoreErrorKind::NotWritable, "the store fails")));
        }
        // A snapshot that was written later stays.
        let written = snapshot.map(|snapshot| (snapshot.number, snapshot.text));
        program.stored = program.stored.take().max(written);
        trouble.is_none().then_some(Ok(StoreAnswer::Kept))
    }

    /// The answer of the store arrives, if the program still runs.
    pub(super) fn store_answers(&mut self, number: usize, life: u32, reply: Reply) {
        let local = self.local(number);
        let program = &self.programs[number];
        let Some(session) = self.session(number).filter(|_| program.life == life) else { return };
        let Reply { id, snapshot, answer, found } = reply;
        let is_stored = matches!(answer, Ok(StoreAnswer::Kept | StoreAnswer::Saved(Some(_))));
        let news = found.filter(|found| found.revision.is_none() || found.revision != session.known_revision());
        let answer = match self.budget(number) {
            Some(budget) => program.tamper.store_answer(answer, session, local, budget),
            None => answer,
        };
        self.answer_from_store(number, local, id, answer);
        // A stopped session may continue with what others have stored.
        let is_stopped = self.session(number).is_some_and(|session| session.stop_reason().is_some());
        let program = &mut self.programs[number];
        program.is_stopped &= is_stopped;
        if let Some(Found { kept, is_stale, is_readable: true, late, loaded_at, .. }) = news {
            program.refresh = kept.and_then(|(_, kept)| kept.refresh).or(program.refresh);
            let late = late + self.now.duration_since(loaded_at);
            self.record(number, What::Synchronized { kept, is_stale, late });
        }
        if let Some(snapshot) = snapshot {
            self.record(number, if is_stored { What::Stored(snapshot) } else { What::NotStored(snapshot) });
        }
        if is_stored && self.knows_that_it_is_kept(number) {
            return;
        }
        self.observe(number);
        self.step(number);
    }

    /// The watching programs learn of another record within a second.
    pub(super) fn tell_watchers(&mut self, fleet: usize) {
        for number in 0..self.programs.len() {
            let program = &mut self.programs[number];
            if program.plan.member.is_some_and(|plan| plan.fleet == fleet && plan.keeps) && program.session.is_some() {
                let within = i64::try_from(program.random.rand_range(0..1000)).unwrap_or_default();
                let at = self.now + SignedDuration::from_millis(within);
                self.queue.push(at, Event::StoreChanged { program: number, life: program.life });
            }
        }
    }

    pub(super) fn store_changed(&mut self, number: usize, life: u32) {
        let program = &mut self.programs[number];
        let (Some(plan), Some(session)) = (program.plan.member, &mut program.session) else { return };
        if program.life != life {
            return;
        }
        let store = &self.stores[plan.fleet];
        if store.is_down(self.now) {
            // The program watches again as soon as it can.
            let again = self.now + SignedDuration::from_secs(1);
            self.queue.push(again, Event::StoreChanged { program: number, life });
        } else if store.revision() != session.known_revision() {
            session.store_changed();
            self.step(number);
        }
    }

    /// Makes a store fail, or not answer, for a time.
    pub(super) fn disturb_store(&mut self, number: usize, is_silent: bool, lasts: SignedDuration) {
        self.programs[number].store_trouble = Some((is_silent, self.now + lasts));
    }
}
