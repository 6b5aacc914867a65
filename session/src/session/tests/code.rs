//! Sessions that start from the authorization code of a consent.

use tradovate_auth_core::{AuthorizationRequest, Entropy};

use super::*;
use core::{array, mem};

const MISMATCH: &str = r#"{"error":"invalid_client","error_description":"client_id, redirect_uri and client_secret do not match existing setup"}"#;

fn session() -> Session {
    session_from("canary-code")
}

/// Entropy that makes the verifier and the state `canarycanary…`.
fn canaries() -> Entropy {
    let twelve_letters = [113, 169, 218, 175, 39, 26, 157, 170, 242];
    Entropy::from(array::from_fn(|at| twelve_letters[at % (Entropy::LENGTH / 2) % twelve_letters.len()]))
}

pub(super) fn session_from(code: &str) -> Session {
    let app = OAuthApp::new("client");
    let request = AuthorizationRequest::new(&app, "http://127.0.0.1:8765/callback");
    let (url, mut pending) = request.begin(&Environment::live(), canaries()).unwrap();
    let state = url.as_str().split(['?', '&']).find(|pair| pair.starts_with("state=")).unwrap();
    let code = pending.redirected_query(&format!("code={code}&{state}")).unwrap();
    Session::new(Environment::live(), Login::code(app, code), 0)
}

fn world(script: impl IntoIterator<Item = Answer>) -> World {
    World::of(session(), script)
}

