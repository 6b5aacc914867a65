//! Halts programs at critical moments. A paused program does nothing and later continues where it was. A crashed one
//! restarts.

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::queue::Event;
use crate::journal::What;
use crate::scenario::Moment;

impl World<'_> {
    /// The time to which an event of a paused program is postponed.
    pub(super) fn put_off(&self, event: &Event) -> Option<Timestamp> {
        let actor = event.actor(&self.exchanges)?;
        let asleep = self.machine(actor).asleep_until;
        self.programs[actor].paused_until.max(asleep.filter(|until| self.now < *until))
    }

    pub(super) fn halt(&mut self, number: usize, moment: Moment, crashes: bool, lasts: SignedDuration) {
        if moment != Moment::Now {
            self.programs[number].halts.push_back((moment, crashes, lasts));
        } else if crashes {
            self.crash(number, lasts, false);
        } else {
            self.pause(number, lasts);
        }
    }

    /// Halts a program if a halt is planned for this moment. Returns whether it did.
    pub(super) fn halt_before(&mut self, number: usize, moment: Moment) -> bool {
        let program = &mut self.programs[number];
        let Some((_, crashes, lasts)) = program.halts.front().copied().filter(|(at, ..)| *at == moment) else {
            return false;
        };
        program.halts.pop_front();
        self.halt(number, Moment::Now, crashes, lasts);
        true
    }

    fn pause(&mut self, number: usize, lasts: SignedDuration) {
        let program = &mut self.programs[number];
        if program.session.is_none() || program.paused_until.is_some() {
            return;
        }
        let until = self.now + lasts;
        program.paused_until = Some(until);
        let life = program.life;
        self.record(number, What::Paused(lasts));
        self.queue.push(until, Event::GoesOn { program: number, life });
    }

    pub(super) fn goes_on(&mut self, number: usize, life: u32) {
        let program = &mut self.programs[number];
        if program.life == life {
            program.paused_until = None;
            self.step(number);
        }
    }
}
