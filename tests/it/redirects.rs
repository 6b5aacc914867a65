//! Redirects: nothing arrives at another host, whatever the status, unless the vendor's own host is named over https.

use tradovate_auth::{CallError, Error};

use crate::support::{LOGGED_IN, Peer, Transport, at, response};

const REDIRECTS: [&str; 5] =
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];

/// Answers both calls of both transports with a redirect: each asks once and says where the redirect leads.
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
    assert_eq!(peer.requests().len(), 4, "{status}: each transport asks once");
}

//= R-HOST-11
#[test]
fn neither_a_log_in_nor_a_token_is_carried_to_another_host() {
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
