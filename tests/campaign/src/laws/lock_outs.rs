//! Law 5: after 423 or 429 nothing at all is sent before the hour (or longer `Retry-After`) is over; a captcha closes
//! its endpoint for an hour. Both hold for every session that shares the budget.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::Ledger;
use crate::wire::{Operation, Says};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The hour is one of the clock behind the address, from when any program there has received the answer or was told of
/// it by a caller. Requests that are under way when it comes can't be called back.
///
/// When all programs behind an address crash at once, it is forgotten by design. An answer that comes a second time counts no more.
pub(super) struct LockOutsAreKept {
    addresses: Vec<Gates>,
}

#[derive(Debug, Clone, Default)]
struct Gates {
    silent_until: Option<Timestamp>,
    closed_until: BTreeMap<Operation, Timestamp>,
}

impl LockOutsAreKept {
    pub(super) fn new(addresses: usize) -> Self {
        Self { addresses: vec![Gates::default(); addresses] }
    }
}

impl Law for LockOutsAreKept {
    fn number(&self) -> u8 {
        5
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let gates = &mut self.addresses[ledger.of(record).address];
        match &record.what {
            What::Sent(_, asked) => {
                if let Some(until) = gates.silent_until.filter(|until| record.local < *until) {
                    return Some(format!("sent during a lock-out, which lasts to {until:.3} local"));
                }
                let closed = gates.closed_until.get(&asked.operation).filter(|until| record.local < **until)?;
                Some(format!("sent to an endpoint that a captcha has closed to {closed:.3} local"))
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                match answer.says {
                    Says::LockedOut(wait) => gates.silent_until = gates.silent_until.max(Some(record.local + wait)),
                    Says::Captcha => {
                        let operation = ledger.exchanges[*exchange].asked.operation;
                        gates.closed_until.insert(operation, record.local + HOUR);
                    }
                    _ => {}
                }
                None
            }
            What::Reported { status: 423 | 429, .. } => {
                gates.silent_until = gates.silent_until.max(Some(record.local + HOUR));
                None
            }
            What::Crashed(true) => {
                *gates = Gates::default();
                None
            }
            _ => None,
        }
    }
}
