//! What the oracle of a run can still use. Two oracles with the same digest judge the same future in the same way.
//!
//! The oracle asks of the past only what is here. It compares steps only to find out whether a fault or a save came
//! since, and later ones come after all earlier steps. Whoever makes the oracle ask for more has to add it here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Asked, DEADLINE, HOUR, LEASE, Oracle, Placed, Token};
use crate::digest::Digest;
use crate::episode::{Episode, Kind, Shape};
use crate::plan::Fault;
use crate::world::World;

/// Whether a fault has disturbed a process since a step. If not, a later fault of this process may do so.
#[derive(Hash)]
enum Disturbed {
    Yes,
    NotYet(usize),
}

/// A token of the server.
#[derive(Hash)]
enum Fate<'a> {
    Unstored(&'a str, Disturbed),
    /// When the last rollback came that has removed it.
    Stored(&'a str, Option<Timestamp>),
}

impl Oracle {
    /// A digest of everything that the oracle can still use.
    pub(crate) fn digest(&self, world: &World) -> Digest {
        let mut digest = Digest::default();
        let placed: BTreeSet<_> = self.placed.iter().filter_map(|it| Self::still_used(it, world)).collect();
        digest.add(&(placed, self.placed.iter().filter(|it| it.hurries()).count().min(2)));
        // A token that the server has refused once is never accepted again.
        let good = self.access.iter().filter(|token| world.server.accepts(&token.text));
        let good: Vec<_> = good.map(|token| self.fate(world, token)).collect();
        digest.add(&(good, self.refresh.last().map(|newest| self.fate(world, newest))));
        // With a store of its own, a crash is judged by the last token.
        let issued = self.access.last().filter(|_| world.episode.shape == Shape::Stored);
        digest.add(&issued.map(|token| token.stored.is_some()));
        for process in 0..world.processes.len() {
            let saved = self.saved[process];
            let lost = self.placed.iter().filter(|it| it.fault == Fault::Rollback && it.step > saved);
            let lost_at = lost.filter_map(|it| leased(it, world)).max();
            // An answer can still come after the deadline.
            let asked = |Asked { operation, at, from }: &Asked| {
                (*operation, Some(*at).filter(|at| *at + DEADLINE > world.now), self.disturbed(process, *from))
            };
            let asked = self.in_flight[process].as_ref().map(asked);
            let is_overtaken = self.saved.iter().any(|other| *other > saved);
            digest.add(&(self.disturbed(process, saved), lost_at, is_overtaken, &self.handed[process], asked));
        }
        let recent = self.logins.iter().filter(|(at, ..)| *at + HOUR > world.now);
        let recent: Vec<_> = recent.map(|(at, process, from)| (at, self.disturbed(*process, *from))).collect();
        // The bound of the recovery counts all logins.
        digest.add(&(self.logins.len(), recent, &self.stored, &self.attempts, &self.presented));
        digest
    }

    fn disturbed(&self, process: usize, from: usize) -> Disturbed {
        if self.is_disturbed(process, from, None) { Disturbed::Yes } else { Disturbed::NotYet(process) }
    }

    fn fate<'a>(&self, world: &World, token: &'a Token) -> Fate<'a> {
        let Some(stored) = token.stored else {
            return Fate::Unstored(&token.text, self.disturbed(token.process, token.from));
        };
        let lost = self.placed.iter().filter(|it| it.fault == Fault::Rollback && it.step >= stored);
        Fate::Stored(&token.text, lost.map(|it| leased(it, world).unwrap_or(Timestamp::MIN)).max())
    }

    /// What the oracle still uses of a fault, apart from its step: the fault, its process, its time, and a fact.
    fn still_used(it: &Placed, world: &World) -> Option<(u8, usize, Option<Timestamp>, bool)> {
        let Episode { kind, shape } = world.episode;
        match it.fault {
            Fault::Rollback => Some((0, 0, leased(it, world), false)),
            Fault::Away => Some((1, 0, None, false)),
            Fault::Stale => (kind == Kind::Refresh).then_some((2, it.process, None, false)),
            Fault::Ahead => Some((3, it.process, None, it.is_in_flight)),
            Fault::Back => Some((4, it.process, None, false)),
            Fault::ConfirmationLost | Fault::ConfirmationSilent => Some((5, it.process, None, false)),
            Fault::Crash if shape == Shape::Stored || kind.is_verified() => Some((6, 0, None, it.is_open)),
            // Whether they have disturbed something is known.
            Fault::Crash | Fault::Pause | Fault::AnswerLost | Fault::AnswerSilent => None,
        }
    }
}

/// The time of a rollback whose lost lease may still last.
fn leased(rollback: &Placed, world: &World) -> Option<Timestamp> {
    Some(rollback.at).filter(|at| world.now < *at + LEASE)
}
