//! Tests of the ureq middleware: it adds the token for the environment's hosts, reports refusals, and sends no call
//! twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tradovate_auth::Penalty;
use tradovate_auth::ureq::TokenSource;
use tradovate_auth_simulator::{Endpoint, Simulator};
use ureq::Agent;

use crate::support::{LOGGED_IN, Peer, at, await_that, credentials, response};

const BEARER: &str = "authorization: Bearer canary-issued-token";

/// A peer that accepts logins, refuses renewals, and gives this answer to other calls.
fn peer(answer: impl Into<Vec<u8>>) -> Peer {
    let answer = answer.into();
    Peer::acting(move |connection, request| {
        let logged_in = response("200 OK", &[], LOGGED_IN);
        let renewed = response("503 Busy", &[], "");
        drop(connection.write_all(match request {
            renewal if renewal.contains("/renewaccesstoken") => &renewed,
            login if login.contains("/auth/") => &logged_in,
            _ => &answer,
        }));
    })
}

fn source(peer: &Peer) -> TokenSource {
    TokenSource::new(at(&peer.base_url()), credentials())
}

fn agent(tokens: &TokenSource) -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).middleware(tokens.middleware());
    config.build().new_agent()
}

/// The API calls that arrived.
fn calls(peer: &Peer) -> Vec<String> {
    peer.requests().into_iter().filter(|request| !request.contains("/auth/")).collect()
}

