//! Proxies: nothing of a plain http call, which is for this machine only, reaches the proxy of the environment.

use std::process::Command;

use crate::support::{LOGGED_IN, Peer, response};

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
