//! Law 10: when the server is well and the credentials good, the session becomes usable again in bounded time.

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::{DEADLINE, Ledger};
use crate::wire::{Operation, Says};

/// Once the faults have ended the world waits for each program to hand out a token that the server accepts, and says so
/// where that takes longer than three hours, for an OAuth session seven: a lock-out, a captcha, a refusal and a kick cost
/// an hour each, a refresh token that was refused twice six. Whoever keeps the programs helps those that have stopped,
/// as long as they have stopped for a reason: a no to a login or a code, a refresh token that was refused or that is
/// lost, or a code that grew too old before it could be exchanged, or whose answer is lost.
pub(super) struct UsableAgain {
    has_reason: Vec<bool>,
    codes: Vec<Code>,
    /// When each address may ask for tokens again, by the clock behind it.
    silent_until: Vec<Timestamp>,
}

/// What has become of the exchange of a program's latest code.
#[derive(Debug, Clone, Copy, Default)]
struct Code {
    /// From the consent to the first tokens.
    is_pending: bool,
    asked: Option<Timestamp>,
    is_disturbed: bool,
}

/// A hundredth on top of an hour is what a session takes for itself.
const ROOM: SignedDuration = SignedDuration::from_secs(60);

impl UsableAgain {
    pub(super) fn new(programs: usize, subjects: usize, addresses: usize) -> Self {
        Self {
            has_reason: vec![false; subjects],
            codes: vec![Code::default(); programs],
            silent_until: vec![Timestamp::MIN; addresses],
        }
    }

    fn follow_code(&mut self, record: &Record, ledger: &Ledger) {
        let (code, silent_until) = (&mut self.codes[record.program], &mut self.silent_until[ledger.of(record).address]);
        let mut silence = |wait: SignedDuration| *silent_until = (*silent_until).max(record.local + wait + ROOM);
        match &record.what {
            What::Consented => *code = Code { is_pending: true, ..Code::default() },
            What::Sent(_, asked) if asked.operation == Operation::Refresh => code.asked = Some(record.local),
            What::Delivered { exchange, outcome, .. } => {
                let is_refresh = ledger.exchanges[*exchange].asked.operation == Operation::Refresh;
                match outcome {
                    Outcome::Answer(answer) => match answer.says {
                        Says::LockedOut(wait) => silence(wait),
                        Says::Captcha if is_refresh => silence(SignedDuration::from_hours(1)),
                        Says::Grant(_) if !answer.contradicts => code.is_pending &= !is_refresh,
                        _ => code.is_disturbed |= is_refresh,
                    },
                    Outcome::Failure(_) => code.is_disturbed |= is_refresh,
                }
            }
            // By the clock it may have grown old at once.
            What::Jumped(_) => code.is_disturbed = true,
            What::Reported { status: 423 | 429, .. } => silence(SignedDuration::from_hours(1)),
            _ => {}
        }
    }

    /// Whether a code could be lost: something stood in its way.
    fn may_be_lost(&self, record: &Record, ledger: &Ledger) -> bool {
        let code = self.codes[record.program];
        let is_disturbed = code.is_disturbed
            || code.asked.is_some_and(|asked| asked + DEADLINE <= record.local)
            // One of a fleet sends nothing without the store.
            || code.asked.is_none() && ledger.of(record).fleet.is_some()
            || self.silent_until[ledger.of(record).address] > record.local;
        code.is_pending && is_disturbed
    }
}

impl Law for UsableAgain {
    fn number(&self) -> u8 {
        10
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        self.follow_code(record, ledger);
        let may_be_lost = self.may_be_lost(record, ledger);
        let is_app = ledger.of(record).is_app;
        let has_reason = &mut self.has_reason[ledger.subject(record)];
        match &record.what {
            What::Unusable => Some("is not usable in time after the last fault".into()),
            What::Stopped(why) if !*has_reason && !may_be_lost => Some(format!("stops for no reason: {why}")),
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } => {
                let operation = ledger.exchanges[*exchange].asked.operation;
                let is_no = match answer.says {
                    Says::Refused | Says::Dead | Says::Forbidden | Says::Moved | Says::Status => true,
                    Says::Garbage => operation == Operation::LogIn,
                    Says::Grant(_) => answer.contradicts,
                    _ => false,
                };
                *has_reason |= is_no && operation != Operation::Renew;
                None
            }
            // A program that has never had tokens finds that its fleet has none.
            What::Synchronized { .. } | What::StoreLost => {
                *has_reason |= is_app;
                None
            }
            What::Consented => {
                *has_reason &= is_app;
                None
            }
            _ => None,
        }
    }
}
