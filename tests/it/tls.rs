//! Tests of TLS on loopback: which servers the transports trust, which host a call goes to, and redirects between the
//! vendor's hosts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use tradovate_auth::{CallError, Environment, Error, Failure};

use crate::support::tls::Authority;
use crate::support::{LOGGED_IN, Peer, Transport, at, response};

const DEMO: &str = "demo.tradovateapi.com";
const LIVE: &str = "live.tradovateapi.com";
const ACME: &str = "acme-demo.eval.ninjatrader.com";

/// A server for one host that answers each request with these bytes.
fn server(authority: &Authority, host: &str, answer: Vec<u8>) -> Peer {
    Peer::encrypted(authority.server(&[host]), move |connection, _| drop(connection.write_all(&answer)))
}

fn moved_to(host: &str) -> Vec<u8> {
    let location = format!("location: https://{host}/v1/auth/accesstokenrequest");
    response("307 Temporary Redirect", &[&location], "")
}

//= R-HOST-9
#[test]
fn a_redirect_to_a_vendors_host_repeats_method_body_and_token() {
    let authority = Authority::new();
    let demo = server(&authority, DEMO, moved_to(ACME));
    let acme = server(&authority, ACME, response("200 OK", &[], LOGGED_IN));
    let hosts = [(DEMO, demo.address()), (ACME, acme.address())];
    for transport in authority.transports(&Environment::demo(), &hosts) {
        assert!(transport.log_in().is_ok(), "{transport:?}");
        assert!(transport.renew().is_ok(), "{transport:?}");
    }
    let (asked, carried) = (demo.requests(), acme.requests());
    assert_eq!((asked.len(), carried.len()), (4, 4));
    for (asked, carried) in asked.iter().zip(&carried) {
        assert_eq!(&asked.replace(DEMO, ACME), carried);
    }
    assert!(carried[0].starts_with("POST /v1/auth/accesstokenrequest ") && carried[0].contains("canary-password"));
    assert!(carried[1].contains("authorization: Bearer canary-access-token"));
}

#[test]
fn a_second_redirect_and_a_redirect_to_an_untrusted_host_are_not_followed() {
    let authority = Authority::new();
    for (host, followed) in [(ACME, 2), ("evil.example", 0)] {
        let demo = server(&authority, DEMO, moved_to(host));
        let other = server(&authority, host, moved_to(DEMO));
        let hosts = [(DEMO, demo.address()), (host, other.address())];
        for transport in authority.transports(&Environment::demo(), &hosts) {
            let error = transport.log_in().unwrap_err();
            assert!(matches!(&error, CallError::Server(Error::Moved(_))), "{error:?}");
            assert!(followed > 0 || error.to_string().contains(host), "{error}");
        }
        assert_eq!((demo.requests().len(), other.requests().len()), (2, followed));
    }
}

fn assert_not_trusted(transports: &[Transport], cause: &str) {
    for transport in transports {
        let error = transport.log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::NotSent), "{transport:?}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(cause) && text.contains("check the host, the network, and the certificates"), "{text}");
    }
}

#[test]
fn an_invalid_certificate_is_a_clear_error_and_nothing_is_sent() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    for (config, cause) in [
        (stranger.server(&[DEMO]), "invalid peer certificate"),
        (trusted.server(&[LIVE]), "not valid for name"),
        (trusted.server_until(&[DEMO], 2020), "expired"),
    ] {
        let demo = Peer::encrypted(config, |_, _| ());
        let transports = trusted.transports(&Environment::demo(), &[(DEMO, demo.address())]);
        assert_not_trusted(&transports, cause);
        assert_not_trusted(&Transport::both(&at(&demo.base_url().replace("http:", "https:"))), "certificate");
        assert!(demo.requests().is_empty());
    }
}

/// The start of a TLS 1.0 handshake: a `ServerHello` of that version, without extensions.
fn old_hello() -> Vec<u8> {
    // Record: handshake, TLS 1.0, 42 bytes. Message: ServerHello, 38 bytes, TLS 1.0.
    let head = [0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    // After 32 random bytes: no session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    [&head[..], &[7; 32], &[0, 0, 0x2f, 0]].concat()
}

#[test]
fn a_server_with_an_old_tls_version_or_without_tls_receives_nothing_of_the_request() {
    for begins in [old_hello(), response("200 OK", &[], LOGGED_IN)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            [(); 2].map(|()| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&begins).unwrap();
                let mut received = Vec::new();
                drop(stream.read_to_end(&mut received));
                String::from_utf8_lossy(&received).into_owned()
            })
        });
        for transport in Authority::new().transports(&Environment::demo(), &[(DEMO, address)]) {
            let error = transport.log_in().unwrap_err();
            assert_eq!(error.failure(), Some(Failure::NotSent), "{transport:?}: {error:?}");
        }
        for received in server.join().unwrap() {
            assert!(!received.contains("canary"), "{received}");
        }
    }
}

#[test]
fn an_unresolvable_host_is_reported_as_not_sent_by_every_call() {
    let [ureq, _] = Authority::new().transports(&Environment::demo(), &[]);
    for error in [ureq.log_in().unwrap_err(), ureq.renew().unwrap_err()] {
        assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
    }
}
