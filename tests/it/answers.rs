//! Tests of responses: every status with its body, whole and in pieces, compressed, truncated, and endless.

use std::io::Write;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tradovate_auth::{AccessTokenResponse, Answer, CallError, DeadToken, Error, Failure};

use crate::support::{LOGGED_IN, Peer, Transport, at, response, silent_after};

const TWO_HOURS: Duration = Duration::from_secs(7200);

/// The results of a login with both transports.
fn log_in_at(peer: &Peer) -> Vec<Result<Answer<AccessTokenResponse>, CallError>> {
    Transport::both(&at(&peer.base_url())).iter().map(Transport::log_in).collect()
}

fn assert_logged_in(peer: &Peer) {
    for result in log_in_at(peer) {
        assert_eq!(result.unwrap().value.access_token.unwrap().expose(), "canary-issued-token");
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A peer that writes a piece again and again until the client disconnects.
fn without_end(head: impl Into<String>, piece: &'static [u8]) -> Peer {
    let head = head.into();
    Peer::acting(move |connection, _| {
        connection.write_all(head.as_bytes()).unwrap();
        while connection.write_all(piece).is_ok() {}
    })
}

#[test]
fn an_answer_can_be_chunked_compressed_and_delivered_in_pieces() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec();
    let (one, two) = LOGGED_IN.split_at(10);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunks = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    for answer in [
        response("200 OK", &["content-type: text/html"], LOGGED_IN),
        response("200 OK", &["content-encoding: gzip"], gzip(LOGGED_IN)),
        chunks.into_bytes(),
        [interim, response("200 OK", &[], LOGGED_IN)].concat(),
        ["HTTP/1.1 200 OK\r\n\r\n", LOGGED_IN].concat().into_bytes(),
    ] {
        assert_logged_in(&Peer::answering(answer));
    }
    assert_logged_in(&Peer::acting(|connection, _| {
        for byte in response("200 OK", &[], LOGGED_IN) {
            connection.write_all(&[byte]).unwrap();
            connection.flush().unwrap();
        }
    }));
}

#[test]
fn an_answer_includes_the_servers_time() {
    let peer = Peer::answering(response("200 OK", &["date: Tue, 24 Nov 2026 14:20:30 GMT"], LOGGED_IN));
    for result in log_in_at(&peer) {
        let exchange = result.unwrap().exchange;
        assert_eq!(exchange.server_time.unwrap().to_string(), "2026-11-24T14:20:30Z");
        assert!(exchange.sent <= exchange.received);
    }
}

#[test]
fn each_kind_of_broken_answer_has_its_own_failure() {
    const LONG: &str = "longer than 262144 bytes";
    const UNKNOWN: &str = "the server may have handled the request";
    let cut = |answer: Vec<u8>| Peer::answering(&answer[..answer.len() - 5]);
    let gzipped = |body: &[u8]| response("200 OK", &["content-encoding: gzip"], body);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let long = format!("x-long: {}", "x".repeat(1024 * 1024));
    let many: Vec<String> = (0..40_000).map(|number| format!("x-{number}: 0123456789")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let bomb = gzipped(&gzip(&" ".repeat(100_000_000)));
    for (what, peer, failure, text) in [
        ("a reset", Peer::answering(""), Failure::MaybeSent, UNKNOWN),
        ("no HTTP", Peer::answering("220 mail.example ESMTP\r\n\r\n"), Failure::MaybeSent, UNKNOWN),
        ("a long header", Peer::answering(response("200 OK", &[&long], LOGGED_IN)), Failure::MaybeSent, UNKNOWN),
        ("many headers", Peer::answering(response("200 OK", &many, LOGGED_IN)), Failure::MaybeSent, UNKNOWN),
        ("a cut body", cut(response("200 OK", &[], LOGGED_IN)), Failure::Truncated, ""),
        ("a cut chunk", Peer::answering(format!("{chunked}500\r\n{LOGGED_IN}")), Failure::Truncated, ""),
        ("a cut gzip", cut(gzipped(&gzip(LOGGED_IN))), Failure::Truncated, ""),
        ("no gzip", Peer::answering(gzipped(LOGGED_IN.as_bytes())), Failure::Truncated, ""),
        ("no end", without_end("HTTP/1.1 200 OK\r\n\r\n", &[b' '; 4096]), Failure::Oversized, LONG),
        ("endless chunks", without_end(chunked, b"4\r\n    \r\n"), Failure::Oversized, LONG),
        ("a bomb", Peer::acting(move |peer, _| drop(peer.write_all(&bomb))), Failure::Oversized, LONG),
        // The peer sends only the head. A client that reads on would wait for the timeout.
        ("a length", silent_after("HTTP/1.1 200 OK\r\ncontent-length: 262145\r\n\r\n"), Failure::Oversized, LONG),
    ] {
        for result in log_in_at(&peer) {
            let error = result.unwrap_err();
            assert_eq!(error.failure(), Some(failure), "{what}: {error:?}");
            assert!(error.to_string().contains(text) && error.to_string().len() < 500, "{what}: {error}");
        }
        assert_eq!(peer.requests().len(), 2, "{what}: each transport sends one request");
    }
}

#[test]
fn endless_interim_answers_end_with_the_timeout() {
    let peer = without_end("", b"HTTP/1.1 100 Continue\r\n\r\n");
    for transport in Transport::both(&at(&peer.base_url())) {
        let transport = transport.with_timeout(Duration::from_millis(500));
        let error = transport.log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::MaybeSent), "{transport:?}: {error:?}");
    }
}

