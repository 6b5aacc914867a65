//! Drives a session with hyper's connections on smol.

use std::sync::Arc;
use std::time::Duration;

use drive::{Program, time_until};
use futures_rustls::TlsConnector;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use rustls::{ClientConfig, RootCertStore};
use smol::io::{AsyncRead, AsyncWrite};
use smol::{Timer, future, net::TcpStream};
use smol_hyper::rt::FuturesIo;
use tradovate_auth::http::{Request, Response, StatusCode, header::HOST};
use tradovate_auth::{Action, Failure, RateBudget, RequestBody, ResponseBody, Session, StopReason};

pub use smol;

/// Drives a session until the session stops or the program ends the loop.
pub async fn drive(session: &mut Session, program: &mut dyn Program) -> Option<StopReason> {
    let mut budget = RateBudget::default(); // all sessions behind the same network address share one
    loop {
        match session.poll(program.now(), &mut budget) {
            Action::Send { id, request } => match exchange(program.prepare(request)).await {
                Ok(response) => session.receive(program.now(), id, response, &mut budget),
                Err(failure) => session.failed(program.now(), id, failure, &mut budget),
            },
            Action::Wait { until } => drop(Timer::after(time_until(until, program.now())).await),
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

/// Sends a request once. A failure says how far the request got.
async fn exchange(request: Request<RequestBody>) -> Result<Response<Bytes>, Failure> {
    within(30, Failure::MaybeSent, async {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let (is_plain, port) = (request.uri().scheme_str() == Some("http"), request.uri().port_u16());
        let address = (host.trim_matches(['[', ']']), port.unwrap_or(if is_plain { 80 } else { 443 }));
        let tcp = async { TcpStream::connect(address).await.map_err(|_| Failure::NotSent) };
        let tcp = within(10, Failure::NotSent, tcp).await?;
        if is_plain {
            return send(tcp, request).await;
        }
        let name = host.try_into().map_err(|_| Failure::NotSent)?;
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().map_err(|_| Failure::NotSent)?;
        let tls = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        send(tls.connect(name, tcp).await.map_err(|_| Failure::NotSent)?, request).await
    })
    .await
}

async fn send<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    mut request: Request<RequestBody>,
) -> Result<Response<Bytes>, Failure> {
    let authority = request.uri().authority().and_then(|authority| authority.as_str().parse().ok());
    request.headers_mut().entry(HOST).or_insert(authority.ok_or(Failure::NotSent)?);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Failure::NotSent)?;
    let (mut sender, connection) = http1::handshake(FuturesIo::new(stream)).await.map_err(|_| Failure::NotSent)?;
    let _connection = smol::spawn(connection); // runs until it is dropped
    let request = request.map(|body| Full::new(body.into_bytes()));
    let (parts, body) = sender.send_request(request).await.map_err(|_| Failure::MaybeSent)?.into_parts();
    match Limited::new(body, ResponseBody::DEFAULT_LIMIT).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(_) if parts.status != StatusCode::OK => Ok(Response::from_parts(parts, Bytes::new())), // status suffices
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::Oversized),
        Err(_) => Err(Failure::Truncated),
    }
}

async fn within<T>(seconds: u64, late: Failure, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    future::or(work, async {
        Timer::after(Duration::from_secs(seconds)).await;
        Err(late)
    })
    .await
}
