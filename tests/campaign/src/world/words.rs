//! Words to the store that a fleet shares and back: what arrives there, what the program makes of the answer, and who
//! learns of a change.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;
use tradovate_auth_session::ExchangeId;
use tradovate_auth_session::{Revision, StoredRecord, Unreadable};
use tradovate_auth_token_source::{Lease, Seen};

use super::World;
use super::member::{Ask, Word};
use super::queue::Event;
use super::shared_store::Record;
use crate::journal::What;
use crate::wire::Kept;

impl World<'_> {
    /// Something arrives at the store; a program that has crashed since gets no answer.
    pub(super) fn at_store(&mut self, number: usize, life: u32, turn: u64, ask: Ask) {
        let Some(plan) = self.programs[number].plan.member else { return };
        let (now, down) = (self.now, "the store is down".to_owned());
        let store = &mut self.stores[plan.fleet];
        let word = match ask {
            Ask::Lease(begun, time) => Word::Leased(begun, time, store.lease(now, time).map_err(|_| down)),
            Ask::Load(lease) => {
                let loaded = store
                    .load(now)
                    .map(|(record, is_stale)| (record.map(|record| (record.clone(), record.age(now))), is_stale));
                Word::Loaded(lease, loaded.map_err(|_| down))
            }
            Ask::Save { snapshot, text, id, known, fence } => {
                let forced = self.programs[number].tamper.saves_anyway();
                let value = serde_json::from_str(&text).unwrap_or(Value::Null);
                let result = match store.save(now, (snapshot, text), known, fence, forced) {
                    Ok((Some(revision), is_word_lost)) => {
                        let kept = Kept::read(&value, &mut self.names);
                        self.record(number, What::Saved(snapshot, kept));
                        self.tell_watchers(plan.fleet);
                        if is_word_lost { Err("no answer".to_owned()) } else { Ok(Some(revision)) }
                    }
                    Ok((None, _)) => Ok(None),
                    Err(_) => Err(down),
                };
                Word::Saved(snapshot, id, result)
            }
            Ask::Release(fence) => {
                store.release(now, fence);
                Word::Released
            }
        };
        let back = self.programs[number].latency();
        self.queue.push(now + back, Event::FromStore { program: number, life, turn, word: Box::new(word) });
    }

    /// The word of the store arrives, if the program still lives.
    pub(super) fn hear(&mut self, number: usize, life: u32, turn: u64, word: Word) {
        let program = &mut self.programs[number];
        if program.life != life || program.session.is_none() {
            return;
        }
        let anyway = self.programs[number].tamper.leads_anyway();
        let Some(member) = &mut self.programs[number].member else { return };
        match word {
            // What is given back before the lease is asked for is no turn of its own.
            Word::Released if member.turn.is_none_or(|(held, _)| held != turn) => return,
            Word::Released => member.fleet.released(),
            Word::Leased(begun, time, Ok(fence)) => {
                member.lease = fence.or(anyway.then_some(0));
                let lease = Lease { begun, time, is_ours: fence.is_some() || anyway };
                return self.say_in(number, turn, Ask::Load(Some(lease)));
            }
            Word::Leased(_, _, Err(reason)) => self.heard(number, None, Err(reason)),
            Word::Loaded(lease, loaded) => {
                if let (Err(_), Some(fence)) = (&loaded, member.lease.take_if(|_| loaded.is_err())) {
                    self.say_in(number, 0, Ask::Release(fence));
                }
                self.heard(number, lease, loaded);
            }
            Word::Saved(snapshot, id, result) => return self.settle_save(number, turn, snapshot, id, result),
        }
        self.go_on(number, turn);
    }

    fn say_in(&mut self, number: usize, turn: u64, ask: Ask) {
        let program = &mut self.programs[number];
        let (life, out) = (program.life, program.latency());
        self.queue.push(self.now + out, Event::AtStore { program: number, life, turn, ask: Box::new(ask) });
    }

    pub(super) fn go_on(&mut self, number: usize, turn: u64) {
        if let Some(member) = &mut self.programs[number].member {
            member.end_turn(turn);
        }
        self.observe(number);
        self.step(number);
    }

    fn heard(
        &mut self,
        number: usize,
        lease: Option<Lease>,
        loaded: Result<(Option<(Record, Duration)>, bool), String>,
    ) {
        let local = self.local(number);
        let program = &mut self.programs[number];
        let address = program.plan.address;
        let (Some(member), Some(session)) = (&mut program.member, &mut program.session) else { return };
        let (seen, kept) = match loaded {
            Ok((record, is_stale)) => {
                if let Some(lease) = lease {
                    member.fleet.led(local, lease);
                }
                let kept = record.as_ref().and_then(|(record, _)| {
                    let value: Value = serde_json::from_str(&record.text).ok()?;
                    Some((record.snapshot, Kept::read(&value, &mut self.names)))
                });
                let stored = record.map(|(record, age)| StoredRecord {
                    revision: record.revision,
                    age: Some(age),
                    session: match serde_json::from_str(&record.text) {
                        Ok(session) if !record.is_damaged => Ok(session),
                        _ => Err(Unreadable::Damaged),
                    },
                });
                (member.fleet.loaded(local, stored), Some((kept, is_stale)))
            }
            Err(reason) => {
                member.fleet.released();
                (member.fleet.has_failed(local, lease.is_some(), reason), None)
            }
        };
        match seen {
            Seen::Record(stored) => {
                let is_read = stored.is_some();
                if !program.tamper.ignores_the_store(session, local) {
                    session.synchronize(local, stored, &mut self.addresses[address].budget);
                }
                let (kept, is_stale) = kept.unwrap_or_default();
                let kept = kept.filter(|_| is_read);
                if let Some((_, kept)) = kept {
                    program.refresh = kept.refresh.or(program.refresh);
                }
                self.record(number, What::Synchronized { kept, is_stale });
                self.resumes(number);
            }
            Seen::Trouble { reason, is_new, retry_at } if is_new => session.store_unusable(local, reason, retry_at),
            Seen::Trouble { .. } | Seen::Known => {}
        }
    }

    /// A session that had stopped may go on with what others have stored.
    fn resumes(&mut self, number: usize) {
        let program = &mut self.programs[number];
        program.is_stopped &= program.session.as_ref().is_some_and(|session| session.stop_reason().is_some());
    }

    pub(super) fn settle_save(
        &mut self,
        number: usize,
        turn: u64,
        snapshot: usize,
        id: Option<ExchangeId>,
        result: Result<Option<Revision>, String>,
    ) {
        let local = self.local(number);
        let program = &mut self.programs[number];
        let (Some(member), Some(session)) = (&mut program.member, &mut program.session) else { return };
        let is_saved = matches!(result, Ok(Some(_)));
        match (result, id) {
            (Ok(revision), id) => {
                member.fleet.saved(revision);
                match (id, revision) {
                    (Some(id), Some(_)) => session.stored(local, id),
                    (Some(id), None) => session.store_overtaken(local, id),
                    _ => {}
                }
            }
            (Err(_), Some(id)) => session.store_failed(local, id),
            (Err(_), None) => {}
        }
        self.record(number, if is_saved { What::Stored(snapshot) } else { What::NotStored(snapshot) });
        self.go_on(number, turn);
    }

    /// Those that watch learn of another record within a second.
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
        let (Some(member), true) = (&mut program.member, program.life == life) else { return };
        let store = &self.stores[member.plan.fleet];
        let revision = store.record.as_ref().map(|record| record.revision);
        if store.is_down(self.now) {
            // It watches again as soon as it can.
            let again = self.now + SignedDuration::from_secs(1);
            self.queue.push(again, Event::StoreChanged { program: number, life });
        } else if revision != member.fleet.known() {
            member.fleet.has_changed();
            self.step(number);
        }
    }
}
