//! Tests of redirects: no request goes to another host, unless it is a host of the vendor over https.

use tradovate_auth::{CallError, Error};

use crate::support::{LOGGED_IN, Peer, Transport, at, response};

const REDIRECTS: [&str; 5] =
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];

/// Asserts that both calls of both transports send one request and return an error that names the redirect's target.
fn assert_not_followed(status: &str, base: &str, host: &str) {
    let location = format!("location: {base}/auth/accesstokenrequest");
    let peer = Peer::answering(response(status, &[&location], ""));
    for transport in Transport::both(&at(&peer.base_url())) {
        for error in [transport.log_in().unwrap_err(), transport.renew().unwrap_err()] {
            let is_told = match &error {
                CallError::Server(Error::Moved(_)) => error.to_string().contains(host),
                CallError::Server(Error::Status { .. }) => true,
                _ => false,
            };
            assert!(is_told, "{status}: {error:?}");
        }
    }
    assert_eq!(peer.requests().len(), 4, "{status}: each transport sends each call once");
}

//= R-HOST-11
#[test]
fn no_redirect_sends_a_login_or_a_token_to_another_host() {
    for status in REDIRECTS {
        let stranger = Peer::answering(response("200 OK", &[], LOGGED_IN));
        assert_not_followed(status, &stranger.base_url(), "127.0.0.1");
        assert!(stranger.requests().is_empty(), "{status}: {:?}", stranger.requests());
    }
}

#[test]
fn a_redirect_from_a_pinned_base_is_an_error_that_names_the_target() {
    let host = "acme-demo.eval.ninjatrader.com";
    assert_not_followed("307 Temporary Redirect", &format!("https://{host}/v1"), host);
}
