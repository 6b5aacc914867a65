//! A stopped session: what it still does, and what starts it again.

use super::sharing::{member, pending, synchronize};
use super::*;

/// Answers the questions to the store until the session has stopped. Returns the time of the next poll.
fn stopped_until(world: &mut World) -> Option<Timestamp> {
    loop {
        match world.session.poll(world.now, &mut world.budget) {
            Action::Store { id, request } => world.ask_store(id, request),
            Action::Stopped { check_at, .. } => return check_at,
            action => panic!("{action:?}"),
        }
    }
}

#[test]
fn after_forget_is_saved_a_session_wants_no_further_poll() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(1));
    world.session.forget(world.now);
    world.run(minutes(2));
    assert_eq!(stopped_until(&mut world), None);
}

#[test]
fn a_failed_save_of_a_refusal_is_repeated_after_a_pause() {
    let mut world = member(World::user([ok(BAD_PASSWORD)]));
    world.store_works = [Some(true), Some(false)].into_iter().collect();
    world.run(minutes(1));
    world.now = start();
    let due = world.session.persistence.save_due();
    assert!(due.is_some() && stopped_until(&mut world) == due, "{}", world.trace());
}

#[test]
fn a_session_stopped_for_consent_takes_no_lease_to_store_a_lock_out() {
    let app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut world = member(World::of(app, []));
    world.run(minutes(1));
    world.reject_of(0, 429, "");
    let check_at = stopped_until(&mut world);
    assert!(world.stored.is_empty() && world.session.persistence.dirty, "{}", world.trace());
    assert_eq!(check_at, Some(later(world.now, seconds(10))), "others may have a token by then");
}

#[test]
fn a_new_refresh_token_restarts_only_a_session_that_stopped_for_consent() {
    let mut other = World::app([refreshed("at-1", "rt-1")]);
    other.run(minutes(1));
    // The access token is dead.
    let stored = changed(&other.snapshot(), |fields| {
        let access = fields.remove("access").unwrap();
        fields.insert("deadIssuedAt".into(), access["issuedAt"].clone());
    });
    let waiting = |script: Vec<Answer>| {
        let app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
        let mut world = World::of(app, script);
        world.run(minutes(2));
        assert!(matches!(world.session.stop_reason(), Some(StopReason::ConsentRequired)));
        world
    };
    let mut world = waiting([refreshed("at-2", "rt-2")].into());
    adopt(&mut world, stored.clone());
    assert!(world.session.stop_reason().is_none());
    world.run(minutes(3));
    assert_eq!(world.token().as_deref(), Some("at-2"), "{}", world.trace());

    let mut world = waiting(Vec::new());
    let own = world.snapshot();
    adopt(&mut world, own);
    assert!(world.session.stop_reason().is_some(), "the record has no refresh token");

    let mut forgotten = World::app([]);
    forgotten.session.forget(start());
    adopt(&mut forgotten, stored);
    assert!(matches!(forgotten.session.stop_reason(), Some(StopReason::Forgotten)));
}

#[test]
fn a_refusal_because_of_the_wrong_environment_is_stored_with_its_text() {
    let text = "This endpoint should be called on live.tradovateapi.com";
    let mut world = World::user([ok(format!(r#"{{"errorText":"{text}"}}"#))]).storing([]);
    world.run(minutes(1));
    let stored = serde_json::to_string(world.stored.last().unwrap()).unwrap();
    assert!(stored.contains(text), "{stored}");
}

#[test]
fn a_stopped_session_that_holds_the_lease_stores_a_lock_out() {
    let mut world = member(World::of(code::session_from("code"), [Answer::Silence]));
    world.run(seconds(1));
    world.answer_late(Answer::Failure(Failure::MaybeSent));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::CodeLost)), "{}", world.trace());
    world.reject_of(0, 429, "");
    stopped_until(&mut world);
    assert_eq!((world.stored.len(), world.session.persistence.dirty), (1, false), "{}", world.trace());
}

/// The redirect may come from the proxy of one machine. The server has not handled the login.
#[test]
fn a_login_that_is_redirected_to_a_strangers_host_stops_only_the_process_that_sent_it() {
    let strangers = || moved("https://live.tradovateapi.com.evil.example/v1/auth/accesstokenrequest");
    let stopped = |world: &World| matches!(world.session.stop_reason(), Some(StopReason::Refused(Error::Moved(_))));
    // Credentials that have never worked.
    let mut one = member(World::user([strangers()]));
    one.run(minutes(1));
    let mut other = member(World::user([]));
    synchronize(&mut other, &one);
    assert!(stopped(&one) && pending(&mut other) == Some(Wanted::Send(Operation::LogIn)), "{}", one.trace());
    // Credentials that have worked are tried again after an hour. All processes wait for it.
    let script = [token_to("one", 80), status(401, DEAD), strangers(), strangers()];
    let mut one = member(World::user(script));
    one.run(minutes(70));
    let mut other = member(World::user([token_to("two", 300)]));
    other.now = one.now;
    synchronize(&mut other, &one);
    assert!(!stopped(&one) && pending(&mut other).is_none(), "{}", one.trace());
    one.run(minutes(130));
    other.now = one.now;
    synchronize(&mut other, &one);
    assert!(stopped(&one), "{}", one.trace());
    other.record = one.record.clone();
    other.run(minutes(131));
    assert_eq!(other.token().as_deref(), Some("two"), "{}", other.trace());
    // The process that has stopped continues with the token of the other one.
    one.now = other.now;
    synchronize(&mut one, &other);
    assert_eq!((one.session.stop_reason().is_none(), one.token().as_deref()), (true, Some("two")));
}
