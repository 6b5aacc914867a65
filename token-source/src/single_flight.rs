//! Which caller drives a session (single flight), and why nobody does.
//!
//! Times are arguments. A driver that takes longer than an exchange may take is replaced, since its task may have died with
//! its runtime. A result that it still brings is taken all the same.

use jiff::Timestamp;
use tradovate_auth_session::StopReason;

#[derive(Debug, Default)]
pub(crate) struct Driver {
    holder: Option<Holder>,
    /// Why the last driver found nothing to do. It holds until something changes.
    rest: Option<Rest>,
    /// How many claims were granted.
    given: u64,
    /// How often something has changed from outside. A rest that was found before is out of date.
    wakes: u64,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    overdue_at: Timestamp,
}

/// Why there is nothing to do.
#[derive(Debug, Clone)]
pub(crate) enum Rest {
    Until(Timestamp),
    /// For good, unless another process helps. The store is asked at that time.
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
    /// Another caller drives it, for no longer than this.
    Busy(Timestamp),
    Rest(Rest),
}

impl Driver {
    /// Claims the session; from `overdue_at` on another caller may claim it.
    pub(crate) fn claim(&mut self, now: Timestamp, overdue_at: Timestamp) -> Result<Claim, Denied> {
        if let Some(Holder { overdue_at, .. }) = self.holder.as_ref().filter(|holder| now < holder.overdue_at) {
            return Err(Denied::Busy(*overdue_at));
        }
        match &self.rest {
            Some(Rest::Until(end) | Rest::Stopped(_, Some(end))) if *end <= now => {}
            Some(rest) => return Err(Denied::Rest(rest.clone())),
            None => {}
        }
        self.given = self.given.wrapping_add(1);
        self.holder = Some(Holder { number: self.given, overdue_at });
        Ok(Claim { number: self.given, wakes: self.wakes })
    }

    /// Whether a caller drives the session.
    pub(crate) fn is_busy(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| now < holder.overdue_at)
    }

    /// Ends a claim: something was done, so a rest that was found before is out of date.
    pub(crate) fn release(&mut self, claim: Claim) {
        self.rest = None;
        self.free(claim);
    }

    /// Ends a claim with nothing done, for this reason.
    pub(crate) fn rest(&mut self, claim: Claim, rest: Rest) {
        if self.free(claim) && !self.is_outdated(claim) {
            self.rest = Some(rest);
        }
    }

    /// Whether something has changed from outside since this claim was granted. Whoever changed it may have found the claim
    /// in force, and left what there is to do to its holder.
    pub(crate) fn is_outdated(&self, claim: Claim) -> bool {
        self.wakes != claim.wakes
    }

    /// Something has changed from outside: there may be something to do before a rest ends.
    pub(crate) fn wake(&mut self) {
        self.rest = None;
        self.wakes = self.wakes.wrapping_add(1);
    }

    /// Ends the claim. Returns whether it was still in force.
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
    fn an_idle_time_lasts_until_its_end() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Until(at(10)));
        assert!(matches!(claim(&mut driver, 9), Err(Denied::Rest(Rest::Until(end))) if end == at(10)));
        assert!(claim(&mut driver, 10).is_ok());
    }

    #[test]
    fn an_idle_time_ends_when_something_changes() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Stopped(StopReason::Forgotten, None));
        assert!(matches!(claim(&mut driver, 1_000_000), Err(Denied::Rest(Rest::Stopped(..)))));
        driver.wake();
        assert!(claim(&mut driver, 1_000_000).is_ok());
    }

    #[test]
    fn a_stop_that_another_process_can_end_is_checked_again() {
        let mut driver = Driver::default();
        let first = claim(&mut driver, 0).unwrap();
        driver.rest(first, Rest::Stopped(StopReason::ConsentRequired, Some(at(10))));
        assert!(matches!(claim(&mut driver, 9), Err(Denied::Rest(Rest::Stopped(..)))));
        assert!(claim(&mut driver, 10).is_ok());
    }

    #[test]
    fn an_idle_time_from_before_a_change_is_ignored() {
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
    fn the_result_of_an_overdue_driver_ends_an_idle_time() {
        let mut driver = Driver::default();
        let hung = claim(&mut driver, 0).unwrap();
        let second = claim(&mut driver, 45).unwrap();
        driver.rest(second, Rest::Until(at(3600)));
        driver.release(hung);
        assert!(claim(&mut driver, 46).is_ok());
    }
}
