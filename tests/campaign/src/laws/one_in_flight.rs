//! Law 1: one request in flight; a superseded or foreign answer changes nothing.

use std::collections::BTreeSet;

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{DEADLINE, Ledger};
use crate::names::Name;

/// A request leaves only when the outcome of the one before is known, when its deadline of 45 seconds has passed, or
/// when a token from elsewhere has made it needless. An answer that comes a second time changes nothing that is handed
/// out. Neither does one whose request left before the token that is held came, or, for a refresh, one that left before
/// the refresh whose answer was taken: nothing of it is stored or handed out.
///
/// After a crash the one before is forgotten by design; the world delivers nothing to a session that did not ask.
pub(super) struct OneInFlight {
    worthless: Vec<BTreeSet<Name>>,
}

impl OneInFlight {
    pub(super) fn new(programs: usize) -> Self {
        Self { worthless: vec![BTreeSet::new(); programs] }
    }
}

impl Law for OneInFlight {
    fn number(&self) -> u8 {
        1
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        match &record.what {
            What::Sent(_, _) => {
                let pending =
                    known.pending.filter(|pending| ledger.exchanges[*pending].local + DEADLINE > record.local)?;
                Some(format!("sent while {pending} is in flight"))
            }
            What::Delivered { exchange, outcome, is_repeated, before, after } => {
                let generation = |seen: &Option<crate::journal::Seen>| seen.map(|seen| (seen.generation, seen.token));
                if *is_repeated && generation(before) != generation(after) {
                    return Some(format!("{exchange} was answered before, and changes what is handed out"));
                }
                if !is_repeated && ledger.is_superseded(record, *exchange) {
                    if let Outcome::Answer(answer) = outcome
                        && let Some(grant) = answer.good_grant()
                    {
                        let unknown = |name: &Name| !known.was_granted(*name);
                        let names = [Some(grant.access), grant.refresh].into_iter().flatten().filter(unknown);
                        self.worthless[record.program].extend(names);
                    }
                    let newer = after.filter(|after| after.generation > known.generation())?;
                    return Some(format!("{exchange} has been superseded, and brings {}", newer.token));
                }
                None
            }
            What::Handed(Some(seen)) if self.worthless[record.program].contains(&seen.token) => {
                Some(format!("{} came with an answer that was superseded", seen.token))
            }
            What::Offered(_, kept) => {
                let (access, _) = kept.access.filter(|(name, _)| self.worthless[record.program].contains(name))?;
                Some(format!("{access} is stored, but came with an answer that was superseded"))
            }
            _ => None,
        }
    }
}
