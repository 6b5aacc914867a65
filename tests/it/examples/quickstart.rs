//! What the quickstarts do with a call, a proxy and the variable of logs.

use tradovate_auth_simulator::{ApiAccess, Endpoint, Side};

use super::{QUICKSTARTS, failure, run, run_at, server, stdout, variables};
use crate::support::{LOGGED_IN, Peer, response};

#[test]
fn they_call_the_api_with_the_token_of_one_login() {
    for name in QUICKSTARTS {
        let server = server(Side::Live);
        let output = run_at(&server, name);
        assert!(stdout(&output).contains("/account/list was answered 200 OK"), "{output:?}");
        assert_eq!((server.statistics().logins, server.statistics().requests(Endpoint::AccountList)), (1, 1));
    }
}

#[test]
fn a_call_that_is_refused_ends_them_with_the_verdict_and_without_another_login() {
    for name in QUICKSTARTS {
        let server = server(Side::Live);
        server.with(|simulator| simulator.user_mut("trader").unwrap().api_access = ApiAccess::Denied);
        let output = run_at(&server, name);
        assert_eq!(failure(&output), "/account/list was answered 401 Unauthorized: BeingChecked");
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn the_body_of_a_401_tells_a_dead_token_from_a_forbidden_call() {
    let peer = Peer::acting(|connection, request| {
        let answer = match request.split(' ').nth(1) {
            Some("/v1/account/list") => response("401 Unauthorized", &[], "Expired Access Token"),
            _ => response("200 OK", &[], LOGGED_IN),
        };
        connection.write_all(&answer).unwrap();
    });
    for name in QUICKSTARTS {
        let output = run(name, variables(&peer.base_url()));
        assert_eq!(failure(&output), "/account/list was answered 401 Unauthorized: Dead");
    }
}

#[test]
fn a_proxy_of_the_system_does_not_keep_them_from_the_simulator() {
    for name in QUICKSTARTS {
        let output = run(name, [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn rust_log_shows_the_logs_of_this_library_and_no_others() {
    for name in QUICKSTARTS {
        let log = |levels| {
            let output = run(name, [("RUST_LOG", levels)]);
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        for levels in ["debug", "trace", "warn,tradovate_auth=debug"] {
            assert!(log(levels).contains("tradovate_auth{endpoint="), "{levels}");
        }
        assert!(log("trace").lines().all(|line| line.contains(" tradovate_auth")), "{}", log("trace"));
        for levels in ["", "warn", "ureq=trace,hyper=trace,reqwest=trace"] {
            assert_eq!(log(levels), "", "{levels}");
        }
    }
}

#[test]
fn a_malformed_rust_log_stops_nobody() {
    for name in QUICKSTARTS {
        for levels in ["=", "a=b=c", "tradovate_auth=loud", ",,[", "[{}]=5=", "\u{7f}"] {
            let output = run(name, [("RUST_LOG", levels)]);
            assert!(output.status.success(), "{levels}: {output:?}");
            assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{levels}: {output:?}");
        }
    }
}
