//! What an answer, or its absence, tells a session, and which causes it opens.

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;

use super::causes::Cause;
use super::memory::{Opened, Owed, RefusedToken};
use super::requests::Reason;
use super::{DEADLINE, Found, Oracle, Sent, Subject};
use crate::journal::{Outcome, Record};
use crate::wire::{Answer, Asked, Granted, Operation, Says};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// What a session keeps quiet on top of an hour.
const ROOM: SignedDuration = SignedDuration::from_secs(36);

impl Oracle {
    pub(super) fn lock_out(&mut self, address: usize, now: Timestamp, wait: SignedDuration) {
        // The longest wait is the session's own, by its own clock.
        let drift = if wait >= HOUR * 24 { wait / 5000 } else { SignedDuration::ZERO };
        self.gates[address].lock_out(now + wait - drift);
        let until = now + wait + wait / 100;
        let sessions = self.subjects.iter_mut().flatten().filter(|subject| subject.address == address);
        sessions.for_each(|subject| subject.allowances.open_until(Cause::LockOut, until));
    }

    /// An answer that has not come within its time: the session goes on without it.
    pub(super) fn miss_answer(&mut self, program: usize, now: Timestamp) {
        let Some(Some(subject)) = self.subjects.get_mut(program) else { return };
        let Some(sent) = subject.last_sent.and_then(|number| self.exchanges.get_mut(&number)) else { return };
        if !sent.is_done && sent.at + DEADLINE <= now {
            sent.is_done = true;
            let (sent, at) = (sent.clone(), sent.at + DEADLINE);
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
        let subject = self.subjects.get_mut(record.program)?.as_mut()?;
        let sent = self.exchanges.get_mut(&number)?;
        let is_overtaken = subject.last_sent != Some(number);
        let was_done = std::mem::replace(&mut sent.is_done, true);
        let (sent, address) = (sent.clone(), subject.address);
        let answer = match outcome {
            Outcome::Answer(answer) => answer,
            Outcome::Failure(failure) => {
                if !is_overtaken && !was_done {
                    subject.no_answer(&sent, now, Some(*failure));
                }
                return None;
            }
        };
        // Of a long exchange only the bounds are believed.
        let is_short = now.duration_since(sent.at) <= SignedDuration::from_secs(10);
        if answer.server_time.is_some() && answer.is_of_the_api() && is_short {
            // A clock that is off by more than a day is corrected by two answers.
            let is_far = record.local.duration_since(server_now).abs() > HOUR * 24;
            let memory = &mut subject.memory;
            memory.may_compare_clocks = is_far && memory.times_told == 0;
            memory.times_told += if is_far { 1 } else { 2 };
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
                let sessions = self.subjects.iter_mut().flatten().filter(|subject| subject.address == address);
                sessions.for_each(|subject| subject.allowances.open_until(Cause::Captcha, now + HOUR + ROOM));
                return None;
            }
            _ => {}
        }
        if let Some(grant) = answer.good_grant() {
            subject.receive(grant, now.duration_since(sent.at));
            if sent.asked.operation == Operation::LogIn {
                subject
                    .memory
                    .logins
                    .iter_mut()
                    .filter(|(at, _)| *at == sent.at)
                    .for_each(|login| login.1 = Opened::Yes);
            }
            if sent.asked.operation == Operation::Refresh {
                subject.memory.refreshed_at = Some(now);
            }
            if !is_overtaken {
                subject.memory.take(grant);
                subject.memory.unknown_at = None;
                subject.follow(answer);
                subject.allowances.is_granted();
                subject.allowances.open(Cause::Start, now);
            }
        } else if !is_overtaken {
            subject.is_told(&sent, answer, now, server_now);
        }
        None
    }
}

impl Answer {
    /// Whether it is JSON of the API, by which a session learns the server's time.
    pub(crate) fn is_of_the_api(&self) -> bool {
        matches!(self.says, Says::Grant(_) | Says::Penalty(..) | Says::Captcha | Says::Refused)
    }
}

