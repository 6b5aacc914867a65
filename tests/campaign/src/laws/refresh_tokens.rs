//! Law 13: a refresh token that was refused twice is not presented again for six hours.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{Ledger, Standing};
use crate::names::Name;
use crate::wire::{Operation, Says};

const SIX_HOURS: SignedDuration = SignedDuration::from_hours(6);

/// What clocks that drift, and words to a store that take their time, may take off the hours.
const ROOM: SignedDuration = SignedDuration::from_secs(20);

/// The hours are those of the program's own clock; a refusal counts where the session was waiting for it, or where
/// nothing has been sent since.
///
/// A fleet counts as one, and what may lose its memory is excepted: see [`Ledger::forgets`].
pub(super) struct RefusedTwiceRests {
    programs: Vec<History>,
}

#[derive(Debug, Clone, Default)]
struct History {
    refused_once: Option<(Name, Timestamp)>,
    barred_until: HashMap<Name, Timestamp>,
}

impl RefusedTwiceRests {
    pub(super) fn new(programs: usize) -> Self {
        Self { programs: vec![History::default(); programs] }
    }
}

impl Law for RefusedTwiceRests {
    fn number(&self) -> u8 {
        13
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let now = ledger.time(record);
        let history = &mut self.programs[ledger.subject(record)];
        if ledger.forgets(record) {
            *history = History::default();
            return None;
        }
        match &record.what {
            What::Sent(_, asked) => {
                let token = asked.refresh?;
                let until = history.barred_until.get(&token).filter(|until| now + ROOM < **until)?;
                Some(format!("{token} was refused twice, and is presented before {until:.3}"))
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                let sent = &ledger.exchanges[*exchange].asked;
                let token = sent.refresh.filter(|_| sent.operation == Operation::Refresh)?;
                match answer.says {
                    Says::Grant(_) if !ledger.is_superseded(record, *exchange) => history.refused_once = None,
                    Says::Refused
                        if ledger.is_shared(record, *exchange)
                            && ledger.standing(record, *exchange) != Standing::Overtaken =>
                    {
                        // What a fleet has forgotten in between may have been the second one.
                        let counts = |at: Timestamp| now < at + SignedDuration::from_hours(1);
                        let before = history.refused_once.take();
                        if before.is_some_and(|(refused, at)| refused == token && counts(at)) {
                            history.barred_until.insert(token, now + SIX_HOURS);
                        } else {
                            history.refused_once = Some((token, now));
                        }
                    }
                    _ => {}
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
