//! What a session learns from an answer or from the lack of one, and which causes that opens.

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;

use super::causes::Cause;
use super::memory::{Brought, Opened, Order};
use super::requests::{Reason, almost};
use super::{DEADLINE, Found, Oracle, Sent, Subject};
use crate::journal::{Outcome, Record, What};
use crate::wire::{Answer, Asked, Granted, Operation, Says};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The margin that a session adds to a silence of an hour.
const ROOM: SignedDuration = SignedDuration::from_secs(36);

impl Oracle {
    pub(super) fn lock_out(&mut self, address: usize, now: Timestamp, wait: SignedDuration) {
        self.gates[address].lock_out(now, wait);
        let until = now + wait + wait / 100;
        let sessions = self.subjects.iter_mut().filter(|subject| subject.address == address);
        sessions.for_each(|subject| subject.allowances.open_until(Cause::LockOut, until));
    }

    /// The deadline of an exchange has passed by the clock of its program, and the session continues without the
    /// answer.
    pub(super) fn miss_answer(&mut self, record: &Record) {
        let Some(subject) = self.subjects.get_mut(record.program) else { return };
        let Some(sent) = subject.last_sent.and_then(|number| self.exchanges.get_mut(&number)) else { return };
        if !sent.is_done && sent.local + DEADLINE <= record.local {
            sent.is_done = true;
            let (sent, at) = (sent.clone(), record.at.min(sent.at + almost(DEADLINE)));
            subject.no_answer(&sent, at, None);
        }
    }

    pub(super) fn deliver(
        &mut self,
        record: &Record,
        number: usize,
        outcome: &Outcome,
        server_now: Timestamp,
    ) -> Option<Found> {
        let now = record.at;
        self.miss_answer(record);
        let subject = self.subjects.get_mut(record.program)?;
        let sent = self.exchanges.get_mut(&number)?;
        let is_overtaken = subject.last_sent != Some(number);
        let is_superseded = subject.is_superseded(number, sent);
        subject.in_flight.take_if(|in_flight| *in_flight == number);
        let was_done = std::mem::replace(&mut sent.is_done, true);
        // While a session saves, a late answer without a token changes nothing.
        let is_passed_over = was_done && subject.offered.is_some();
        let (sent, address) = (sent.clone(), subject.address);
        if sent.asked.operation == Operation::Renew && outcome.is_not_counted() {
            self.gates[address].discount(sent.at);
        }
        let answer = match outcome {
            Outcome::Answer(answer) => answer,
            Outcome::Failure(failure) => {
                if !is_overtaken && !was_done {
                    subject.no_answer(&sent, now, Some(*failure));
                } else if *failure == Failure::NotSent {
                    subject.is_unhandled(&sent);
                }
                return None;
            }
        };
        // After a long exchange, a session uses the time of the answer only as a bound.
        let is_short = now.duration_since(sent.at) <= SignedDuration::from_secs(10);
        if answer.server_time.is_some() && answer.is_of_the_api() && is_short {
            // A session needs two answers to correct a clock that is off by more than a day.
            let is_far = record.local.duration_since(server_now).abs() > HOUR * 24;
            let memory = &mut subject.memory;
            memory.may_compare_clocks = is_far && memory.times_told == 0;
            memory.times_told += if is_far { 1 } else { 2 };
            (memory.ahead, memory.misled) = (SignedDuration::ZERO, SignedDuration::ZERO);
        }
        match &answer.says {
            Says::LockedOut(wait) => {
                subject.is_kept_out(&sent, now);
                self.lock_out(address, now, *wait);
                return None;
            }
            Says::Captcha => {
                subject.is_kept_out(&sent, now);
                self.gates[address].close(sent.asked.operation, now);
                let sessions = self.subjects.iter_mut().filter(|subject| subject.address == address);
                sessions.for_each(|subject| subject.allowances.open_until(Cause::Captcha, now + HOUR + ROOM));
                return None;
            }
            _ => {}
        }
        if let Some(grant) = answer.good_grant() {
            if is_superseded {
                // The login may have opened a session anyway.
                subject.memory.logins.entry(number).and_modify(|login| login.1 = Opened::Yes);
                return None;
            }
            let (lineage, asked) = (subject.lineage(&sent), sent.at);
            let order = Order { lineage, asked, trip: now.duration_since(asked) };
            subject.receive(grant, answer, order);
            if let Some(fleet) = subject.fleet {
                let names = [Some(grant.access), grant.refresh].into_iter().flatten();
                self.fleets[fleet].issued.extend(names.map(|name| (name, order)));
            }
            // The session gives up its exchange in flight.
            subject.in_flight = None;
            if sent.asked.operation == Operation::LogIn {
                subject.memory.logins.entry(number).and_modify(|login| login.1 = Opened::Yes);
            }
            if sent.asked.operation == Operation::Refresh {
                // The session may assume that the server has answered before half of the exchange was over.
                (subject.memory.refreshed_at, subject.memory.truly_refreshed_at) =
                    (Some(asked - order.trip / 2), Some(now));
                subject.refreshed_by = Some(number);
            }
            if sent.asked.operation != Operation::Refresh
                || subject.memory.owed.is_some_and(|owed| owed.operation != Operation::Renew)
            {
                subject.memory.owes(None, now);
            }
            if sent.asked.operation != Operation::LogIn {
                subject.memory.market_data_answered(sent.asked.operation, grant.has_market_data, lineage, now);
            }
            if !is_overtaken {
                subject.memory.take(grant.access, now);
                subject.generation += 1;
                subject.allowances.is_granted();
                subject.allowances.open(Cause::Start, now);
                return subject.hands_out(record, &sent, grant, server_now);
            }
        } else if !is_overtaken && !is_passed_over {
            subject.is_told(&sent, answer, now, server_now);
        }
        None
    }
}

