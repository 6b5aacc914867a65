//! Tests of the requests that arrive at a server, byte for byte.

use tradovate_auth::{
    AccessTokenResponse, BuildError, CallError, Endpoint, Environment, Error, Purpose, RenewAccessToken, Reply,
    RequestBody,
};

use crate::support::{LOGGED_IN, Peer, Transport, at, response, token};

/// The only request that arrived: its request line, its headers in alphabetical order, and its body.
fn arrived(peer: &Peer) -> String {
    let requests = peer.requests();
    let [request] = requests.as_slice() else { panic!("{} requests arrived", requests.len()) };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    lines[1..].sort();
    format!("{}\n\n{body}", lines.join("\n"))
        .replace(&peer.address().to_string(), "HOST")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

fn each(call: impl Fn(&Transport)) -> [String; 2] {
    [0, 1].map(|index| {
        let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
        call(&Transport::both(&at(&peer.base_url()))[index]);
        arrived(&peer)
    })
}

#[test]
fn a_login_is_one_post_with_a_json_body() {
    let [ureq, reqwest] = each(|transport| drop(transport.log_in().unwrap()));
    insta::assert_snapshot!(ureq, @r#"
    POST /v1/auth/accesstokenrequest HTTP/1.1
    accept-encoding: gzip
    accept: application/json
    content-length: 140
    content-type: application/json
    host: HOST
    user-agent: tradovate-auth/VERSION

    {"name":"trader","password":"canary-password","appId":"Sample App","appVersion":"1.0","deviceId":"device","cid":8,"sec":"canary-api-secret"}
    "#);
    assert_eq!(reqwest, ureq);
}

#[test]
fn a_renewal_is_a_get_without_a_body_and_content_headers() {
    let [ureq, reqwest] = each(|transport| drop(transport.renew().unwrap()));
    insta::assert_snapshot!(ureq, @"
    GET /v1/auth/renewaccesstoken HTTP/1.1
    accept-encoding: gzip
    accept: application/json
    authorization: Bearer canary-access-token
    host: HOST
    user-agent: tradovate-auth/VERSION
    ");
    assert_eq!(reqwest, ureq);
}

/// An endpoint defined by the caller, with the response of a login. Without a path, its URL is at an untrusted host.
struct Own(Option<&'static str>);

impl Endpoint for Own {
    type Response = AccessTokenResponse;

    const NAME: &'static str = "own";

    fn request(&self, environment: &Environment) -> Result<http::Request<RequestBody>, BuildError> {
        let mut request = http::Request::new(RequestBody::new(br#"{"password":"canary-password"}"#.to_vec()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = match self.0 {
            Some(path) => environment.url(Purpose::Login, path)?.as_uri().clone(),
            None => http::Uri::from_static("http://evil.example/v1"),
        };
        request.headers_mut().insert("authorization", token().header());
        Ok(request)
    }

    fn parse<B: AsRef<[u8]>>(response: http::Response<B>) -> Result<Reply<AccessTokenResponse>, Error> {
        RenewAccessToken::parse(response)
    }
}

#[test]
fn a_client_can_call_an_endpoint_that_the_caller_defined() {
    let modify_password = Own(Some("/user/modifypassword"));
    let [ureq, reqwest] = each(|transport| drop(transport.call(&modify_password).unwrap().grant().unwrap()));
    assert!(ureq.starts_with("POST /v1/user/modifypassword HTTP/1.1\n"), "{ureq}");
    assert_eq!(reqwest, ureq);
}

//= R-HOST-13
#[test]
fn plain_http_to_another_machine_is_refused() {
    for environment in [Environment::live(), at("http://127.0.0.1:1/v1")] {
        for transport in Transport::both(&environment) {
            let error = transport.call(&Own(None)).unwrap_err();
            assert!(matches!(error, CallError::Build(BuildError::PlainHttp { .. })), "{error:?}");
        }
    }
}

#[test]
fn plain_http_to_loopback_works_even_with_an_https_only_client() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    let environment = at(&peer.base_url());
    let agent = ureq::Agent::config_builder().https_only(true).build().new_agent();
    let builder = reqwest::ClientBuilder::new().https_only(true);
    let transports = [
        Transport::Ureq(tradovate_auth::ureq::Client::new(environment.clone()).with_agent(agent)),
        Transport::Reqwest(tradovate_auth::reqwest::Client::with_builder(environment, builder).unwrap()),
    ];
    for transport in transports {
        assert!(transport.log_in().is_ok(), "{transport:?}");
    }
}
