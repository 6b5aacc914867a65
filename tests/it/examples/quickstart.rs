//! Tests of the quickstart examples: API calls, logs, and variables.

use tradovate_auth_simulator::{ApiAccess, Endpoint, Side};

use super::{QUICKSTARTS, failure, failures, run, server, stdout_of, variables};
use crate::support::{LOGGED_IN, Peer, response};

#[test]
fn the_quickstarts_call_the_api_with_one_login_and_print_the_verdict_on_a_refusal() {
    for name in QUICKSTARTS {
        let server = server(Side::Live);
        let printed = stdout_of(name, &[], variables(&server.base_url()));
        assert!(printed.contains("the server answered /account/list with 200 OK"), "{printed}");
        assert_eq!((server.statistics().logins, server.statistics().requests(Endpoint::AccountList)), (1, 1));
        server.with(|simulator| simulator.user_mut("trader").unwrap().api_access = ApiAccess::Denied);
        let [_, sentence] = failures(name, &[], &server);
        assert_eq!(sentence, "the server answered /account/list with 401 Unauthorized, verdict: BeingChecked");
        assert_eq!(server.statistics().logins, 2);
    }
}

#[test]
fn the_body_of_a_401_distinguishes_a_dead_token_from_a_forbidden_call() {
    let peer = Peer::acting(|connection, request| {
        let answer = match request.split(' ').nth(1) {
            Some("/v1/account/list") => response("401 Unauthorized", &[], "Expired Access Token"),
            _ => response("200 OK", &[], LOGGED_IN),
        };
        connection.write_all(&answer).unwrap();
    });
    for name in QUICKSTARTS {
        let output = run(name, variables(&peer.base_url()));
        assert_eq!(failure(&output), "the server answered /account/list with 401 Unauthorized, verdict: Dead");
    }
}

#[test]
fn rust_log_shows_only_this_librarys_logs_and_can_be_malformed() {
    for name in QUICKSTARTS {
        let malformed = ["=", "a=b=c", "tradovate_auth=loud", ",,[", "[{}]=5=", "\u{7f}"];
        let of_others = ["", "warn", "ureq=trace,hyper=trace,reqwest=trace"].into_iter().chain(malformed);
        let of_this = ["debug", "trace", "warn,tradovate_auth=debug"].map(|levels| (levels, true));
        for (levels, is_shown) in of_this.into_iter().chain(of_others.map(|levels| (levels, false))) {
            let output = run(name, [("RUST_LOG", levels)]);
            let log = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{log}");
            assert_eq!(log.contains("tradovate_auth{endpoint="), is_shown, "{levels}: {log}");
            assert!(log.lines().all(|line| line.contains(" tradovate_auth")), "{log}");
        }
    }
}

#[test]
fn the_quickstarts_read_secrets_from_files() {
    let folder = std::env::temp_dir().join(format!("tradovate-auth-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, secret: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (password, secret) = (file("password", "canary-password"), file("sec", "canary-api-secret"));
    for name in QUICKSTARTS {
        let server = server(Side::Live);
        let base_url = server.base_url();
        let of_files = variables(&base_url).map(|(name, value)| match name {
            "TRADOVATE_PASSWORD" => ("TRADOVATE_PASSWORD_FILE", password.as_str()),
            "TRADOVATE_SEC" => ("TRADOVATE_SEC_FILE", secret.as_str()),
            _ => (name, value),
        });
        let printed = stdout_of(name, &[], of_files);
        assert!(printed.contains("logged in as trader"), "{printed}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_quickstarts_require_only_user_name_and_password() {
    for name in QUICKSTARTS {
        let server = server(Side::Live);
        let base_url = server.base_url();
        let output = run(name, variables(&base_url).into_iter().take(3));
        // This account needs an API key, so the server refuses the login. But the request was sent.
        let is_sent = server.statistics().requests(Endpoint::AccessTokenRequest) == 1;
        assert!(is_sent && !failure(&output).contains("not set"), "{output:?}");
    }
}
