//! A refusal of the app does not count as a refusal of the refresh token.

use tradovate_auth_core::{ClientSecret, Error, RefusalKind};

use super::*;

/// The text of a refusal, its kind, and the answer.
type AppFault = (&'static str, RefusalKind, fn() -> Answer);

fn app_faults() -> [AppFault; 5] {
    [
        ("invalid_client", RefusalKind::ClientMismatch, || ok(r#"{"error":"invalid_client"}"#)),
        ("unauthorized_client", RefusalKind::UnauthorizedClient, || ok(r#"{"error":"unauthorized_client"}"#)),
        ("do not match existing setup", RefusalKind::ClientMismatch, || {
            ok(
                r#"{"error":"invalid_client","error_description":"client_id, redirect_uri and client_secret do not match existing setup"}"#,
            )
        }),
        ("Wrong client_id", RefusalKind::WrongClientId, || ok(r#"{"errorText":"Wrong client_id"}"#)),
        ("invalid_client", RefusalKind::ClientMismatch, || status(401, r#"{"error":"invalid_client"}"#)),
    ]
}

fn corrected() -> Session {
    let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("corrected"));
    Session::new(Environment::live(), Login::app(app), 7)
}

fn refreshes(sent: &[Sent]) -> usize {
    sent.iter().filter(|sent| sent.endpoint == "oauthtoken").count()
}

#[test]
fn without_a_token_the_session_stops_with_the_refusal_of_the_app() {
    for (text, kind, refused) in app_faults() {
        let mut program = Program::app();
        let sent = program.run(minutes(600), |_| refused());
        assert_eq!(refreshes(&sent), 1, "{text}");
        match program.stop_reason() {
            Some(StopReason::Refused(Error::Refused(refusal))) => assert_eq!(refusal.kind, kind, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
        assert!(program.log().contains(text), "{text}: {}", program.log());
    }
}

#[test]
fn a_restart_with_a_corrected_app_presents_the_refresh_token_at_once() {
    for (text, _, refused) in app_faults() {
        let mut program = Program::app();
        program.run(minutes(1), |_| refused());
        let snapshot = program.snapshot();
        assert_eq!(snapshot.get("refusedRefreshTokens"), None, "{text}");
        let mut program = program.restarted(seconds(1), corrected());
        let sent = program.run(seconds(1), |_| refreshed("at-1", "rt-1"));
        assert_eq!(sent[0].body["refresh_token"], "rt-0", "{text}");
        assert_eq!(sent[0].body["client_secret"], "corrected", "{text}");
        assert_eq!(program.token().as_deref(), Some("at-1"), "{text}");
    }
}

//= R-RENEW-10
//= R-OAUTH-9
#[test]
fn a_session_whose_app_is_refused_renews_as_long_as_possible() {
    for (text, _, refused) in app_faults() {
        let mut program = Program::refreshing_app();
        program.run(minutes(1), |_| refreshed("at-1", "rt-1"));
        let mut ends = 150;
        let sent = program.run_to(start() + minutes(600), |sent| match sent.endpoint.as_str() {
            "oauthtoken" => refused(),
            _ if ends > 400 => status(401, DEAD),
            _ => {
                ends += 70;
                token("renewed", ends - 70)
            }
        });
        assert_eq!((refreshes(&sent), sent.len()), (1, 6), "{text}");
        assert!(matches!(program.stop_reason(), Some(StopReason::Refused(Error::Refused(_)))), "{text}");
        let log = program.log();
        assert!(log.contains("the session only renews, and stops when it can no longer renew"), "{text}: {log}");
        assert!(log.trim_end().lines().last().unwrap().contains(text), "{text}: {log}");
    }
}

#[test]
fn a_refusal_of_the_app_by_a_followed_host_is_checked_at_the_configured_host() {
    let follow = r#","apiHosts":{"live":"acme.ninjatrader.com"}"#;
    for (text, _, refused) in app_faults() {
        for home_says_the_same in [false, true] {
            let mut program = Program::app();
            program.run(minutes(1), |_| {
                ok(format!(r#"{{"access_token":"at-1","refresh_token":"rt-1","expires_in":4800{follow}}}"#))
            });
            let mut hosts = Vec::new();
            program.run_to(start() + minutes(100), |sent| match (sent.endpoint.as_str(), sent.host.as_str()) {
                ("oauthtoken", host) => {
                    hosts.push(host.to_string());
                    let is_home = host == "live.tradovateapi.com";
                    if is_home && !home_says_the_same { refreshed("at-2", "rt-2") } else { refused() }
                }
                _ => status(401, DEAD),
            });
            assert_eq!(hosts[..2], ["acme.ninjatrader.com", "live.tradovateapi.com"], "{text}");
            if home_says_the_same {
                assert!(matches!(program.stop_reason(), Some(StopReason::Refused(Error::Refused(_)))), "{text}");
            } else {
                assert_eq!(program.token().as_deref(), Some("at-2"), "{text}: {}", program.log());
            }
        }
    }
}
