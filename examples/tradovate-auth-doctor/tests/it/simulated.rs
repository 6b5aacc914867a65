//! Tests of the doctor with the simulator's different behaviours.

use tradovate_auth_simulator::{ApiHosts, Endpoint, LockOut, Maintenance, RefusalStatus, Side};

use super::*;

/// The steps of a run after `change` configured the simulator. The simulator follows the contract, so no rule is
/// refuted.
#[track_caller]
fn steps(change: impl FnOnce(&mut Simulator)) -> (String, Report) {
    let mut world = World::live();
    change(&mut world.simulator);
    let report = world.examine();
    assert_eq!(rules(&report, Verdict::Refuted), [""; 0]);
    (brief(&report), report)
}

/// Whether a run confirms a rule.
fn confirms(report: &Report, rule: &str) -> bool {
    rules(report, Verdict::Confirmed).contains(&rule)
}

const WHOLE: &str = "login: 200 object, me: 200 object, renewal: 200 object, exchange: 200 object, renewal: 200 object";

#[test]
fn a_run_without_faults_confirms_the_rules_it_can_check() {
    let (summary, report) = steps(|_| {});
    assert_eq!(summary, WHOLE);
    let confirmed = "R-ENV-1 R-ENV-4 R-ENV-6 R-HOST-1 R-HOST-6 R-HOST-8 R-LOGIN-1 R-LOGIN-4 R-LOGIN-10 R-LOGIN-11 R-LOGIN-18 \
        R-LOGIN-19 R-LOGIN-21 R-RENEW-1 R-RENEW-3 R-RENEW-7 R-RENEW-8 R-RENEW-10 R-RENEW-12 R-ME-1 R-ME-2 R-OAUTH-1 \
        R-OAUTH-4 R-OAUTH-5 R-OAUTH-10 R-OAUTH-14 R-REFRESH-4 R-STATUS-14 R-TIME-1 R-TIME-2 R-TIME-7";
    assert_eq!(rules(&report, Verdict::Confirmed).join(" "), confirmed);
}

#[test]
fn each_environment_is_examined_at_its_own_hosts() {
    for environment in [Environment::demo(), Environment::evaluation(), Environment::staging_live()] {
        let mut world = World::at(environment);
        world.simulator.options_mut().live_accepts_demo_tokens = true;
        assert_eq!(brief(&world.examine_user()), "login: 200 object, me: 200 object, renewal: 200 object");
    }
}

#[test]
fn the_doctor_waits_for_one_penalty() {
    let (summary, report) =
        steps(|simulator| simulator.penalize_next(Endpoint::AccessTokenRequest, Duration::from_secs(15)));
    assert_eq!(summary, WHOLE.replacen("login", "login: 200 penalty, login with ticket", 1));
    assert!(["R-PENALTY-1", "R-PENALTY-2", "R-PENALTY-3"].iter().all(|rule| confirms(&report, rule)));
    let (summary, _) =
        steps(|simulator| simulator.penalize_next(Endpoint::AccessTokenRequest, Duration::from_secs(3600)));
    assert!(summary.starts_with("login: 200 penalty, exchange: "), "the wait is too long: {summary}");
}

#[test]
fn the_doctor_continues_after_a_captcha_for_the_renewal() {
    let (summary, report) = steps(|simulator| simulator.captcha_next(Endpoint::RenewAccessToken));
    assert!(summary.contains("renewal: 200 penalty, exchange: 200 object"), "{summary}");
    assert!(confirms(&report, "R-PENALTY-4"));
}

#[test]
fn the_doctor_identifies_a_refused_login_by_its_text() {
    for (status, summary) in [(RefusalStatus::Ok, "login: 200 "), (RefusalStatus::Unauthorized, "login: 401 ")] {
        let (steps, report) = steps(|simulator| {
            simulator.user_mut(USER).unwrap().password = "another".into();
            simulator.options_mut().refusal = status;
        });
        assert!(steps.starts_with(&format!("{summary}IncorrectCredentials, exchange: ")), "{steps}");
        assert!(confirms(&report, "R-LOGIN-9") && confirms(&report, "R-LOGIN-12"));
    }
    let mut world = World::at(Environment::demo());
    world.simulator.user_mut(USER).unwrap().sides = vec![Side::Live];
    assert!(brief(&world.examine_user()).starts_with("login: 200 "));
}

#[test]
fn a_request_follows_the_redirect_to_the_organizations_host() {
    let mut world = World::at(Environment::demo());
    let hosts = ApiHosts::standard().with("demo", "canary-demo.eval.ninjatrader.com");
    world.simulator.move_hosts(USER, hosts);
    let report = world.examine();
    assert!(brief(&report).starts_with("login: 307 empty, login redirected: 200 object, me: "), "{}", brief(&report));
    assert!(confirms(&report, "R-HOST-9"));
    assert_eq!(rules(&report, Verdict::Refuted), [""; 0]);
}

#[test]
fn the_oauth_user_can_differ_from_the_password_user() {
    let mut world = World::live();
    let token = r#"{"accessToken":"t","expirationTime":"2026-11-24T15:40:30Z","userId":1}"#;
    world.simulator.answer_next(Endpoint::AccessTokenRequest, Response::new(token.into()));
    let report = world.examine();
    assert!(brief(&report).ends_with("exchange: 200 object, renewal: 200 object"));
    assert_eq!(rules(&report, Verdict::Refuted), [""; 0]);
}

#[test]
fn the_doctor_identifies_a_refused_code_by_its_error() {
    let (summary, report) = steps(|simulator| simulator.oauth_client_mut("canary-client").unwrap().side = Side::Demo);
    assert!(summary.ends_with("exchange: 200 InvalidClient"), "{summary}");
    assert!(confirms(&report, "R-OAUTH-6"));
}

