//! What a session learns from an answer without a token, and which causes that opens.

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::memory::{Owed, RefusedToken};
use super::{Sent, Subject};
use crate::wire::{Answer, Operation, Says};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Subject {
    /// Records an answer without a grant.
    pub(super) fn is_told(&mut self, sent: &Sent, answer: &Answer, now: Timestamp, server_now: Timestamp) {
        let operation = sent.asked.operation;
        match &answer.says {
            Says::Penalty(ticket, wait) => {
                self.is_unhandled(sent);
                // The longest wait is bounded by the session's own clock.
                let drift = if *wait >= HOUR * 24 { *wait / 5000 } else { SignedDuration::ZERO };
                let not_before = now + *wait - drift;
                let (ticket, body) = (*ticket, sent.asked.body);
                let owed = Owed { operation, ticket, body, not_before, has_other_secret: false };
                self.memory.owes(Some(owed), now);
                // The server has not verified the token.
                self.memory.may_verify_start |=
                    operation == Operation::Renew && self.memory.verified_at == Some(sent.at);
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
            // The login may have opened a session.
            Says::Garbage | Says::Grant(_) => {
                self.fails(sent, now);
                self.is_unknown(sent, now);
                let is_other =
                    matches!(answer.says, Says::Grant(grant) if grant.user.is_some() && grant.user != self.memory.user);
                if is_other && self.memory.user.is_some() {
                    self.allowances.open(Cause::RefusedAgain, now);
                }
            }
            // Without a doubt about the token, this only shows that the app lacks a permission.
            Says::Forbidden if sent.is_for_market_data && !self.memory.may_be_in_question() => {
                self.memory.market_data_answered(operation, false, self.lineage(sent), now);
                self.fails(sent, now);
            }
            Says::Dead | Says::Forbidden if operation == Operation::Renew => {
                self.memory.market_data_answered(operation, false, self.lineage(sent), now);
                self.is_lost(sent, now, server_now);
            }
            Says::Refused if answer.blames_app => self.is_blamed(sent, now),
            // This status shows that the host is wrong.
            Says::Status if operation == Operation::LogIn && answer.status == 404 && self.is_followed(sent) => {
                self.is_unhandled(sent);
                self.fails(sent, now);
                self.signals_wrong_host(sent, answer, now);
            }
            Says::Refused | Says::Dead | Says::Forbidden | Says::Status if operation == Operation::LogIn => {
                self.is_unhandled(sent);
                let (times, worked) = (self.memory.refusals.0 + 1, self.memory.worked);
                self.memory.refusals = (times, Some(now));
                self.memory.owes(None, now);
                let is_last = times > 1 || !worked;
                self.allowances.open(if is_last { Cause::RefusedAgain } else { Cause::Refused }, now);
                self.signals_wrong_host(sent, answer, now);
            }
            Says::Refused | Says::Dead | Says::Forbidden if operation == Operation::Refresh => {
                self.memory.end_failures(now);
                self.memory.owes(None, now);
                if sent.asked.code.is_some() {
                    return self.allowances.open(Cause::CodeLost, now);
                }
                if let Some(token) = sent.asked.refresh {
                    let before = self.memory.refused_tokens.get(&token).copied();
                    // After six hours, the session may present the token as if it had never been refused.
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
            self.drops_ticket(sent, now);
            self.allowances.open(Cause::HostWrong, now);
        }
    }

    /// A ticket of a wrong host is not valid at another host. If the host was only the target of a redirect, it may
    /// have been another host that issued the ticket.
    fn drops_ticket(&mut self, sent: &Sent, now: Timestamp) {
        if sent.is_redirected {
            self.memory.answered = self.memory.owed.or(self.memory.answered);
        }
        self.memory.owes(None, now);
    }

    /// The server has redirected the request, or has said that this is the wrong host.
    fn is_moved(&mut self, sent: &Sent, answer: &Answer, now: Timestamp) {
        self.is_unhandled(sent);
        self.memory.host_signals += u32::from(self.is_followed(sent));
        match &answer.location {
            Some(host) if !sent.is_redirected && !host.ends_with(".example") => {
                self.memory.redirect = Some((sent.asked.operation, host.clone()));
            }
            _ if sent.asked.operation == Operation::LogIn => {
                self.allowances.open(Cause::Refused, now);
                if sent.is_redirected || self.is_followed(sent) {
                    self.drops_ticket(sent, now);
                    return self.fails(sent, now);
                }
                // The configured host names no usable host. The session waits an hour before its one further try, as
                // after a refusal. After a second such answer it stops, but stores no refusal: the credentials were not
                // judged. So each other program of its fleet may try them too.
                let is_last = !self.memory.worked || self.memory.refusals.0 > 0;
                (self.memory.refusals, self.memory.is_stopped) = ((u32::from(!is_last), Some(now)), is_last);
            }
            _ => {
                if self.is_followed(sent) {
                    self.drops_ticket(sent, now);
                }
                self.fails(sent, now);
                self.allowances.open(Cause::WrongPlace, now);
            }
        }
    }

    fn is_blamed(&mut self, sent: &Sent, now: Timestamp) {
        self.memory.owes(None, now);
        if self.is_followed(sent) {
            self.memory.host_signals += 1;
            self.memory.is_code_used &= sent.asked.code.is_none();
            return self.allowances.open(Cause::HostWrong, now);
        }
        self.memory.blamed += 1;
        self.memory.is_app_refused = true;
        self.allowances.open(Cause::RefusedAgain, now);
    }

    /// A renewal has shown that its token is dead.
    fn is_lost(&mut self, sent: &Sent, now: Timestamp, server_now: Timestamp) {
        let Some(held) = &mut self.memory.held else { return };
        if sent.asked.bearer != Some(held.grant.access) {
            return;
        }
        let was_lost = std::mem::replace(&mut held.is_lost, true);
        let (lost, end) = (held.order, held.grant.expires);
        self.memory.end_failures(now);
        let has_ended = end.is_some_and(|end| end <= server_now);
        if was_lost || has_ended && self.memory.knows_time() {
            return;
        }
        let noticed = self.memory.dead_since.unwrap_or(now);
        if self.memory.lose(lost, noticed, now, !has_ended) {
            self.allowances.open(Cause::Kick, now);
        }
    }
}
