//! [`BearerMiddleware`]: adds the bearer token to calls of the program's client, and reports refusals to the source.
//!
//! It never sends a request twice, because the request could be an order.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use http::{Extensions, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Error, Middleware, Next, Result};
use tradovate_auth_token_source::{Token, may_see_token};

use crate::token_source::TokenSource;

/// A reqwest middleware that adds the bearer token to calls to hosts of the environment. Needs the feature
/// `middleware`.
///
/// It adds no token to calls to other hosts, or to calls that already have an `Authorization` header. It reports
/// refusals to the source, which then verifies its token. The caller gets the unchanged response. If the client follows
/// a redirect to another host, the token is not sent to that host. The answer of that host says nothing about the
/// token, so the source only reads the current hosts again, by a renewal.
///
/// The middleware runs the rest of the client once for each call. It can't prevent that the client itself sends a
/// request twice. So use no retrying middleware after it, and build the client as below: without redirects and without
/// reqwest's own retries.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tradovate_auth_reqwest::{TokenSource, http_client_builder};
/// use tradovate_auth_simulator::Simulator;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Simulator::builder().serve()?;
/// let tokens = TokenSource::new(server.environment(), server.credentials())?;
/// let http = http_client_builder()?
///     .redirect(reqwest::redirect::Policy::none())
///     .retry(reqwest::retry::never())
///     .build()?;
/// let http = ClientBuilder::new(http).with(tokens.middleware()).build();
/// let accounts = http.get(tokens.url("/account/list")?.to_string()).send().await?;
/// assert_eq!(accounts.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # A 200 is not always a success
/// The server may postpone any call, also an order. It then answers 200 with a ticket in the body, and has not handled
/// the call (page *Rate Limits*). The middleware does not read the body of a 200. Before you use a body as a result,
/// give it to [`Penalty::in_body`](tradovate_auth_core::Penalty::in_body).
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    tokens: TokenSource,
}

/// The number of bytes after which a refusal is not read further. The texts that matter are short.
const REFUSAL_LIMIT: usize = 64 * 1024;

impl BearerMiddleware {
    pub(crate) fn new(tokens: TokenSource) -> Self {
        Self { tokens }
    }

    /// Reports a refusal by the requested host. Returns the same response for the caller.
    async fn report(&self, token: &Token, response: Response) -> Response {
        let (status, url) = (response.status(), response.url().clone());
        let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
        let body = Refusal::read(body).await;
        let _ = self.tokens.rejected(token, status, &body.text);
        if let Ok(with_url) = http::Response::builder().url(url).body(()) {
            parts.extensions.extend(with_url.into_parts().0.extensions);
        }
        http::Response::from_parts(parts, Body::wrap(body)).into()
    }

    /// Reports that another host has answered, or that following a redirect has failed.
    fn report_redirect(&self, token: &Token) {
        let _ = self.tokens.rejected(token, StatusCode::TEMPORARY_REDIRECT, b"");
    }
}

#[async_trait]
impl Middleware for BearerMiddleware {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let is_own = request.url().as_str().parse().is_ok_and(|uri| may_see_token(&self.tokens.environment(), &uri));
        if request.headers().contains_key(http::header::AUTHORIZATION) || !is_own {
            return next.run(request, extensions).await;
        }
        let token = self.tokens.token().await.map_err(Error::middleware)?;
        token.authorize(request.headers_mut());
        let asked = request.url().clone();
        match next.run(request, extensions).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) if *response.url() == asked => Ok(self.report(&token, response).await),
            Ok(response) => {
                self.report_redirect(&token);
                Ok(response)
            }
            Err(error) => {
                if error.is_redirect() {
                    self.report_redirect(&token);
                }
                Err(error)
            }
        }
    }
}

/// The body of a refusal: the part that was read, and the rest.
struct Refusal {
    /// The part that was read. Empty after it was returned.
    text: Vec<u8>,
    rest: Rest,
}

enum Rest {
    Unread(Body),
    Broken(Option<reqwest::Error>),
    Nothing,
}

type Data = <Body as http_body::Body>::Data;

impl Refusal {
    async fn read(mut body: Body) -> Self {
        let mut text = Vec::new();
        let rest = loop {
            if text.len() >= REFUSAL_LIMIT {
                break Rest::Unread(body);
            }
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                Some(Ok(frame)) => text.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => break Rest::Broken(Some(error)),
                None => break Rest::Nothing,
            }
        };
        Self { text, rest }
    }
}

impl http_body::Body for Refusal {
    type Data = Data;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Data>, reqwest::Error>>> {
        if !self.text.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.text).into()))));
        }
        Poll::Ready(match &mut self.rest {
            Rest::Unread(body) => ready!(Pin::new(body).poll_frame(context)),
            Rest::Broken(error) => error.take().map(Err),
            Rest::Nothing => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Nothing => SizeHint::with_exact(self.text.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