impl Answer {
    /// Whether the answer is JSON of the API. Only such an answer tells the server's time.
    pub(crate) fn is_of_the_api(&self) -> bool {
        !self.is_malformed && matches!(self.says, Says::Grant(_) | Says::Penalty(..) | Says::Captcha | Says::Refused)
    }
}

impl Outcome {
    /// Whether the server may not have counted the request.
    fn is_not_counted(&self) -> bool {
        match self {
            Self::Answer(answer) => {
                matches!(answer.says, Says::LockedOut(_) | Says::Captcha | Says::Moved)
                    || matches!(answer.status, 502 | 503)
            }
            Self::Failure(failure) => *failure == Failure::NotSent,
        }
    }
}

impl Subject {
    /// Without a store, a new token has to be handed out at once. A missing market data token does not delay it.
    fn hands_out(&self, record: &Record, sent: &Sent, grant: Granted, server_now: Timestamp) -> Option<Found> {
        let What::Delivered { after: None, .. } = record.what else { return None };
        let lives = grant.expires.is_some_and(|end| end > server_now + SignedDuration::from_mins(5));
        let is_expected =
            sent.asked.operation == Operation::Refresh && lives && !self.has_store && self.fleet.is_none();
        is_expected.then(|| (10, format!("has received {} and does not hand it out", grant.access)))
    }

    /// Records a request with its reason.
    pub(super) fn is_sent(&mut self, number: usize, reason: Reason, asked: &Asked, now: Timestamp) {
        let memory = &mut self.memory;
        // The request that a penalty has postponed may leave the followed host too.
        let goes_home = asked.host == self.login_host
            && memory.followed.as_deref().is_some_and(|followed| followed != self.login_host);
        if reason == Reason::Home || reason == Reason::Ticket && goes_home {
            memory.went_home = Some(now);
            (memory.is_home, memory.host_signals) = (true, 0);
        }
        match reason {
            Reason::Ticket => {
                memory.answered = memory.owed.or(memory.answered);
                memory.owes(None, now);
            }
            Reason::Verify => {
                memory.may_compare_clocks = false;
                if asked.operation == Operation::Renew {
                    memory.may_verify_start = false;
                    memory.verified_at = Some(now);
                }
            }
            _ => {}
        }
        if asked.operation == Operation::LogIn {
            memory.logins.insert(number, (now, Opened::Unknown(now)));
            memory.logins.retain(|_, (at, _)| *at + HOUR > now);
            // The session's earlier token has expired or was given up, and stays so.
            if let Some(held) = &mut memory.held {
                held.is_lost = true;
            }
        }
        if asked.code.is_some() {
            (memory.code, memory.is_code_used) = (asked.code, true);
        }
    }

