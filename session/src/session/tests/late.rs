use super::*;

#[test]
fn a_late_token_is_used_if_no_request_was_sent_since() {
    let mut world = World::user([Answer::Silence]);
    world.run(Duration::from_secs(45));
    world.answer_late(token_to("one", 80));
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
    0:00 → demo accesstokenrequest
    0:45 login failed (MaybeSent); next try at 1:00
    0:45 ← late: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_late_refusal_stops_the_session_if_no_request_was_sent_since() {
    let mut world = World::user([Answer::Silence]);
    world.run(Duration::from_secs(45));
    world.answer_late(ok(BAD_PASSWORD));
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
    0:00 → demo accesstokenrequest
    0:45 login failed (MaybeSent); next try at 1:00
    0:45 ← late: stopped: Refused, IncorrectCredentials
    ");
}

#[test]
fn a_late_token_is_used_instead_of_the_answer_to_the_repeated_login() {
    let mut world = World::user([Answer::Silence, Answer::Silence]);
    world.run(Duration::from_secs(70));
    world.answer_late(token_to("one", 80));
    world.answer_late(token_to("two", 80));
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
    0:00 → demo accesstokenrequest
    0:45 login failed (MaybeSent); next try at 1:00
    1:00 → demo accesstokenrequest
    1:10 ← late: logged in: the token is valid until 2026-11-24T15:20:00Z
    1:10 ← late
    ");
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn a_late_refusal_does_not_end_the_repeated_login() {
    let mut world = World::user([Answer::Silence, Answer::Silence]);
    world.run(Duration::from_secs(70));
    world.answer_late(ok(BAD_PASSWORD));
    world.answer_late(token_to("two", 80));
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn a_late_lock_out_always_counts() {
    let mut world = World::user([Answer::Silence, token_to("two", 80)]);
    world.run(minutes(2));
    world.answer_late(status(429, ""));
    assert_eq!(world.budget.locked_until(world.now), Some(later(world.now, Duration::from_secs(3636))));
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn a_late_refresh_token_is_used_even_after_a_renewal() {
    let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence, token_to("renewed", 150)]);
    world.run(minutes(75));
    world.answer_late(refreshed("at-2", "rt-2"));
    world.script.push_back(refreshed("at-3", "rt-3"));
    insta::assert_snapshot!(world.run(minutes(145)).trace(), @"
         0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
        65:00 → live oauthtoken (rt-1)
        65:45 the answer to a refresh was lost, and the server may have replaced the refresh token: the session renews, if it can, before it sends the refresh token again
        65:45 refresh failed (MaybeSent); next try at 65:45.500
    65:45.500 → live renewaccesstoken (at-1): renewed: the token is valid until 2026-11-24T16:30:00Z
        75:00 ← late: refreshed: the token is valid until 2026-11-24T16:30:00Z; consent due by 1625:00
       135:00 → live oauthtoken (rt-2): refreshed: the token is valid until 2026-11-24T17:35:00Z; consent due by 1695:00
    ");
}

#[test]
fn a_late_refresh_token_causes_no_renewal_for_market_data_if_the_token_in_use_has_them() {
    let with_market_data =
        ok(r#"{"accessToken":"renewed","mdAccessToken":"market","expirationTime":"2026-11-24T16:30:00Z"}"#);
    let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence, with_market_data]);
    world.run(minutes(75));
    world.session.policy = world.session.policy.with_refreshes_preferred(false);
    world.answer_late(refreshed("at-2", "rt-2"));
    assert_eq!(world.token().as_deref(), Some("renewed"));
    assert_eq!(world.session.market_data_due(world.now, &world.budget), None, "{}", world.trace());
}

#[test]
fn an_answer_to_a_renewal_does_not_restore_a_replaced_refresh_token() {
    for works in [Some(true), None] {
        let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence, Answer::Silence]).storing([]);
        world.run(minutes(66));
        world.store_works = [works].into();
        world.answer_late(refreshed("at-2", "rt-2"));
        world.answer_late(token_to("renewed", 150));
        world.run(minutes(67));
        let stored = serde_json::to_value(world.snapshot()).unwrap();
        assert_eq!(stored["refresh"]["token"], "rt-2", "{}", world.trace());
    }
}

