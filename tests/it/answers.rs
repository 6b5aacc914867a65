//! What comes back: every status with its body, whole and in pieces, packed, cut off, and without end.

use std::io::Write;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use tradovate_auth::{AccessTokenResponse, Answer, CallError, DeadToken, Error, Failure};

use crate::support::{LOGGED_IN, Peer, Transport, at, response, silent_after};

/// What both transports make of an answer to a login.
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

#[test]
fn a_whole_answer_is_read() {
    assert_logged_in(&Peer::answering(response("200 OK", &["content-type: text/html"], LOGGED_IN)));
}

#[test]
fn the_servers_time_comes_with_the_answer() {
    let peer = Peer::answering(response("200 OK", &["date: Tue, 24 Nov 2026 14:20:30 GMT"], LOGGED_IN));
    for result in log_in_at(&peer) {
        let exchange = result.unwrap().exchange;
        assert_eq!(exchange.server_time.unwrap().to_string(), "2026-11-24T14:20:30Z");
        assert!(exchange.sent <= exchange.received);
    }
}

#[test]
fn a_gzip_answer_is_unpacked() {
    assert_logged_in(&Peer::answering(response("200 OK", &["content-encoding: gzip"], gzip(LOGGED_IN))));
}

#[test]
fn a_chunked_answer_is_joined() {
    let (one, two) = LOGGED_IN.split_at(10);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    assert_logged_in(&Peer::answering([head, &chunks].concat()));
}

#[test]
fn an_interim_answer_is_passed_over() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec();
    assert_logged_in(&Peer::answering([interim, response("200 OK", &[], LOGGED_IN)].concat()));
}

#[test]
fn interim_answers_without_end_end_with_the_time_out() {
    let peer = Peer::acting(|connection, _| {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
        while connection.write_all(interim).and_then(|()| connection.flush()).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    for transport in Transport::both(&at(&peer.base_url())) {
        let transport = transport.with_timeout(Duration::from_millis(500));
        let error = transport.log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::MaybeSent), "{}: {error:?}", transport.name());
    }
}

#[test]
fn a_megabyte_of_headers_is_refused() {
    let long = format!("x-long: {}", "x".repeat(1024 * 1024));
    let many: Vec<String> = (0..40_000).map(|number| format!("x-{number}: 0123456789")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for headers in [&[long.as_str()][..], &many] {
        for result in log_in_at(&Peer::answering(response("200 OK", headers, LOGGED_IN))) {
            let error = result.unwrap_err();
            assert_eq!(error.failure(), Some(Failure::MaybeSent), "{error:?}");
            assert!(error.to_string().chars().count() < 500, "{error}");
        }
    }
}

#[test]
fn an_answer_byte_by_byte_is_joined() {
    assert_logged_in(&Peer::acting(|connection, _| {
        for byte in response("200 OK", &[], LOGGED_IN) {
            connection.write_all(&[byte]).unwrap();
            connection.flush().unwrap();
        }
    }));
}

#[test]
fn an_answer_without_a_length_ends_with_the_connection() {
    assert_logged_in(&Peer::answering(["HTTP/1.1 200 OK\r\n\r\n", LOGGED_IN].concat()));
}

#[test]
fn the_body_of_a_401_is_not_lost() {
    let peer =
        Peer::answering(response("401 Unauthorized", &["content-type: application/json"], "Expired Access Token"));
    for transport in Transport::both(&at(&peer.base_url())) {
        let error = transport.renew().unwrap_err();
        let expired = matches!(&error, CallError::Server(Error::Unauthorized { reason: DeadToken::Expired }));
        assert!(expired, "{}: {error:?}", transport.name());
    }
}

#[test]
fn a_plain_text_500_and_an_html_502_are_told_with_their_text() {
    let fault = "Internal Server Error, error id: 0b5f3f0e-70b6-4d5c-9a7e-1c1f6a3b2d4e";
    let page = "<html><h1>502 Bad Gateway</h1></html>";
    for (status, body, told) in
        [("500 Internal Server Error", fault, fault), ("502 Bad Gateway", page, "502 Bad Gateway")]
    {
        for result in log_in_at(&Peer::answering(response(status, &["content-type: application/json"], body))) {
            let CallError::Server(error) = result.unwrap_err() else { panic!() };
            assert!(error.is_retryable());
            assert!(matches!(&error, Error::Status { excerpt, .. } if excerpt == told), "{error:?}");
        }
    }
}

#[test]
fn a_lock_out_with_an_empty_body_is_understood() {
    for result in log_in_at(&Peer::answering(response("429 Too Many Requests", &["retry-after: 7200"], ""))) {
        let error = result.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7200)));
        assert!(matches!(error, CallError::Server(Error::LockedOut { status: StatusCode::TOO_MANY_REQUESTS, .. })));
    }
}

