//! Drives a session with hyper on tokio.

use std::time::Duration;

use drive::{Program, time_until};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::{Action, Failure, RateBudget, RequestBody, ResponseBody, Session, StopReason};

type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Drives a session until the session stops or the program ends the loop.
pub async fn drive(session: &mut Session, program: &mut dyn Program) -> Option<StopReason> {
    let mut budget = RateBudget::default(); // all sessions behind the same network address share one
    loop {
        match session.poll(program.now(), &mut budget) {
            Action::Send { id, request } => match exchange(program.prepare(request)).await {
                Ok(response) => session.receive(program.now(), id, response, &mut budget),
                Err(failure) => session.failed(program.now(), id, failure, &mut budget),
            },
            Action::Wait { until } => sleep(time_until(until, program.now())).await,
            Action::Stopped { reason, .. } => return Some(reason),
            _ => return None, // `Store`: only a session with a store returns it
        }
        while let Some(event) = session.next_event() {
            if program.on_event(&event, session, &mut budget).is_break() {
                return None;
            }
        }
    }
}

/// Creates a client with a connect timeout and without retries and idle connections. hyper itself follows no redirects
/// and uses no proxy.
fn client() -> Result<Client, Failure> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    tcp.enforce_http(false);
    let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(rustls::crypto::ring::default_provider());
    let connector = tls.map_err(|_| Failure::NotSent)?.https_or_http().enable_http1().wrap_connector(tcp);
    let client = legacy::Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .pool_max_idle_per_host(0)
        .build(connector);
    Ok(client)
}

/// Sends a request once. A failure says how far the request got.
async fn exchange(request: Request<RequestBody>) -> Result<Response<Bytes>, Failure> {
    let request = request.map(|body| Full::new(body.into_bytes()));
    timeout(Duration::from_secs(30), send(request)).await.unwrap_or(Err(Failure::MaybeSent))
}

async fn send(request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
    let response = client()?.request(request).await;
    let response = response.map_err(|error| if error.is_connect() { Failure::NotSent } else { Failure::MaybeSent })?;
    let (parts, body) = response.into_parts();
    match Limited::new(body, ResponseBody::DEFAULT_LIMIT).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(_) if parts.status != StatusCode::OK => Ok(Response::from_parts(parts, Bytes::new())), // status suffices
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::Oversized),
        Err(_) => Err(Failure::Truncated),
    }
}
