//! [`StoredLimits`]: the stored facts of a network address: lock-outs, closed endpoints, and the logins of the hour. The
//! budget owns them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tradovate_auth_core::workspace_only::{Damage, Fields};

use super::{Gate, Operation, RateBudget, counts_until};
use crate::time_arithmetic::shifted;

/// The operations whose requests are stored. The others are far below their limits, or their limits concern one session
/// alone.
const STORED: [Operation; 1] = [Operation::LogIn];

/// The stored facts of a network address. All times are local.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredLimits {
    locked: Option<Gate>,
    closed: BTreeMap<Operation, Gate>,
    /// Requests that the server still counts.
    sent: BTreeMap<Operation, VecDeque<Timestamp>>,
    /// By how much the times were translated since they were read.
    translated_by: SignedDuration,
}

/// A request from a snapshot whose times were translated.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadRequest {
    operation: Operation,
    /// The time by the clock of the writer. It identifies the request.
    written: Timestamp,
    /// The time by the clock of the reader, with which the request counts.
    counted: Timestamp,
}

impl StoredLimits {
    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if let Some(gate) = &self.locked {
            map.serialize_entry("lockOut", gate)?;
        }
        if !self.closed.is_empty() {
            map.serialize_entry("closedEndpoints", &self.closed)?;
        }
        if !self.sent.is_empty() {
            map.serialize_entry("sent", &self.sent)?;
        }
        Ok(())
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Damage> {
        Ok(Self {
            locked: fields.take("lockOut")?,
            closed: fields.take("closedEndpoints")?,
            sent: fields.take("sent")?,
            translated_by: SignedDuration::ZERO,
        })
    }

    /// Translates the times to a clock that is ahead by `by`.
    pub(crate) fn shift(&mut self, by: SignedDuration) {
        for gate in self.locked.iter_mut().chain(self.closed.values_mut()) {
            *gate = gate.shifted(by);
        }
        for sent in self.sent.values_mut().flatten() {
            *sent = shifted(*sent, by);
        }
        self.translated_by = self.translated_by.saturating_add(by);
    }

    /// When the last of these facts no longer matters.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        let gates = self.locked.iter().chain(self.closed.values()).map(Gate::end);
        gates.chain(self.sent.values().flatten().map(|sent| counts_until(*sent))).max()
    }
}

impl RateBudget {
    /// The facts to store, with the gates that are closed at `now` by the session's clock, and the requests that were
    /// sent at a time for which `counts` is true.
    pub(crate) fn stored_limits(
        &self,
        now: Timestamp,
        gates: &[(Option<Operation>, Gate)],
        mut counts: impl FnMut(Timestamp) -> bool,
    ) -> StoredLimits {
        let mut limits = StoredLimits::default();
        for (operation, gate) in gates {
            match operation {
                Some(operation) => drop(limits.closed.insert(*operation, *gate)),
                None => limits.locked = Some(*gate),
            }
        }
        for operation in STORED {
            let sent: VecDeque<_> = self.taken(now, operation).filter(|sent| counts(*sent)).collect();
            if !sent.is_empty() {
                limits.sent.insert(operation, sent);
            }
        }
        limits
    }

    /// Merges the facts that another session behind the address has stored. No gate lasts longer than its `holds_for`,
    /// whatever clock wrote it.
    pub(crate) fn merge(&mut self, now: Timestamp, limits: &StoredLimits) {
        if let Some(gate) = limits.locked.and_then(|gate| gate.left_at(now)) {
            self.learn_lock(gate);
        }
        for (operation, gate) in &limits.closed {
            if let Some(gate) = gate.left_at(now) {
                self.learn_closing(*operation, gate);
            }
        }
        for (operation, sent) in &limits.sent {
            if limits.translated_by.is_zero() {
                self.learn(now, *operation, sent.iter().copied());
            } else {
                self.learn_translated(now, *operation, sent, limits.translated_by);
            }
        }
    }

    /// Counts requests from a snapshot whose times were translated. If the clock was set back, each snapshot is read as
    /// if it had just been written. Then the snapshots that one process has written at different times give the same
    /// request different times. It counts once, with the earliest of them.
    fn learn_translated(
        &mut self,
        now: Timestamp,
        operation: Operation,
        sent: &VecDeque<Timestamp>,
        by: SignedDuration,
    ) {
        self.read.retain(|read| counts_until(read.counted) > now);
        let mut unmatched: Vec<usize> = (0..self.read.len()).collect();
        let mut counted = Vec::with_capacity(sent.len());
        for sent in sent {
            let written = shifted(*sent, SignedDuration::ZERO.saturating_sub(by));
            let new = ReadRequest { operation, written, counted: (*sent).min(now) };
            let key = |read: &ReadRequest| (read.operation, read.written);
            let is_same = |index: &usize| self.read.get(*index).map(key) == Some(key(&new));
            let known = unmatched.iter().position(is_same).map(|position| unmatched.remove(position));
            let known = known.and_then(|index| self.read.get_mut(index));
            counted.push(known.as_ref().map_or(new.counted, |known| known.counted.min(new.counted)));
            match known {
                Some(known) if known.counted <= new.counted => {}
                Some(known) => {
                    let before = core::mem::replace(known, new);
                    self.give_back(before.counted, operation);
                }
                None => self.read.push(new),
            }
        }
        self.learn(now, operation, counted);
    }
}

/// The serialized form of a gate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    learnt_at: Timestamp,
    holds_for_ms: u64,
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let holds_for_ms = u64::try_from(self.holds_for.as_millis()).unwrap_or(u64::MAX);
        Form { learnt_at: self.learnt_at, holds_for_ms }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Gate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Form { learnt_at, holds_for_ms } = Form::deserialize(deserializer)?;
        Ok(Self::new(learnt_at, Duration::from_millis(holds_for_ms)))
    }
}
