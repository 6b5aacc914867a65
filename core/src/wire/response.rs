//! Turns a response into a result or an error: first by the status, then by the body.
//!
//! All endpoints use this code. They differ only in the fields of their results and in whether the request had a bearer
//! token. `Content-Type` is ignored, because it is often wrong.

use alloc::string::String;
use alloc::vec::Vec;

use http::{Response, StatusCode};

use crate::wire::endpoint::Reply;
use crate::wire::error::{Contradiction, Error};
use crate::wire::excerpt::{self, CUT};
use crate::wire::json::{self, Object, object};
use crate::wire::penalty::Penalty;
use crate::wire::refusal_texts::{self, Carried};
use crate::wire::status;
use crate::wire::time_headers::date;

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
    /// The fields of a refusal or a penalty, in answers of any status.
    #[derive(PartialEq)]
    //= R-STATUS-13
    pub(crate) struct Envelope {
        //= R-LOGIN-10
        "errorText" => error_text: Option<String> = nonempty,
        //= R-OAUTH-6
        "error" => error: Option<String> = nonempty,
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
        return Err(status::failure(response.status(), response.headers(), body, carried));
    }
    let mut envelope = Envelope::default();
    // The body is read as JSON, whatever the `Content-Type` says.
    //= R-STATUS-11
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
    pub(crate) fn instead(&mut self, carried: Carried) -> Option<Error> {
        if *self == Self::default() {
            return None;
        }
        let penalty = Penalty::of(self.ticket.take(), self.wait, self.captcha, self.message.as_deref());
        penalty.map(Error::from).or_else(|| refusal_texts::in_texts(&self.texts(), carried))
    }

    fn texts(&self) -> Vec<&str> {
        refusal_texts::texts([&self.error_text, &self.error, &self.error_description])
    }

    /// The printable text of the envelope. `None` if the envelope has no text.
    pub(crate) fn text(&self) -> Option<String> {
        let texts = self.texts();
        (!texts.is_empty()).then(|| refusal_texts::printable(&texts).unwrap_or_default())
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
