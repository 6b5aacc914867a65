//! [`Penalty`]: the server did not handle the request (page *Rate Limits*). It may be repeated later with a
//! [`PenaltyTicket`], or the server asks for a captcha.
//!
//! The answer to any call can be a penalty. A result must not be taken for a penalty, because the caller would then send
//! an order twice.

use alloc::string::String;
use core::time::Duration;

use serde::de::MapAccess;

use crate::wire::error::{Error, said};
use crate::wire::excerpt;
use crate::wire::json::value::Scalar;
use crate::wire::json::{self, Object, Seen, object};
use crate::wire::secret::{CaptchaAnswer, Ticket};
use crate::wire::time_headers::LONGEST_WAIT;

/// The longest body that can be a penalty, in bytes. A longer body is a result.
const LONGEST: usize = 64 * 1024;

/// A penalty or a request for a captcha, which the answer to any call can contain instead of a result (page *Rate
/// Limits*). The server did not handle the call.
///
/// ```
/// use std::time::Duration;
/// use tradovate_auth_core::Penalty;
///
/// let body = br#"{"p-ticket":"a-ticket","p-time":15}"#;
/// let Some(Penalty::Wait(ticket)) = Penalty::in_body(body) else { panic!("it is a result") };
/// assert_eq!(ticket.wait(), Duration::from_secs(15));
/// assert!(Penalty::in_body(br#"{"orderId":7}"#).is_none());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Penalty {
    /// Wait, then send the identical body with the ticket as `p-ticket`. For a GET, send the ticket as a query
    /// parameter of that name.
    Wait(PenaltyTicket),
    /// The server asks for a captcha, which a program can't answer. Only the called endpoint is closed, for about an
    /// hour. A person can answer the captcha: see [`PenaltyTicket::with_captcha_answer`].
    Captcha {
        /// The ticket for a person's answer. Send the answer as `p-captcha` together with this ticket.
        ticket: Option<PenaltyTicket>,
        /// The server's text (`p-message`).
        message: Option<String>,
    },
}

impl Penalty {
    /// The penalty in the fields of an answer: `p-ticket`, `p-time`, `p-captcha` and `p-message`. `None` if they say
    /// nothing.
    //= R-PENALTY-1
    pub(crate) fn of(ticket: Option<String>, wait: Option<u64>, captcha: bool, message: Option<&str>) -> Option<Self> {
        let ticket = ticket.filter(|ticket| !ticket.is_empty());
        if ticket.is_none() && !captcha {
            return None;
        }
        let message = message.map(excerpt::line).filter(|message| !message.is_empty());
        let wait = wait.map_or(PenaltyTicket::DEFAULT_WAIT, Duration::from_secs);
        let ticket = ticket.map(|ticket| PenaltyTicket::new(ticket, wait).with_message(message.clone()));
        match ticket {
            Some(ticket) if !captcha => Some(Self::Wait(ticket)),
            //= R-PENALTY-4
            ticket => Some(Self::Captcha { ticket, message }),
        }
    }

    /// The penalty in the body of a 200. `None` if the body is a result, an error text, or not a JSON object. A body
    /// with a ticket and with values of a result is a result: the server handled the call.
    #[must_use]
    //= R-PENALTY-6
    pub fn in_body(body: &[u8]) -> Option<Self> {
        if body.len() > LONGEST {
            return None;
        }
        let (mut found, mut others) = (Found::default(), Others::default());
        json::read(body, &mut others, &mut found).ok()?;
        if others.have_value {
            return None;
        }
        Self::of(found.ticket, found.wait, found.captcha, found.message.as_deref())
    }
}

/// Turns a penalty into an [`Error`], which says what to do and how long to wait.
impl From<Penalty> for Error {
    fn from(penalty: Penalty) -> Self {
        match penalty {
            Penalty::Wait(ticket) => Self::Penalty(ticket),
            Penalty::Captcha { ticket, message } => Self::Captcha { ticket, message },
        }
    }
}

