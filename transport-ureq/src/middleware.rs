//! [`BearerMiddleware`]: adds the bearer token to calls of the program's agent, and reports refusals to the source.
//!
//! It never sends a request twice, because the request could be an order.

use std::io::{self, Cursor, Read};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode, Uri};
use tradovate_auth_token_source::{Token, may_see_token};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Body, ResponseExt, SendBody};

use crate::token_source::TokenSource;

/// A ureq middleware that adds the bearer token to calls to hosts of the environment.
///
/// It adds no token to calls to other hosts, or to calls that already have an `Authorization` header. It reports
/// refusals to the source, which then verifies its token. The caller gets the unchanged response. If the agent follows
/// a redirect, the token is not sent to the new address. The answer from the new address says nothing about the token,
/// so the source only reads the current hosts again, by a renewal.
///
/// Set `http_status_as_error(false)` on the agent. Otherwise ureq turns an error status into an error without a body,
/// and the body shows whether the token is invalid or only the call is forbidden.
///
/// ```
/// use tradovate_auth_simulator::Simulator;
/// use tradovate_auth_ureq::TokenSource;
///
/// let server = Simulator::builder().serve()?;
/// let tokens = TokenSource::new(server.environment(), server.credentials());
/// let agent = ureq::Agent::config_builder()
///     .http_status_as_error(false)
///     .middleware(tokens.middleware())
///     .build()
///     .new_agent();
/// let accounts = agent.get(tokens.url("/account/list")?).call()?;
/// assert_eq!(accounts.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # A 200 is not always a success
/// The server may postpone any call, also an order. It then answers 200 with a ticket in the body, and has not handled
/// the call (page *Rate Limits*). The middleware does not read the body of a 200, and does not send a call twice.
/// Before you use a body as a result, give it to [`Penalty::in_body`]:
///
/// * [`Penalty::Wait`]: the call was not handled. If you still want it after the wait, send the identical body with the
///   ticket added, once. Without the ticket it is a new call, which the server may postpone for longer.
/// * [`Penalty::Captcha`]: the call was not handled, and only a person can answer the captcha. Inform the user. Without
///   an answer, don't call this endpoint for one hour. Other endpoints are not affected.
///
/// A new token or another login does not help in either case.
///
/// ```
/// # use tradovate_auth_simulator::{Endpoint, Simulator};
/// # use tradovate_auth_ureq::TokenSource;
/// use tradovate_auth_core::Penalty;
///
/// # let server = Simulator::builder().serve()?;
/// # let tokens = TokenSource::new(server.environment(), server.credentials());
/// # let agent = ureq::Agent::config_builder().middleware(tokens.middleware()).build().new_agent();
/// # let postponed = br#"{"p-ticket":"a-ticket","p-time":15}"#.to_vec();
/// # server.with(|simulator| simulator.answer_next(Endpoint::AccountList, http::Response::new(postponed)));
/// let mut answer = agent.get(tokens.url("/account/list")?).call()?;
/// let body = answer.body_mut().read_to_vec()?;
/// match Penalty::in_body(&body) {
///     None => println!("a result of {} bytes", body.len()),
///     Some(Penalty::Wait(ticket)) => println!("not handled: send it again with the ticket after {:?}", ticket.wait()),
///     Some(_) => println!("not handled: a person must solve a captcha"),
/// }
/// # assert!(matches!(Penalty::in_body(&body), Some(Penalty::Wait(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Penalty::in_body`]: tradovate_auth_core::Penalty::in_body
/// [`Penalty::Wait`]: tradovate_auth_core::Penalty::Wait
/// [`Penalty::Captcha`]: tradovate_auth_core::Penalty::Captcha
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    tokens: TokenSource,
}

/// The largest number of bytes that are read of a refusal. The texts that matter are short.
const REFUSAL_LIMIT: u64 = 64 * 1024;

impl BearerMiddleware {
    pub(crate) fn new(tokens: TokenSource) -> Self {
        Self { tokens }
    }

    /// Reports a refusal to the source, or only the redirect if another address has answered. Returns the response
    /// unchanged.
    fn report(&self, token: &Token, asked: &Uri, response: Response<Body>) -> Response<Body> {
        if response.get_uri() != asked {
            self.report_redirect(token);
            return response;
        }
        let (parts, body) = response.into_parts();
        let mut same = Body::builder();
        if let Some(mime_type) = body.mime_type() {
            same = same.mime_type(mime_type);
        }
        if let Some(charset) = body.charset() {
            same = same.charset(charset);
        }
        let mut text = Vec::new();
        let mut reader = body.into_reader();
        let read = reader.by_ref().take(REFUSAL_LIMIT).read_to_end(&mut text);
        let _ = self.tokens.rejected(token, parts.status, &text);
        let body = match read {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length < REFUSAL_LIMIT) => same.data(text),
            Ok(_) => same.reader(Cursor::new(text).chain(reader)),
            Err(error) => same.reader(Cursor::new(text).chain(Broken(Some(error)))),
        };
        Response::from_parts(parts, body)
    }

    fn report_redirect(&self, token: &Token) {
        let _ = self.tokens.rejected(token, StatusCode::TEMPORARY_REDIRECT, b"");
    }
}

/// The end of a body whose transfer failed: it returns the error once.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Middleware for BearerMiddleware {
    fn handle(&self, mut request: Request<SendBody>, next: MiddlewareNext) -> Result<Response<Body>, ureq::Error> {
        if request.headers().contains_key(AUTHORIZATION) || !may_see_token(&self.tokens.environment(), request.uri()) {
            return next.handle(request);
        }
        let token = self.tokens.token().map_err(|error| ureq::Error::Other(Box::new(error)))?;
        token.authorize(request.headers_mut());
        let asked = request.uri().clone();
        match next.handle(request) {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Ok(self.report(&token, &asked, response)),
            Err(error) => {
                match error {
                    ureq::Error::StatusCode(code) => {
                        let _ = self.tokens.rejected(&token, StatusCode::from_u16(code).unwrap_or_default(), b"");
                    }
                    ureq::Error::RedirectFailed | ureq::Error::TooManyRedirects => self.report_redirect(&token),
                    _ => {}
                }
                Err(error)
            }
        }
    }
}
