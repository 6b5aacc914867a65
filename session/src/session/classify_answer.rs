//! [`Outcome`]: what an answer, or a missing answer, means. This module changes nothing; `act_on_answer.rs` acts on it.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use http::{Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::workspace_only::{check_user, read_login, read_oauth, read_renewal};
use tradovate_auth_core::{
    AccessTokenResponse, Contradiction, Error, Exchange as Times, Failure, Grant, Moved, PenaltyTicket, Refusal,
    ServerClock,
};

use super::Trouble;
use super::followed_hosts::Via;
use super::in_flight::Exchange;
use crate::network_budget::Operation;

/// What a request led to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A token that passed all checks.
    Granted(Box<Grant>),
    /// Nothing may be sent for `wait`, or until the server's time `until`.
    LockedOut {
        wait: Duration,
        until: Option<Timestamp>,
    },
    /// The endpoint asks for a captcha.
    CaptchaAsked,
    /// The server answered with a penalty. The request has to be sent again with the ticket.
    Postponed(PenaltyTicket),
    /// The server names another host for the request.
    Redirected {
        to: Moved,
        otherwise: Failed,
    },
    Failed(Failed),
}

/// A request that brought neither a token nor an instruction.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) meaning: Meaning,
    /// The status of the answer, if an answer arrived.
    pub(super) status: Option<StatusCode>,
    pub(super) trouble: Trouble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The followed host is wrong.
    WrongHost,
    /// The target of the redirect is wrong.
    WrongTarget,
    /// The server certainly did not handle the request.
    NotHandled,
    /// The server may have handled the request: a login may have opened a server session, a refresh may have replaced
    /// the refresh token.
    Unknown,
    /// The server refused the credentials, the code or the refresh token.
    Refused,
    /// The server does not understand the request.
    Malformed,
    /// The server refused the app or its settings. This says nothing about the refresh token.
    AppRefused,
    /// The answer is for another user.
    OtherUser,
    /// The access token is dead.
    Dead,
    /// The answer says nothing about the token or the credentials.
    Fault,
}

/// What is known when an answer is judged.
pub(super) struct Known<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) times: Times,
    pub(super) clock: &'a ServerClock,
    pub(super) user_id: Option<i64>,
}

impl Outcome {
    /// The outcome of an answered request, and the endpoint's own answer if there is one.
    pub(super) fn of<B: AsRef<[u8]>>(known: &Known<'_>, response: &Response<B>) -> (Self, Option<AccessTokenResponse>) {
        let status = response.status();
        let is_empty = response.body().as_ref().trim_ascii().is_empty();
        let (grant, account) = known.grant(response);
        let outcome = match grant.and_then(|grant| check_user(known.user_id, grant.user_id).map(|()| grant)) {
            Ok(grant) => Self::Granted(Box::new(grant)),
            Err(error) => Self::of_error(known.exchange, status, is_empty, error),
        };
        (outcome, account)
    }

    /// The outcome of a request without a complete answer.
    pub(super) fn of_failure(exchange: &Exchange, failure: Failure, cause: Option<String>) -> Self {
        let meaning = if failure == Failure::NotSent { Meaning::NotHandled } else { Meaning::Unknown };
        Self::Failed(Failed { meaning, status: None, trouble: exchange.trouble(failure, cause) })
    }

    fn of_error(exchange: &Exchange, status: StatusCode, is_empty: bool, error: Error) -> Self {
        match error {
            Error::LockedOut { wait, until, .. } => Self::LockedOut { wait, until },
            Error::Captcha { .. } => Self::CaptchaAsked,
            Error::Penalty(ticket) => Self::Postponed(ticket),
            error => {
                let meaning = Meaning::of(exchange, status, is_empty, &error);
                let to = match &error {
                    Error::Moved(to) if !exchange.is_redirected => Some(to.clone()),
                    _ => None,
                };
                let failed = Failed { meaning, status: Some(status), trouble: Trouble::Server(error) };
                match to {
                    Some(to) => Self::Redirected { to, otherwise: failed },
                    None => Self::Failed(failed),
                }
            }
        }
    }
}

