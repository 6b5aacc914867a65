//! Redirects: nothing arrives at another host, whatever the status, unless the vendor's own host is named over https.

use tradovate_auth::{CallError, Error};

use crate::support::{LOGGED_IN, Peer, Transport, at, response};

const REDIRECTS: [&str; 5] =
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];

/// Both transports call a peer that redirects to another; tells what came of it and what the other received.
fn redirected(status: &str, call: impl Fn(&Transport) -> CallError) -> Vec<CallError> {
    let stranger = Peer::answering(response("200 OK", &[], LOGGED_IN));
    let location = format!("location: {}/auth/accesstokenrequest", stranger.base_url());
    let peer = Peer::answering(response(status, &[&location], ""));
    let errors: Vec<CallError> = Transport::both(&at(&peer.base_url())).iter().map(call).collect();
    assert_eq!(peer.requests().len(), 2, "{status}: each transport asks once");
    assert!(stranger.requests().is_empty(), "{status}: {:?}", stranger.requests());
    errors
}

#[test]
fn a_log_in_is_not_carried_to_another_host() {
    for status in REDIRECTS {
        for error in redirected(status, |transport| transport.log_in().unwrap_err()) {
            assert!(matches!(error, CallError::Server(Error::Moved(_) | Error::Status { .. })), "{status}: {error:?}");
        }
    }
}

#[test]
fn a_token_is_not_carried_to_another_host() {
    for status in REDIRECTS {
        for error in redirected(status, |transport| transport.renew().unwrap_err()) {
            assert!(matches!(error, CallError::Server(Error::Moved(_) | Error::Status { .. })), "{status}: {error:?}");
        }
    }
}

#[test]
fn a_redirect_from_a_pinned_base_is_an_error_that_names_the_target() {
    let peer = Peer::answering(response(
        "307 Temporary Redirect",
        &["location: https://acme-demo.eval.ninjatrader.com/v1/auth/accesstokenrequest"],
        "",
    ));
    for transport in Transport::both(&at(&peer.base_url())) {
        let error = transport.log_in().unwrap_err();
        assert!(matches!(error, CallError::Server(Error::Moved(_))), "{error:?}");
        assert!(error.to_string().contains("acme-demo.eval.ninjatrader.com"), "{error}");
    }
}