//= R-REFRESH-1
#[test]
fn an_older_refresh_does_not_replace_a_newer_one() {
    let mut world = World::app([Answer::Silence, refreshed("at-2", "rt-2")]);
    world.run(minutes(2));
    world.answer_late(refreshed("at-1", "rt-1"));
    assert_eq!(world.token().as_deref(), Some("at-2"));
    let stored = serde_json::to_value(world.snapshot()).unwrap();
    assert_eq!(stored["refresh"]["token"], "rt-2");
}

#[test]
fn a_late_answer_to_a_refresh_is_used_after_many_unanswered_renewals() {
    let silence = (0..9).map(|_| Answer::Silence);
    let mut world = World::app([refreshed("at-1", "rt-1")].into_iter().chain(silence));
    world.run(minutes(78));
    world.answer_late(refreshed("at-2", "rt-2"));
    assert_eq!(world.token().as_deref(), Some("at-2"), "{}", world.trace());
}

#[test]
fn a_late_refresh_token_is_used_so_that_no_new_consent_is_needed() {
    let answers = [Answer::Silence, ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers);
    world.run(minutes(5));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::ConsentRequired)));
    world.answer_late(refreshed("at-1", "rt-1"));
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
        0:00 → live oauthtoken (rt-0)
        0:45 the answer to a refresh was lost, and the server may have replaced the refresh token: the session renews, if it can, before it sends the refresh token again
        0:45 refresh failed (MaybeSent); next try at 0:45.500
    0:45.500 → live oauthtoken (rt-0): refresh failed (Refused, InvalidGrant); next try at 0:47.500
    0:47.500 → live oauthtoken (rt-0): the server refused the refresh token: the session does not send it again, and renews as long as it can; the program has no token; let the user authorize the app again
    0:47.500 stopped: ConsentRequired
        5:00 ← late: refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
    ");
}

