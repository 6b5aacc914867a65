//! Cases in which two rare conditions meet.

use super::*;

fn member(world: World) -> World {
    sharing::member(world)
}

fn synchronize(world: &mut World, stored: &StoredSession, age: Duration) {
    let text = serde_json::to_string(stored).unwrap();
    world.session.synchronize(world.now, Some((serde_json::from_str(&text).unwrap(), Some(age))), &mut world.budget);
    world.write_events();
}

fn refresh_token(world: &World) -> String {
    world.snapshot().0.record.tokens.refresh.unwrap().token.expose().into()
}

fn app(login: Login, script: impl IntoIterator<Item = Answer>) -> World {
    World::of(Session::new(Environment::live(), login, 7), script).ahead(SignedDuration::ZERO)
}

fn app_of(session: Session, script: impl IntoIterator<Item = Answer>) -> World {
    World::of(session, script).ahead(SignedDuration::ZERO)
}

#[test]
fn a_fleet_keeps_the_newer_tokens_after_a_slow_exchange() {
    let mut a = member(app_of(code::session_from("code"), [Answer::Silence, refreshed("at-2", "rt-2")]));
    a.run(Duration::from_secs(1));
    a.now = later(start(), Duration::from_secs(30));
    a.answer_late(refreshed("at-1", "rt-1"));
    a.run(minutes(1));
    let first = a.stored.last().unwrap().clone();
    let mut b = member(app(Login::app(OAuthApp::new("client")), []));
    b.now = later(start(), minutes(1));
    synchronize(&mut b, &first, Duration::from_secs(30));
    assert_eq!(b.token().as_deref(), Some("at-1"));
    a.run(minutes(70));
    assert_eq!(refresh_token(&a), "rt-2");
    b.now = later(start(), minutes(70));
    let second = a.stored.last().unwrap().clone();
    synchronize(&mut b, &second, Duration::from_secs(0));
    assert_eq!((b.token().as_deref(), refresh_token(&b).as_str()), (Some("at-2"), "rt-2"));
}

#[test]
fn maintenance_does_not_reset_the_count_of_logins_of_unknown_outcome() {
    let mut script = alloc::vec![status(500, "")];
    script.extend((0..9).map(|_| status(503, "")));
    script.extend((0..4).map(|_| status(500, "")));
    let mut w = World::user(script);
    w.run(minutes(14));
    assert!(w.trace.iter().filter(|line| line.contains("login failed (500)")).count() <= 2);
}

#[test]
fn an_app_whose_calls_are_forbidden_still_refreshes() {
    let mut script = alloc::vec![refreshed("at", "rt-1")];
    let names = ["r0", "r1", "r2"];
    script.extend((0..200).map(|i| Answer::Token(names[i % 3], 80)));
    let mut w = World::app(script).ahead(SignedDuration::ZERO);
    for i in 1..90 {
        w.run(minutes(20 * i));
        w.reject(401, "Access is denied");
    }
    let n = w.trace.iter().filter(|l| l.contains("oauthtoken")).count();
    assert!(n > 1, "{n}");
}

#[test]
fn a_refusal_is_stored_even_if_the_store_fails_once() {
    let mut w = World::user([ok(BAD_PASSWORD)]).storing([Some(false)]);
    w.run(minutes(10));
    assert!(!w.stored.is_empty());
}

#[test]
fn a_grant_is_kept_by_with_store_and_with_shared_store() {
    let now = start();
    let times = tradovate_auth_core::Exchange { sent: now, received: now, server_time: Some(now) };
    let grant = tradovate_auth_core::Grant::new(
        tradovate_auth_core::AccessToken::parse("at").unwrap(),
        later(now, minutes(80)),
        times,
    );
    let login = Login::grant(OAuthApp::new("client"), grant);
    let session = Session::new(Environment::live(), login, 7).with_store().with_shared_store(MayLogIn::WhenNeeded);
    let mut w = World::of(session, []);
    w.run(minutes(1));
    assert_eq!(w.token().as_deref(), Some("at"));
}

#[test]
fn poll_names_the_time_at_which_a_rejected_token_is_given_up() {
    let busy = || with_header(status(503, ""), header::RETRY_AFTER, "3600");
    let mut w = World::user([
        Answer::Token("one", 80),
        status(500, ""),
        status(500, ""),
        status(500, ""),
        busy(),
        Answer::Token("two", 80),
    ]);
    w.run(minutes(20));
    w.reject(401, DEAD);
    w.run(minutes(40));
    assert_eq!(w.token().as_deref(), Some("two"));
}

