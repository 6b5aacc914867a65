//! [`Penalty`]: the penalty or the demand for a captcha in the body of any call.
//!
//! The body of a call that is not one of ours enters, and what the server wants instead of handling it leaves. An ordinary
//! result is never taken for a penalty: a caller would send an order again that has been placed.

use alloc::string::String;
use core::time::Duration;

use serde::de::MapAccess;

use super::PenaltyTicket;
use crate::wire::error::Error;
use crate::wire::excerpt;
use crate::wire::json::value::Scalar;
use crate::wire::json::{self, Object, Seen, object};

/// A longer body has a result: what comes instead of one is short.
const LONGEST: usize = 64 * 1024;

/// What a 200 can have in its body instead of a result, whatever was called (page *Rate Limits*): the server has not
/// handled the request.
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
    /// Wait, then send the identical body with the ticket added as `p-ticket`; for a GET, as a query of that name.
    Wait(PenaltyTicket),
    /// The server wants a captcha, which no program can answer. Only the endpoint that was called is closed, for about an
    /// hour.
    Captcha {
        /// What the answer of a person would be sent with, as `p-captcha` beside this ticket.
        ticket: Option<PenaltyTicket>,
        /// What the server said (`p-message`).
        message: Option<String>,
    },
}

impl Penalty {
    /// The penalty in the body of a 200; `None` if it is a result, an error text, or no JSON object. A body that has a
    /// ticket beside values of a result is a result: its request was handled.
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
        let message = found.message.as_deref().map(excerpt::line).filter(|message| !message.is_empty());
        let wait = found.wait.map_or(PenaltyTicket::DEFAULT_WAIT, Duration::from_secs);
        let ticket = found.ticket.filter(|ticket| !ticket.is_empty());
        let ticket = ticket.map(|ticket| PenaltyTicket::new(ticket, wait).with_message(message.clone()));
        match ticket {
            ticket if found.captcha => Some(Self::Captcha { ticket, message }),
            ticket => ticket.map(Self::Wait),
        }
    }
}

/// As an error of the protocol, which says what to do and for how long to wait.
impl From<Penalty> for Error {
    fn from(penalty: Penalty) -> Self {
        match penalty {
            Penalty::Wait(ticket) => Self::Penalty(ticket),
            Penalty::Captcha { message, .. } => Self::Captcha { message },
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

/// All other fields: whether one of them has a value that a result could have.
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
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    fn brief(body: &str) -> Option<(Option<String>, u64, bool)> {
        let (ticket, captcha) = match Penalty::in_body(body.as_bytes())? {
            Penalty::Wait(ticket) => (Some(ticket), false),
            Penalty::Captcha { ticket, .. } => (ticket, true),
        };
        let wait = ticket.as_ref().map_or(0, |ticket| ticket.wait().as_secs());
        Some((ticket.map(|ticket| ticket.expose().to_string()), wait, captcha))
    }

    //= R-PENALTY-6
    #[test]
    fn a_penalty_is_found_however_its_fields_are_written() {
        for (body, wait) in [
            (r#"{"p-ticket":"t","p-time":15}"#, 15),
            (r#"{"p-ticket":"t","p-time":"15"}"#, 15),
            (r#"{"p-ticket":"t","p-time":14.2,"p-captcha":false}"#, 15),
            (r#"{"p-ticket":"t","p-time":0,"errorText":null,"orderId":null}"#, 0),
            (r#"{"p-ticket":"t","errorText":"Too many requests","ok":false,"p-new":7}"#, 60),
            (r#"{"p-ticket":"t","p-time":"soon"}"#, 60),
            (r#"{"p-ticket":"t","p-time":-3}"#, 60),
            (r#"{"p-ticket":"t","p-time":4294967295}"#, 86_400),
            ("\u{feff} {\"p-time\":3,\"p-ticket\":\"t\"} ", 3),
        ] {
            assert_eq!(brief(body), Some((Some("t".into()), wait, false)), "{body}");
        }
    }

    #[test]
    fn a_demand_for_a_captcha_is_one_with_and_without_a_ticket() {
        for (body, ticket) in [
            (r#"{"p-ticket":"t","p-time":15,"p-captcha":true}"#, Some("t".to_string())),
            (r#"{"p-captcha":"true"}"#, None),
            (r#"{"p-ticket":"","p-captcha":true,"p-message":"Prove it"}"#, None),
        ] {
            let (found, _, captcha) = brief(body).unwrap();
            assert_eq!((found, captcha), (ticket, true), "{body}");
        }
    }

    //= R-PENALTY-6
    #[test]
    fn an_ordinary_answer_is_no_penalty() {
        for body in [
            "",
            "[]",
            r#"[{"p-ticket":"t","p-time":15}]"#,
            r#""p-ticket""#,
            "{}",
            r#"{"orderId":7}"#,
            r#"{"orderId":7,"p-ticket":"t","p-time":15}"#,
            r#"{"p-ticket":"t","p-time":15,"orders":[]}"#,
            r#"{"p-ticket":"t","p-captcha":true,"order":{"id":7}}"#,
            r#"{"p-ticket":"t","failureReason":"UnknownReason"}"#,
            r#"{"p-ticket":null,"p-time":null,"p-captcha":null}"#,
            r#"{"p-ticket":"","p-time":15}"#,
            r#"{"p-ticket":7,"p-time":15}"#,
            r#"{"p-time":15}"#,
            r#"{"inner":{"p-ticket":"t","p-time":15}}"#,
            r#"{"p-ticket":"t","p-ticket":"u"}"#,
            r#"{"p-ticket":"t""#,
            "<html>p-ticket</html>",
        ] {
            assert_eq!(brief(body), None, "{body}");
        }
    }

    #[test]
    fn no_body_is_too_long_or_too_deep() {
        let long = alloc::format!(r#"{{"p-message":"{}","p-ticket":"t"}}"#, "x".repeat(LONGEST));
        assert_eq!(brief(&long), None);
        let deep: Vec<u8> = [br#"{"x":"#.repeat(10_000), b"}".repeat(10_000)].concat();
        assert!(Penalty::in_body(&deep).is_none());
    }

    #[test]
    fn it_shows_no_ticket_and_says_what_to_do() {
        let body = br#"{"p-ticket":"canary-ticket","p-time":15,"p-message":"Slow down"}"#;
        let penalty = Penalty::in_body(body).unwrap();
        assert!(!alloc::format!("{penalty:?}").contains("canary"));
        let error = Error::from(penalty);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(15)));
        assert!(error.to_string().contains("Slow down"), "{error}");
        let captcha = Error::from(Penalty::in_body(br#"{"p-captcha":true}"#).unwrap());
        assert!(matches!(captcha, Error::Captcha { message: None }));
    }
}
