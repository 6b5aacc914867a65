//! Law 4: a penalty is answered with the identical body plus the ticket (a GET: repeated), never earlier than it allows.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{Ledger, Standing};
use crate::names::Name;
use crate::wire::{Operation, Says};

/// A request with a ticket has the body that the ticket was given for, and leaves no earlier than allowed, by the
/// program's own clock. The next request of the kind has the ticket, unless a grant, a refusal or the owner has come in
/// between; a renewal, which has no body, waits all the same.
///
/// A program that crashes without having stored the ticket has forgotten it by design; the ticket of an answer that has
/// been overtaken by another request or a later grant is not taken.
pub(super) struct PenaltiesAreServed {
    tickets: HashMap<Name, Ticket>,
    owed: Vec<Option<(Operation, Name)>>,
}

struct Ticket {
    body: u64,
    not_before: Timestamp,
}

impl PenaltiesAreServed {
    pub(super) fn new(programs: usize) -> Self {
        Self { tickets: HashMap::new(), owed: vec![None; programs] }
    }
}

impl Law for PenaltiesAreServed {
    fn number(&self) -> u8 {
        4
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let owed = &mut self.owed[record.program];
        match &record.what {
            What::Sent(_, asked) => {
                let due = owed.filter(|(operation, _)| *operation == asked.operation).map(|(_, ticket)| ticket);
                if let Some(ticket) = due
                    && asked.operation != Operation::Renew
                    && asked.ticket != Some(ticket)
                {
                    return Some(format!("sent without its ticket {ticket}"));
                }
                let name = asked.ticket.or(due)?;
                let Some(ticket) = self.tickets.get(&name) else { return Some(format!("{name} was never given")) };
                if record.local < ticket.not_before {
                    return Some(format!("{name} is presented before {:.3} local", ticket.not_before));
                }
                (ticket.body != asked.body).then(|| format!("{name} is presented with another body"))
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                let sent = &ledger.exchanges[*exchange].asked;
                match &answer.says {
                    Says::Penalty(ticket, wait) => {
                        let not_before = record.local + *wait;
                        self.tickets.insert(*ticket, Ticket { body: sent.body, not_before });
                        if ledger.standing(record, *exchange) != Standing::Overtaken {
                            *owed = Some((sent.operation, *ticket));
                        }
                    }
                    Says::Grant(_) => *owed = None,
                    Says::Captcha | Says::LockedOut(_) | Says::Fault => {}
                    _ if owed.is_some_and(|(operation, _)| operation == sent.operation) => *owed = None,
                    _ => {}
                }
                None
            }
            What::Started(_) | What::Consented | What::CredentialsReplaced | What::AnswerAdopted(_) => {
                *owed = None;
                None
            }
            // A later token has made the request needless.
            What::Handed(Some(seen)) if seen.generation > ledger.of(record).generation() => {
                *owed = None;
                None
            }
            _ => None,
        }
    }
}
