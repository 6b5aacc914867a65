//! Drives a session with `std::net` and rustls and a handwritten HTTP/1.0 client. It needs no runtime and no HTTP
//! library.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use drive::{Program, time_until};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tradovate_auth::http::header::{CONTENT_LENGTH, HOST};
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::{Action, Failure, RateBudget, RequestBody, ResponseBody, Session, StopReason};

/// Drives a session until the session stops or the program ends the loop.
pub fn drive(session: &mut Session, program: &mut dyn Program) -> Option<StopReason> {
    let mut budget = RateBudget::default(); // all sessions behind the same network address share one
    loop {
        match session.poll(program.now(), &mut budget) {
            Action::Send { id, request } => match exchange(program.prepare(request)) {
                Ok(response) => session.receive(program.now(), id, response, &mut budget),
                Err(failure) => session.failed(program.now(), id, failure, &mut budget),
            },
            Action::Wait { until } => thread::sleep(time_until(until, program.now())),
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

/// Connects and sends a request once. A failure says how far the request got.
fn exchange(request: Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (host, port) = (request.uri().host().unwrap_or_default().to_owned(), request.uri().port_u16());
    let is_plain = request.uri().scheme_str() == Some("http");
    let address = (host.trim_matches(['[', ']']), port.unwrap_or(if is_plain { 80 } else { 443 }));
    let mut addresses = address.to_socket_addrs().map_err(|_| Failure::NotSent)?;
    let tcp = addresses.find_map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(10)).ok());
    let tcp = tcp.ok_or(Failure::NotSent)?;
    let late = tcp.try_clone().map_err(|_| Failure::NotSent)?;
    let (_done, until_done) = mpsc::channel::<()>();
    thread::spawn(move || match until_done.recv_timeout(Duration::from_secs(30)) {
        Err(RecvTimeoutError::Timeout) => drop(late.shutdown(Shutdown::Both)),
        _ => drop(late),
    });
    if is_plain {
        return send(tcp, request);
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().map_err(|_| Failure::NotSent)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = host.try_into().map_err(|_| Failure::NotSent)?;
    send(StreamOwned::new(ClientConnection::new(config.into(), name).map_err(|_| Failure::NotSent)?, tcp), request)
}

/// Sends a request as HTTP/1.0, so that the response ends with the connection and is never chunked (RFC 9112, section
/// 6.1).
fn send(mut stream: impl Read + Write, request: Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().and_then(|authority| authority.as_str().parse().ok());
    parts.headers.entry(HOST).or_insert(authority.ok_or(Failure::NotSent)?);
    parts.headers.insert(CONTENT_LENGTH, body.as_ref().len().into());
    let mut message = format!("{} {} HTTP/1.0\r\n", parts.method, parts.uri.path()).into_bytes();
    for (name, value) in &parts.headers {
        message.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    message.extend([b"\r\n", body.as_ref()].concat());
    stream.write_all(&message).and_then(|()| stream.flush()).map_err(|_| Failure::MaybeSent)?;
    let (mut answer, limit) = (Vec::new(), ResponseBody::DEFAULT_LIMIT);
    let read = stream.take(limit as u64 + 65_536).read_to_end(&mut answer);
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").ok_or(Failure::MaybeSent)?;
    let body = answer.split_off(head + 4);
    let text = String::from_utf8_lossy(&answer);
    let response = Response::builder().status(text.split(' ').nth(1).unwrap_or_default());
    let headers = text.lines().filter_map(|line| line.split_once(':'));
    let response = headers.fold(response, |response, (name, value)| response.header(name, value.trim()));
    let response = response.body(body).map_err(|_| Failure::MaybeSent)?;
    let announced = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match response.body().len() {
        length if length > limit => Err(Failure::Oversized),
        length if announced.map_or(read.is_ok(), |whole| length >= whole) => Ok(response),
        _ if response.status() != StatusCode::OK => Ok(response), // another status suffices without its whole body
        _ => Err(Failure::Truncated),
    }
}