#[test]
fn after_a_lock_out_the_doctor_sends_nothing() {
    for lock_out in [LockOut::locked(), LockOut::too_many_requests()] {
        let status = lock_out.status.as_u16();
        let (summary, report) = steps(|simulator| simulator.lock_out(lock_out));
        assert_eq!(summary, format!("login: {status} empty"));
        assert_eq!(confirms(&report, "R-LIMIT-6"), status == 429);
    }
}

#[test]
fn the_doctor_reports_faults_and_maintenance() {
    for (maintenance, summary) in [(Maintenance::Html, "503 html"), (Maintenance::ErrorId, "500 text Some(ErrorId)")] {
        let (steps, _) = steps(|simulator| simulator.set_maintenance(Some(maintenance)));
        assert_eq!(steps, format!("login: {summary}, exchange: {summary}"));
    }
    for (failure, summary) in
        [(Failure::NotSent, "notsent"), (Failure::MaybeSent, "maybesent"), (Failure::Truncated, "broken")]
    {
        let mut world = World::live();
        world.lost = Some(failure);
        assert_eq!(brief(&world.examine_user()), format!("login: {summary}"));
    }
}

#[test]
fn a_forbidden_call_and_a_dead_token_are_distinguished() {
    let answer = |text: &str| {
        let response = Response::builder().status(401).body(text.as_bytes().to_vec()).unwrap();
        steps(|simulator| simulator.answer_next(Endpoint::Me, response)).0
    };
    assert!(answer("Access is denied").contains("me: 401 text Some(AccessDenied)"));
    assert!(answer("Expired Access Token").contains("me: 401 text Some(ExpiredToken)"));
    assert!(answer("canary").contains("me: 401 text None"));
}

#[test]
fn answers_that_contradict_a_rule_refute_it() {
    let token = r#""accessToken":"t","expirationTime":"2026-11-24T15:40:30Z""#;
    for (endpoint, status, body, refuted) in [
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"errorText":"No"}}"#), "R-LOGIN-11"),
        (Endpoint::AccessTokenRequest, 403, r#"{"errorText":"No"}"#.into(), "R-LOGIN-9"),
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"userId":"7"}}"#), "R-LOGIN-18"),
        (Endpoint::AccessTokenRequest, 200, r#"{"accessToken":"a b"}"#.into(), "R-LOGIN-21"),
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"outdatedSentimentPolicy":1}}"#), "R-LOGIN-22"),
        (Endpoint::AccessTokenRequest, 200, r#"{"accessToken":"t","expirationTime":"24.11.2026"}"#.into(), "R-TIME-2"),
        (Endpoint::AccessTokenRequest, 200, format!("{{{}}}", token.replace("2026", "2025")), "R-TIME-7"),
        (Endpoint::AccessTokenRequest, 200, r#"{"userId":1,"userId":1}"#.into(), "R-STATUS-14"),
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"apiHosts":{{"demo":"https://a.b"}}}}"#), "R-HOST-1"),
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"apiHosts":{{"demo":"evil.com"}}}}"#), "R-HOST-6"),
        (Endpoint::AccessTokenRequest, 307, String::new(), "R-HOST-9"),
        (Endpoint::AccessTokenRequest, 200, format!(r#"{{{token},"p-ticket":"t"}}"#), "R-PENALTY-1"),
        (Endpoint::AccessTokenRequest, 200, r#"{"p-ticket":"t","p-time":"soon"}"#.into(), "R-PENALTY-2"),
        (Endpoint::AccessTokenRequest, 200, r#"{"p-ticket":"t","p-captcha":[]}"#.into(), "R-PENALTY-4"),
        (Endpoint::AccessTokenRequest, 429, r#"{"p-ticket":"t"}"#.into(), "R-LIMIT-6"),
        (Endpoint::Me, 200, r#"{"userId":1,"apiHosts":{}}"#.into(), "R-HOST-8"),
        (Endpoint::Me, 200, r#"{"emailVerified":"yes"}"#.into(), "R-ME-2"),
        (Endpoint::RenewAccessToken, 200, format!(r#"{{{token},"userId":1}}"#), "R-RENEW-7"),
        (Endpoint::RenewAccessToken, 200, format!(r#"{{{token},"hasLive":"yes"}}"#), "R-RENEW-3"),
        (Endpoint::OauthToken, 200, r#"{"access_token":"t","token_type":"mac"}"#.into(), "R-OAUTH-14"),
        (Endpoint::OauthToken, 200, r#"{"access_token":"t","mdAccessToken":"m"}"#.into(), "R-RENEW-12"),
        (Endpoint::OauthToken, 200, r#"{"access_token":"t","expires_in":0}"#.into(), "R-OAUTH-5"),
        (Endpoint::OauthToken, 200, r#"{"access_token":"t","expires_in":"x"}"#.into(), "R-OAUTH-4"),
        (Endpoint::OauthToken, 200, r#"{"refresh_token_expires_in":60}"#.into(), "R-REFRESH-4"),
        (Endpoint::OauthToken, 400, r#"{"error":"invalid_grant"}"#.into(), "R-OAUTH-6"),
    ] {
        let mut world = World::live();
        let response = Response::builder().status(status).body(body.clone().into_bytes()).unwrap();
        world.simulator.answer_next(endpoint, response);
        let report = world.examine();
        assert!(rules(&report, Verdict::Refuted).contains(&refuted), "{body}: {:?}", report.rules);
    }
}
