//! [`PenaltyTicket`]: the ticket of a penalty. It is sent with the identical request.

use alloc::string::String;
use core::time::Duration;

use crate::wire::error::said;
use crate::wire::headers::LONGEST_WAIT;
use crate::wire::secret::{CaptchaAnswer, Ticket};

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
    pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(60);

    /// Creates a ticket from its parts, from an answer or a stored session. The wait is limited to one day.
    #[must_use]
    pub fn new(ticket: impl Into<String>, wait: Duration) -> Self {
        //= R-PENALTY-2
        Self { ticket: Ticket::new(ticket), wait: wait.min(LONGEST_WAIT), message: None, captcha_answer: None }
    }

    pub(super) fn with_message(mut self, message: Option<String>) -> Self {
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
