//! [`Penalty`]: the server did not handle the request (page *Rate Limits*). It may be repeated later with a
//! [`PenaltyTicket`], or the server asks for a captcha.
//!
//! The answer to any call can be a penalty. A result must not be taken for a penalty, because the caller would then send
//! an order twice.

use alloc::string::String;
use core::time::Duration;

use serde::de::MapAccess;

use crate::wire::error::Error;
use crate::wire::excerpt;
use crate::wire::json::value::Scalar;
use crate::wire::json::{self, Object, Seen, object};

mod ticket;

pub use ticket::PenaltyTicket;

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