#[test]
fn the_body_of_a_401_decides_the_error() {
    let peer =
        Peer::answering(response("401 Unauthorized", &["content-type: application/json"], "Expired Access Token"));
    for transport in Transport::both(&at(&peer.base_url())) {
        let error = transport.renew().unwrap_err();
        let expired = matches!(&error, CallError::Server(Error::Unauthorized { reason: DeadToken::Expired }));
        assert!(expired, "{transport:?}: {error:?}");
    }
}

/// Peers whose answers have this head and a body that is broken in some way.
fn broken(head: &str) -> Vec<Peer> {
    let cut = format!("{head}content-length: 99\r\n\r\ncut");
    let bad_chunk = format!("{head}transfer-encoding: chunked\r\n\r\nnonsense\r\n");
    let bad_gzip = format!("{head}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nbad");
    let announced = format!("{head}content-length: 999999999\r\n\r\n");
    let endless = format!("{head}\r\n");
    let silent = format!("{head}content-length: 99\r\n\r\n");
    let mut peers: Vec<Peer> = [cut, bad_chunk, bad_gzip].map(Peer::answering).into();
    peers.extend([announced, silent].map(silent_after));
    peers.push(without_end(endless, &[b'x'; 4096]));
    peers
}

#[test]
fn a_lock_out_or_redirect_status_counts_even_if_its_body_is_broken() {
    let locked = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7200\r\n";
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://acme.ninjatrader.com/v1\r\n";
    for head in [locked, redirect] {
        for peer in broken(head).into_iter().chain([Peer::answering(format!("{head}content-length: 0\r\n\r\n"))]) {
            for transport in Transport::both(&at(&peer.base_url())) {
                let error = transport.with_timeout(Duration::from_secs(1)).log_in().unwrap_err();
                let is_told = match &error {
                    CallError::Server(Error::LockedOut { status, .. }) => {
                        head == locked && status.as_u16() == 429 && error.retry_after() == Some(TWO_HOURS)
                    }
                    CallError::Server(Error::Moved(_)) => head == redirect,
                    _ => false,
                };
                assert!(is_told, "{error:?}");
            }
        }
    }
}

#[test]
fn each_call_uses_a_new_connection() {
    // The second answer on the connection belongs to no request. It must not be taken for the answer to the next
    // request.
    let answer = |token: &str| {
        let body = LOGGED_IN.replace("canary-issued-token", token);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let answers = [answer("first"), answer("unsolicited")].concat();
    let peer = Peer::answering(answers);
    for transport in Transport::both(&at(&peer.base_url())) {
        for _ in 0..2 {
            let token = transport.log_in().unwrap().value.access_token.unwrap();
            assert_eq!(token.expose(), "first", "{transport:?}");
        }
    }
}

#[test]
fn an_unreachable_or_unknown_host_is_reported_as_not_sent() {
    // No test listens at port 1.
    let [nobody, nowhere] = ["http://127.0.0.1:1/v1", "https://no-such-host.invalid/v1"];
    for (nobody, nowhere) in Transport::both(&at(nobody)).iter().zip(Transport::both(&at(nowhere))) {
        for error in [nobody.log_in(), nobody.renew(), nowhere.log_in()].map(Result::unwrap_err) {
            assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
            assert!(error.is_retryable());
        }
    }
}

#[test]
fn the_caller_can_set_the_response_size_limit() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    for (limit, failure) in [(LOGGED_IN.len(), None), (LOGGED_IN.len() - 1, Some(Failure::Oversized))] {
        for transport in Transport::both(&at(&peer.base_url())) {
            let result = transport.with_max_response_bytes(limit).log_in();
            assert_eq!(result.err().and_then(|error| error.failure()), failure);
        }
    }
}

#[test]
fn many_threads_can_share_a_client() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    for transport in Transport::both(&at(&peer.base_url())) {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| transport.log_in().unwrap());
            }
        });
    }
    assert_eq!(peer.requests().len(), 16);
}
