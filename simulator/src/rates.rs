//! Counts requests of a network or a user in rolling windows of an hour and a second. `simulator.rs` decides what happens
//! over a limit.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    network::Network,
    penalties::LimitKey,
    time::{HOUR, elapsed, later},
};

/// The counted requests per network and endpoint.
#[derive(Clone, Default)]
pub(crate) struct Rates(BTreeMap<LimitKey, VecDeque<Timestamp>>);

impl Rates {
    pub(crate) fn count(&mut self, now: Timestamp, key: &LimitKey) -> usize {
        self.0.get_mut(key).map_or(0, |window| roll(window, now))
    }

    pub(crate) fn record(&mut self, now: Timestamp, key: LimitKey) {
        self.0.entry(key).or_default().push_back(now);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Who sent a request: a user with a valid token, or a network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    User(i64),
    Anonymous(Network),
}

/// The requests of each caller to any endpoint. One request over the limit locks the caller out for an hour, and every
/// further request restarts that hour.
#[derive(Clone, Default)]
pub(crate) struct Callers {
    windows: BTreeMap<Caller, VecDeque<Timestamp>>,
    locked_until: BTreeMap<Caller, Timestamp>,
}

impl Callers {
    /// Counts a request. Returns whether the caller is locked out.
    pub(crate) fn is_locked(&mut self, now: Timestamp, caller: &Caller, per_hour: usize, per_second: usize) -> bool {
        let locked = self.locked_until.get(caller).is_some_and(|until| now < *until);
        if per_hour == usize::MAX && per_second == usize::MAX {
            return locked;
        }
        let window = self.windows.entry(caller.clone()).or_default();
        if locked || roll(window, now) >= per_hour || of_last_second(window, now) >= per_second {
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

fn of_last_second(window: &VecDeque<Timestamp>, now: Timestamp) -> usize {
    window.iter().rev().take_while(|counted| elapsed(now, **counted) < Duration::from_secs(1)).count()
}
