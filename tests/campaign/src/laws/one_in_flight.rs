//! Law 1: one request in flight; a superseded or foreign answer changes nothing.

use super::Law;
use crate::journal::{Record, Seen, What};
use crate::ledger::{DEADLINE, Ledger};

/// A request leaves only when the outcome of the one before is known, when its deadline of 45 seconds has passed, or
/// when a token from elsewhere has made it needless. An answer that comes a second time changes nothing that is handed
/// out. Neither does one whose request left before the token that is held came, or, for a refresh, one that left before
/// the refresh whose answer was taken: nothing of it is stored or handed out (law 6).
///
/// After a crash the one before is forgotten by design; the world delivers nothing to a session that did not ask.
pub(super) struct OneInFlight;

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
            What::Delivered { exchange, is_repeated, before, after, .. } => {
                let generation = |seen: &Option<Seen>| seen.map(|seen| (seen.generation, seen.token));
                if *is_repeated && generation(before) != generation(after) {
                    return Some(format!("{exchange} was answered before, and changes what is handed out"));
                }
                let is_superseded = !is_repeated && ledger.is_superseded(record, *exchange);
                let newer = after.filter(|after| is_superseded && after.generation > known.generation())?;
                Some(format!("{exchange} has been superseded, and brings {}", newer.token))
            }
            _ => None,
        }
    }
}