    /// Whether an answer is out of date, because a newer token or, for a refresh, the answer to a later one has come.
    fn is_superseded(&self, number: usize, sent: &Sent) -> bool {
        match sent.asked.operation {
            Operation::Refresh => self.refreshed_by.is_some_and(|by| by > number),
            _ => self.generation > sent.generation,
        }
    }

    /// The start time of the lineage that an answer continues. A login and a code start a new one.
    pub(super) fn lineage(&self, sent: &Sent) -> Timestamp {
        let Asked { operation, bearer, refresh, .. } = &sent.asked;
        let continued = match operation {
            Operation::LogIn => None,
            Operation::Renew => bearer.and_then(|bearer| Some(self.memory.granted.get(&bearer)?.order.lineage)),
            Operation::Refresh => refresh.and_then(|refresh| self.memory.refresh_tokens.get(&refresh).copied()),
        };
        continued.unwrap_or(sent.at)
    }

    /// Records a grant, whether or not the session uses it.
    pub(super) fn receive(&mut self, grant: Granted, answer: &Answer, order: Order) {
        let [live, demo] = &answer.hosts;
        let host = if self.is_live { live } else { demo }.clone();
        self.memory.learn(grant.access, Brought { grant, order, host });
        grant.refresh.iter().for_each(|token| {
            self.memory.refused_tokens.remove(token);
        });
    }

    /// The server has not handled a request, so a login has opened no session and a code is still valid.
    pub(super) fn is_unhandled(&mut self, sent: &Sent) {
        self.memory.logins.entry(sent.number).and_modify(|login| login.1 = Opened::None);
        self.memory.is_code_used &= sent.asked.code.is_none();
    }

    /// A gate has rejected the request. It may be sent again once the gate is open.
    fn is_kept_out(&mut self, sent: &Sent, now: Timestamp) {
        self.is_unhandled(sent);
        self.memory.kept_out = Some(sent.asked.operation);
        self.allowances.open(Cause::Fault, now);
    }

    /// Records that no answer has come.
    pub(super) fn no_answer(&mut self, sent: &Sent, now: Timestamp, failure: Option<Failure>) {
        self.fails(sent, now);
        if failure == Some(Failure::NotSent) {
            self.is_unhandled(sent);
            if self.is_followed(sent) {
                self.memory.host_signals += 1;
                self.allowances.open(Cause::HostWrong, now);
            }
            return;
        }
        self.is_unknown(sent, now);
    }

    /// Records that the server may have handled a request.
    pub(super) fn is_unknown(&mut self, sent: &Sent, now: Timestamp) {
        match sent.asked.operation {
            Operation::LogIn => {
                self.memory.logins.entry(sent.number).and_modify(|login| login.1 = Opened::Unknown(now));
                self.allowances.open(Cause::UnknownLogin, now);
            }
            Operation::Refresh if sent.asked.code.is_some() => self.allowances.open(Cause::CodeLost, now),
            _ => {}
        }
    }

    pub(super) fn fails(&mut self, sent: &Sent, now: Timestamp) {
        if sent.is_for_market_data {
            // No other request waits for it.
            self.memory.market_data_failed_at = Some(now);
            return;
        }
        self.memory.failed(sent.asked.operation, now);
        if sent.asked.operation == Operation::Renew {
            self.memory.failed_renewals.push(now);
            if self.memory.is_app_refused {
                // A session that has only renewals left sends the next one after ten minutes.
                self.allowances.open(Cause::RefusedAgain, now);
            }
        }
        self.allowances.open(Cause::Fault, now);
    }

    /// Whether a request went to a host that answers have named, and not to the configured one.
    pub(super) fn is_followed(&self, sent: &Sent) -> bool {
        sent.asked.host != self.login_host
    }
}