impl Subject {
    /// A request leaves for a reason.
    pub(super) fn is_sent(&mut self, reason: Reason, asked: &Asked, now: Timestamp) {
        let memory = &mut self.memory;
        match reason {
            Reason::Ticket => memory.answered = memory.owed.take().or(memory.answered),
            Reason::Verify => {
                memory.may_compare_clocks = false;
                if asked.operation == Operation::Renew {
                    memory.may_verify_start = false;
                    memory.verified_at = Some(now);
                }
            }
            Reason::Home => {
                memory.went_home = Some(now);
                (memory.is_home, memory.host_signals) = (true, 0);
            }
            _ => {}
        }
        if asked.operation == Operation::LogIn {
            memory.logins.push_back((now, Opened::Unknown));
            memory.logins.retain(|(at, _)| *at + HOUR > now);
            // What it held has ended or was given up, and stays so.
            if let Some(held) = &mut memory.held {
                held.is_lost = true;
            }
        }
        if asked.code.is_some() {
            (memory.code, memory.is_code_used) = (asked.code, true);
        }
    }

    /// A grant is there, whether or not it is used.
    pub(super) fn receive(&mut self, grant: Granted, trip: SignedDuration) {
        // A late answer brings an earlier end of the same token.
        let held = self.memory.granted.entry(grant.access).or_insert((grant, trip));
        if held.0.expires < grant.expires {
            *held = (grant, trip);
        }
        self.memory.refresh_tokens.extend(grant.refresh);
        grant.refresh.iter().for_each(|token| {
            self.memory.refused_tokens.remove(token);
        });
    }

    pub(super) fn follow(&mut self, answer: &Answer) {
        let [live, demo] = &answer.hosts;
        if let Some(host) = if self.is_live { live } else { demo } {
            self.memory.followed = Some(host.clone());
        }
    }

    /// The server has not handled a request: a login opened nothing, and a code is still good.
    pub(super) fn is_unhandled(&mut self, sent: &Sent) {
        self.memory.logins.retain(|(at, _)| *at != sent.at);
        self.memory.is_code_used &= sent.asked.code.is_none();
    }

    /// A gate stands before the server: the request may be sent again once it is open.
    fn is_kept_out(&mut self, sent: &Sent, now: Timestamp) {
        self.is_unhandled(sent);
        self.memory.kept_out = Some(sent.asked.operation);
        self.allowances.open(Cause::Fault, now);
    }

    /// No answer has come.
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

    /// The server may have handled a request.
    fn is_unknown(&mut self, sent: &Sent, now: Timestamp) {
        match sent.asked.operation {
            Operation::LogIn => {
                self.memory.unknown_at = Some(now);
                self.allowances.open(Cause::UnknownLogin, now);
            }
            Operation::Refresh if sent.asked.code.is_some() => self.allowances.open(Cause::CodeLost, now),
            _ => {}
        }
    }

    fn fails(&mut self, sent: &Sent, now: Timestamp) {
        self.memory.failed(sent.asked.operation, now);
        if sent.asked.operation == Operation::Renew {
            self.memory.failed_renewals.push(now);
        }
        self.allowances.open(Cause::Fault, now);
    }

    /// Whether a request went to a host that answers have named, rather than to the configured one.
    fn is_followed(&self, sent: &Sent) -> bool {
        sent.asked.host != self.login_host
    }

