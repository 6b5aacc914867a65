//! Tests of proxies. Plain http calls, which stay on this machine, don't use the proxy of the environment. An https
//! call uses a tunnel through the proxy and trusts the certificates of its client.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use reqwest::{ClientBuilder, Proxy};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tradovate_auth::reqwest::{Client, http_client_builder};
use tradovate_auth::{CallError, Environment, Failure};

use crate::support::peer::read_request;
use crate::support::tls::Authority;
use crate::support::{LOGGED_IN, Peer, Transport, response};

const DEMO: &str = "demo.tradovateapi.com";

/// Logs in with both transports in a process whose environment has this proxy, in upper and lower case.
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
fn a_call_to_loopback_does_not_use_the_proxy() {
    let proxy = Peer::answering(response("502 Bad Gateway", &[], ""));
    let server = Peer::answering(response("200 OK", &[], LOGGED_IN));
    assert_eq!(log_in_behind(&proxy, &server.base_url()), "ureq: logged in\nreqwest: logged in\n");
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

#[test]
fn an_https_call_uses_a_proxy_tunnel_that_sees_no_secret() {
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

/// Logs in on Demo through a proxy whose tunnel leads to a server with this configuration. Returns what the proxy was
/// asked. The server gets a request only if the client trusts it.
fn log_in_through_a_tunnel(
    config: Arc<ServerConfig>,
    builder: ClientBuilder,
    is_trusted: bool,
) -> Result<(), CallError> {
    let proxy = Peer::acting(move |connection, asked| {
        assert!(asked.starts_with("CONNECT demo.tradovateapi.com:443 ") && !asked.contains("canary"), "{asked}");
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), connection);
        assert_eq!(read_request(&mut stream).is_some(), is_trusted);
        drop(stream.write_all(&response("200 OK", &[], LOGGED_IN)));
        stream.conn.send_close_notify();
        drop(stream.flush());
    });
    let builder = builder.proxy(Proxy::https(format!("http://{}", proxy.address())).unwrap());
    let client = Transport::Reqwest(Client::with_builder(Environment::demo(), builder).unwrap());
    let outcome = client.log_in().map(drop);
    assert_eq!(proxy.requests().len(), 1);
    outcome
}

#[test]
fn the_callers_client_builder_can_set_a_proxy_and_root_certificates() {
    let authority = Authority::new();
    let certificate = || reqwest::Certificate::from_der(authority.der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for builder in [
        ClientBuilder::new().tls_certs_only([certificate()]),
        ClientBuilder::new().tls_certs_merge([certificate()]),
        ClientBuilder::new().tls_backend_preconfigured(config),
    ] {
        let outcome = log_in_through_a_tunnel(authority.server(&[DEMO]), builder, true);
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}

#[test]
fn the_default_client_does_not_trust_an_intercepting_proxy() {
    let proxy = Authority::new().server(&[DEMO]);
    let error = log_in_through_a_tunnel(proxy, http_client_builder().unwrap(), false).unwrap_err();
    assert_eq!(error.failure(), Some(Failure::NotSent), "{error:?}");
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}
