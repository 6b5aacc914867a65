//! Tests of timeouts: a call ends even if the server sends nothing.
//!
//! The peers here continue until the client disconnects, so a client without a timeout would never end.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;
use tradovate_auth::Failure;

use crate::support::{LOGGED_IN, Peer, Transport, at, response, silent_after};

/// A peer that sends a byte now and then, as long as the client is connected. Each wait is short, but the answer never
/// ends.
fn dripping(sent: &'static str) -> Peer {
    Peer::acting(move |connection, _| {
        connection.write_all(sent.as_bytes()).unwrap();
        while connection.write_all(b"x").and_then(|()| connection.flush()).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    })
}

/// How a call of each transport fails that has a timeout of a third of a second.
fn failures(base_url: &str) -> [Option<Failure>; 2] {
    let failure =
        |transport: Transport| transport.with_timeout(Duration::from_millis(300)).log_in().unwrap_err().failure();
    Transport::both(&at(base_url)).map(failure)
}

#[test]
fn silent_and_endlessly_slow_answers_end_with_the_timeout() {
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
    for (what, peer, failure) in [
        ("silence", silent_after(""), Failure::MaybeSent),
        ("silence within the headers", silent_after("HTTP/1.1 200 OK\r\ndate: "), Failure::MaybeSent),
        ("silence within the body", silent_after(body), Failure::Truncated),
        ("dripping headers", dripping("HTTP/1.1 200 OK\r\nx: "), Failure::MaybeSent),
        ("a dripping body", dripping(body), Failure::Truncated),
    ] {
        assert_eq!(failures(&peer.base_url()), [Some(failure); 2], "{what}");
    }
    let never_accepts = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", never_accepts.local_addr().unwrap());
    assert_eq!(failures(&base), [Some(Failure::MaybeSent); 2]);
}

#[test]
fn the_timeout_of_a_call_is_thirty_seconds_and_can_be_changed() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    for transport in Transport::both(&at(&peer.base_url())) {
        assert!(format!("{transport:?}").contains("timeout: 30s"), "{transport:?}");
        assert!(transport.with_timeout(Duration::MAX).log_in().is_ok());
    }
}

#[test]
fn a_connect_timeout_is_reported_as_not_sent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let full = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(0).unwrap()
    });
    let address = full.local_addr().unwrap();
    let _queued: Vec<TcpStream> =
        (0..8).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    // Each transport waits ten seconds, both at the same time.
    thread::scope(|scope| {
        for transport in Transport::both(&at(&format!("http://{address}/v1"))) {
            scope.spawn(move || {
                let renewal = transport.renew().unwrap_err();
                assert_eq!(renewal.failure(), Some(Failure::NotSent), "{renewal}");
            });
        }
    });
}
