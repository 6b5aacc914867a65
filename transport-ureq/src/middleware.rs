//! [`BearerMiddleware`]: adds the bearer to calls of an agent of the caller's, and reports what the server thinks of it.
//!
//! It never sends a request twice: it could be an order.

use std::io::{self, Cursor, Read};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode, Uri};
use tradovate_auth_core::Purpose;
use tradovate_auth_token_source::Token;
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Body, ResponseExt, SendBody};

use crate::token_source::TokenSource;

/// Adds the bearer to calls to the environment's own hosts, and to no other; calls that have an `Authorization` already
/// are left alone. Refusals are reported to the source, which verifies its token then; the response is handed on as it
/// came. Where the agent follows a redirect, the bearer stays behind; what the other address says is no word on the
/// token, but a reason to read the hosts in force again.
///
/// Switch `http_status_as_error` off on the agent: what ureq makes an error of a status has no body any more, and the
/// body is what tells a dead token from a forbidden call.
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
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    tokens: TokenSource,
}

/// What is read of a refusal; the texts that matter are short.
const REFUSAL_LIMIT: u64 = 64 * 1024;

impl BearerMiddleware {
    pub(crate) fn new(tokens: TokenSource) -> Self {
        Self { tokens }
    }

    /// Whether a token may go there: the same scheme, host and port as one of the environment's addresses.
    fn may_see_token(&self, uri: &Uri) -> bool {
        let environment = self.tokens.environment();
        let bases = Purpose::ALL.into_iter().filter_map(|purpose| environment.base_url(purpose));
        bases.into_iter().any(|base| {
            let base = base.as_uri();
            base.scheme() == uri.scheme() && base.host() == uri.host() && port(base) == port(uri)
        })
    }

    /// Tells the source of a refusal by the address that was asked. Nothing comes of it here that the caller could not
    /// find out from its response.
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

/// The end of a body that broke off.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Middleware for BearerMiddleware {
    fn handle(&self, mut request: Request<SendBody>, next: MiddlewareNext) -> Result<Response<Body>, ureq::Error> {
        if request.headers().contains_key(AUTHORIZATION) || !self.may_see_token(request.uri()) {
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

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    })
}
