use tradovate_auth_core::{AccessTokenResponse, Answer as CallAnswer, Endpoint, Exchange as Times, RenewAccessToken};

use super::*;

fn password_change(text: &str, user: i64) -> CallAnswer<AccessTokenResponse> {
    let body = format!(r#"{{"accessToken":"{text}","expirationTime":"2026-11-24T17:00:00Z","userId":{user}}}"#);
    let value = RenewAccessToken::parse(Response::new(body)).unwrap().value;
    CallAnswer { value, exchange: Times { sent: start(), received: start(), server_time: None } }
}

#[test]
fn other_credentials_restart_a_stopped_session() {
    let mut world = World::user([ok(BAD_PASSWORD), token_to("one", 80)]);
    world.run(minutes(1));
    world.session.replace_credentials(Credentials::new("trader", "other"));
    insta::assert_snapshot!(world.run(minutes(2)).trace(), @"
    0:00 → demo accesstokenrequest: stopped: Refused, IncorrectCredentials
    1:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn an_answer_for_the_old_credentials_does_not_affect_the_new_ones() {
    let mut world = World::user([Answer::Silence, token_to("one", 80)]);
    world.run(Duration::from_secs(1));
    world.session.replace_credentials(Credentials::new("trader", "other"));
    world.answer_late(ok(BAD_PASSWORD));
    insta::assert_snapshot!(world.run(minutes(2)).trace(), @"
    0:00 → demo accesstokenrequest
    0:01 ← late
    0:01 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn credentials_of_another_user_end_the_session_of_the_previous_user() {
    let other = ok(r#"{"accessToken":"other","expirationTime":"2026-11-24T18:00:00Z","userId":2}"#);
    let mut world = World::user([token_to("one", 80), other]);
    world.run(minutes(1));
    world.session.replace_credentials(Credentials::new("somebody", "password"));
    assert_eq!(world.token(), None);
    world.run(minutes(2));
    assert_eq!(world.token().as_deref(), Some("other"));
}

//= R-LOGIN-23
#[test]
fn a_session_adopts_the_token_of_a_password_change() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    world.session.adopt_answer(world.now, password_change("changed", 1)).unwrap();
    assert!(world.session.adopt_answer(world.now, password_change("other", 2)).is_err());
    insta::assert_snapshot!(world.run(minutes(2)).trace(), @"
    0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    1:00 adopted a token: it is valid until 2026-11-24T17:00:00Z
    ");
    assert_eq!(world.token().as_deref(), Some("changed"));
    let mut first = World::user([]);
    first.session.adopt_answer(first.now, password_change("changed", 1)).unwrap();
    assert!(first.session.record.tokens.started_at.is_some(), "it starts a lineage if there is none");
}

#[test]
fn the_token_of_a_password_change_is_not_used_before_it_is_stored() {
    let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence]).storing([]);
    world.run(minutes(65));
    world.session.adopt_answer(world.now, password_change("changed", 1)).unwrap();
    assert_eq!(world.token().as_deref(), Some("at-1"));
    world.answer_late(refreshed("at-2", "rt-2"));
    insta::assert_snapshot!(world.run(minutes(67)).trace(), @"
     0:00 → live oauthtoken (rt-0)
     0:00 store
     0:00 refreshed: the token is valid until 2026-11-24T15:20:00Z
     0:00 consent due by 1560:00
    65:00 → live oauthtoken (rt-1)
    65:00 ← late
    65:00 store
    65:00 refreshed: the token is valid until 2026-11-24T16:25:00Z
    65:00 consent due by 1625:00
    ");
    assert_eq!(serde_json::to_value(world.snapshot()).unwrap()["refresh"]["token"], "rt-2");
}

#[test]
fn forget_drops_all_tokens_in_every_state() {
    let resting = World::user([token_to("one", 80)]);
    let exchanging = World::user([Answer::Silence, Answer::Silence]);
    let late = World::user([Answer::Silence, Answer::Failure(Failure::NotSent), Answer::Silence]);
    let storing = World::user([token_to("one", 80)]).storing([None]);
    let stopped = World::user([ok(BAD_PASSWORD)]);
    for mut world in [resting, exchanging, late, storing, stopped] {
        world.run(Duration::from_secs(46));
        world.session.forget(world.now);
        for id in world.silent.clone() {
            world.stored(id);
            world.answer(id, token_to("late", 80));
        }
        world.run(minutes(200));
        assert!(matches!(world.session.stop_reason(), Some(StopReason::Forgotten)), "{}", world.trace());
        assert_eq!(world.token(), None);
        assert!(!serde_json::to_string(&world.snapshot()).unwrap().contains("token"));
        assert!(!format!("{:?}", world.session.exchanges).contains("Bearer"));
    }
}

#[test]
fn a_lock_out_in_a_superseded_answer_still_counts_for_other_sessions() {
    let mut world = World::user([Answer::Silence]);
    world.run(Duration::from_secs(1));
    world.session.forget(world.now);
    world.answer_late(status(429, ""));
    assert!(world.budget.locked_until(world.now).is_some());
}

#[test]
fn a_session_awaits_a_renewal_in_flight_although_the_password_has_changed() {
    let mut world = World::user([token_to("one", 80), Answer::Silence]);
    world.run(minutes(65));
    world.session.replace_credentials(Credentials::new("trader", "other"));
    world.run(Duration::from_secs(65 * 60 + 5));
    world.answer_late(token_to("two", 160));
    assert_eq!(world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count(), 1);
    assert_eq!(world.token().as_deref(), Some("two"));
}
