//! A session leaves a followed host that is wrong. It tries the configured host once per 15 minutes.

use tradovate_auth_core::{BaseUrl, Purpose};

use super::*;

const HOME: &str = "demo.tradovateapi.com";
const FOLLOWED: &str = "acme.ninjatrader.com";
const FOLLOW: &str = r#","apiHosts":{"demo":"acme.ninjatrader.com"}"#;

/// The answer of a wrong host.
fn wrong_answers() -> Vec<Case> {
    vec![
        ("404 without a body", || status(404, "")),
        ("421", || status(421, "")),
        ("a redirect to a host that is not the vendor's", || redirect("https://evil.example/v1")),
        ("wrong client", || ok(r#"{"errorText":"Wrong client_id"}"#)),
        ("wrong environment", || ok(r#"{"errorText":"This endpoint should be called on live.tradovateapi.com"}"#)),
        ("no connection", || Answer::Failure(Failure::NotSent)),
    ]
}

/// A user of Demo whose organization was served by another host.
fn following() -> Program {
    let mut program = Program::user();
    program.run(minutes(1), |_| token_with("one", 80, FOLLOW));
    assert_eq!(login_host(&program), FOLLOWED);
    program
}

fn login_host(program: &Program) -> String {
    program.session.environment().base_url(Purpose::Login).unwrap().host().into()
}

fn at<'s>(host: &'s str, sent: &'s [Sent]) -> impl Iterator<Item = &'s Sent> {
    sent.iter().filter(move |sent| sent.host == host)
}

//= R-HOST-12
#[test]
fn a_session_returns_to_the_configured_host_if_the_followed_host_is_wrong() {
    for (name, wrong) in wrong_answers() {
        let mut program = following();
        program.run_to(start() + minutes(79), |sent| if sent.host == HOME { token("two", 160) } else { wrong() });
        assert_eq!(program.token().as_deref(), Some("two"), "{name}: {}", program.log());
        assert_eq!(login_host(&program), HOME, "{name}");
        assert_eq!(at(HOME, &program.sent).count(), 2, "{name}: the login and one try");
        let sent = program.run(minutes(90), |_| token("three", 240));
        assert!(sent.iter().all(|sent| sent.host == HOME), "{name}");
    }
}

#[test]
fn hosts_named_by_the_configured_host_replace_a_wrong_followed_host() {
    let mut program = following();
    let named = r#","apiHosts":{"demo":"beta.ninjatrader.com"}"#;
    program.run_to(start() + minutes(79), |sent| {
        if sent.host == HOME { token_with("two", 160, named) } else { status(404, "") }
    });
    assert_eq!(login_host(&program), "beta.ninjatrader.com");
    let mut program = following();
    let there = "https://beta.ninjatrader.com/v1/auth/renewaccesstoken";
    program.run_to(start() + minutes(79), |sent| match sent.host.as_str() {
        HOME => redirect(there),
        FOLLOWED => status(404, ""),
        _ => token_with("two", 160, named),
    });
    assert_eq!((program.token().as_deref(), login_host(&program).as_str()), (Some("two"), "beta.ninjatrader.com"));
}

#[test]
fn an_unreachable_configured_host_is_tried_at_most_once_per_15_minutes() {
    for (name, wrong) in wrong_answers() {
        let mut program = following();
        let sent = program.run_to(start() + minutes(500), |sent| {
            if sent.host == HOME { Answer::Failure(Failure::NotSent) } else { wrong() }
        });
        let tries: Vec<_> = at(HOME, &sent).map(|sent| sent.at).collect();
        assert!(tries.len() > 10, "{name}: {tries:?}");
        assert!(tries.windows(2).all(|two| two[1] >= two[0] + minutes(15)), "{name}: {tries:?}");
        assert!(at(FOLLOWED, &sent).count() >= tries.len() / 2, "{name}");
        assert_eq!(login_host(&program), FOLLOWED, "{name}");
    }
}

#[test]
fn an_outage_does_not_make_the_session_leave_the_followed_host() {
    for fault in [|| status(500, ""), || status(503, ""), || status(408, ""), || Answer::Failure(Failure::MaybeSent)] {
        let mut program = following();
        let sent = program.run_to(start() + minutes(300), |_| fault());
        assert_eq!(at(HOME, &sent).count(), 0);
        assert_eq!(login_host(&program), FOLLOWED);
    }
}

#[test]
fn a_restarted_session_also_leaves_a_wrong_followed_host() {
    for (name, wrong) in wrong_answers() {
        let program = following();
        // The token has expired meanwhile, so the first request is a login.
        let mut program = program.restarted(minutes(120), trader());
        program.run(minutes(2), |sent| if sent.host == HOME { token("two", 300) } else { wrong() });
        assert_eq!(program.token().as_deref(), Some("two"), "{name}: {}", program.log());
    }
}

#[test]
fn a_restart_does_not_try_the_configured_host_again_within_15_minutes() {
    let mut program = following().restarted(minutes(120), trader());
    let mut sent = Vec::new();
    for _ in 0..30 {
        sent.extend(program.run(minutes(2), |sent| {
            if sent.host == HOME { Answer::Failure(Failure::NotSent) } else { status(404, "") }
        }));
        program = program.restarted(seconds(1), trader());
    }
    let tries: Vec<_> = at(HOME, &sent).map(|sent| sent.at).collect();
    assert!((3..=5).contains(&tries.len()), "{tries:?}");
    assert!(tries.windows(2).all(|two| two[1] >= two[0] + minutes(15)), "{tries:?}");
}

#[test]
fn a_login_refused_by_the_followed_host_is_repeated_at_the_configured_host() {
    let mut program = following();
    let sent = program.run_to(start() + minutes(200), |sent| match (sent.is_login(), sent.host == HOME) {
        (false, _) => status(401, DEAD),
        (true, true) => token("two", 400),
        (true, false) => ok(WRONG_PASSWORD),
    });
    let hosts: Vec<_> = sent.iter().filter(|sent| sent.is_login()).map(|sent| sent.host.as_str()).collect();
    assert_eq!(hosts, [FOLLOWED, HOME]);
    assert_eq!(program.token().as_deref(), Some("two"));
}

#[test]
fn a_custom_base_url_stays_pinned() {
    for (name, wrong) in wrong_answers() {
        let base = BaseUrl::parse("https://gateway.example/v1").unwrap();
        let credentials = Credentials::new("trader", "password");
        let mut program = Program::new(Session::new(Environment::custom(base), credentials, 7));
        program.run(minutes(1), |_| token_with("one", 80, FOLLOW));
        let sent = program.run_to(start() + minutes(200), |_| wrong());
        assert!(sent.iter().all(|sent| sent.host == "gateway.example"), "{name}");
    }
}

#[test]
fn an_app_needs_no_new_consent_after_a_wrong_followed_host() {
    const LIVE: &str = "live.tradovateapi.com";
    let follow = |text: &str, refresh: &str| {
        ok(format!(
            r#"{{"access_token":"{text}","refresh_token":"{refresh}","expires_in":4800,"refresh_token_expires_in":93600,"apiHosts":{{"live":"acme.ninjatrader.com"}}}}"#
        ))
    };
    for (name, wrong) in wrong_answers() {
        let mut program = Program::app();
        program.run(minutes(1), |_| follow("at-1", "rt-1"));
        // The configured host is not reachable at first.
        program.run_to(start() + minutes(70), |sent| {
            if sent.host == LIVE { Answer::Failure(Failure::NotSent) } else { wrong() }
        });
        let session = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 7);
        let mut program = program.restarted(minutes(60), session);
        program.run(minutes(20), |sent| match (sent.host == LIVE, sent.endpoint.as_str()) {
            (true, "oauthtoken") => {
                assert_eq!(sent.body["refresh_token"], "rt-1", "{name}");
                refreshed("at-2", "rt-2")
            }
            (true, _) => status(401, DEAD),
            (false, _) => wrong(),
        });
        assert_eq!(program.token().as_deref(), Some("at-2"), "{name}: {}", program.log());
    }
}

#[test]
fn a_ticket_is_sent_to_the_configured_host_that_issued_it() {
    let mut program = following();
    let sent = program.run_to(start() + minutes(79), |sent| match sent.host == HOME {
        true if program_has_ticket(sent) => token("two", 160),
        true => ok(r#"{"p-ticket":"ticket","p-time":3}"#),
        false => status(404, ""),
    });
    let hosts: Vec<_> = sent.iter().map(|sent| sent.host.as_str()).collect();
    assert_eq!(hosts[..3], [FOLLOWED, HOME, HOME], "{sent:?}");
}

/// A renewal has no body that could carry a ticket, so it is repeated unchanged.
fn program_has_ticket(sent: &Sent) -> bool {
    sent.at > start() + minutes(64) + seconds(38)
}
