//! Keeps a socket alive: authorizes it, sends heartbeats, and reconnects whatever ended it. The async version.
//!
//! It reads the same variables as `quickstart`. Without `TRADOVATE_USERNAME`, it starts a simulator inside the process,
//! whose tokens are valid for a minute. `--market-data` connects a market data socket in place of a trading socket.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tradovate_auth::reqwest::{Token, TokenSource, from_env};
use tradovate_auth::{Purpose, Verdict};
use tradovate_auth_simulator::Simulator;

use frame::{AUTHORIZE, Frame};

mod frame;

/// How often to send a heartbeat. The server requires a frame at least every 2.5 s.
//= R-SOCKET-6
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server may send nothing. It sends a frame every 2.5 s, so after this time the socket is dead.
const SILENCE: Duration = Duration::from_secs(8);
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

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await;
    eprintln!("{error}");
    ExitCode::FAILURE
}

async fn run() -> Result<Infallible, Box<dyn Error>> {
    let purpose = match env::args().nth(1).as_deref() {
        None => Purpose::Trading,
        Some("--market-data") => Purpose::MarketData,
        Some(_) => return Err("usage: socket-async [--market-data]".into()),
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
    let tokens = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).build()?;
    let _keeper = tokens.keep_alive();

    let mut pause = FIRST_PAUSE;
    loop {
        let token = match tokens.token().await {
            Ok(token) => token,
            Err(error) => {
                sleep(error.retry_after().ok_or(error)?.min(FIRST_PAUSE)).await; // fails if the session stopped
                continue;
            }
        };
        let begun = Instant::now();
        let Err(ended) = keep(&tokens, &token, purpose).await;
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        match ended {
            Ended::Renewed => println!("the token was renewed: connecting again with the new token"),
            Ended::Lost(why) => {
                println!("{why}; connecting again in {} s", pause.as_secs());
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Ended::LockedOut(why) => {
                println!("{why}; connecting again in an hour");
                sleep(Duration::from_secs(60 * 60)).await;
            }
            Ended::Forbidden(why) => return Err(why.into()),
        }
    }
}

/// Connects a socket, authorizes it with a token, and keeps it alive until it ends.
async fn keep(tokens: &TokenSource, token: &Token, purpose: Purpose) -> Result<Infallible, Ended> {
    let authorize = match purpose {
        Purpose::MarketData => token.market_data_authorize_frame(AUTHORIZE), // never the access token
        _ => Some(token.authorize_frame(AUTHORIZE)),
    };
    let mut authorize = Some(authorize.ok_or_else(|| Ended::Lost("there is no market data token yet".into()))?);
    // The URL is requested for each socket, because the host can change.
    let url =
        tokens.websocket_url(purpose).ok_or_else(|| Ended::Lost("the host of the socket is not known yet".into()))?;
    // No redirect is followed, because the token would go to the host that it names.
    let (mut socket, _) = match timeout(SILENCE, connect_async(&url)).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(tungstenite::Error::Http(refusal))) => {
            let body = refusal.body().as_deref().unwrap_or_default();
            return Err(refused(tokens, token, refusal.status().as_u16(), body));
        }
        Ok(Err(error)) => return Err(Ended::Lost(format!("can't connect to {url}: {error}"))),
        Err(_) => return Err(Ended::Lost(format!("{url} did not answer within {} s", SILENCE.as_secs()))),
    };
    println!("connected to {url}");
    let mut heartbeat = interval(HEARTBEAT);
    let mut received = Instant::now();
    loop {
        let text = tokio::select! {
            _ = heartbeat.tick() => {
                if tokens.token().await.is_ok_and(|current| current.generation() != token.generation()) {
                    let _ = timeout(SILENCE, socket.close(None)).await;
                    return Err(Ended::Renewed);
                }
                if received.elapsed() > SILENCE {
                    return Err(Ended::Lost(format!("the server sent nothing for {} s", SILENCE.as_secs())));
                }
                // `authorize` must be the first frame. Heartbeats start after it.
                if authorize.is_none() {
                    socket.send(Message::text("[]")).await?;
                }
                continue;
            }
            message = socket.next() => match message.ok_or(tungstenite::Error::ConnectionClosed)?? {
                Message::Text(text) => text,
                _ => continue,
            },
        };
        received = Instant::now();
        match Frame::read(&text) {
            Frame::Open => {
                if let Some(authorize) = authorize.take() {
                    socket.send(Message::text(authorize)).await?;
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
