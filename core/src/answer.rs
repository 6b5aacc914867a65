//! From a response to a result or to what came instead of it: first the status, then the body.
//!
//! The same reading serves all endpoints; they differ only in the fields of their results and in whether a bearer was
//! sent with the request. `Content-Type` is not looked at, since it is often wrong.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::{HeaderMap, Response, StatusCode};

use crate::clock::{date, retry_after};
use crate::endpoint::Reply;
use crate::error::{Contradiction, DeadToken, Error, ONE_HOUR, Refusal, RefusalKind};
use crate::excerpt;
use crate::moved::Moved;
use crate::penalty::PenaltyTicket;
use crate::wire::{self, Object, object};

/// What the request carried: a 401 speaks of that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Credentials,
    Bearer,
}

/// The fields of a result, and what makes it one.
pub(crate) trait Answer: Object {
    /// The field without which there is no result, where there is one.
    fn missing(&self) -> Option<&'static str>;

    /// Whether there is a token, which must not be the case beside a refusal.
    fn has_token(&self) -> bool;

    /// Twins that differ and other trouble within the result.
    fn contradiction(&self) -> Option<Contradiction>;
}

/// The fields that come instead of a result.
#[derive(Default)]
struct Envelope {
    error_text: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    ticket: Option<String>,
    wait: Option<u64>,
    captcha: bool,
    message: Option<String>,
}

object!(Envelope {
    "errorText" => error_text: text,
    "error" => error: text,
    "error_description" => error_description: info,
    "p-ticket" => ticket: text,
    "p-time" => wait: wait,
    "p-captcha" => captcha: demand,
    "p-message" => message: info,
});

/// An object of which only the envelope matters.
#[derive(Default)]
struct Nothing {}

impl Object for Nothing {
    fn fill<'de, M: serde::de::MapAccess<'de>>(
        &mut self,
        _: &str,
        _: &mut wire::Seen,
        _: &mut M,
    ) -> Result<bool, M::Error> {
        Ok(false)
    }
}

/// Reads the response to a request whose result is a `T`.
pub(crate) fn parse<T: Answer>(response: &Response<impl AsRef<[u8]>>, carried: Carried) -> Result<Reply<T>, Error> {
    let body = response.body().as_ref();
    if response.status() != StatusCode::OK {
        return Err(failure(response.status(), response.headers(), body, carried));
    }
    let (envelope, result) = wire::read::<Envelope, T>(body).map_err(Error::Undecodable)?;
    if let Some(instead) = envelope.instead(carried) {
        return Err(if result.has_token() { Error::Contradiction(Contradiction::TokenBesideRefusal) } else { instead });
    }
    if let Some(contradiction) = result.contradiction() {
        return Err(Error::Contradiction(contradiction));
    }
    if let Some(field) = result.missing() {
        return Err(Error::Incomplete { field, present: wire::field_names(body) });
    }
    Ok(Reply { value: result, server_time: date(response.headers()) })
}

impl Envelope {
    /// What the envelope says instead of a result.
    fn instead(self, carried: Carried) -> Option<Error> {
        let message = self.message.map(|message| excerpt::line(&message));
        if self.captcha {
            return Some(Error::Captcha { message });
        }
        if let Some(ticket) = self.ticket {
            let wait = self.wait.map_or(PenaltyTicket::DEFAULT_WAIT, Duration::from_secs);
            return Some(Error::Penalty(PenaltyTicket::new(ticket, wait).with_message(message)));
        }
        let texts = [self.error_text, self.error, self.error_description];
        let said: Vec<&str> = texts.iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        refusal(&said, carried)
    }
}

/// The refusal in the texts of an answer: the first known one decides its kind, the last is shown, since a description
/// follows its code.
fn refusal(texts: &[&str], carried: Carried) -> Option<Error> {
    let text = excerpt::line(texts.last()?);
    if texts.iter().any(|text| names_other_environment(text)) {
        return Some(Error::WrongEnvironment { text });
    }
    let kind = texts.iter().map(|text| RefusalKind::of(text)).find(|kind| *kind != RefusalKind::Other);
    Some(match (carried, texts.iter().find_map(|text| dead_token(text)), kind) {
        (Carried::Bearer, Some(reason), _) => Error::Unauthorized { reason },
        (Carried::Bearer, None, Some(RefusalKind::AccessDenied)) => Error::Forbidden { text: Some(text) },
        (_, _, kind) => Error::Refused(Refusal { kind: kind.unwrap_or(RefusalKind::Other), text }),
    })
}

/// The two texts that say that a token is dead. No other does.
fn dead_token(text: &str) -> Option<DeadToken> {
    let text = text.trim_end_matches('.');
    [("Expired Access Token", DeadToken::Expired), ("Invalid access token", DeadToken::Unknown)]
        .into_iter()
        .find_map(|(known, reason)| text.eq_ignore_ascii_case(known).then_some(reason))
}

fn names_other_environment(text: &str) -> bool {
    text.to_ascii_lowercase().starts_with("this endpoint should be called on")
}

/// What a status other than 200 means.
fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8], carried: Carried) -> Error {
    let after = retry_after(headers);
    match status.as_u16() {
        307 | 308 | 421 => return Error::Moved(Moved::new(status, headers)),
        423 | 429 => {
            let wait = after.delay.unwrap_or_default().max(ONE_HOUR);
            return Error::LockedOut { status, wait, until: after.at };
        }
        _ => {}
    }
    // A body that is JSON says what it says in the same fields as a 200; any other is text.
    let envelope = wire::read::<Envelope, Nothing>(body).ok().map(|(envelope, Nothing {})| envelope);
    match status.as_u16() {
        401 => unauthorized(envelope, body, carried),
        400 | 403 => match envelope.and_then(|envelope| envelope.instead(carried)) {
            Some(refused @ (Error::Refused(_) | Error::WrongEnvironment { .. })) => refused,
            _ => other(status, after.delay, body),
        },
        _ => other(status, after.delay, body),
    }
}

fn other(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Error {
    Error::Status { status, excerpt: excerpt::excerpt(body), retry_after }
}

/// A 401: bad credentials where the request had no bearer; else a dead token where one of the two texts says so, and
/// a forbidden call where none does.
fn unauthorized(envelope: Option<Envelope>, body: &[u8], carried: Carried) -> Error {
    match (carried, envelope.and_then(|envelope| envelope.instead(carried))) {
        (Carried::Bearer, Some(Error::Refused(refusal))) => return Error::Forbidden { text: Some(refusal.text) },
        (_, Some(error)) => return error,
        (_, None) => {}
    }
    // Plain text, or a JSON string.
    let text = core::str::from_utf8(body).unwrap_or_default().trim().trim_matches('"');
    let shown = excerpt::excerpt(body);
    match (carried, dead_token(text)) {
        (Carried::Bearer, Some(reason)) => Error::Unauthorized { reason },
        (Carried::Bearer, None) => Error::Forbidden { text: Some(shown).filter(|shown| !shown.is_empty()) },
        (Carried::Credentials, _) => Error::Refused(Refusal { kind: RefusalKind::of(text), text: shown }),
    }
}
