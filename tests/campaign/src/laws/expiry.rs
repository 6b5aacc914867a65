//! Law 2: no token is handed out later than its expiry less a safety margin, in server time.

use jiff::SignedDuration;

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;

const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// What the clock of another program is learnt by goes to the store and comes back, three seconds each at most, and comes by others.
const WORDS: SignedDuration = SignedDuration::from_secs(8);

/// The margin is 30 seconds, or a tenth of a shorter life. What counts is the end of the promise, since transports hand
/// a token out until then without asking again: by the clocks as they run, it is over a margin before the server's end.
///
/// Less than the margin by what the session can't know of the server's clock ([`inaccuracy`]): the fraction of a `Date`,
/// the pace of its own clock, and half of a round trip of up to ten seconds.
///
/// A program of a fleet takes the server's clock from what another has stored, as old as the record. A snapshot that was
/// on its way to the store for long, since its program was paused in between, misleads it by as much, until it is stored
/// anew or the server is asked, and whoever takes it over from that program.
///
/// [`inaccuracy`]: crate::ledger::Known::inaccuracy
pub(super) struct NotPastExpiry;

impl Law for NotPastExpiry {
    fn number(&self) -> u8 {
        2
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let What::Handed(Some(seen)) = &record.what else { return None };
        let (end, life) = ledger.issued.get(&seen.token)?;
        let promised = seen.usable_until.duration_since(record.local).max(SignedDuration::ZERO);
        let margin = MARGIN.min(*life / 10) - ledger.of(record).inaccuracy(*life);
        let known = ledger.of(record);
        let margin = margin - WORDS - known.misled_by;
        let last = ledger.server_now(record) + promised;
        (last + margin > *end).then(|| format!("{} is handed out until {last:.3}, and ends at {end:.3}", seen.token))
    }
}
