//! Real TLS on loopback: whom the transports trust, which host a call goes to, and a redirect between the vendor's
//! hosts.

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

#[test]
fn each_call_goes_to_the_host_of_its_environment() {
    let authority = Authority::new();
    let live = server(&authority, LIVE, response("200 OK", &[], LOGGED_IN));
    let demo = server(&authority, DEMO, response("200 OK", &[], LOGGED_IN));
    let hosts = [(LIVE, live.address()), (DEMO, demo.address())];
    for transport in authority.transports(&Environment::demo(), &hosts) {
        transport.log_in().unwrap();
        transport.renew().unwrap();
        transport.me().unwrap();
    }
    let paths = |peer: &Peer| -> Vec<String> {
        peer.requests().iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&demo), ["/v1/auth/accesstokenrequest", "/v1/auth/renewaccesstoken"].repeat(2));
    assert_eq!(paths(&live), ["/v1/auth/me"].repeat(2));
}

#[test]
fn a_redirect_to_a_host_of_the_vendor_carries_method_body_and_token() {
    let authority = Authority::new();
    let demo = server(&authority, DEMO, moved_to(ACME));
    let acme = server(&authority, ACME, response("200 OK", &[], LOGGED_IN));
    let hosts = [(DEMO, demo.address()), (ACME, acme.address())];
    for transport in authority.transports(&Environment::demo(), &hosts) {
        assert!(transport.log_in().is_ok(), "{}", transport.name());
        assert!(transport.renew().is_ok(), "{}", transport.name());
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
fn only_one_redirect_is_followed() {
    let authority = Authority::new();
    let demo = server(&authority, DEMO, moved_to(ACME));
    let acme = server(&authority, ACME, moved_to(DEMO));
    let hosts = [(DEMO, demo.address()), (ACME, acme.address())];
    for transport in authority.transports(&Environment::demo(), &hosts) {
        let error = transport.log_in().unwrap_err();
        assert!(matches!(&error, CallError::Server(Error::Moved(_))), "{error:?}");
    }
    assert_eq!((demo.requests().len(), acme.requests().len()), (2, 2));
}

#[test]
fn a_redirect_to_a_stranger_is_not_followed_even_over_tls() {
    let authority = Authority::new();
    let stranger = server(&authority, "evil.example", response("200 OK", &[], LOGGED_IN));
    let demo = server(&authority, DEMO, moved_to("evil.example"));
    let hosts = [(DEMO, demo.address()), ("evil.example", stranger.address())];
    for transport in authority.transports(&Environment::demo(), &hosts) {
        let error = transport.log_in().unwrap_err();
        assert!(error.to_string().contains("evil.example"), "{error}");
    }
    assert!(stranger.requests().is_empty());
}

fn assert_not_trusted(transports: &[Transport], cause: &str) {
    for transport in transports {
        let error = transport.log_in().unwrap_err();
        assert_eq!(error.failure(), Some(Failure::NotSent), "{}: {error:?}", transport.name());
        let text = error.to_string();
        assert!(text.contains(cause) && text.contains("check the host, the network, and the certificates"), "{text}");
    }
}

#[test]
fn an_untrusted_certificate_is_a_clear_error_and_nothing_is_sent() {
    let stranger = Authority::new();
    let demo = server(&stranger, DEMO, response("200 OK", &[], LOGGED_IN));
    let transports = Authority::new().transports(&Environment::demo(), &[(DEMO, demo.address())]);
    assert_not_trusted(&transports, "invalid peer certificate");
    assert_not_trusted(&Transport::both(&at(&demo.base_url().replace("http:", "https:"))), "certificate");
    assert!(demo.requests().is_empty());
}

#[test]
fn a_certificate_of_another_host_is_a_clear_error_and_nothing_is_sent() {
    let authority = Authority::new();
    let live = server(&authority, LIVE, response("200 OK", &[], LOGGED_IN));
    let transports = authority.transports(&Environment::demo(), &[(DEMO, live.address())]);
    assert_not_trusted(&transports, "not valid for name");
    assert!(live.requests().is_empty());
}

#[test]
fn an_expired_certificate_is_a_clear_error_and_nothing_is_sent() {
    let authority = Authority::new();
    let config = authority.server_until(&[DEMO], 2020);
    let answer = response("200 OK", &[], LOGGED_IN);
    let demo = Peer::encrypted(config, move |connection, _| drop(connection.write_all(&answer)));
    assert_not_trusted(&authority.transports(&Environment::demo(), &[(DEMO, demo.address())]), "expired");
    assert!(demo.requests().is_empty());
}

/// The start of a handshake by TLS 1.0: a `ServerHello` of that version, without extensions.
const OLD_HELLO: [u8; 47] = {
    let mut hello = [7; 47];
    // Record: handshake, TLS 1.0, 42 bytes. Message: ServerHello, 38 bytes, TLS 1.0.
    let head = [0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    let mut index = 0;
    while index < head.len() {
        hello[index] = head[index];
        index += 1;
    }
    // After 32 random bytes: no session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    (hello[43], hello[44], hello[45], hello[46]) = (0, 0, 0x2f, 0);
    hello
};

#[test]
fn a_server_of_an_old_protocol_gets_nothing_of_the_request() {
    assert_nothing_is_sent(&OLD_HELLO);
}

#[test]
fn a_server_that_speaks_no_tls_gets_nothing_of_the_request() {
    assert_nothing_is_sent(&response("200 OK", &[], LOGGED_IN));
}

/// To a server that begins with these bytes, whatever it is told.
fn assert_nothing_is_sent(begins: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let begins = begins.to_vec();
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
        assert_eq!(error.failure(), Some(Failure::NotSent), "{}: {error:?}", transport.name());
    }
    for received in server.join().unwrap() {
        assert!(!received.contains("canary"), "{received}");
    }
}

#[test]
fn a_host_that_is_not_found_was_sent_nothing_by_any_call() {
    let [ureq, _] = Authority::new().transports(&Environment::demo(), &[]);
    for error in [ureq.log_in().unwrap_err(), ureq.renew().unwrap_err()] {
        assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
    }
}
