//! The times in which a session may be without a good token: one for each cause, opened by records alone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::causes::{Bound, Cause, RECOVERY};

/// The allowances of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowances {
    open: BTreeMap<Cause, Timestamp>,
    /// Since when it has had no good token.
    without_since: Option<Timestamp>,
}

impl Allowances {
    /// A record shows a cause, whose bound the table has.
    pub(super) fn open(&mut self, cause: Cause, now: Timestamp) {
        match cause.row().bound {
            Bound::For(time) => self.open_until(cause, now + time),
            Bound::Named => {}
        }
    }

    /// A record shows a cause and names its end.
    pub(super) fn open_until(&mut self, cause: Cause, until: Timestamp) {
        let end = self.open.entry(cause).or_insert(until);
        *end = (*end).max(until);
    }

    /// The owner has acted: nothing waits for that any more.
    pub(super) fn owner_has_acted(&mut self, now: Timestamp) {
        let waits = [Cause::Refused, Cause::RefusedAgain, Cause::CodeLost, Cause::WrongSettings];
        self.open.retain(|cause, _| !waits.contains(cause));
        self.open(Cause::Start, now);
    }

    /// Whether a cause lasts at a time.
    pub(super) fn lasts(&self, cause: Cause, now: Timestamp) -> bool {
        self.open.get(&cause).is_some_and(|until| now < *until)
    }

    /// What is left of each at a time.
    pub(super) fn left(&self, now: Timestamp) -> Vec<(Cause, SignedDuration)> {
        let left = self.open.iter().map(|(cause, until)| (*cause, until.duration_since(now)));
        left.filter(|(_, left)| left.is_positive()).collect()
    }

    /// A program that starts with a clock that was set back waits for what was left when it stored its snapshot.
    pub(super) fn set_back(&mut self, left: &[(Cause, SignedDuration)], now: Timestamp) {
        for (cause, left) in left {
            self.open_until(*cause, now + *left);
        }
    }

    /// What keeps all sessions of a program quiet, and until when.
    pub(super) fn of_all(&self) -> Vec<(Cause, Timestamp)> {
        let causes = [Cause::LockOut, Cause::Captcha, Cause::Rate];
        causes.into_iter().filter_map(|cause| Some((cause, *self.open.get(&cause)?))).collect()
    }

    /// What keeps a whole fleet from a token, since one of its programs met it.
    pub(super) fn of_fleet(&self) -> Vec<(Cause, Timestamp)> {
        let own = [Cause::Asleep, Cause::TokenEnded, Cause::OthersHaveNone, Cause::Unwatched];
        let shared = self.open.iter().filter(|(cause, _)| !own.contains(cause));
        shared.map(|(cause, until)| (*cause, *until)).collect()
    }

    /// A minute with a good token.
    pub(super) fn has_token(&mut self) {
        self.without_since = None;
    }

    /// A new token: what kept the session from it is over.
    pub(super) fn is_granted(&mut self) {
        self.open.retain(|cause, _| !cause.row().ends_with_token);
    }

    /// A minute without: the cause that excuses it, or what is wrong with it.
    pub(super) fn has_none(&mut self, now: Timestamp) -> Result<Cause, String> {
        let since = *self.without_since.get_or_insert(now);
        let last = self.open.iter().max_by_key(|(_, until)| **until);
        match last {
            Some((cause, until)) if now <= *until + RECOVERY => Ok(*cause),
            Some((cause, until)) => {
                let name = cause.row().name;
                Err(format!(
                    "has had no good token since {since:.0}; the last that excuses it was: {name}, to {until:.0}"
                ))
            }
            None => Err(format!("has had no good token since {since:.0}, and nothing excuses it")),
        }
    }
}