#[test]
fn a_truncated_answer_is_told_apart() {
    let cut = |answer: Vec<u8>| answer[..answer.len() - 5].to_vec();
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{LOGGED_IN}", 500);
    for answer in [
        cut(response("200 OK", &[], LOGGED_IN)),
        chunked.into_bytes(),
        cut(response("200 OK", &["content-encoding: gzip"], gzip(LOGGED_IN))),
        response("200 OK", &["content-encoding: gzip"], LOGGED_IN),
    ] {
        for result in log_in_at(&Peer::answering(answer.clone())) {
            let error = result.unwrap_err();
            assert_eq!(error.failure(), Some(Failure::Truncated), "{error:?} of {}", String::from_utf8_lossy(&answer));
        }
    }
}

/// Answers that say what they say by their status, however their bodies end.
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
fn a_status_counts_even_when_its_body_is_broken() {
    for peer in broken("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7200\r\n") {
        for transport in Transport::both(&at(&peer.base_url())) {
            let error = transport.with_timeout(Duration::from_secs(1)).log_in().unwrap_err();
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7200)), "{error:?}");
        }
    }
    for peer in broken("HTTP/1.1 307 Temporary Redirect\r\nlocation: https://acme.ninjatrader.com/v1\r\n") {
        for transport in Transport::both(&at(&peer.base_url())) {
            let error = transport.with_timeout(Duration::from_secs(1)).log_in().unwrap_err();
            assert!(matches!(error, CallError::Server(Error::Moved(_))), "{error:?}");
        }
    }
}

#[test]
fn a_reset_before_the_answer_leaves_the_outcome_unknown_and_sends_nothing_again() {
    let peer = Peer::answering("");
    for result in log_in_at(&peer) {
        let error = result.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::MaybeSent), "{error:?}");
        assert!(error.to_string().contains("the server may have handled the request"), "{error}");
    }
    assert_eq!(peer.requests().len(), 2, "one for each transport");
}

#[test]
fn each_call_has_a_connection_of_its_own() {
    // The second answer on the connection belongs to no request: nobody may take it for the answer to the next one.
    let answer = |token: &str| {
        let body = LOGGED_IN.replace("canary-issued-token", token);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let answers = [answer("first"), answer("unsolicited")].concat();
    let peer = Peer::answering(answers);
    for transport in Transport::both(&at(&peer.base_url())) {
        for _ in 0..2 {
            let token = transport.log_in().unwrap().value.access_token.unwrap();
            assert_eq!(token.expose(), "first", "{}", transport.name());
        }
    }
}

#[test]
fn bytes_that_are_not_http_leave_the_outcome_unknown() {
    for result in log_in_at(&Peer::answering("220 mail.example ESMTP\r\n\r\n")) {
        let error = result.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::MaybeSent), "{error:?}");
    }
}

#[test]
fn a_host_where_nobody_listens_was_sent_nothing() {
    // No test listens at a port of the system's services.
    for transport in Transport::both(&at("http://127.0.0.1:1/v1")) {
        for error in [transport.log_in().unwrap_err(), transport.renew().unwrap_err()] {
            assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
            assert!(error.is_retryable());
        }
    }
}

#[test]
fn a_host_without_an_address_was_sent_nothing() {
    for transport in Transport::both(&at("https://no-such-host.invalid/v1")) {
        let error = transport.log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
    }
}

/// Writes for as long as anybody reads.
fn without_end(head: impl Into<String>, piece: &'static [u8]) -> Peer {
    let head = head.into();
    Peer::acting(move |connection, _| {
        connection.write_all(head.as_bytes()).unwrap();
        while connection.write_all(piece).is_ok() {}
    })
}

#[test]
fn an_answer_without_end_is_refused_at_the_limit() {
    for peer in [
        without_end("HTTP/1.1 200 OK\r\n\r\n", &[b' '; 4096]),
        without_end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"4\r\n    \r\n"),
    ] {
        for result in log_in_at(&peer) {
            let error = result.unwrap_err();
            assert_eq!(error.failure(), Some(Failure::Oversized), "{error:?}");
            assert!(error.to_string().contains("longer than 262144 bytes"), "{error}");
        }
    }
}

#[test]
fn an_announced_length_over_the_limit_is_refused_unread() {
    // The peer announces and sends nothing more: whoever wants to read on would wait for the time-out.
    let peer = silent_after("HTTP/1.1 200 OK\r\ncontent-length: 262145\r\n\r\n");
    for result in log_in_at(&peer) {
        assert_eq!(result.unwrap_err().failure(), Some(Failure::Oversized));
    }
}

#[test]
fn a_gzip_bomb_is_refused_at_the_limit() {
    let bomb = gzip(&" ".repeat(100_000_000));
    let peer = Peer::acting(move |connection, _| {
        drop(connection.write_all(&response("200 OK", &["content-encoding: gzip"], &bomb)));
    });
    for result in log_in_at(&peer) {
        assert_eq!(result.unwrap_err().failure(), Some(Failure::Oversized));
    }
}

#[test]
fn the_limit_is_the_callers_to_set() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    for transport in Transport::both(&at(&peer.base_url())) {
        assert!(transport.with_max_response_bytes(LOGGED_IN.len()).log_in().is_ok());
    }
    for transport in Transport::both(&at(&peer.base_url())) {
        let error = transport.with_max_response_bytes(LOGGED_IN.len() - 1).log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Oversized));
    }
}

#[test]
fn a_client_serves_many_threads() {
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
