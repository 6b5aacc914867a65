//! Allowances: the times in which a session may be without a good token. Each has a cause, and only records open it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::causes::{Bound, Cause, RECOVERY};

/// The allowances of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowances {
    open: BTreeMap<Cause, Timestamp>,
    /// The time since which the session has had no good token.
    without_since: Option<Timestamp>,
}

impl Allowances {
    /// Opens the allowance of a cause for the bound in the table.
    pub(super) fn open(&mut self, cause: Cause, now: Timestamp) {
        match cause.row().bound {
            Bound::For(time) => self.open_until(cause, now + time),
            Bound::Named => {}
        }
    }

    /// Opens the allowance of a cause until a time that the record names.
    pub(super) fn open_until(&mut self, cause: Cause, until: Timestamp) {
        let end = self.open.entry(cause).or_insert(until);
        *end = (*end).max(until);
    }

    /// Ends the allowances that wait for the operator.
    pub(super) fn operator_has_acted(&mut self, now: Timestamp) {
        let waits = [Cause::Refused, Cause::RefusedAgain, Cause::CodeLost, Cause::WrongSettings];
        self.open.retain(|cause, _| !waits.contains(cause));
        self.open(Cause::Start, now);
    }

    /// Whether the allowance of a cause is open at a time.
    pub(super) fn lasts(&self, cause: Cause, now: Timestamp) -> bool {
        self.open.get(&cause).is_some_and(|until| now < *until)
    }

    /// The remaining time of each allowance.
    pub(super) fn left(&self, now: Timestamp) -> Vec<(Cause, SignedDuration)> {
        let left = self.open.iter().map(|(cause, until)| (*cause, until.duration_since(now)));
        left.filter(|(_, left)| left.is_positive()).collect()
    }

    /// A program waits for the rest of the causes that it had when it took a snapshot. The rest begins when it took the
    /// snapshot, or when it starts with a clock that was set back.
    pub(super) fn wait_from(&mut self, left: &[(Cause, SignedDuration)], begin: Timestamp) {
        for (cause, left) in left {
            self.open_until(*cause, begin + *left);
        }
    }

    /// A session reads a snapshot that was on its way to the store for `late`. It can't know that, so the waits in the
    /// snapshot end later for it by this time.
    pub(super) fn read_late(&mut self, left: &[(Cause, SignedDuration)], taken: Timestamp, late: SignedDuration) {
        use Cause::{Captcha, Kick, LockOut, Penalty, Rate, RefreshRefused, Refused, UnknownLogin};
        let stored = [Captcha, Kick, LockOut, Penalty, Rate, RefreshRefused, Refused, UnknownLogin];
        for (cause, left) in left.iter().filter(|(cause, _)| stored.contains(cause)) {
            self.open_until(*cause, taken + *left + late);
        }
    }

    /// The causes that keep all sessions of a program from sending, and their ends.
    pub(super) fn of_all(&self) -> Vec<(Cause, Timestamp)> {
        let causes = [Cause::LockOut, Cause::Captcha, Cause::Rate];
        causes.into_iter().filter_map(|cause| Some((cause, *self.open.get(&cause)?))).collect()
    }

    /// The causes that keep a whole fleet from a token because one of its programs met them.
    pub(super) fn of_fleet(&self) -> Vec<(Cause, Timestamp)> {
        let own = [Cause::Asleep, Cause::TokenEnded, Cause::ReportedDead, Cause::OthersHaveNone, Cause::Unwatched];
        let shared = self.open.iter().filter(|(cause, _)| !own.contains(cause));
        shared.map(|(cause, until)| (*cause, *until)).collect()
    }

    /// Records a minute with a good token.
    pub(super) fn has_token(&mut self) {
        self.without_since = None;
    }

    /// Records a new token. It ends the causes that kept the session from one.
    pub(super) fn is_granted(&mut self) {
        self.open.retain(|cause, _| !cause.row().ends_with_token);
    }

    /// Records a minute without a good token. Returns the cause that excuses it, or the violation.
    pub(super) fn has_none(&mut self, now: Timestamp) -> Result<Cause, String> {
        let since = *self.without_since.get_or_insert(now);
        let last = self.open.iter().max_by_key(|(_, until)| **until);
        match last {
            Some((cause, until)) if now <= *until + RECOVERY => Ok(*cause),
            Some((cause, until)) => {
                let name = cause.row().name;
                Err(format!(
                    "has had no good token since {since:.0}; the last cause that allows this ended at {until:.0}: {name}"
                ))
            }
            None => Err(format!("has had no good token since {since:.0}, and no cause allows this")),
        }
    }
}
