//! [`Fact`]: how a fact of a record is merged with what another process knows, and the general kinds of facts.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::network_budget::Operation;
use crate::time_arithmetic::{LONGEST_WAIT, later, shifted};

/// A fact that two processes with one login may know.
pub(crate) trait Fact: Sized {
    /// Merges the fact with what another process, or an earlier run, knows. Commutative, associative and idempotent.
    fn merge(&mut self, other: Self);

    /// Translates local times to a clock that is ahead by `by`.
    fn shift(&mut self, _by: SignedDuration) {}

    /// Corrects times from a wrong clock: no fact was learnt after `now`, and no wait ends more than one day after
    /// `now`.
    fn correct(&mut self, _now: Timestamp) {}

    /// When the fact no longer matters. [`Timestamp::MAX`] if it matters until the program or its user acts.
    fn ends(&self) -> Option<Timestamp> {
        None
    }
}

/// Whether the fact has no content. Such facts are not written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The end of a wait, limited to one day after `now`.
pub(crate) fn correct_wait(until: &mut Timestamp, now: Timestamp) {
    *until = (*until).min(later(now, LONGEST_WAIT));
}

/// The local time of an event, such as a verification. The later time wins.
impl Fact for Option<Timestamp> {
    fn merge(&mut self, other: Self) {
        *self = (*self).max(other);
    }

    fn shift(&mut self, by: SignedDuration) {
        *self = self.map(|at| shifted(at, by));
    }

    fn correct(&mut self, now: Timestamp) {
        *self = self.map(|at| at.min(now));
    }
}

/// A number that never changes once it is known.
impl Fact for Option<i64> {
    fn merge(&mut self, other: Self) {
        *self = (*self).max(other);
    }
}

/// Waits by name. Of two waits for one name, the longer one wins.
impl Fact for BTreeMap<String, Timestamp> {
    fn merge(&mut self, other: Self) {
        for (name, until) in other {
            let known = self.entry(name).or_insert(until);
            *known = (*known).max(until);
        }
    }

    fn shift(&mut self, by: SignedDuration) {
        for until in self.values_mut() {
            *until = shifted(*until, by);
        }
    }

    fn correct(&mut self, now: Timestamp) {
        self.retain(|_, until| *until > now);
        for until in self.values_mut() {
            correct_wait(until, now);
        }
    }

    fn ends(&self) -> Option<Timestamp> {
        self.values().max().copied()
    }
}

/// The value that was learnt last. A process that learns a value increases the count. The higher count wins. With equal
/// counts, the greater value wins. So no clock decides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Latest<T> {
    count: u32,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    value: Option<T>,
}

/// Orders the values of a register with equal counts.
pub(crate) type Key<'v> = (Timestamp, Option<Operation>, [&'v str; 2]);

/// A value of [`Latest`].
pub(crate) trait Value {
    /// The order of two values. Equal keys mean equal values.
    fn key(&self) -> Key<'_>;

    /// If the value is a wait: its end, by the local clock.
    fn wait(&mut self) -> Option<&mut Timestamp> {
        None
    }
}

/// By the server's clock.
impl Value for Timestamp {
    fn key(&self) -> Key<'_> {
        (*self, None, [""; 2])
    }
}

impl<T: Value> Value for Box<T> {
    fn key(&self) -> Key<'_> {
        T::key(self)
    }

    fn wait(&mut self) -> Option<&mut Timestamp> {
        T::wait(self)
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { count: 0, value: None }
    }
}

impl<T> Latest<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    pub(crate) fn set(&mut self, value: T) {
        *self = Self { count: self.count.saturating_add(1), value: Some(value) };
    }

    /// Sets the value, if there is one.
    pub(crate) fn set_if_some(&mut self, value: Option<T>) {
        if let Some(value) = value {
            self.set(value);
        }
    }

    /// Undoes that the value is spent.
    pub(crate) fn restore(&mut self, value: Option<T>) {
        if self.value.is_none() && value.is_some() {
            *self = Self { count: self.count.saturating_sub(1), value };
        }
    }

    /// Marks the value as spent.
    pub(crate) fn clear(&mut self) {
        if self.value.is_some() {
            *self = Self { count: self.count.saturating_add(1), value: None };
        }
    }
}

impl<T: Value> Latest<T> {
    fn key(&self) -> (u32, Option<Key<'_>>) {
        (self.count, self.value.as_ref().map(Value::key))
    }

    fn wait(&mut self) -> Option<&mut Timestamp> {
        self.value.as_mut()?.wait()
    }
}

impl<T: Value> PartialEq for Latest<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T: Value + Clone> Fact for Latest<T> {
    fn merge(&mut self, other: Self) {
        if other.key() > self.key() {
            *self = other;
        }
    }

    fn shift(&mut self, by: SignedDuration) {
        self.wait().into_iter().for_each(|until| *until = shifted(*until, by));
    }

    fn correct(&mut self, now: Timestamp) {
        self.wait().into_iter().for_each(|until| correct_wait(until, now));
    }

    fn ends(&self) -> Option<Timestamp> {
        self.clone().wait().copied()
    }
}

/// A yes-or-no fact. It is yes if the count of its changes is odd. The higher count wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Flag(u32);

impl Flag {
    pub(crate) fn is_set(self) -> bool {
        self.0 % 2 == 1
    }

    pub(crate) fn set(&mut self) {
        self.0 |= 1;
    }

    pub(crate) fn clear(&mut self) {
        if self.is_set() {
            self.0 = self.0.saturating_add(1);
        }
    }

    /// Takes back a change that no other process has seen. If another process has set the flag, it stays set.
    pub(crate) fn unset(&mut self) {
        if self.is_set() {
            self.0 = self.0.saturating_sub(1);
        }
    }
}

impl Fact for Flag {
    fn merge(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }
}
