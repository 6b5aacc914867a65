//! The laws of the session by their numbers in `docs/laws.md`, each judged from outside in a file of its own.
//! A record and the ledger before it enter; what is wrong leaves. None of them looks into a session. Fleets are judged by
//! all of them, single sessions by four; the oracle judges those by the rest, and all by law 5.

use crate::journal::Record;
use crate::ledger::Ledger;

mod back_off;
mod contradictions;
mod expiry;
mod kicks;
mod liveness;
mod logins;
mod one_in_flight;
mod one_lineage;
mod penalties;
mod refresh_tokens;
mod refusals;
mod stored_first;
mod trusted_hosts;

/// A law.
pub(crate) trait Law {
    /// Its number in `docs/laws.md`.
    fn number(&self) -> u8;

    /// Whether single sessions are judged by it too, beside the oracle.
    fn is_for_all(&self) -> bool {
        matches!(self.number(), 1 | 6 | 7 | 11)
    }

    /// Holds a record against it: what is wrong, if anything is.
    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String>;
}

/// All laws, for so many programs, subjects (programs and fleets) and addresses.
#[must_use]
pub(crate) fn all(programs: usize, subjects: usize, addresses: usize) -> Vec<Box<dyn Law>> {
    vec![
        Box::new(one_in_flight::OneInFlight),
        Box::new(expiry::NotPastExpiry),
        Box::new(logins::NoLoginWhileRenewable),
        Box::new(penalties::PenaltiesAreServed::new(subjects)),
        Box::new(contradictions::ContradictionInstallsNothing),
        Box::new(trusted_hosts::OnlyToTrustedHosts),
        Box::new(refusals::RefusedCredentialsRest::new(subjects, addresses)),
        Box::new(back_off::NoSpinning::default()),
        Box::new(liveness::UsableAgain::new(programs, subjects, addresses)),
        Box::new(stored_first::StoredBeforeUsed::new(programs)),
        Box::new(kicks::RefusalsCostNoSession::new(subjects)),
        Box::new(refresh_tokens::RefusedTwiceRests::new(subjects)),
        Box::new(one_lineage::OneLineage::new(programs)),
    ]
}

/// A violation of a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The law's number.
    pub law: u8,
    /// The program that broke it.
    pub program: usize,
    /// What is wrong.
    pub what: String,
}
