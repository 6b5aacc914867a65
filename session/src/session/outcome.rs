//! What the answer to a request means, or its absence. Nothing is changed here: [`apply`](super::apply) does that.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use http::{Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::internal::{read_login, read_oauth, read_renewal};
use tradovate_auth_core::{
    AccessTokenResponse, Contradiction, Error, Exchange as Times, Failure, Grant, Moved, PenaltyTicket, Refusal,
    ServerClock,
};

use super::Trouble;
use super::exchanges::Exchange;
use super::hosts::Via;
use crate::budget::Operation;

/// What became of a request.
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
    /// The request is to be sent again with a ticket.
    Postponed(PenaltyTicket),
    /// The request is to be sent to another host, which names itself.
    Redirected {
        to: Moved,
        otherwise: Failed,
    },
    Failed(Failed),
}

/// A request that brought no token, and no instruction either.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) meaning: Meaning,
    /// Of the answer, if one came.
    pub(super) status: Option<StatusCode>,
    pub(super) trouble: Trouble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The followed host is wrong.
    WrongHost,
    /// The host that the request was redirected to is wrong.
    WrongTarget,
    /// The server has surely not handled the request.
    NotHandled,
    /// The server may have handled it: a login may have opened a session, a refresh may have replaced the token.
    Unknown,
    /// What was presented is refused: the credentials, the code or the refresh token.
    Refused,
    /// The server does not understand the request.
    Malformed,
    /// The app and its settings are refused, which says nothing about the refresh token.
    AppRefused,
    /// The answer is for another user.
    OtherUser,
    /// The access token is dead.
    Dead,
    /// The server has answered, and nothing follows from it.
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
    /// The outcome of a request that was answered, and the answer itself if it is one of the endpoint's.
    pub(super) fn of<B: AsRef<[u8]>>(known: &Known<'_>, response: &Response<B>) -> (Self, Option<AccessTokenResponse>) {
        let status = response.status();
        let is_empty = response.body().as_ref().trim_ascii().is_empty();
        let (grant, account) = known.grant(response);
        let outcome = match grant.and_then(|grant| known.of_known_user(grant)) {
            Ok(grant) => Self::Granted(Box::new(grant)),
            Err(error) => Self::of_error(known.exchange, status, is_empty, error),
        };
        (outcome, account)
    }

    /// The outcome of a request that brought no whole answer.
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
            // No other login would be for the right user.
            Error::Contradiction(Contradiction::OtherUser) => Self::OtherUser,
            // A token that can't be read or used: a session may be open.
            Error::Undecodable(_) | Error::Contradiction(_) => Self::Unknown,
            Error::Incomplete { field, .. } if *field != "accessToken" => Self::Unknown,
            Error::Status { status: StatusCode::BAD_REQUEST, .. } => Self::Malformed,
            Error::Status { status, .. } if is_fault(*status) => Self::Unknown,
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
    /// The checked token, and what the answer says of the account.
    fn grant<B: AsRef<[u8]>>(&self, response: &Response<B>) -> (Result<Grant, Error>, Option<AccessTokenResponse>) {
        let Times { sent, received, .. } = self.times;
        match self.exchange.operation {
            Operation::Refresh => {
                // Judged as of its sending: an access token that has expired on the way is of no use, but the only copy
                // of a refresh token came with it.
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

    /// The server's time by which an answer is judged: what all answers have taught is closer than the `Date` of this one,
    /// above all if it came late. As long as a `Date` that is days away waits to be confirmed, a token that is good by either
    /// clock is kept, since a renewal may have ended the token before.
    fn judged_by(&self, sent: Timestamp, received: Timestamp) -> Option<Timestamp> {
        let known = self.clock.date_between(sent, received);
        let is_unconfirmed = self.clock.confirm_at().is_some() && !self.clock.is_known();
        let far = self.times.server_time.filter(|_| is_unconfirmed);
        far.filter(|date| *date < known.unwrap_or(sent)).or(known)
    }

    fn of_known_user(&self, grant: Grant) -> Result<Grant, Error> {
        match self.user_id.zip(grant.user_id) {
            Some((known, new)) if known != new => Err(Error::Contradiction(Contradiction::OtherUser)),
            _ => Ok(grant),
        }
    }
}

/// Whether a refusal is for the app and its settings.
fn blames_app(error: &Error) -> bool {
    matches!(error, Error::Refused(Refusal { kind, .. }) if kind.blames_app())
}

/// A fault of the server, or of something in front of it.
pub(super) fn is_fault(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

/// A fault as the token of a closed session shows it. Other faults are those of the whole server.
//= R-SESSION-2
pub(super) fn may_be_a_kick(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR)
}

/// Something in front of the server has kept the request from it, as in maintenance. The server counts nothing.
pub(super) fn is_turned_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests;