#[test]
fn a_late_answer_to_a_renewal_brings_no_token_after_a_loss() {
    let mut world = World::user([token_to("one", 80), Answer::Silence, status(401, DEAD), Answer::Silence]);
    world.run(minutes(67));
    world.answer_late(token_to("ghost", 140));
    assert_eq!(world.token(), None);
    world.answer_late(token_to("two", 160));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn each_answer_is_accepted_once() {
    let mut world = World::user([Answer::Silence]);
    world.run(Duration::from_secs(1));
    let id = world.silent[0];
    world.answer(id, token_to("one", 80));
    world.answer(id, token_to("again", 80));
    world.answer(ExchangeId(77), token_to("foreign", 80));
    world.answer(id, Answer::Failure(Failure::MaybeSent));
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn a_401_for_a_replaced_token_does_not_drop_the_new_one() {
    let mut world = World::user([token_to("one", 80), Answer::Silence]);
    world.run(minutes(65));
    let mut other = World::user([token_to("newer", 200)]);
    other.now = later(start(), minutes(30));
    other.run(minutes(31));
    world.session.adopt(world.now, other.snapshot(), &mut world.budget);
    world.answer_late(status(401, DEAD));
    assert_eq!(world.token().as_deref(), Some("newer"));
    insta::assert_snapshot!(world.run(minutes(100)).trace(), @"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one)
    65:00 ← late: adopted a token: it is valid until 2026-11-24T17:20:00Z
    ");
}

#[test]
fn a_request_found_to_be_unsent_no_longer_counts_in_the_budget() {
    for (failure, given_back) in [(Failure::NotSent, true), (Failure::MaybeSent, false)] {
        let mut world = World::user([Answer::Silence, Answer::Silence]);
        world.run(Duration::from_secs(70));
        let id = world.silent[0];
        for minute in 1..=2 {
            world.budget.take(later(start(), minutes(minute)), Operation::LogIn);
        }
        let full = world.budget.earliest(world.now, Operation::LogIn);
        world.session.failed(world.now, id, failure, &mut world.budget);
        let now = world.budget.earliest(world.now, Operation::LogIn);
        assert!(full > world.now);
        assert_eq!(now <= world.now, given_back, "{failure:?}");
    }
}

#[test]
fn a_late_token_does_not_restart_a_session_with_refused_credentials() {
    let mut world = World::user([Answer::Silence, ok(BAD_PASSWORD)]);
    world.run(minutes(5));
    assert!(world.session.stop_reason().is_some(), "{}", world.trace());
    world.answer_late(token_to("one", 80));
    assert_eq!(world.token(), None, "{}", world.trace());
    assert!(world.session.stop_reason().is_some(), "{}", world.trace());
}

#[test]
fn a_refusal_that_comes_after_a_late_token_changes_nothing() {
    let mut world = World::user([Answer::Silence, Answer::Silence]).storing((0..3).map(|_| Some(true)).chain([None]));
    world.run(Duration::from_secs(70));
    world.answer_late(token_to("one", 80));
    // The token waits to be stored while the second login is in flight.
    world.run(Duration::from_secs(71));
    let store = world.silent.pop().unwrap();
    world.answer_late(ok(BAD_PASSWORD));
    world.stored(store);
    world.run(minutes(3));
    assert_eq!(world.token().as_deref(), Some("one"));
    assert!(!world.trace().contains("refused"), "{}", world.trace());
}

#[test]
fn a_late_refusal_of_a_retried_login_shows_that_it_opened_no_session() {
    let mut world = World::user([Answer::Silence, Answer::Silence]);
    world.run(seconds(70));
    let statuses = |world: &World| {
        let stored = serde_json::to_value(world.snapshot()).unwrap();
        let attempts = stored["logIns"]["attempts"].as_array().unwrap().clone();
        let mut statuses: Vec<_> = attempts.iter().map(|it| it["status"].as_str().unwrap().to_string()).collect();
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(statuses(&world), ["announced", "unknown"]);
    world.answer_late(ok(BAD_PASSWORD));
    assert_eq!(statuses(&world), ["announced", "openedNone"]);
}

#[test]
fn a_late_penalty_does_not_postpone_the_repeated_login() {
    let mut world = World::user([Answer::Silence, Answer::Silence]);
    world.run(seconds(70));
    world.answer_late(ok(r#"{"p-ticket":"ticket","p-time":15}"#));
    assert!(world.session.record.postponed.get().is_none(), "{}", world.trace());
}

#[test]
fn a_penalty_for_a_replaced_refresh_token_does_not_postpone_the_new_one() {
    let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence]);
    world.run(minutes(65));
    let mut other = World::app([refreshed("at-2", "rt-2")]);
    other.now = later(start(), minutes(30));
    other.run(minutes(31));
    adopt(&mut world, other.snapshot());
    world.answer_late(ok(r#"{"p-ticket":"ticket","p-time":15}"#));
    assert_eq!(world.token().as_deref(), Some("at-2"));
    assert!(world.session.record.postponed.get().is_none(), "{}", world.trace());
}

#[test]
fn a_login_that_was_announced_before_a_late_token_came_does_not_count() {
    let mut world = World::user([]).storing([]);
    keep(&mut world);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.now = later(world.now, seconds(45));
    keep(&mut world);
    world.now = later(world.now, seconds(20));
    keep(&mut world);
    let granted = r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z"}"#;
    world.session.receive(world.now, id, Response::new(granted), &mut world.budget);
    let stored = keep(&mut world);
    let mut next = World::user([status(401, DEAD), token_to("two", 200)]);
    next.now = later(start(), minutes(3));
    next.session.adopt(next.now, stored, &mut next.budget);
    next.run(minutes(4));
    assert_eq!(next.token().as_deref(), Some("two"), "{}", next.trace());
}
