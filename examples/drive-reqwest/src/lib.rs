//! Drives a session with reqwest on tokio.

use std::time::Duration;

use drive::{Program, time_until};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::time::sleep;
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::{Action, Failure, RateBudget, RequestBody, ResponseBody, Session, StopReason};

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

/// Creates a client without redirects, retries, proxy and idle connections, and with a total and a connect timeout.
fn client() -> reqwest::Result<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error if the process has one
    let builder = Client::builder().redirect(Policy::none()).retry(reqwest::retry::never()).no_proxy();
    let builder = builder.timeout(Duration::from_secs(30)).connect_timeout(Duration::from_secs(10));
    builder.pool_max_idle_per_host(0).build()
}

/// Sends a request once. A failure says how far the request got.
async fn exchange(request: Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let request = request.map(RequestBody::into_bytes).try_into().map_err(|_| Failure::NotSent)?;
    let client = client().map_err(|_| Failure::NotSent)?;
    let mut response = client.execute(request).await.map_err(|error| match error {
        error if error.is_connect() => Failure::NotSent,
        _ => Failure::MaybeSent,
    })?;
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = response.status();
    answer.headers_mut().clone_from(response.headers());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.body().len() + chunk.len() > ResponseBody::DEFAULT_LIMIT => {
                return Err(Failure::Oversized);
            }
            Ok(Some(chunk)) => answer.body_mut().extend_from_slice(&chunk),
            Err(_) if answer.status() == StatusCode::OK => return Err(Failure::Truncated),
            Ok(None) | Err(_) => return Ok(answer), // another status suffices without its body
        }
    }
}
