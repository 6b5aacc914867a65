//! Tests of the reqwest middleware: it adds the token for the environment's hosts, reports refusals, and sends no call
//! twice.

use std::time::Duration;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tradovate_auth::Penalty;
use tradovate_auth::reqwest::{TokenSource, http_client_builder};
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{LOGGED_IN, Peer, RUNTIME, at, await_that, credentials, response};

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
    TokenSource::new(at(&peer.base_url()), credentials()).unwrap()
}

/// A client as the documentation shows it.
fn client(tokens: &TokenSource) -> ClientWithMiddleware {
    let builder = http_client_builder().unwrap().redirect(reqwest::redirect::Policy::none());
    let http = builder.retry(reqwest::retry::never()).build().unwrap();
    ClientBuilder::new(http).with(tokens.middleware()).build()
}

/// A client that follows redirects.
fn following(tokens: &TokenSource) -> ClientWithMiddleware {
    ClientBuilder::new(http_client_builder().unwrap().build().unwrap()).with(tokens.middleware()).build()
}

/// The API calls that arrived.
fn calls(peer: &Peer) -> Vec<String> {
    peer.requests().into_iter().filter(|request| !request.contains("/auth/")).collect()
}

fn get(client: &ClientWithMiddleware, url: &str) -> reqwest_middleware::Result<reqwest::Response> {
    RUNTIME.block_on(client.get(url).send())
}

fn place_order(tokens: &TokenSource, client: &ClientWithMiddleware) -> reqwest_middleware::Result<reqwest::Response> {
    let url = tokens.url("/order/placeorder").unwrap().to_string();
    RUNTIME.block_on(client.post(url).body(r#"{"orderQty":1}"#).send())
}

#[test]
fn calls_to_the_environments_hosts_get_the_bearer_token() {
    let peer = peer(response("200 OK", &[], "{}"));
    let tokens = source(&peer);
    assert_eq!(place_order(&tokens, &client(&tokens)).unwrap().status(), 200);
    assert!(calls(&peer)[0].contains("authorization: Bearer canary-issued-token"), "{:?}", calls(&peer));
}

#[test]
fn calls_to_other_hosts_and_ports_carry_no_token() {
    let own = peer(response("200 OK", &[], "{}"));
    let stranger = peer(response("200 OK", &[], "{}"));
    let client = client(&source(&own));
    let port = own.address().port();
    for url in [stranger.base_url() + "/order/list", format!("http://localhost:{port}/v1/order/list")] {
        assert_eq!(get(&client, &url).unwrap().status(), 200);
    }
    // A call with another scheme fails at the TLS handshake.
    let other_scheme = client.get(format!("https://127.0.0.1:{port}/v1/order/list")).timeout(Duration::from_secs(1));
    assert!(RUNTIME.block_on(other_scheme.send()).is_err());
    for request in own.requests().iter().chain(&stranger.requests()) {
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[test]
fn an_authorization_header_of_the_caller_is_not_replaced() {
    let peer = peer(response("401 Unauthorized", &[], "Invalid access token"));
    let tokens = source(&peer);
    let url = tokens.url("/order/list").unwrap().to_string();
    let call = client(&tokens).get(url).header("Authorization", "Basic b3du");
    assert_eq!(RUNTIME.block_on(call.send()).unwrap().status(), 401);
    assert!(calls(&peer)[0].contains("Basic b3du"));
    assert_eq!(peer.requests().len(), 1, "no token was requested");
}

#[test]
fn the_middleware_sends_no_call_twice() {
    let redirect = |status| response(status, &["location: /v1/elsewhere"], "");
    for answer in [
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
    ] {
        let peer = peer(answer.clone());
        let tokens = source(&peer);
        drop(place_order(&tokens, &client(&tokens)));
        assert_eq!(calls(&peer).len(), 1, "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_refusal_is_returned_to_the_caller_unchanged() {
    let long = "x".repeat(200_000);
    for (status, body) in [("401 Unauthorized", "Invalid access token"), ("500 Oops", ""), ("400 Bad", &long)] {
        let peer = peer(response(status, &["content-type: text/plain; charset=utf-8"], body));
        let tokens = source(&peer);
        let answer = place_order(&tokens, &client(&tokens)).unwrap();
        assert_eq!(answer.status().as_str(), &status[..3]);
        assert_eq!(answer.url().as_str(), tokens.url("/order/placeorder").unwrap().to_string());
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(RUNTIME.block_on(answer.text()).unwrap(), body);
    }
}

#[test]
fn a_refusal_with_a_truncated_body_is_reported_and_returned_with_its_status() {
    let peer = peer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 99\r\n\r\nInvalid acc");
    let tokens = source(&peer);
    let answer = place_order(&tokens, &client(&tokens)).unwrap();
    assert_eq!(answer.status(), 401);
    assert!(RUNTIME.block_on(answer.text()).is_err());
    RUNTIME.block_on(tokens.token()).unwrap();
}

#[test]
fn a_penalty_in_a_200_is_returned_to_the_caller_and_not_repeated() {
    let peer = peer(response("200 OK", &[], r#"{"p-ticket":"canary-ticket","p-time":0}"#));
    let tokens = source(&peer);
    let answer = place_order(&tokens, &client(&tokens)).unwrap();
    let body = RUNTIME.block_on(answer.bytes()).unwrap();
    assert!(matches!(Penalty::in_body(&body), Some(Penalty::Wait(_))));
    assert_eq!(calls(&peer).len(), 1);
}

#[test]
fn the_middleware_reports_refusals_to_the_token_source() {
    let server = Simulator::builder().serve().unwrap();
    let tokens = TokenSource::new(server.environment(), server.credentials()).unwrap();
    let client = client(&tokens);
    let url = tokens.url("/account/list").unwrap().to_string();
    assert_eq!(get(&client, &url).unwrap().status(), 200);
    server.with(|simulator| {
        let refusal = http::Response::builder().status(401).body(b"Invalid access token".to_vec()).unwrap();
        simulator.answer_next(Endpoint::AccountList, refusal);
    });
    assert_eq!(get(&client, &url).unwrap().status(), 401);
    await_that(|| server.statistics().requests(Endpoint::RenewAccessToken) == 1);
    assert_eq!(server.statistics().requests(Endpoint::AccountList), 2);
}

#[test]
fn a_redirect_to_an_untrusted_host_carries_no_token_and_its_answer_does_not_affect_the_token() {
    let stranger = peer(response("401 Unauthorized", &[], "Invalid access token"));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/order/list", stranger.base_url());
        let peer = peer(response(status, &[&location], ""));
        let tokens = source(&peer);
        let held = RUNTIME.block_on(tokens.token()).unwrap();
        let answer = get(&following(&tokens), &tokens.url("/order/list").unwrap().to_string()).unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(RUNTIME.block_on(tokens.token()).unwrap().generation(), held.generation());
        assert_eq!(calls(&peer).len(), 1, "{status}");
    }
    assert_eq!(stranger.requests().len(), 5);
    for request in stranger.requests() {
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[test]
fn a_call_is_not_sent_if_there_is_no_token() {
    let peer = Peer::answering(response("423 Locked", &[], ""));
    let tokens = source(&peer);
    let error = place_order(&tokens, &client(&tokens)).unwrap_err();
    assert!(error.to_string().contains("no token for another"), "{error}");
    assert!(calls(&peer).is_empty());
    assert!(!format!("{error:?} {:?}", tokens.middleware()).contains("canary"));
}