#[test]
fn a_refresh_token_is_kept_over_a_restart_with_a_clock_that_is_days_ahead() {
    let days = SignedDuration::from_hours(-72);
    let mut w = app_of(code::session_from("code"), [refreshed("at-1", "rt-1")]).ahead(days);
    w.run(Duration::from_secs(1));
    let text = serde_json::to_string(&w.snapshot()).unwrap();
    let mut v = app(
        Login::app(OAuthApp::new("client")),
        [
            ok(r#"{"errorText":"busy"}"#),
            ok(r#"{"errorText":"busy"}"#),
            ok(r#"{"errorText":"busy"}"#),
            Answer::Token("at-2", 80),
            Answer::Token("at-3", 80),
            Answer::Token("at-4", 80),
        ],
    )
    .ahead(days);
    v.now = later(start(), minutes(2));
    v.session.adopt(v.now, serde_json::from_str(&text).unwrap(), &mut v.budget);
    v.run(minutes(30));
    assert!(v.session.stop_reason().is_none());
}

#[test]
fn a_restart_with_a_clock_days_ahead_does_not_stop_the_session() {
    let days = SignedDuration::from_hours(-72);
    let mut w = app_of(code::session_from("code"), [refreshed("at-1", "rt-1")]).ahead(days);
    w.run(Duration::from_secs(1));
    let text = serde_json::to_string(&w.snapshot()).unwrap();
    let busy = || ok(r#"{"errorText":"busy"}"#);
    let mut v =
        app(Login::app(OAuthApp::new("client")), [busy(), busy(), busy(), busy(), busy(), busy(), busy()]).ahead(days);
    v.now = later(start(), minutes(2));
    v.session.adopt(v.now, serde_json::from_str(&text).unwrap(), &mut v.budget);
    v.run(Duration::from_secs(140));
    assert!(v.session.stop_reason().is_none());
}

#[test]
fn a_later_successful_login_overrides_a_refusal_to_another_process() {
    let mut a = member(World::user([ok(BAD_PASSWORD)]));
    a.run(minutes(1));
    let mut b = member(World::user([Answer::Token("one", 80), status(401, DEAD), Answer::Token("two", 80)]));
    b.now = later(start(), minutes(1));
    b.run(minutes(2));
    assert_eq!(b.token().as_deref(), Some("one"));
    let theirs = a.snapshot();
    synchronize(&mut b, &theirs, minutes(1));
    b.run(minutes(20));
    b.reject(401, DEAD);
    b.run(minutes(40));
    assert_eq!(b.token().as_deref(), Some("two"));
}

#[test]
fn a_corrected_expiry_is_kept_over_a_restart() {
    // The local clock is ten minutes ahead, and answers to refreshes have no Date.
    let ahead = SignedDuration::from_mins(-10);
    let dated = |answer: Answer, now: Timestamp| {
        let date = now.saturating_add(ahead).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        with_header(answer, header::DATE, &date)
    };
    let t = |m: u64| later(start(), minutes(m));
    let mut w = World::app([
        refreshed("at-1", "rt-1"),
        status(401, ""),
        refreshed("at-2", "rt-2"),
        dated(ok(r#"{"errorText":"busy"}"#), t(21)),
        Answer::Silence,
    ]);
    w.run(minutes(5));
    w.reject(401, DEAD);
    w.run(minutes(21));
    w.reject(401, "Access is denied");
    w.run(Duration::from_secs(1261));
    assert_eq!(w.token().as_deref(), Some("at-2"));
    let text = serde_json::to_string(&w.snapshot()).unwrap();
    let read: StoredSession = serde_json::from_str(&text).unwrap();
    assert!(read.0.record.tokens.access.is_some(), "{text}");
}

#[test]
fn an_announced_login_that_is_not_sent_is_withdrawn() {
    let mut w = member(World::user([]));
    w.announce();
    let text = r#"{"accessToken":"other","expirationTime":"2026-11-24T15:20:00Z","userId":1}"#;
    let value = <tradovate_auth_core::AccessTokenRequest as tradovate_auth_core::Endpoint>::parse(Response::new(text))
        .unwrap()
        .value;
    let times = tradovate_auth_core::Exchange { sent: w.now, received: w.now, server_time: Some(w.now) };
    w.session.adopt_answer(w.now, tradovate_auth_core::Answer { value, exchange: times }).unwrap();
    w.script = [Answer::Token("renewed", 80)].into_iter().collect();
    w.run(minutes(70));
    assert!(!serde_json::to_string(&w.snapshot()).unwrap().contains("announced"));
}

#[test]
fn tokens_that_wait_to_be_stored_survive_a_correction_of_the_clock() {
    // OAuth answers have no Date, and the local clock is ten minutes behind.
    let mut w = app_of(code::session_from("code"), [refreshed("at-1", "rt-1"), Answer::Silence]);
    w.ahead = None;
    w = w.storing([Some(true), None]);
    w.run(minutes(65));
    // The session gives the refresh up and renews. The late answer arrives while the renewal is in flight.
    w.script = [Answer::Silence].into_iter().collect();
    w.run(Duration::from_secs(3947));
    w.answer_late(refreshed("at-2", "rt-2"));
    let Action::Store { id, .. } = w.session.poll(w.now, &mut w.budget) else { panic!("no store") };
    w.ahead = Some(SignedDuration::from_mins(10));
    w.answer_late(ok(r#"{"errorText":"busy"}"#));
    w.stored(id);
    w.write_events();
    assert_eq!(refresh_token(&w), "rt-2");
}
