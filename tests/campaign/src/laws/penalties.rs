//! Law 4: a penalty is answered with the identical body plus the ticket (a GET: repeated), never earlier than it allows.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{Ledger, Standing};
use crate::names::Name;
use crate::wire::{Operation, Says};

/// By how much the clocks of a fleet may differ over a penalty.
const DRIFT: SignedDuration = SignedDuration::from_millis(500);

/// A request with a ticket has the body that the ticket was given for, and leaves no earlier than allowed, by the
/// program's own clock. The next request of the kind has the ticket, unless a grant, a refusal or the owner has come in
/// between; a renewal, which has no body, waits all the same.
///
/// A program that crashes without having stored the ticket has forgotten it by design; the ticket of an answer that has
/// been overtaken by another request or a later grant is not taken. Of a fleet, another program may
/// present it, and whoever was given it does; what may lose it is excepted: a crash, a pause, a save that fails, a store that rolls back, a clock that was set.
pub(super) struct PenaltiesAreServed {
    tickets: HashMap<Name, Ticket>,
    /// Of which operation, and whose.
    owed: Vec<Option<(Operation, Name, usize)>>,
}

struct Ticket {
    subject: usize,
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
        let (subject, now) = (ledger.subject(record), ledger.time(record));
        let owed = &mut self.owed[subject];
        if ledger.forgets(record) {
            *owed = None;
            // By the clock that was set forward it may be over.
            let of_fleet = self.tickets.values_mut().filter(|ticket| ticket.subject == subject);
            of_fleet
                .filter(|_| matches!(record.what, What::Jumped(_)))
                .for_each(|ticket| ticket.not_before = Timestamp::MIN);
            return None;
        }
        match &record.what {
            What::Sent(_, asked) => {
                let due = owed.filter(|(operation, _, by)| *operation == asked.operation && *by == record.program);
                let due = due.map(|(_, ticket, _)| ticket);
                if let Some(ticket) = due
                    && asked.operation != Operation::Renew
                    && asked.ticket != Some(ticket)
                {
                    return Some(format!("sent without its ticket {ticket}"));
                }
                let name = asked.ticket.or(due)?;
                let Some(ticket) = self.tickets.get(&name) else { return Some(format!("{name} was never given")) };
                if now + DRIFT < ticket.not_before {
                    return Some(format!("{name} is presented before {:.3} local", ticket.not_before));
                }
                (ticket.body != asked.body).then(|| format!("{name} is presented with another body"))
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                let sent = &ledger.exchanges[*exchange].asked;
                match &answer.says {
                    Says::Penalty(ticket, wait) => {
                        let not_before = now + *wait;
                        self.tickets.insert(*ticket, Ticket { subject, body: sent.body, not_before });
                        if ledger.is_shared(record, *exchange)
                            && ledger.standing(record, *exchange) != Standing::Overtaken
                        {
                            *owed = Some((sent.operation, *ticket, record.program));
                        }
                    }
                    Says::Grant(_) => *owed = None,
                    Says::Captcha | Says::LockedOut(_) | Says::Fault => {}
                    _ if owed.is_some_and(|(operation, ..)| operation == sent.operation) => *owed = None,
                    _ => {}
                }
                None
            }
            What::Consented | What::CredentialsReplaced | What::AnswerAdopted(_) => {
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
