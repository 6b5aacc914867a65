//! Law 9: `poll` never spins: `Wait` is in the future, back-off is exponential, capped, jittered.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{DEADLINE, Ledger};
use crate::wire::{Asked, Says};

/// No session has a reason for so many requests within a minute: seven tries whose pauses double, each sent on to
/// another host once, and a lost session in between.
const WITHIN_A_MINUTE: usize = 20;

/// By how much the clocks of a fleet may differ over a minute.
const DRIFT: SignedDuration = SignedDuration::from_millis(50);

/// The longest pause of the default policy.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// After the n-th fault in a row, the next request waits at least half of 2^(n-1) seconds, or of a minute where that is
/// less: jitter takes away no more than half. A fault is a request without an answer, a 408 or 5xx, or a 200 that can't
/// be read. A grant, a refusal, a redirect, a 401 and the owner end the row. The one request that follows when a token is
/// given up after three failed renewals may come at once, and is one of the row.
///
/// A program that has a code in hand does not take over the pause of the others, since the code ends soon: it has a row of its own.
#[derive(Default)]
pub(super) struct NoSpinning(BTreeMap<(usize, Option<usize>), Row>);

#[derive(Debug, Default)]
struct Row {
    faults: u32,
    last: Option<Timestamp>,
    /// A token has been given up since the last grant.
    has_given_up: bool,
    sent: VecDeque<Timestamp>,
}

impl NoSpinning {
    /// The row of a request: that of the program if it presents a code, and otherwise that of its whole fleet.
    fn row(&mut self, record: &Record, ledger: &Ledger, asked: &Asked) -> &mut Row {
        self.0.entry((ledger.subject(record), asked.code.map(|_| record.program))).or_default()
    }

    fn end(&mut self, record: &Record, ledger: &Ledger) {
        for program in [None, Some(record.program)] {
            if let Some(row) = self.0.get_mut(&(ledger.subject(record), program)) {
                (row.faults, row.last) = (0, None);
            }
        }
    }
}

impl Row {
    fn fault(&mut self, at: Timestamp) {
        self.faults += 1;
        self.last = Some(at);
    }

    fn allowed(&self) -> Option<Timestamp> {
        let doubled = SignedDuration::from_secs(1 << self.faults.saturating_sub(1).min(6)).min(LONGEST);
        Some(self.last? + doubled / 2)
    }
}

impl Law for NoSpinning {
    fn number(&self) -> u8 {
        9
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        let now = ledger.time(record);
        if ledger.forgets(record) {
            self.end(record, ledger);
            return None;
        }
        match &record.what {
            What::Spins => Some("wants ever more in one moment".into()),
            What::Waits(until) => (*until <= record.local).then(|| "waits for what has passed".into()),
            What::Sent(_, asked) => {
                if let Some(pending) = known.pending {
                    let at = ledger.sent_at(record, pending) + DEADLINE;
                    self.row(record, ledger, &ledger.exchanges[pending].asked).fault(at);
                }
                let row = self.row(record, ledger, asked);
                row.sent.push_back(now);
                row.sent.retain(|sent| *sent + SignedDuration::from_secs(60) > now);
                if row.sent.len() > WITHIN_A_MINUTE {
                    return Some(format!("{} requests within a minute", row.sent.len()));
                }
                let allowed = row.allowed().filter(|allowed| now + DRIFT < *allowed)?;
                let has_failed = row.faults >= 3 || ledger.may_be_given_up(record);
                // Another program of the fleet may have given it up.
                let may_give_up = known.is_reported && has_failed || ledger.is_lost(record);
                if may_give_up && !row.has_given_up {
                    row.has_given_up = true;
                    return None;
                }
                Some(format!("sent before {allowed:.3}, after {} faults in a row", row.faults))
            }
            What::Delivered { exchange, outcome, is_repeated: false, .. } => {
                let is_current = known.pending == Some(*exchange) && ledger.is_shared(record, *exchange);
                let says = match outcome {
                    Outcome::Failure(_) => &Says::Fault,
                    Outcome::Answer(answer) => &answer.says,
                };
                match says {
                    Says::Fault | Says::Garbage if is_current => {
                        // Past its deadline it was given up.
                        let at = now.min(ledger.sent_at(record, *exchange) + DEADLINE);
                        self.row(record, ledger, &ledger.exchanges[*exchange].asked).fault(at);
                    }
                    Says::Fault | Says::Garbage | Says::Penalty(..) | Says::Captcha | Says::LockedOut(_) => {}
                    _ => self.end(record, ledger),
                }
                None
            }
            What::Handed(Some(seen)) if seen.generation > known.generation() => {
                if let Some(row) = self.0.get_mut(&(ledger.subject(record), None)) {
                    row.has_given_up = false;
                }
                None
            }
            What::Consented | What::CredentialsReplaced | What::AnswerAdopted(_) => {
                self.end(record, ledger);
                None
            }
            _ => None,
        }
    }
}