#[test]
fn a_code_is_exchanged_once_and_its_tokens_are_refreshed() {
    let mut world = world([refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]);
    insta::assert_snapshot!(world.run(minutes(100)).trace(), @"
     0:00 → live oauthtoken (canary-code): logged in: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
    65:00 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T16:25:00Z; consent due by 1625:00
    ");
}

#[test]
fn a_code_that_expires_during_a_lock_out_is_not_sent() {
    for (locked, is_lost) in [(9, false), (10, true)] {
        let mut world = world([refreshed("at-1", "rt-1")]);
        world.budget.lock_out(start(), minutes(locked));
        world.run(minutes(30));
        assert_eq!(world.token().is_none(), is_lost, "{}", world.trace());
        assert_eq!(world.trace().contains("stopped: CodeLost"), is_lost, "{}", world.trace());
    }
}

#[test]
fn a_refused_code_is_not_tried_again() {
    for refusal in [INVALID_GRANT, MISMATCH, r#"{"error":"invalid_client","error_description":"Wrong client_id"}"#] {
        let mut world = world([ok(refusal)]);
        world.run(minutes(10_000));
        assert_eq!(world.trace.len(), 1, "{}", world.trace());
        assert!(world.trace[0].contains("stopped: Refused"), "{}", world.trace());
    }
    let mut world = world([status(400, "the body is malformed")]);
    assert!(world.run(minutes(10_000)).trace().ends_with("stopped: 400"), "{}", world.trace());
}

#[test]
fn a_code_is_sent_again_after_an_unsent_request_or_a_502_or_503() {
    let mut world =
        world([Answer::Failure(Failure::NotSent), status(503, ""), status(502, "<html>"), refreshed("at-1", "rt-1")]);
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
        0:00 → live oauthtoken (canary-code): exchange of the authorization code failed (NotSent); next try at 0:00.500
    0:00.500 → live oauthtoken (canary-code): exchange of the authorization code failed (503); next try at 0:01.500
    0:01.500 → live oauthtoken (canary-code): exchange of the authorization code failed (502); next try at 0:03.500
    0:03.500 → live oauthtoken (canary-code): logged in: the token is valid until 2026-11-24T15:20:03Z; consent due by 1560:03.500
    ");
}

#[test]
fn the_events_of_an_exchange_do_not_call_it_a_refresh() {
    for body in [r#"{"p-ticket":"ticket","p-time":15}"#, r#"{"p-ticket":"ticket","p-time":15,"p-captcha":true}"#] {
        let mut world = world([ok(body)]);
        world.run(Duration::from_secs(1));
        assert!(world.trace().contains("exchange of the authorization code"), "{}", world.trace());
    }
    let mut world = world([ok(r#"{"p-ticket":"ticket","p-time":15}"#), refreshed("at-1", "rt-1")]);
    let postponed = |world: &mut World| world.session.postponed_until(world.now).map(|(operation, _)| operation);
    assert_eq!(postponed(world.run(Duration::from_secs(1))), Some(Operation::ExchangeCode));
    world.run(minutes(1));
    assert_eq!(postponed(&mut world), None);
}

#[test]
fn a_code_is_not_sent_again_if_the_server_may_have_seen_it() {
    for failure in [Failure::MaybeSent, Failure::Oversized, Failure::Truncated] {
        let mut world = world([Answer::Failure(failure)]);
        assert!(world.run(minutes(10_000)).trace().ends_with("(canary-code): stopped: CodeLost"), "{}", world.trace());
    }
    let mut world = world([Answer::Silence]);
    assert!(world.run(minutes(10_000)).trace().ends_with("0:45 stopped: CodeLost"), "{}", world.trace());
    for (answer, name) in [
        (status(500, ""), "500"),
        (ok("<html>"), "Undecodable"),
        (ok(r#"{"access_token":"at","expires_in":0}"#), "ExpiredAlready"),
    ] {
        let mut world = self::world([answer]);
        world.run(minutes(10_000));
        assert_eq!(world.trace.len(), 1, "{}", world.trace());
        assert!(world.trace[0].ends_with(&format!("stopped: {name}")), "{}", world.trace());
        assert_eq!(world.token(), None);
    }
}

#[test]
fn a_code_is_sent_again_for_ten_minutes_while_the_server_answers_503() {
    let mut world = world((0..100).map(|_| status(503, "")));
    world.run(minutes(30));
    assert!(world.trace.last().unwrap().ends_with("stopped: CodeLost"), "{}", world.trace());
    let last = world.trace.iter().rfind(|line| line.contains('→')).unwrap().clone();
    assert!(last.trim_start().starts_with("9:31.500 → live oauthtoken (canary-code)"), "{last}");
}

#[test]
fn a_late_answer_is_accepted() {
    let mut world = world([Answer::Silence, refreshed("at-2", "rt-2")]);
    world.run(minutes(5));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::CodeLost)), "{}", world.trace());
    world.answer_late(refreshed("at-1", "rt-1"));
    assert_eq!(world.token().as_deref(), Some("at-1"), "{}", world.trace());
    world.run(minutes(75));
    assert!(world.trace().contains("→ live oauthtoken (rt-1)"), "{}", world.trace());
}

#[test]
fn a_session_with_a_code_ignores_the_tokens_of_an_earlier_snapshot() {
    let mut before = world([refreshed("at-1", "rt-1")]);
    let stored = before.run(minutes(1)).snapshot();
    let mut world = world([refreshed("at-2", "rt-2")]);
    world.session.adopt(start(), stored.clone(), &mut world.budget);
    assert_eq!(world.token(), None);
    world.run(minutes(1));
    assert_eq!(world.token().as_deref(), Some("at-2"));
    world.session.adopt(world.now, stored, &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("at-2"), "the other way round, too");
}

#[test]
fn a_ticket_of_another_code_is_not_used() {
    let mut before = world([ok(r#"{"p-ticket":"ticket","p-time":600}"#)]);
    let stored = before.run(minutes(1)).snapshot();
    let mut world = World::of(session_from("another-code"), [refreshed("at-1", "rt-1")]);
    world.session.adopt(start(), stored, &mut world.budget);
    assert!(world.run(minutes(1)).trace.first().unwrap().contains("→ live oauthtoken (another-code):"));
}

#[test]
fn a_code_follows_one_redirect_and_only_to_a_host_of_the_vendor() {
    let location = "https://acme-live.ninjatrader.com/v1/auth/oauthtoken";
    let mut world = world([moved(location), moved(location)]);
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @"
    0:00 → live oauthtoken (canary-code)
    0:00 → acme-live oauthtoken (canary-code): stopped: Moved
    ");
    let mut world = self::world([moved("https://evil.example/v1/auth/oauthtoken")]);
    assert!(!world.run(minutes(30)).trace().contains("evil"));
}

#[test]
fn an_app_session_continues_from_its_snapshot_or_requires_consent() {
    let of_app = || Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut world = World::of(of_app(), []);
    assert_eq!(world.run(minutes(1)).trace(), "     0:00 stopped: ConsentRequired");

    let mut before = self::world([refreshed("at-1", "rt-1")]);
    let stored = before.run(minutes(1)).snapshot();
    let renewed = ok(r#"{"accessToken":"at-1","expirationTime":"2026-11-24T15:20:00Z"}"#);
    let mut world = World::of(of_app(), [renewed, refreshed("at-2", "rt-2")]);
    world.session.adopt(start(), stored, &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("at-1"));
    assert!(world.run(minutes(70)).trace().contains("→ live oauthtoken (rt-1)"), "{}", world.trace());
}

#[test]
fn debug_output_and_events_do_not_contain_the_code() {
    let mut world = world([ok(r#"{"error":"invalid_grant","error_description":"code=canary-code is used"}"#)]);
    let action = world.session.poll(start(), &mut world.budget);
    let sending = format!("{action:?} {:?}", world.session);
    world.session = session();
    world.run(minutes(1));
    world.hide_requests();
    let shown = format!("{sending} {:?} {:?} {}", world.session, world.session.stop_reason(), world.trace());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn the_exchange_of_a_code_does_not_replace_the_stored_session() {
    let mut world = sharing::member(World::of(session(), [refreshed("at-1", "rt-1")]));
    world.run(minutes(1));
    assert!(world.trace.first().is_some_and(|line| line.contains("oauthtoken (canary-code)")), "{}", world.trace());
    assert_eq!(world.trace().matches("store").count(), 1, "what it has brought: {}", world.trace());
}

#[test]
fn a_session_with_a_code_adopts_a_newer_session_after_the_exchange() {
    let mut other = World::app([refreshed("at-9", "rt-9")]);
    other.now = later(start(), minutes(5));
    let newer = other.run(minutes(6)).snapshot();
    let mut world = sharing::member(World::of(session(), [refreshed("at-1", "rt-1")])).storing([None]);
    world.run(Duration::from_secs(10));
    world.session.synchronize(later(start(), minutes(6)), Some((newer, None)), &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("at-9"));
}

/// The user consents again on a machine whose clock is right. Before, another machine used the shared store. Its clock was
/// two hours ahead, and its answers had no `Date`.
fn consent_after_a_clock_that_was_ahead(earlier: impl IntoIterator<Item = Answer>, forgets: bool) -> World {
    let mut before = World::app(earlier);
    before.now = later(start(), minutes(120));
    before.session.policy = before.session.policy.with_refreshes_preferred(before.script.len() == 1);
    before.run(minutes(122));
    if forgets {
        before.session.forget(before.now);
    }
    let with_market_data = r#"{"accessToken":"at-3","mdAccessToken":"market","expirationTime":"2026-11-24T15:20:00Z"}"#;
    let mut world = world([refreshed("at-2", "rt-2"), ok(with_market_data)]);
    world.session.policy = world.session.policy.with_refreshes_preferred(false);
    world.session = mem::replace(&mut world.session, session()).with_shared_store(MayLogIn::WhenNeeded);
    world.record = Some(stored_record(Revision(0), Ok(before.snapshot())));
    world.run(minutes(5));
    world
}

#[test]
fn after_a_new_consent_one_renewal_brings_market_data_whatever_an_earlier_clock_said() {
    let renewed = || ok(r#"{"accessToken":"at-1b","mdAccessToken":"market","expirationTime":"2026-11-24T17:20:00Z"}"#);
    let refreshed = || refreshed("at-1", "rt-1");
    for world in [
        consent_after_a_clock_that_was_ahead([refreshed()], false),
        consent_after_a_clock_that_was_ahead([refreshed(), renewed()], false),
        consent_after_a_clock_that_was_ahead([refreshed(), renewed()], true),
    ] {
        assert_eq!(world.trace().matches("renewaccesstoken (at-2)").count(), 1, "{}", world.trace());
        assert_eq!(world.token().as_deref(), Some("at-3"), "{}", world.trace());
    }
}
