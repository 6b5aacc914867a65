//! Proxies: nothing of a plain http call, which is for this machine only, reaches the proxy of the environment. An https
//! call passes a proxy by a tunnel, and trusts the certificates that its client was given.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use reqwest::{ClientBuilder, Proxy};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tradovate_auth::reqwest::{Client, http_client_builder};
use tradovate_auth::{Environment, Failure};

use crate::support::tls::Authority;
use crate::support::{LOGGED_IN, Peer, Transport, response};

const DEMO: &str = "demo.tradovateapi.com";

/// Logs in by both transports from a process whose environment has this proxy, in both spellings.
fn log_in_behind(proxy: &Peer, base_url: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_login"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, format!("http://{}", proxy.address()));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    for name in ["APP_ID", "APP_VERSION", "CID", "SEC", "DEVICE_ID"] {
        command.env(format!("TRADOVATE_{name}"), "");
    }
    command.env("TRADOVATE_API_URL", base_url);
    command.env("TRADOVATE_USERNAME", "trader").env("TRADOVATE_PASSWORD", "canary-password");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_call_on_this_machine_does_not_reach_the_proxy() {
    let proxy = Peer::answering(response("502 Bad Gateway", &[], ""));
    let server = Peer::answering(response("200 OK", &[], LOGGED_IN));
    assert_eq!(log_in_behind(&proxy, &server.base_url()), "ureq: logged in\nreqwest: logged in\n");
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

#[test]
fn an_https_call_asks_the_proxy_for_a_tunnel_and_shows_it_no_secret() {
    let proxy = Peer::answering(response("502 Bad Gateway", &[], ""));
    let outcome = log_in_behind(&proxy, "https://demo.tradovateapi.com/v1");
    assert_eq!(outcome.matches("nothing was sent to demo.tradovateapi.com").count(), 2, "{outcome}");
    let requests = proxy.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    for request in requests {
        assert!(request.starts_with("CONNECT demo.tradovateapi.com:443 "), "{request}");
        assert!(!request.contains("canary"), "{request}");
    }
}

/// A proxy for one connection, which it passes on to this address, and the request for it.
fn tunnel(to: SocketAddr) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let tunnel = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let answers = thread::spawn(move || {
            // A client that has read its answer may close before all is passed on.
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let _ = io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Write);
        answers.join().unwrap();
        String::from_utf8(request).unwrap()
    });
    (proxy, tunnel)
}

/// Logs in on Demo through a proxy that brings each connection to this server, and returns what the proxy was asked.
fn log_in_through_a_tunnel(server: &Peer, builder: ClientBuilder) -> (Result<(), tradovate_auth::CallError>, String) {
    let (proxy, tunnel) = tunnel(server.address());
    let builder = builder.proxy(Proxy::https(proxy).unwrap());
    let client = Transport::Reqwest(Client::with_builder(Environment::demo(), builder).unwrap());
    let outcome = client.log_in().map(drop);
    (outcome, tunnel.join().unwrap())
}

#[test]
fn a_builder_of_the_callers_brings_its_proxy_and_its_root_certificates() {
    let authority = Authority::new();
    let answer = response("200 OK", &[], LOGGED_IN);
    let server = Peer::encrypted(authority.server(&[DEMO]), move |connection, _| drop(connection.write_all(&answer)));
    let certificate = || reqwest::Certificate::from_der(authority.der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builders = [
        ClientBuilder::new().tls_certs_only([certificate()]),
        ClientBuilder::new().tls_certs_merge([certificate()]),
        ClientBuilder::new().tls_backend_preconfigured(config),
    ];
    for builder in builders {
        let (outcome, asked) = log_in_through_a_tunnel(&server, builder);
        assert!(outcome.is_ok(), "{outcome:?}");
        assert!(asked.starts_with("CONNECT demo.tradovateapi.com:443 ") && !asked.contains("canary"), "{asked}");
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_builder_of_the_library_does_not_trust_a_proxy_that_reads_along() {
    let authority = Authority::new();
    let proxy = Peer::encrypted(authority.server(&[DEMO]), |_, _| ());
    let (outcome, _) = log_in_through_a_tunnel(&proxy, http_client_builder().unwrap());
    let error = outcome.unwrap_err();
    assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    assert!(proxy.requests().is_empty());
}
