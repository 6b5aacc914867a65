//! Law 8: refused credentials that never worked are not tried again by themselves. Ones that worked before: once more
//! after an hour, then stop. Failed logins stay under the shared hourly limit; successful ones under four an hour.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{Ledger, Standing};
use crate::wire::{Operation, Says};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What clocks that drift, and words to a store that take their time, may take off an hour.
const ROOM: SignedDuration = SignedDuration::from_secs(10);

/// The shared limit is five failed logins an hour.
const FAILED_PER_HOUR: usize = 4;

/// Fewer than four an hour, and one more that clocks told as the same.
const OPENED_PER_HOUR: usize = 4;

/// A refusal is a no that the session was waiting for, or that nothing has overtaken. Logins count by what the server
/// made of them, whether or not the answer has come, at the time the request left by the program's own clock. A 5xx that is
/// no time-out is taken for the word of the server that it has opened nothing, even where it lies.
///
/// After a crash of all behind an address the count of failed logins is forgotten by design. Other credentials of the owner's are new ones. A fleet counts
/// as one, but each program may try once what another was refused, within the limit of the hour, and two
/// logins within half a minute, told by different clocks, may be taken for one. What may lose its memory is excepted: see
/// [`Ledger::forgets`].
pub(super) struct RefusedCredentialsRest {
    programs: Vec<History>,
    failed: Vec<VecDeque<Timestamp>>,
}

#[derive(Debug, Clone, Default)]
struct History {
    refusals: u32,
    refused_at: Option<Timestamp>,
    refused_by: Option<usize>,
    opened: VecDeque<Timestamp>,
}

impl RefusedCredentialsRest {
    pub(super) fn new(programs: usize, addresses: usize) -> Self {
        Self { programs: vec![History::default(); programs], failed: vec![VecDeque::new(); addresses] }
    }
}

/// How many there are within the hour with one more.
fn count(times: &mut VecDeque<Timestamp>, time: Timestamp) -> usize {
    times.push_back(time);
    times.retain(|counted| *counted + HOUR > time);
    times.len()
}

impl Law for RefusedCredentialsRest {
    fn number(&self) -> u8 {
        8
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        let now = ledger.time(record);
        let history = &mut self.programs[ledger.subject(record)];
        if ledger.forgets(record) {
            *history = History::default();
            if !matches!(record.what, What::Crashed(true)) {
                return None;
            }
        }
        match &record.what {
            What::Sent(_, asked) if asked.operation == Operation::LogIn => {
                let refused_at = history.refused_at?;
                if history.refused_by != Some(record.program) {
                    return None;
                }
                if !known.worked {
                    return Some("tries credentials again that were refused and never worked".into());
                }
                if history.refusals > 1 {
                    return Some("tries credentials a third time that were refused twice".into());
                }
                let early = now < refused_at + HOUR - ROOM;
                early.then(|| "tries refused credentials again within the hour".into())
            }
            What::Served(exchange, answer) => {
                let sent = &ledger.exchanges[*exchange];
                if sent.asked.operation != Operation::LogIn {
                    return None;
                }
                if matches!(answer.says, Says::Grant(_)) {
                    let opened = count(&mut history.opened, ledger.sent_at(record, *exchange));
                    return (opened > OPENED_PER_HOUR).then(|| format!("opens {opened} sessions within an hour"));
                }
                let failed = if answer.refuses() { count(&mut self.failed[known.address], sent.local) } else { 0 };
                (failed > FAILED_PER_HOUR).then(|| format!("{failed} failed logins within an hour at one address"))
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                if answer.says == Says::Fault && !matches!(answer.status, 408 | 504) {
                    let sent = ledger.sent_at(record, *exchange);
                    history.opened.retain(|opened| *opened != sent);
                }
                let is_login = ledger.exchanges[*exchange].asked.operation == Operation::LogIn;
                if answer.good_grant().is_some() && !ledger.is_superseded(record, *exchange) {
                    (history.refusals, history.refused_at) = (0, None);
                } else if is_login
                    && answer.refuses()
                    && ledger.is_shared(record, *exchange)
                    && ledger.standing(record, *exchange) != Standing::Overtaken
                {
                    history.refusals += 1;
                    (history.refused_at, history.refused_by) = (Some(now), Some(record.program));
                }
                None
            }
            What::CredentialsReplaced | What::AnswerAdopted(_) => {
                (history.refusals, history.refused_at) = (0, None);
                None
            }
            What::Consented => {
                *history = History::default();
                None
            }
            What::Crashed(true) => {
                self.failed[known.address].clear();
                None
            }
            _ => None,
        }
    }
}