/// A penalty: wait, then send the identical request with this ticket added (`with_ticket` of the request).
#[derive(Debug, Clone, thiserror::Error)]
#[error("the server postponed the request: wait {} s, then send the same request with the ticket it gave{}", wait.as_secs(), said(message.as_deref()))]
pub struct PenaltyTicket {
    ticket: Ticket,
    wait: Duration,
    message: Option<String>,
    captcha_answer: Option<CaptchaAnswer>,
}

impl PenaltyTicket {
    /// The wait if the answer names none. It is the longest wait that was seen.
    const DEFAULT_WAIT: Duration = Duration::from_secs(60);

    /// Creates a ticket from its parts, from an answer or a stored session. The wait is limited to one day.
    #[must_use]
    pub fn new(ticket: impl Into<String>, wait: Duration) -> Self {
        //= R-PENALTY-2
        Self { ticket: Ticket::new(ticket), wait: wait.min(LONGEST_WAIT), message: None, captcha_answer: None }
    }

    fn with_message(mut self, message: Option<String>) -> Self {
        self.message = message;
        self
    }

    /// Adds a person's answer to the captcha that came with the ticket. After the [wait](Self::wait), send the
    /// identical request once with this ticket. It then contains the ticket and the answer.
    ///
    /// The vendor does not document this, but the vendor's web client does it. The server may refuse the answer or ask
    /// for another captcha.
    ///
    /// ```
    /// use tradovate_auth_core::{AccessTokenRequest, CaptchaAnswer, Credentials, Endpoint, Error};
    ///
    /// let credentials = Credentials::new("trader", "password");
    /// let response = http::Response::new(r#"{"p-ticket":"a-ticket","p-time":19,"p-captcha":true}"#);
    /// let Err(Error::Captcha { ticket: Some(ticket), .. }) = AccessTokenRequest::parse(response) else { panic!() };
    /// println!("show the captcha, and wait {} s", ticket.wait().as_secs());
    /// let ticket = ticket.with_captcha_answer(CaptchaAnswer::new("what the person's answer came to"));
    /// let login = AccessTokenRequest::new(&credentials).with_ticket(ticket);
    /// ```
    //= R-PENALTY-5
    #[must_use]
    pub fn with_captcha_answer(mut self, answer: CaptchaAnswer) -> Self {
        self.captcha_answer = Some(answer);
        self
    }

    /// The person's answer to the captcha, if it was added.
    #[must_use]
    pub fn captcha_answer(&self) -> Option<&CaptchaAnswer> {
        self.captcha_answer.as_ref()
    }

    /// How long to wait after the answer was received (`p-time`), in whole seconds, rounded up, at most one day.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The server's text (`p-message`).
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The text of the ticket (`p-ticket`). It is a secret: everybody who has it can send the request. Don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.ticket.expose()
    }
}

object! {
    struct Found {
        "p-ticket" => ticket: Option<String> = info,
        "p-time" => wait: Option<u64> = wait_info,
        "p-captcha" => captcha: bool = demand,
        "p-message" => message: Option<String> = info,
    }
}

/// All other fields, and whether one of them has a value that a result could have.
#[derive(Default)]
struct Others {
    have_value: bool,
}

impl Object for Others {
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, _: &mut Seen, map: &mut M) -> Result<bool, M::Error> {
        let has_value = match map.next_value::<Scalar>()? {
            Scalar::Null | Scalar::Bool(false) => false,
            Scalar::Text(text) => !text.is_empty() && !["errorText", "error", "error_description"].contains(&key),
            _ => true,
        };
        self.have_value |= has_value && !key.starts_with("p-");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_penalty_is_found_in_bodies_of_any_length_and_depth() {
        let padded = |length: usize| alloc::format!(r#"{{"p-message":"{}","p-ticket":"t"}}"#, "x".repeat(length - 31));
        assert!(Penalty::in_body(padded(65536).as_bytes()).is_some());
        assert!(Penalty::in_body(padded(65537).as_bytes()).is_none());
        let deep = [br#"{"x":"#.repeat(10_000), b"}".repeat(10_000)].concat();
        assert!(Penalty::in_body(&deep).is_none());
    }
}
