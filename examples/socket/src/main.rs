//! Keeps a socket alive: authorizes it, sends heartbeats, and reconnects whatever ended it.
//!
//! It reads the same variables as `quickstart`. Without `TRADOVATE_USERNAME`, it starts a simulator inside the process,
//! whose tokens are valid for a minute. `--market-data` connects a market data socket in place of a trading socket.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use tradovate_auth::ureq::{Token, TokenSource, from_env};
use tradovate_auth::{Purpose, Verdict};
use tradovate_auth_simulator::Simulator;
use tungstenite::http::{StatusCode, Uri};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{HandshakeError, Message, WebSocket, client_tls};

use frame::{AUTHORIZE, Frame};

mod frame;

/// How often to send a heartbeat. The server requires a frame at least every 2.5 s.
//= R-SOCKET-6
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server may send nothing. It sends a frame every 2.5 s, so after this time the socket is dead.
const SILENCE: Duration = Duration::from_secs(8);
/// How long a read waits at most, so that heartbeats are sent in time.
const TICK: Duration = Duration::from_millis(250);
/// The pause before the next socket. It doubles up to the longest. A socket that lives longer than that resets it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a socket has ended.
enum Ended {
    /// The token was renewed.
    Renewed,
    /// A new socket may work after a pause.
    Lost(String),
    /// The network address is locked out: nothing may be sent for an hour.
    LockedOut(String),
    /// A new socket does not help.
    Forbidden(String),
}

impl From<tungstenite::Error> for Ended {
    fn from(error: tungstenite::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

fn main() -> ExitCode {
    let Err(error) = run();
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn run() -> Result<Infallible, Box<dyn Error>> {
    let purpose = match env::args().nth(1).as_deref() {
        None => Purpose::Trading,
        Some("--market-data") => Purpose::MarketData,
        Some(_) => return Err("usage: socket [--market-data]".into()),
    };
    let simulator; // runs until it is dropped
    let (environment, credentials) = if env::var_os("TRADOVATE_USERNAME").is_some() {
        from_env()?
    } else {
        simulator = Simulator::builder().lifetime(Duration::from_secs(60)).serve()?;
        println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", simulator.base_url());
        (simulator.environment(), simulator.credentials())
    };
    // The keeper logs in and renews. With a timeout of zero, `token` never delays heartbeats.
    let tokens = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).build();
    let _keeper = tokens.keep_alive()?;

    let mut pause = FIRST_PAUSE;
    loop {
        let token = match tokens.token() {
            Ok(token) => token,
            Err(error) => {
                thread::sleep(error.retry_after().ok_or(error)?.min(FIRST_PAUSE)); // fails if the session stopped
                continue;
            }
        };
        let begun = Instant::now();
        let Err(ended) = keep(&tokens, &token, purpose);
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        match ended {
            Ended::Renewed => println!("the token was renewed: connecting again with the new token"),
            Ended::Lost(why) => {
                println!("{why}; connecting again in {} s", pause.as_secs());
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Ended::LockedOut(why) => {
                println!("{why}; connecting again in an hour");
                thread::sleep(Duration::from_secs(60 * 60));
            }
            Ended::Forbidden(why) => return Err(why.into()),
        }
    }
}

/// Connects a socket, authorizes it with a token, and keeps it alive until it ends.
fn keep(tokens: &TokenSource, token: &Token, purpose: Purpose) -> Result<Infallible, Ended> {
    let authorize = match purpose {
        Purpose::MarketData => token.market_data_authorize_frame(AUTHORIZE), // never the access token
        _ => Some(token.authorize_frame(AUTHORIZE)),
    };
    let mut authorize = Some(authorize.ok_or_else(|| Ended::Lost("there is no market data token yet".into()))?);
    // The URL is requested for each socket, because the host can change.
    let url =
        tokens.websocket_url(purpose).ok_or_else(|| Ended::Lost("the host of the socket is not known yet".into()))?;
    let mut socket = connect(&url).map_err(|error| match error {
        tungstenite::Error::Http(refusal) => {
            refused(tokens, token, refusal.status().as_u16(), refusal.body().as_deref().unwrap_or_default())
        }
        error => Ended::Lost(format!("can't connect to {url}: {error}")),
    })?;
    println!("connected to {url}");
    let (mut sent, mut received) = (Instant::now(), Instant::now());
    loop {
        if tokens.token().is_ok_and(|current| current.generation() != token.generation()) {
            drop(socket.close(None)); // an error means that it is already closed
            return Err(Ended::Renewed);
        }
        if received.elapsed() > SILENCE {
            return Err(Ended::Lost(format!("the server sent nothing for {} s", SILENCE.as_secs())));
        }
        // `authorize` must be the first frame. Heartbeats start after it.
        if authorize.is_none() && sent.elapsed() >= HEARTBEAT {
            socket.send(Message::text("[]"))?;
            sent = Instant::now();
        }
        let text = match socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(_) => continue,
            Err(tungstenite::Error::Io(error)) if is_time_out(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        received = Instant::now();
        match Frame::read(&text) {
            Frame::Open => {
                if let Some(authorize) = authorize.take() {
                    socket.send(Message::text(authorize))?;
                    sent = Instant::now();
                }
            }
            Frame::Heartbeat => {}
            Frame::Authorization(200, _) => println!("authorized"),
            Frame::Authorization(status, text) => return Err(refused(tokens, token, status, text.as_bytes())),
            Frame::Messages(messages) => println!("received {} messages", messages.len()),
            Frame::Close(reason) => return Err(Ended::Lost(format!("the server closed the socket: {reason}"))),
        }
    }
}

/// Reports a refusal to the token source. Its verdict decides what happens next.
fn refused(tokens: &TokenSource, token: &Token, status: u16, body: &[u8]) -> Ended {
    // A wrong host can answer with 404 and no body in place of 421.
    let reported = if status == 404 && body.is_empty() { 421 } else { status };
    let verdict = tokens.rejected(token, StatusCode::from_u16(reported).unwrap_or_default(), body);
    let why = format!("the server refused the socket with {status}, verdict: {verdict:?}");
    match verdict {
        Verdict::Forbidden => Ended::Forbidden(why),
        Verdict::LockedOut => Ended::LockedOut(why),
        _ => Ended::Lost(why),
    }
}

/// Connects with timeouts. It follows no redirect, because the token would go to the host that it names.
fn connect(url: &str) -> Result<WebSocket<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
    let uri: Uri = url.parse()?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(443);
    let connected = |address| TcpStream::connect_timeout(&address, SILENCE).ok();
    let stream = (host, port).to_socket_addrs()?.find_map(connected).ok_or(io::Error::from(ErrorKind::NotConnected))?;
    let settings = stream.try_clone()?;
    settings.set_read_timeout(Some(SILENCE))?;
    settings.set_write_timeout(Some(SILENCE))?;
    match client_tls(url, stream) {
        Ok((socket, _)) => {
            settings.set_read_timeout(Some(TICK))?;
            Ok(socket)
        }
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => Err(io::Error::from(ErrorKind::TimedOut).into()),
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
