//! Turns a response into a result or an error: first by the status, then by the body.
//!
//! All endpoints use this code. They differ only in the fields of their results and in whether the request had a bearer
//! token. `Content-Type` is ignored, because it is often wrong.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::{HeaderMap, Response, StatusCode};

use crate::wire::endpoint::Reply;
use crate::wire::error::{Contradiction, DeadToken, Error, ONE_HOUR, Refusal, RefusalKind};
use crate::wire::excerpt::{self, CUT};
use crate::wire::headers::{date, retry_after};
use crate::wire::host_redirect::Moved;
use crate::wire::json::{self, Object, object};
use crate::wire::penalty::PenaltyTicket;

/// How the request was authorized. The meaning of a 401 depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Credentials,
    Bearer,
}

/// The fields of an answer, and how they become a result.
pub(crate) trait Answer: Object {
    /// The texts of all tokens. An answer that contains an error or a penalty must have none.
    fn tokens(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Makes a result from the fields. Fails if a field is missing or if fields contradict each other.
    fn complete(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

object! {
    /// The fields of a refusal or a penalty.
    struct Envelope {
        "errorText" => error_text: Option<String> = text,
        "error" => error: Option<String> = text,
        "error_description" => error_description: Option<String> = info,
        "p-ticket" => ticket: Option<String> = text,
        "p-time" => wait: Option<u64> = wait,
        "p-captcha" => captcha: bool = demand,
        "p-message" => message: Option<String> = info,
    }
}

/// Reads the response to a request whose result is a `T`.
pub(crate) fn parse<T: Answer>(response: &Response<impl AsRef<[u8]>>, carried: Carried) -> Result<Reply<T>, Error> {
    let mut reply = Reply { value: T::default(), server_time: None };
    read(response, carried, &mut reply.value)?;
    reply.server_time = date(response.headers());
    Ok(reply)
}

/// Reads everything in a response except its `Date`.
pub(crate) fn read<T: Answer>(
    response: &Response<impl AsRef<[u8]>>,
    carried: Carried,
    answer: &mut T,
) -> Result<(), Error> {
    let body = response.body().as_ref();
    if response.status() != StatusCode::OK {
        return Err(failure(response.status(), response.headers(), body, carried));
    }
    let mut envelope = Envelope::default();
    json::read(body, &mut envelope, answer).map_err(Error::Undecodable)?;
    //= R-LOGIN-9
    //= R-STATUS-1
    if let Some(instead) = envelope.instead(carried) {
        let tokens = answer.tokens();
        if tokens.is_empty() {
            return Err(instead);
        }
        let text = envelope.text_without(&tokens, &instead);
        //= R-LOGIN-11
        return Err(Error::Contradiction(Contradiction::TokenBesideRefusal { text }));
    }
    answer.complete().map_err(|error| match error {
        Error::Incomplete { field, .. } => Error::Incomplete { field, present: json::field_names(body) },
        other => other,
    })
}

/// Whether a body of any status is the endpoint's JSON: an object with a field that the endpoint has. The page of a
/// proxy has none, so its `Date` is not the server's time.
//= R-TIME-5
pub(crate) fn is_answer<T: Answer>(body: &[u8]) -> bool {
    json::read(body, &mut Envelope::default(), &mut T::default()).unwrap_or(false)
}

impl Envelope {
    /// The error in the envelope: a refusal, a penalty or a request for a captcha. `None` if there is none.
    fn instead(&mut self, carried: Carried) -> Option<Error> {
        let message = self.message.as_deref().map(excerpt::line).filter(|message| !message.is_empty());
        let wait = self.wait.map_or(PenaltyTicket::DEFAULT_WAIT, Duration::from_secs);
        let ticket = self.ticket.take().filter(|ticket| !ticket.is_empty());
        let ticket = ticket.map(|ticket| PenaltyTicket::new(ticket, wait).with_message(message.clone()));
        if self.captcha {
            return Some(Error::Captcha { ticket, message });
        }
        //= R-PENALTY-1
        if let Some(ticket) = ticket {
            return Some(Error::Penalty(ticket));
        }
        refusal(&self.texts(), carried)
    }

    /// All texts of the envelope. The most precise one is last.
    fn texts(&self) -> Vec<&str> {
        //= R-LOGIN-10
        //= R-OAUTH-6
        let texts = [&self.error_text, &self.error, &self.error_description];
        texts.into_iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect()
    }

    fn text(&self) -> Option<String> {
        let texts = self.texts();
        (!texts.is_empty()).then(|| printable(&texts).unwrap_or_default())
    }

    /// The server's text, cut before the first token of the answer. `instead` is the error from the envelope. Its
    /// ticket is a secret too.
    fn text_without(&self, tokens: &[&str], instead: &Error) -> String {
        let text = self.texts().last().copied().or(self.message.as_deref()).unwrap_or_default();
        let ticket = match instead {
            Error::Penalty(ticket) | Error::Captcha { ticket: Some(ticket), .. } => Some(ticket.expose()),
            _ => None,
        };
        let secrets = tokens.iter().copied().chain(ticket);
        let end = secrets.filter_map(|secret| text.find(secret)).min();
        match end.and_then(|end| text.split_at_checked(end)) {
            None => excerpt::line(text),
            Some((before, _)) => {
                let shown = excerpt::line(before);
                if shown.is_empty() || shown.ends_with(CUT) { shown } else { [&shown, " ", CUT].concat() }
            }
        }
    }
}

/// The last printable text. The last one is shown because a description follows its code.
fn printable(texts: &[&str]) -> Option<String> {
    texts.iter().rev().map(|text| excerpt::line(text)).find(|text| !text.is_empty())
}

/// The refusal in the texts of an answer. The first known text determines the kind. The last printable text is shown.
fn refusal(texts: &[&str], carried: Carried) -> Option<Error> {
    if texts.iter().all(|text| text.is_empty()) {
        return None;
    }
    let text = printable(texts).unwrap_or_default();
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

/// The two texts that say that a token is dead. No other text says so.
//= R-STATUS-3
fn dead_token(text: &str) -> Option<DeadToken> {
    let text = text.trim_end_matches('.');
    [("Expired Access Token", DeadToken::Expired), ("Invalid access token", DeadToken::Unknown)]
        .into_iter()
        .find_map(|(known, reason)| text.eq_ignore_ascii_case(known).then_some(reason))
}

//= R-ENV-11
fn names_other_environment(text: &str) -> bool {
    text.to_ascii_lowercase().contains("endpoint should be called on")
}

/// The meaning of a status other than 200.
pub(crate) fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8], carried: Carried) -> Error {
    let after = retry_after(headers);
    match status.as_u16() {
        //= R-HOST-9
        //= R-HOST-10
        307 | 308 | 421 => return Error::Moved(Moved::new(status, headers)),
        //= R-STATUS-8
        //= R-STATUS-9
        423 | 429 => {
            let wait = after.delay.unwrap_or_default().max(ONE_HOUR);
            return Error::LockedOut { status, wait, until: after.at };
        }
        _ => {}
    }
    // A body that is an object has the same fields as a 200. Any other body is text.
    let mut envelope = Envelope::default();
    let (said, instead) = match json::read(body, &mut envelope, &mut ()) {
        Ok(_) => (envelope.text(), envelope.instead(carried)),
        Err(_) => (None, known_refusal(plain_text(body), carried)),
    };
    let said = said.unwrap_or_else(|| excerpt::excerpt(plain_text(body)));
    match (status.as_u16(), instead) {
        (401, instead) => unauthorized(instead, said, carried),
        //= R-STATUS-13
        (400 | 403, Some(instead)) => instead,
        (400..=499, Some(wrong @ Error::WrongEnvironment { .. })) => wrong,
        _ => Error::Status { status, excerpt: said, retry_after: after.delay },
    }
}

/// The meaning of a 401. If the request had no bearer token, the credentials are wrong. If it had one, the token is
/// dead if the text says so, otherwise the call is forbidden.
//= R-STATUS-4
fn unauthorized(instead: Option<Error>, said: String, carried: Carried) -> Error {
    match (carried, instead) {
        (Carried::Bearer, Some(Error::Refused(Refusal { text, .. }))) => Error::Forbidden { text: Some(text) },
        (_, Some(error)) => error,
        (Carried::Bearer, None) => Error::Forbidden { text: Some(said).filter(|said| !said.is_empty()) },
        //= R-LOGIN-9
        (Carried::Credentials, None) => Error::Refused(Refusal { kind: RefusalKind::Other, text: said }),
    }
}

/// The text of a body: all of it, or the content of a JSON string.
//= R-STATUS-11
fn plain_text(body: &[u8]) -> &[u8] {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    body.strip_prefix(b"\"").and_then(|inside| inside.strip_suffix(b"\"")).unwrap_or(body).trim_ascii()
}

/// The known refusal in a text, if any. A web page does not count as one.
fn known_refusal(text: &[u8], carried: Carried) -> Option<Error> {
    let text = core::str::from_utf8(text).ok().filter(|text| !text.starts_with('<'))?;
    let refusal = refusal(&[text], carried)?;
    Some(refusal).filter(|error| !matches!(error, Error::Refused(Refusal { kind: RefusalKind::Other, .. })))
}
