//! The stores of the programs: a snapshot is written, and then the session is told; either may fail, and a crash may
//! come in between.

use jiff::SignedDuration;
use serde_json::Value;
use tradovate_auth_session::{ExchangeId, StoredSession};

use super::World;
use super::queue::Event;
use crate::journal::What;
use crate::wire::Kept;

impl World<'_> {
    pub(super) fn offer(&mut self, number: usize, id: ExchangeId, snapshot: &StoredSession) {
        let value = serde_json::to_value(snapshot).unwrap_or(Value::Null);
        let kept = Kept::read(&value, &mut self.names);
        let snapshot = self.snapshots;
        self.snapshots += 1;
        self.record(number, What::Offered(snapshot, kept));
        let local = self.local(number);
        let now = self.now;
        let program = &mut self.programs[number];
        let (write, word) = (program.latency(), program.latency());
        let life = program.life;
        let trouble = program.store_trouble.filter(|(_, until)| now < *until);
        let told = |is_stored| Event::Told { program: number, life, id, snapshot, is_stored };
        if let Some((false, _)) = trouble {
            self.queue.push(now + write, told(false));
            return;
        }
        program.writing.push_back((snapshot, value.to_string()));
        if program.tamper.claims_to_have_stored()
            && let Some(session) = &mut program.session
        {
            session.stored(local, id);
            self.observe(number);
        }
        self.queue.push(now + write, Event::Written { program: number, snapshot });
        if trouble.is_none() {
            self.queue.push(now + write + word, told(true));
        }
    }

    pub(super) fn written(&mut self, number: usize, snapshot: usize) {
        let program = &mut self.programs[number];
        if let Some(index) = program.writing.iter().position(|(written, _)| *written == snapshot) {
            let written = program.writing.remove(index);
            // What was written later stays.
            program.stored = program.stored.take().max(written);
        }
    }

    pub(super) fn told(&mut self, number: usize, life: u32, id: ExchangeId, snapshot: usize, is_stored: bool) {
        let local = self.local(number);
        let program = &mut self.programs[number];
        if program.life != life {
            return;
        }
        let Some(session) = &mut program.session else { return };
        if is_stored {
            session.stored(local, id);
        } else {
            session.store_failed(local, id);
        }
        self.record(number, if is_stored { What::Stored(snapshot) } else { What::NotStored(snapshot) });
        self.observe(number);
        self.step(number);
    }

    /// A store that fails, or says nothing, for a time.
    pub(super) fn disturb_store(&mut self, number: usize, is_silent: bool, lasts: SignedDuration) {
        self.programs[number].store_trouble = Some((is_silent, self.now + lasts));
    }
}
