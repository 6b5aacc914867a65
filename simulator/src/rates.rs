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
