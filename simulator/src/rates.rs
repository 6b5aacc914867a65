//! Rolling windows of an hour: how often a network or a user has called.
//! What to do about too many is decided elsewhere.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::{
    network::Network,
    penalties::Door,
    time::{HOUR, elapsed, later},
};

/// Counted requests per network and endpoint.
#[derive(Default)]
pub(crate) struct Rates(BTreeMap<Door, VecDeque<Timestamp>>);

impl Rates {
    pub(crate) fn count(&mut self, now: Timestamp, door: &Door) -> usize {
        self.0.get_mut(door).map_or(0, |window| roll(window, now))
    }

    pub(crate) fn record(&mut self, now: Timestamp, door: Door) {
        self.0.entry(door).or_default().push_back(now);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Who sends a request: a user with a good token, or somebody in a network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    User(i64),
    Anonymous(Network),
}

/// Requests of all kinds per caller. One too many locks the caller out for an hour, which every further one restarts.
#[derive(Default)]
pub(crate) struct Callers {
    windows: BTreeMap<Caller, VecDeque<Timestamp>>,
    locked_until: BTreeMap<Caller, Timestamp>,
}

impl Callers {
    /// Counts a request; whether the caller is locked out.
    pub(crate) fn is_locked(&mut self, now: Timestamp, caller: &Caller, per_hour: usize) -> bool {
        let locked = self.locked_until.get(caller).is_some_and(|until| now < *until);
        if !locked && self.locked_until.remove(caller).is_some() {
            self.windows.remove(caller);
        }
        if per_hour == usize::MAX {
            return locked;
        }
        let window = self.windows.entry(caller.clone()).or_default();
        if locked || roll(window, now) >= per_hour {
            self.locked_until.insert(caller.clone(), later(now, HOUR));
            return true;
        }
        window.push_back(now);
        false
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn roll(window: &mut VecDeque<Timestamp>, now: Timestamp) -> usize {
    window.retain(|counted| elapsed(now, *counted) < HOUR);
    window.len()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(seconds: u64) -> Timestamp {
        later("2026-11-24T12:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    #[test]
    fn a_caller_over_the_limit_is_locked_out_for_an_hour_after_its_last_request() {
        let (mut callers, caller) = (Callers::default(), Caller::User(1));
        assert!(!callers.is_locked(after(0), &caller, 2));
        assert!(!callers.is_locked(after(0), &caller, 2));
        assert!(callers.is_locked(after(0), &caller, 2));
        assert!(callers.is_locked(after(3599), &caller, 2));
        assert!(callers.is_locked(after(2 * 3599), &caller, 2));
        assert!(!callers.is_locked(after(2 * 3599 + 3600), &caller, 2));
    }

    #[test]
    fn a_window_rolls() {
        let (mut callers, caller) = (Callers::default(), Caller::User(1));
        assert!(!callers.is_locked(after(0), &caller, 1));
        assert!(!callers.is_locked(after(3600), &caller, 1));
    }

    #[test]
    fn callers_are_counted_apart() {
        let mut callers = Callers::default();
        assert!(!callers.is_locked(after(0), &Caller::User(1), 1));
        assert!(!callers.is_locked(after(0), &Caller::Anonymous(Network::default()), 1));
    }
}
