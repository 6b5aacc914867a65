//! Single flight: at most one caller drives a session at a time.
//!
//! Times are arguments. A driver that takes longer than the longest request is overdue: its task may have ended with
//! its runtime. Another caller may then replace it. A late result of the replaced driver is still used.

use jiff::Timestamp;
use tradovate_auth_session::StopReason;

#[derive(Debug, Default)]
pub(crate) struct Driver {
    holder: Option<Holder>,
    /// Why the last driver found no action. A change clears it.
    rest: Option<Rest>,
    /// The number of claims that were granted.
    granted: u64,
    /// The number of changes from outside. If a driver found a rest before a change, that rest is outdated.
    wakes: u64,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    overdue_at: Timestamp,
}

/// Why there is no action.
#[derive(Debug, Clone)]
pub(crate) enum Rest {
    Until(Timestamp),
    /// The session has stopped until something changes. If there is a time, the store is asked again then.
    Stopped(StopReason, Option<Timestamp>),
}

/// The right to drive the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    number: u64,
    wakes: u64,
}

/// Why the session can't be driven now.
#[derive(Debug)]
pub(crate) enum Denied {
    /// Another caller drives the session, at most until this time.
    Busy(Timestamp),
    Rest(Rest),
}

impl Driver {
    /// Claims the session. From `overdue_at` on, another caller may replace this one.
    pub(crate) fn claim(&mut self, now: Timestamp, overdue_at: Timestamp) -> Result<Claim, Denied> {
        if let Some(Holder { overdue_at, .. }) = self.holder.as_ref().filter(|holder| now < holder.overdue_at) {
            return Err(Denied::Busy(*overdue_at));
        }
        match &self.rest {
            Some(Rest::Until(end) | Rest::Stopped(_, Some(end))) if *end <= now => {}
            Some(rest) => return Err(Denied::Rest(rest.clone())),
            None => {}
        }
        self.granted = self.granted.wrapping_add(1);
        self.holder = Some(Holder { number: self.granted, overdue_at });
        Ok(Claim { number: self.granted, wakes: self.wakes })
    }

    /// Whether a caller drives the session.
    pub(crate) fn is_busy(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| now < holder.overdue_at)
    }

    /// Ends a claim after an action. This clears the rest, because the action may have changed the state.
    pub(crate) fn release(&mut self, claim: Claim) {
        self.rest = None;
        self.free(claim);
    }

    /// Ends a claim without an action. `rest` says why there is none. It is ignored if the claim was replaced or is
    /// outdated.
    pub(crate) fn rest(&mut self, claim: Claim, rest: Rest) {
        if self.free(claim) && !self.is_outdated(claim) {
            self.rest = Some(rest);
        }
    }

    /// Whether something has changed from outside since this claim was granted. If so, its holder must poll again,
    /// because the caller that made the change may have been denied because of this claim.
    pub(crate) fn is_outdated(&self, claim: Claim) -> bool {
        self.wakes != claim.wakes
    }

    /// Records a change from outside. An action may now be possible before the end of a rest.
    pub(crate) fn wake(&mut self) {
        self.rest = None;
        self.wakes = self.wakes.wrapping_add(1);
    }

    /// Ends the claim. Returns whether it was still the current one.
    fn free(&mut self, claim: Claim) -> bool {
        self.holder.take_if(|holder| holder.number == claim.number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn claim(driver: &mut Driver, second: i64) -> Result<Claim, Denied> {
        driver.claim(at(second), at(second + 45))
    }

    #[test]
    fn one_caller_drives_at_a_time() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        assert!(matches!(claim(&mut driver, 44), Err(Denied::Busy(_))));
        assert!(driver.is_busy(at(44)) && !driver.is_busy(at(45)));
        driver.release(first);
        assert!(claim(&mut driver, 44).is_ok());
    }

    #[test]
    fn no_caller_drives_the_session_before_the_idle_time_ends() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Until(at(10)));
        assert!(matches!(claim(&mut driver, 9), Err(Denied::Rest(Rest::Until(end))) if end == at(10)));
        assert!(claim(&mut driver, 10).is_ok());
    }

    #[test]
    fn a_wake_ends_an_idle_time() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Stopped(StopReason::Forgotten, None));
        assert!(matches!(claim(&mut driver, 1_000_000), Err(Denied::Rest(Rest::Stopped(..)))));
        driver.wake();
        assert!(claim(&mut driver, 1_000_000).is_ok());
    }

    #[test]
    fn a_stopped_session_is_polled_again_at_the_time_that_its_stop_names() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Stopped(StopReason::ConsentRequired, Some(at(10))));
        assert!(matches!(claim(&mut driver, 9), Err(Denied::Rest(Rest::Stopped(..)))));
        assert!(claim(&mut driver, 10).is_ok());
    }

    #[test]
    fn an_idle_time_reported_after_a_wake_is_ignored() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.wake();
        driver.rest(first, Rest::Until(at(3600)));
        assert!(claim(&mut driver, 0).is_ok());
    }

    #[test]
    fn an_overdue_driver_is_replaced_and_its_end_has_no_effect() {
        let mut driver = Driver::default();
        let hung = claim(&mut driver, 0).unwrap();
        let second = claim(&mut driver, 45).unwrap();
        driver.rest(hung, Rest::Until(at(3600)));
        driver.release(hung);
        assert!(matches!(claim(&mut driver, 46), Err(Denied::Busy(_))));
        driver.release(second);
        assert!(claim(&mut driver, 46).is_ok());
    }

    #[test]
    fn the_release_of_an_overdue_driver_ends_an_idle_time() {
        let mut driver = Driver::default();
        let hung = claim(&mut driver, 0).unwrap();
        let second = claim(&mut driver, 45).unwrap();
        driver.rest(second, Rest::Until(at(3600)));
        driver.release(hung);
        assert!(claim(&mut driver, 46).is_ok());
    }
}
