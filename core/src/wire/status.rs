//! What a status other than 200 means.

use alloc::string::String;
use core::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::wire::error::{Error, ONE_HOUR};
use crate::wire::excerpt;
use crate::wire::host_redirect::Moved;
use crate::wire::json;
use crate::wire::refusal_texts::{self, Carried, Refusal, RefusalKind};
use crate::wire::response::Envelope;
use crate::wire::time_headers::retry_after;

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
        Err(_) => (None, refusal_texts::known_in(plain_text(body), carried)),
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

/// Whether the same request may succeed later if the answer has this status.
//= R-STATUS-2
//= R-STATUS-7
//= R-STATUS-10
pub(crate) fn may_succeed_later(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

/// What to do after a status other than 200.
pub(crate) fn advice(status: StatusCode, retry_after: Option<Duration>) -> String {
    let advice = match status.as_u16() {
        300..=399 => "this redirect is not followed; check the base URL",
        400 => "the request is malformed; don't send it again unchanged",
        403 => "the call is not allowed; check the permissions of the app and the account",
        //= R-STATUS-6
        404 => "this host has no such endpoint, or does not accept the token; check the base URL, which ends in /v1",
        408 => "the server timed out, or another login closed the server session; try again with growing pauses",
        500..=599 => "the server has a fault or is in maintenance; try again with growing pauses",
        _ => "the vendor does not document this status; check the base URL",
    };
    let wait = retry_after
        .filter(|_| may_succeed_later(status))
        .map(|wait| alloc::format!(", after {} s at the earliest", wait.as_secs()));
    [": ", advice, &wait.unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R-STATUS-2
    //= R-STATUS-7
    //= R-STATUS-10
    #[test]
    fn retry_after_is_set_only_for_errors_that_allow_a_retry() {
        let said = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            advice(status, Some(Duration::from_secs(7)))
        };
        for (status, may_try_again) in [(408, true), (500, true), (503, true), (400, false), (404, false), (302, false)]
        {
            assert_eq!(said(status).ends_with(", after 7 s at the earliest"), may_try_again, "{}", said(status));
        }
    }
}
