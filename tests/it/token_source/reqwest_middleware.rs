//! The middleware of reqwest: the bearer for the environment's own hosts, refusals reported, and nothing sent twice.

use std::time::Duration;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tradovate_auth::Penalty;
use tradovate_auth::reqwest::{TokenSource, http_client_builder};
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{LOGGED_IN, Peer, RUNTIME, at, await_that, credentials, response};

/// A peer that logs in whoever asks, renews nothing, and answers other calls like this.
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

/// A client as the documentation builds it.
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
fn calls_to_the_environment_get_the_bearer() {
    let peer = peer(response("200 OK", &[], "{}"));
    let tokens = source(&peer);
    assert_eq!(place_order(&tokens, &client(&tokens)).unwrap().status(), 200);
    assert!(calls(&peer)[0].contains("authorization: Bearer canary-issued-token"), "{:?}", calls(&peer));
}

#[test]
fn other_hosts_and_ports_get_none_and_ask_for_none() {
    let own = peer(response("200 OK", &[], "{}"));
    let stranger = peer(response("200 OK", &[], "{}"));
    let client = client(&source(&own));
    let port = own.address().port();
    for url in [stranger.base_url() + "/order/list", format!("http://localhost:{port}/v1/order/list")] {
        assert_eq!(get(&client, &url).unwrap().status(), 200);
    }
    // Another scheme gets no further than the handshake.
    let other_scheme = client.get(format!("https://127.0.0.1:{port}/v1/order/list")).timeout(Duration::from_secs(1));
    assert!(RUNTIME.block_on(other_scheme.send()).is_err());
    for request in own.requests().iter().chain(&stranger.requests()) {
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[test]
fn an_authorization_of_the_callers_is_left_alone() {
    let peer = peer(response("401 Unauthorized", &[], "Invalid access token"));
    let tokens = source(&peer);
    let url = tokens.url("/order/list").unwrap().to_string();
    let call = client(&tokens).get(url).header("Authorization", "Basic b3du");
    assert_eq!(RUNTIME.block_on(call.send()).unwrap().status(), 401);
    assert!(calls(&peer)[0].contains("Basic b3du"));
    assert_eq!(peer.requests().len(), 1, "no token was asked for");
}

#[test]
fn nothing_is_sent_twice() {
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
fn a_refusal_reaches_the_caller_as_it_came() {
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
fn a_refusal_whose_body_breaks_off_is_reported_and_reaches_the_caller_with_its_status() {
    let peer = peer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 99\r\n\r\nInvalid acc");
    let tokens = source(&peer);
    let answer = place_order(&tokens, &client(&tokens)).unwrap();
    assert_eq!(answer.status(), 401);
    assert!(RUNTIME.block_on(answer.text()).is_err());
    RUNTIME.block_on(tokens.token()).unwrap();
}

#[test]
fn a_penalty_in_a_200_reaches_the_caller_and_is_not_sent_again() {
    let peer = peer(response("200 OK", &[], r#"{"p-ticket":"canary-ticket","p-time":0}"#));
    let tokens = source(&peer);
    let answer = place_order(&tokens, &client(&tokens)).unwrap();
    let body = RUNTIME.block_on(answer.bytes()).unwrap();
    assert!(matches!(Penalty::in_body(&body), Some(Penalty::Wait(_))));
    assert_eq!(calls(&peer).len(), 1);
}

#[test]
fn refusals_are_reported() {
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
fn a_redirect_to_a_stranger_carries_no_bearer_and_its_answer_says_nothing_about_the_token() {
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
fn a_call_without_a_token_is_not_sent() {
    let peer = Peer::answering(response("423 Locked", &[], ""));
    let tokens = source(&peer);
    let error = place_order(&tokens, &client(&tokens)).unwrap_err();
    assert!(error.to_string().contains("no token for another"), "{error}");
    assert!(calls(&peer).is_empty());
    assert!(!format!("{error:?} {:?}", tokens.middleware()).contains("canary"));
}
