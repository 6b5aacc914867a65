//! Law 12: a refusal of an API call never costs the session: no login follows a 401 that survives a renewal, verifying
//! renewals are rationed (one per quarter of an hour), a kick is not answered with a kick.

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;
use crate::names::Name;
use crate::wire::Operation;

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// What clocks that drift, and words to a store that take their time, may take off a quarter of an hour.
const ROOM: SignedDuration = SignedDuration::from_secs(8);

/// A renewal that leaves before it is due, and is not the further try of one that failed, verifies a token; between two
/// of them is a quarter of an hour. It is due fifteen minutes before expiry, or at half of a shorter life, and up to a
/// tenth of that sooner. A session that is lost twice within a quarter of an hour opens another one a quarter of an
/// hour after the second loss at the earliest. A login while callers have been refused needs one of the reasons of law 3.
///
/// A fleet counts as one, and what may lose its memory is excepted: see [`Ledger::forgets`].
pub(super) struct RefusalsCostNoSession(Vec<History>);

#[derive(Debug, Clone, Default)]
struct History {
    verified: Option<Timestamp>,
    lost: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

impl RefusalsCostNoSession {
    pub(super) fn new(programs: usize) -> Self {
        Self(vec![History::default(); programs])
    }
}

impl Law for RefusalsCostNoSession {
    fn number(&self) -> u8 {
        12
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        let now = ledger.time(record);
        let history = &mut self.0[ledger.subject(record)];
        if ledger.forgets(record) {
            *history = History::default();
            return None;
        }
        match &record.what {
            What::Sent(_, asked) if asked.operation == Operation::LogIn => {
                if let Some(until) = history.not_before.filter(|until| now + ROOM < *until) {
                    return Some(format!("answers a kick with a login before {until:.3}"));
                }
                let (token, _) = known.holds.filter(|_| known.is_refused && !ledger.is_lost(record))?;
                let is_over = ledger.may_be_expired(record, token) || ledger.may_be_given_up(record);
                (!is_over).then(|| format!("logs in because callers were refused with {token}"))
            }
            What::Sent(_, asked) if asked.operation == Operation::Renew => {
                let early = asked
                    .bearer
                    .filter(|token| !ledger.has_been_tried(record, *token) && is_early(record, ledger, *token))?;
                let verified = history.verified.replace(now)?;
                let is_too_soon = now + ROOM < verified + QUARTER;
                is_too_soon.then(|| format!("verifies {early} within a quarter of an hour"))
            }
            What::Delivered { exchange, .. } if ledger.is_loss(record) && !ledger.is_lost(record) => {
                let (token, _) = known.holds?;
                if ledger.may_be_expired(record, token) || !ledger.is_shared(record, *exchange) {
                    return None;
                }
                let last = history.lost.replace(now);
                if last.is_some_and(|last| now + ROOM < last + QUARTER) {
                    history.not_before = Some(now + QUARTER);
                }
                None
            }
            What::Consented => {
                *history = History::default();
                None
            }
            _ => None,
        }
    }
}

/// Whether a renewal of this token is not due yet, whatever the program takes the time to be.
fn is_early(record: &Record, ledger: &Ledger, token: Name) -> bool {
    let Some((_, life)) = ledger.issued.get(&token) else { return false };
    let Some(end) = ledger.of(record).end_of(token) else { return false };
    let lead = QUARTER.min(*life / 2);
    end - lead - lead / 10 - SignedDuration::from_secs(2) > ledger.latest_server_now(record)
}