    /// An answer without a grant.
    fn is_told(&mut self, sent: &Sent, answer: &Answer, now: Timestamp, server_now: Timestamp) {
        let operation = sent.asked.operation;
        match &answer.says {
            Says::Penalty(ticket, wait) => {
                self.is_unhandled(sent);
                // The longest wait is the session's own, by its own clock.
                let drift = if *wait >= HOUR * 24 { *wait / 5000 } else { SignedDuration::ZERO };
                let not_before = now + *wait - drift;
                self.memory.owed = Some(Owed { operation, ticket: *ticket, body: sent.asked.body, not_before });
                self.allowances.open_until(Cause::Penalty, not_before + *wait / 100 + SignedDuration::from_secs(61));
            }
            Says::Moved => self.is_moved(sent, answer, now),
            Says::Fault => {
                self.fails(sent, now);
                if matches!(answer.status, 408 | 500 | 504) {
                    self.is_unknown(sent, now);
                } else {
                    self.is_unhandled(sent);
                }
            }
            // It may have opened a session.
            Says::Garbage | Says::Grant(_) => {
                self.fails(sent, now);
                self.is_unknown(sent, now);
                let is_other =
                    matches!(answer.says, Says::Grant(grant) if grant.user.is_some() && grant.user != self.memory.user);
                if is_other && self.memory.user.is_some() {
                    self.allowances.open(Cause::RefusedAgain, now);
                }
            }
            Says::Dead | Says::Forbidden if operation == Operation::Renew => self.is_lost(sent, now, server_now),
            Says::Refused if answer.blames_app => self.is_blamed(sent, now),
            // That is the host's fault.
            Says::Status if operation == Operation::LogIn && answer.status == 404 && self.is_followed(sent) => {
                self.is_unhandled(sent);
                self.fails(sent, now);
                self.signals_wrong_host(sent, answer, now);
            }
            Says::Refused | Says::Dead | Says::Forbidden | Says::Status if operation == Operation::LogIn => {
                self.is_unhandled(sent);
                let (times, worked) = (self.memory.refusals.0 + 1, self.memory.worked);
                self.memory.refusals = (times, Some(now));
                self.memory.owed = None;
                let is_last = times > 1 || !worked;
                self.allowances.open(if is_last { Cause::RefusedAgain } else { Cause::Refused }, now);
                self.signals_wrong_host(sent, answer, now);
            }
            Says::Refused | Says::Dead | Says::Forbidden if operation == Operation::Refresh => {
                self.memory.owed = None;
                if sent.asked.code.is_some() {
                    return self.allowances.open(Cause::CodeLost, now);
                }
                if let Some(token) = sent.asked.refresh {
                    let before = self.memory.refused_tokens.get(&token).copied();
                    // After six hours it may be presented as if nothing had been.
                    let times = before.filter(|refused| now < refused.at + HOUR * 5).map_or(0, |refused| refused.times);
                    self.memory.refused_tokens.insert(token, RefusedToken { times: times + 1, at: now });
                }
                self.allowances.open(Cause::RefreshRefused, now);
            }
            _ => {
                self.fails(sent, now);
                self.memory.is_code_used &= sent.asked.code.is_none();
                self.allowances.open(Cause::WrongPlace, now);
                self.signals_wrong_host(sent, answer, now);
            }
        }
    }

    fn signals_wrong_host(&mut self, sent: &Sent, answer: &Answer, now: Timestamp) {
        if answer.status == 404 && self.is_followed(sent) {
            self.memory.host_signals += 1;
            self.allowances.open(Cause::HostWrong, now);
        }
    }

    /// Sent on, or told that this is the wrong host.
    fn is_moved(&mut self, sent: &Sent, answer: &Answer, now: Timestamp) {
        self.is_unhandled(sent);
        self.memory.host_signals += u32::from(self.is_followed(sent));
        match &answer.location {
            Some(host) if !sent.is_redirected && !host.ends_with(".example") => {
                self.memory.redirect = Some((sent.asked.operation, host.clone()));
            }
            _ => {
                self.fails(sent, now);
                // A login that no host takes is as good as refused.
                let is_login = sent.asked.operation == Operation::LogIn;
                self.allowances.open(if is_login { Cause::Refused } else { Cause::WrongPlace }, now);
            }
        }
    }

    fn is_blamed(&mut self, sent: &Sent, now: Timestamp) {
        self.memory.owed = None;
        if self.is_followed(sent) {
            self.memory.host_signals += 1;
            self.memory.is_code_used &= sent.asked.code.is_none();
            return self.allowances.open(Cause::HostWrong, now);
        }
        self.memory.blamed += 1;
        self.allowances.open(Cause::RefusedAgain, now);
    }

    /// A renewal is told that its token is dead.
    fn is_lost(&mut self, sent: &Sent, now: Timestamp, server_now: Timestamp) {
        let Some(held) = &mut self.memory.held else { return };
        if sent.asked.bearer != Some(held.grant.access) || held.is_lost {
            return;
        }
        held.is_lost = true;
        if held.grant.expires.is_some_and(|end| end <= server_now) {
            return;
        }
        let losses = &mut self.memory.losses;
        losses.push_back(now);
        losses.retain(|at| *at + HOUR * 2 > now);
        let is_kick = losses.len() > 1 && losses.iter().rev().nth(1).is_some_and(|before| now < *before + QUARTER);
        if is_kick || losses.len() > 2 {
            self.allowances.open(Cause::Kick, now);
        }
    }
}
