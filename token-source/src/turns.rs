//! Whose turn it is to drive a session, and why it is nobody's.
//!
//! Pure bookkeeping: times come in as arguments. A turn that takes longer than an exchange may is anybody's again, as
//! that of a task whose runtime no longer runs; what its holder still brings is taken all the same.

use jiff::Timestamp;
use tradovate_auth_session::StopReason;

#[derive(Debug, Default)]
pub(crate) struct Turns {
    holder: Option<Holder>,
    /// What the last one who looked has found, where that was no work. It holds until something changes.
    rest: Option<Rest>,
    /// How many turns there were.
    given: u64,
    /// How often something has changed from outside: what was found meanwhile is out of date.
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
    /// For good, unless others can help, which is looked for at that time.
    Stopped(StopReason, Option<Timestamp>),
}

/// The right to drive the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    number: u64,
    wakes: u64,
}

/// Why there is no turn to take.
#[derive(Debug)]
pub(crate) enum NoTurn {
    /// Up to this moment.
    Taken(Timestamp),
    Rest(Rest),
}

impl Turns {
    /// Takes the turn; from `overdue_at` on it may be taken away.
    pub(crate) fn claim(&mut self, now: Timestamp, overdue_at: Timestamp) -> Result<Claim, NoTurn> {
        if let Some(Holder { overdue_at, .. }) = self.holder.as_ref().filter(|holder| now < holder.overdue_at) {
            return Err(NoTurn::Taken(*overdue_at));
        }
        match &self.rest {
            Some(Rest::Until(end) | Rest::Stopped(_, Some(end))) if *end <= now => {}
            Some(rest) => return Err(NoTurn::Rest(rest.clone())),
            None => {}
        }
        self.given = self.given.wrapping_add(1);
        self.holder = Some(Holder { number: self.given, overdue_at });
        Ok(Claim { number: self.given, wakes: self.wakes })
    }

    /// Whether somebody is at it.
    pub(crate) fn is_taken(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| now < holder.overdue_at)
    }

    /// Gives the turn back: something was done, so whatever was found before is out of date.
    pub(crate) fn release(&mut self, claim: Claim) {
        self.rest = None;
        self.free(claim);
    }

    /// Gives the turn back without having done anything, for this reason.
    pub(crate) fn rest(&mut self, claim: Claim, rest: Rest) {
        if self.free(claim) && self.wakes == claim.wakes {
            self.rest = Some(rest);
        }
    }

    /// Something has changed from outside: there may be work before the end of a rest.
    pub(crate) fn wake(&mut self) {
        self.rest = None;
        self.wakes = self.wakes.wrapping_add(1);
    }

    /// Whether the turn was still that of the claim.
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

    fn claim(turns: &mut Turns, second: i64) -> Result<Claim, NoTurn> {
        turns.claim(at(second), at(second + 45))
    }

    #[test]
    fn there_is_one_turn_at_a_time() {
        let mut turns = Turns::default();
        let first = claim(&mut turns, 0).unwrap();
        assert!(matches!(claim(&mut turns, 44), Err(NoTurn::Taken(_))));
        turns.release(first);
        assert!(claim(&mut turns, 44).is_ok());
    }

    #[test]
    fn a_rest_holds_to_its_end() {
        let mut turns = Turns::default();
        let first = claim(&mut turns, 0).unwrap();
        turns.rest(first, Rest::Until(at(10)));
        assert!(matches!(claim(&mut turns, 9), Err(NoTurn::Rest(Rest::Until(end))) if end == at(10)));
        assert!(claim(&mut turns, 10).is_ok());
    }

    #[test]
    fn a_rest_ends_when_it_is_woken() {
        let mut turns = Turns::default();
        let first = claim(&mut turns, 0).unwrap();
        turns.rest(first, Rest::Stopped(StopReason::Forgotten, None));
        assert!(matches!(claim(&mut turns, 1_000_000), Err(NoTurn::Rest(Rest::Stopped(..)))));
        turns.wake();
        assert!(claim(&mut turns, 1_000_000).is_ok());
    }

    #[test]
    fn a_stop_that_others_can_lift_is_looked_at_again() {
        let mut turns = Turns::default();
        let first = claim(&mut turns, 0).unwrap();
        turns.rest(first, Rest::Stopped(StopReason::ConsentRequired, Some(at(10))));
        assert!(matches!(claim(&mut turns, 9), Err(NoTurn::Rest(Rest::Stopped(..)))));
        assert!(claim(&mut turns, 10).is_ok());
    }

    #[test]
    fn what_was_found_before_a_wake_is_out_of_date() {
        let mut turns = Turns::default();
        let first = claim(&mut turns, 0).unwrap();
        turns.wake();
        turns.rest(first, Rest::Until(at(3600)));
        assert!(claim(&mut turns, 0).is_ok());
    }

    #[test]
    fn an_overdue_turn_is_taken_away_and_its_holder_frees_nothing_any_more() {
        let mut turns = Turns::default();
        let hung = claim(&mut turns, 0).unwrap();
        let second = claim(&mut turns, 45).unwrap();
        turns.rest(hung, Rest::Until(at(3600)));
        turns.release(hung);
        assert!(matches!(claim(&mut turns, 46), Err(NoTurn::Taken(_))));
        turns.release(second);
        assert!(claim(&mut turns, 46).is_ok());
    }

    #[test]
    fn what_an_overdue_holder_brings_ends_a_rest() {
        let mut turns = Turns::default();
        let hung = claim(&mut turns, 0).unwrap();
        let second = claim(&mut turns, 45).unwrap();
        turns.rest(second, Rest::Until(at(3600)));
        turns.release(hung);
        assert!(claim(&mut turns, 46).is_ok());
    }
}