impl Meaning {
    fn of(exchange: &Exchange, status: StatusCode, is_empty: bool, error: &Error) -> Self {
        let says_wrong_host = match error {
            Error::Moved(_) | Error::WrongEnvironment { .. } => true,
            //= R-HOST-12
            Error::Status { .. } => status == StatusCode::NOT_FOUND && is_empty,
            error => blames_app(error),
        };
        if says_wrong_host && exchange.via == Via::Followed {
            return Self::WrongHost;
        }
        let is_elsewhere = match error {
            Error::Status { .. } => says_wrong_host,
            Error::Moved(_) => !exchange.presents_code(),
            _ => false,
        };
        if is_elsewhere && exchange.is_redirected {
            return Self::WrongTarget;
        }
        if is_turned_away(status) {
            return Self::NotHandled;
        }
        match exchange.operation {
            Operation::LogIn => Self::of_login(error),
            Operation::Refresh if exchange.presents_code() => Self::Refused,
            Operation::Refresh => Self::of_refresh(error),
            _ => {
                let is_dead = status == StatusCode::UNAUTHORIZED || matches!(error, Error::Unauthorized { .. });
                //= R-RENEW-11
                if is_dead { Self::Dead } else { Self::Fault }
            }
        }
    }

    fn of_login(error: &Error) -> Self {
        match error {
            // No other login would bring the right user.
            Error::Contradiction(Contradiction::OtherUser) => Self::OtherUser,
            // The token can't be read or used, but a server session may be open.
            //= R-SESSION-6
            Error::Undecodable(_) | Error::Contradiction(_) => Self::Unknown,
            Error::Incomplete { field, .. } if *field != "accessToken" => Self::Unknown,
            //= R-STATUS-2
            Error::Status { status: StatusCode::BAD_REQUEST, .. } => Self::Malformed,
            Error::Status { .. } if error.is_retryable() => Self::Unknown,
            _ => Self::Refused,
        }
    }

    fn of_refresh(error: &Error) -> Self {
        match error {
            error if blames_app(error) => Self::AppRefused,
            Error::Refused(_) => Self::Refused,
            Error::Status { status: StatusCode::BAD_REQUEST, .. } => Self::Malformed,
            Error::Undecodable(_)
            | Error::Incomplete { .. }
            | Error::Contradiction(_)
            | Error::Status { status: StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT, .. } => Self::Unknown,
            _ => Self::Fault,
        }
    }
}

impl Known<'_> {
    /// The checked token, and what the answer says about the account.
    fn grant<B: AsRef<[u8]>>(&self, response: &Response<B>) -> (Result<Grant, Error>, Option<AccessTokenResponse>) {
        let Times { sent, received, .. } = self.times;
        match self.exchange.operation {
            Operation::Refresh => {
                // Judged at the time of sending. An access token that has expired since is useless, but the answer may
                // contain the only copy of a refresh token.
                let times = Times { sent, received: sent, server_time: self.judged_by(sent, sent) };
                (read_oauth(response).and_then(|value| Grant::of_oauth(value, times, None)), None)
            }
            operation => {
                let value = match operation {
                    Operation::LogIn => read_login(response),
                    _ => read_renewal(response),
                };
                let times = Times { server_time: self.judged_by(sent, received), ..self.times };
                match value {
                    Ok(value) => (Grant::of_access_token(value.clone(), times, None), Some(value)),
                    Err(error) => (Err(error), None),
                }
            }
        }
    }

    /// The server's time for judging an answer. The clock that learnt from all answers is more exact than the `Date` of
    /// this one, especially if this one is late. A `Date` that is days away has to be confirmed first. Until then, a
    /// token that is valid by either clock is accepted, because the renewal may have ended the previous token.
    fn judged_by(&self, sent: Timestamp, received: Timestamp) -> Option<Timestamp> {
        let known = self.clock.date_between(sent, received);
        let is_unconfirmed = self.clock.confirm_at().is_some() && !self.clock.is_known();
        let far = self.times.server_time.filter(|_| is_unconfirmed);
        far.filter(|date| *date < known.unwrap_or(sent)).or(known)
    }
}

/// Whether a refusal concerns the app or its settings.
fn blames_app(error: &Error) -> bool {
    matches!(error, Error::Refused(Refusal { kind, .. }) if kind.blames_app())
}

/// A status that the server also sends after it has closed the server session. Other faults concern the whole server.
//= R-SESSION-2
//= R-STATUS-7
pub(super) fn may_be_a_kick(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR)
}

/// A proxy in front of the server rejected the request, for example during maintenance. The server counted nothing.
pub(super) fn is_turned_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests;
