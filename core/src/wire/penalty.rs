//! The ticket of a penalty (page *Rate Limits*): the request was not handled and may be repeated later.
//!
//! It is handed out as [`Error::Penalty`](crate::Error::Penalty) and goes back with the identical request. [`Penalty`] finds
//! it in the body of any other call.

use alloc::string::String;
use core::time::Duration;

use crate::wire::error::said;
use crate::wire::headers::LONGEST_WAIT;
use crate::wire::secret::{CaptchaAnswer, Ticket};

mod in_body;

pub use in_body::Penalty;

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
    /// What is waited where the server names no time: the longest it has been seen to ask for.
    pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(60);

    /// A ticket from its parts, as an answer or a stored session has them. A wait of more than a day becomes a day.
    #[must_use]
    pub fn new(ticket: impl Into<String>, wait: Duration) -> Self {
        //= R-PENALTY-2
        Self { ticket: Ticket::new(ticket), wait: wait.min(LONGEST_WAIT), message: None, captcha_answer: None }
    }

    pub(crate) fn with_message(mut self, message: Option<String>) -> Self {
        self.message = message;
        self
    }

    /// The ticket with a person's answer to the captcha that came with it. Then the identical request may be sent after the
    /// [wait](Self::wait), once, as after any penalty. It has the answer beside the ticket.
    ///
    /// The vendor does not document this: its web client was seen to do it. So a refusal, or another captcha, is possible.
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
    #[must_use]
    pub fn with_captcha_answer(mut self, answer: CaptchaAnswer) -> Self {
        self.captcha_answer = Some(answer);
        self
    }

    /// The person's answer to the captcha, if it was given.
    #[must_use]
    pub fn captcha_answer(&self) -> Option<&CaptchaAnswer> {
        self.captcha_answer.as_ref()
    }

    /// How long to wait from the receipt of the answer (`p-time`), in whole seconds, rounded up; at most a day.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// What the server said beside it (`p-message`).
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The ticket's text (`p-ticket`). Whoever has it can stand in for the request: don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.ticket.expose()
    }
}
