//! Time-outs: a call ends by itself, wherever the server falls silent.
//!
//! The peers here stay silent until the caller hangs up, so that a client without a time-out would never end.

use std::net::TcpListener;
use std::time::Duration;

use tradovate_auth::Failure;

use crate::support::{Peer, Transport, at};

/// Sends this much and then waits for the caller to hang up.
fn silent_after(sent: &'static str) -> Peer {
    Peer::acting(move |connection, _| {
        connection.write_all(sent.as_bytes()).unwrap();
        connection.flush().unwrap();
        let hung_up = connection.read(&mut [0; 1]);
        assert!(!matches!(hung_up, Ok(1..)), "the caller hangs up");
    })
}

fn failures(base_url: &str) -> Vec<Option<Failure>> {
    let timed = |transport: Transport| transport.with_timeout(Duration::from_millis(300));
    Transport::both(&at(base_url))
        .map(timed)
        .iter()
        .map(|transport| transport.log_in().unwrap_err().failure())
        .collect()
}

#[test]
fn silence_before_the_answer_ends() {
    assert_eq!(failures(&silent_after("").base_url()), [Some(Failure::MaybeSent); 2]);
}

#[test]
fn silence_within_the_headers_ends() {
    assert_eq!(failures(&silent_after("HTTP/1.1 200 OK\r\ndate: ").base_url()), [Some(Failure::MaybeSent); 2]);
}

#[test]
fn silence_within_the_body_ends() {
    let peer = silent_after("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
    assert_eq!(failures(&peer.base_url()), [Some(Failure::Truncated); 2]);
}

#[test]
fn a_listener_that_never_accepts_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    assert_eq!(failures(&base), [Some(Failure::MaybeSent); 2]);
}

#[test]
fn a_whole_call_may_take_thirty_seconds_by_default() {
    assert_eq!(tradovate_auth::ureq::Client::DEFAULT_TIMEOUT, Duration::from_secs(30));
    assert_eq!(tradovate_auth::reqwest::Client::DEFAULT_TIMEOUT, Duration::from_secs(30));
}