fn place_order(tokens: &TokenSource, agent: &Agent) -> Result<http::Response<ureq::Body>, ureq::Error> {
    agent.post(tokens.url("/order/placeorder").unwrap().as_uri()).send(r#"{"orderQty":1}"#)
}

#[test]
fn calls_to_the_environments_hosts_get_the_bearer_token() {
    let peer = peer(response("200 OK", &[], "{}"));
    let tokens = source(&peer);
    assert_eq!(place_order(&tokens, &agent(&tokens)).unwrap().status(), 200);
    assert!(calls(&peer)[0].to_lowercase().contains(&BEARER.to_lowercase()), "{:?}", calls(&peer));
}

#[test]
fn calls_to_other_hosts_and_ports_carry_no_token() {
    let own = peer(response("200 OK", &[], "{}"));
    let stranger = peer(response("200 OK", &[], "{}"));
    let agent = agent(&source(&own));
    let port = own.address().port();
    let others = [stranger.base_url() + "/order/list", format!("http://localhost:{port}/v1/order/list")];
    for url in others {
        assert_eq!(agent.get(&url).call().unwrap().status(), 200);
    }
    // A call with another scheme fails at the TLS handshake.
    let other_scheme = agent.get(format!("https://127.0.0.1:{port}/v1/order/list"));
    assert!(other_scheme.config().timeout_global(Some(Duration::from_secs(1))).build().call().is_err());
    for request in own.requests().iter().chain(&stranger.requests()) {
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
    }
}

#[test]
fn an_authorization_header_of_the_caller_is_not_replaced() {
    let peer = peer(response("401 Unauthorized", &[], "Invalid access token"));
    let tokens = source(&peer);
    let url = tokens.url("/order/list").unwrap();
    agent(&tokens).get(url.as_uri()).header("Authorization", "Basic b3du").call().unwrap();
    assert!(calls(&peer)[0].contains("Basic b3du"));
    assert_eq!(peer.requests().len(), 1, "no token was requested");
}

#[test]
fn the_middleware_sends_no_call_twice() {
    let redirect = |status| response(status, &["location: /v1/elsewhere"], "");
    let answers = [
        response("401 Unauthorized", &[], "Expired Access Token"),
        response("401 Unauthorized", &[], ""),
        response("408 Request Timeout", &[], ""),
        response("429 Too Many Requests", &[], ""),
        response("500 Oops", &[], ""),
        response("503 Busy", &["retry-after: 0"], ""),
        redirect("307 Temporary Redirect"),
        redirect("308 Permanent Redirect"),
        Vec::new(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
    ];
    for answer in answers {
        for as_error in [true, false] {
            let peer = peer(answer.clone());
            let tokens = source(&peer);
            let config = Agent::config_builder().http_status_as_error(as_error).middleware(tokens.middleware());
            drop(place_order(&tokens, &config.build().new_agent()));
            assert_eq!(calls(&peer).len(), 1, "{}", String::from_utf8_lossy(&answer));
        }
    }
}

#[test]
fn no_call_is_sent_twice_after_an_idle_connection_was_closed() {
    let placed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&placed);
    // The peer announces that it keeps the connection, and then closes it.
    let peer = Peer::acting(move |connection, request| {
        if request.contains("/order/placeorder") {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", LOGGED_IN.len());
        drop(connection.write_all(format!("{head}{LOGGED_IN}").as_bytes()));
    });
    let tokens = source(&peer);
    let agent = agent(&tokens);
    for sent in 1..=3 {
        drop(place_order(&tokens, &agent).map(|mut response| response.body_mut().read_to_string()));
        assert!(placed.load(Ordering::SeqCst) <= sent);
    }
}

#[test]
fn the_caller_can_still_read_the_body_of_a_refusal() {
    let long = "x".repeat(200_000);
    for (status, body) in [("401 Unauthorized", "Invalid access token"), ("500 Oops", ""), ("400 Bad", &long)] {
        let peer = peer(response(status, &["content-type: text/plain; charset=iso-8859-1"], body));
        let tokens = source(&peer);
        let mut answer = place_order(&tokens, &agent(&tokens)).unwrap();
        assert_eq!(answer.status().as_str(), &status[..3]);
        assert_eq!(answer.body().charset(), Some("iso-8859-1"));
        assert_eq!(answer.body_mut().read_to_string().unwrap(), body);
    }
}

#[test]
fn a_refusal_with_a_truncated_body_is_reported_and_returned_with_its_status() {
    let peer = peer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 99\r\n\r\nInvalid acc");
    let tokens = source(&peer);
    let mut answer = place_order(&tokens, &agent(&tokens)).unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.body_mut().read_to_string().is_err());
    tokens.token().unwrap();
}

#[test]
fn a_penalty_in_a_200_is_returned_to_the_caller_and_not_repeated() {
    let postponed = r#"{"p-ticket":"canary-ticket","p-time":0}"#;
    let peer = peer(response("200 OK", &[], postponed));
    let tokens = source(&peer);
    let mut answer = place_order(&tokens, &agent(&tokens)).unwrap();
    let body = answer.body_mut().read_to_vec().unwrap();
    let Some(Penalty::Wait(ticket)) = Penalty::in_body(&body) else { panic!("the answer looks like a success") };
    assert_eq!(ticket.expose(), "canary-ticket");
    assert_eq!(calls(&peer).len(), 1);
}

#[test]
fn the_middleware_reports_refusals_to_the_token_source() {
    for as_error in [true, false] {
        let server = Simulator::builder().serve().unwrap();
        let tokens = TokenSource::new(server.environment(), server.credentials());
        let config = Agent::config_builder().http_status_as_error(as_error).middleware(tokens.middleware());
        let agent = config.build().new_agent();
        let list = || agent.get(tokens.url("/account/list").unwrap().as_uri()).call();
        assert!(list().is_ok());
        server.with(|simulator| {
            let refusal = http::Response::builder().status(401).body(b"Invalid access token".to_vec()).unwrap();
            simulator.answer_next(Endpoint::AccountList, refusal);
        });
        drop(list());
        let _keeper = tokens.keep_alive().unwrap();
        await_that(|| server.statistics().requests(Endpoint::RenewAccessToken) == 1);
    }
}

#[test]
fn a_redirect_to_an_untrusted_host_carries_no_token_and_its_answer_does_not_affect_the_token() {
    let stranger = peer(response("401 Unauthorized", &[], "Invalid access token"));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/order/list", stranger.base_url());
        let peer = peer(response(status, &[&location], ""));
        let tokens = source(&peer);
        let held = tokens.token().unwrap();
        let answer = agent(&tokens).get(tokens.url("/order/list").unwrap().as_uri()).call().unwrap();
        assert_eq!(answer.status(), 401);
        // The token is still valid, although a renewal reads the hosts again.
        assert_eq!(tokens.token().unwrap().generation(), held.generation());
        assert_eq!(calls(&peer).len(), 1, "{status}");
    }
    for request in stranger.requests() {
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
    }
}

#[test]
fn a_call_is_not_sent_if_there_is_no_token() {
    let peer = Peer::answering(response("423 Locked", &[], ""));
    let tokens = source(&peer);
    let error = place_order(&tokens, &agent(&tokens)).unwrap_err();
    assert!(error.to_string().contains("no token for another"), "{error}");
    assert!(calls(&peer).is_empty());
    assert!(!format!("{error:?} {:?}", tokens.middleware()).contains("canary"));
}
