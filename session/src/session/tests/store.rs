use tradovate_auth_core::{Endpoint, Grant};

use super::*;

#[test]
fn a_token_is_used_only_after_it_is_stored() {
    let mut world = World::user([token_to("one", 80)]).storing([Some(true), None]);
    world.run(Duration::from_secs(10));
    assert_eq!(world.token(), None);
    world.stored(ExchangeId(99));
    assert_eq!(world.token(), None, "another store");
    let id = world.silent[0];
    world.stored(id);
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn a_store_that_fails_or_does_not_answer_is_asked_again() {
    let mut world = World::user([token_to("one", 80)]).storing([Some(true), Some(false), None, Some(false)]);
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
        0:00 store
        0:00 → demo accesstokenrequest
        0:00 store, in vain
        0:00 the store can't be written: the disk is full; the session asks the store again after 2026-11-24T14:00:01Z; the program has no token
    0:00.500 store, no answer
    0:45.500 the store can't be reached: the store gave no answer in time; the session asks the store again after 2026-11-24T14:00:47Z; the program has no token
    0:46.500 store, in vain
    0:46.500 the store can't be written: the disk is full; the session asks the store again after 2026-11-24T14:00:49Z; the program has no token
    0:48.500 store
    0:48.500 logged in: the token is valid until 2026-11-24T15:20:00Z
    0:48.500 the store works again
    ");
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn the_old_token_is_used_until_the_new_one_is_stored() {
    let broken = (0..40).map(|_| Some(false));
    let mut world = World::user([token_to("one", 80), token_to("two", 160)])
        .storing([Some(true), Some(true)].into_iter().chain(broken));
    world.run(minutes(75));
    assert_eq!(world.token().as_deref(), Some("one"));
    world.run(minutes(80));
    assert_eq!(world.token(), None);
}

#[test]
fn a_store_failure_does_not_count_as_a_failed_renewal() {
    let broken = [Some(true), Some(true), Some(false), Some(false), Some(false), Some(false), Some(false), Some(false)];
    let mut world = World::user([token_to("one", 80), token_to("two", 160), token_to("three", 240)]).storing(broken);
    world.run(minutes(80));
    world.reject(401, DEAD);
    world.run(minutes(90));
    let count = |what: &str| world.trace.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("accesstokenrequest"), 1, "{}", world.trace());
}

#[test]
fn a_lock_out_that_cannot_be_stored_stops_no_renewal() {
    let broken = (0..200).map(|_| Some(false));
    let mut world = World::user([token_to("one", 180), token_to("two", 300)])
        .storing([Some(true), Some(true)].into_iter().chain(broken));
    world.run(minutes(60));
    world.reject(429, "");
    world.run(minutes(179));
    assert_eq!(world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count(), 1, "{}", world.trace());
}

//= R-REFRESH-3
#[test]
fn a_rotated_refresh_token_is_presented_only_after_it_is_stored() {
    let mut world = World::app([refreshed("at-1", "rt-1")]).storing((0..1000).map(|_| None));
    world.run(minutes(500));
    let presented = world.trace.iter().filter(|line| line.contains("→ live oauthtoken")).count();
    assert_eq!(presented, 1);
}

#[test]
fn a_session_that_starts_from_a_grant_stores_it_before_use() {
    let mut app = World::app([]);
    let Action::Send { .. } = app.session.poll(start(), &mut app.budget) else { panic!() };
    let grant = Grant::from_oauth(
        tradovate_auth_core::OAuthToken::parse(Response::new(
            r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":4800,"refresh_token_expires_in":93600}"#,
        ))
        .unwrap(),
        start(),
        start(),
        None,
    )
    .unwrap();
    let of = |grant: Grant| Session::new(Environment::live(), Login::grant(OAuthApp::new("client"), grant), 0);
    assert!(of(grant.clone()).token(start()).is_some());
    let mut world = World::of(of(grant), [refreshed("at-2", "rt-2")]).storing([]);
    assert_eq!(world.token(), None);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 store
     0:00 logged in: the token is valid until 2026-11-24T15:20:00Z
     0:00 consent due by 1560:00
    65:00 → live oauthtoken (rt-1)
    65:00 store
    65:00 refreshed: the token is valid until 2026-11-24T16:25:00Z
    65:00 consent due by 1625:00
    ");
}

#[test]
fn refusals_and_penalties_are_stored() {
    let mut world = World::app([
        refreshed("at-1", "rt-1"),
        ok(INVALID_GRANT),
        ok(INVALID_GRANT),
        ok(r#"{"p-ticket":"ticket","p-time":15}"#),
        token_to("renewed", 200),
    ])
    .storing([]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → live oauthtoken (rt-0)
     0:00 store
     0:00 refreshed: the token is valid until 2026-11-24T15:20:00Z
     0:00 consent due by 1560:00
    65:00 → live oauthtoken (rt-1): refresh failed (Refused, InvalidGrant); next try at 65:02
    65:02 → live oauthtoken (rt-1): the server refused the refresh token: the session sends it again after 2026-11-24T21:05:02Z, and only renews before then; the token is usable until 2026-11-24T15:19:30Z; if it can't renew before then, the user has to authorize the app again
    65:02 store
    65:02 → live renewaccesstoken (at-1): renewal postponed by the server: the session sends it again after 2026-11-24T15:05:17Z; the token is usable until 2026-11-24T15:19:30Z
    65:02 store
    65:17 → live renewaccesstoken (at-1)
    65:17 store
    65:17 renewed: the token is valid until 2026-11-24T17:20:00Z
    ");
}

#[test]
fn an_older_snapshots_ticket_is_not_used_for_a_newer_refresh_token() {
    let penalty = ok(r#"{"p-ticket":"ticket","p-time":1}"#);
    let works = [Some(true), None, Some(true)];
    let mut world = World::app([penalty, refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]).storing(works);
    world.run(Duration::from_secs(3));
    let older = world.stored[0].clone();
    world.session.adopt(world.now, older, &mut world.budget);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
        0:00 → live oauthtoken (rt-0): refresh postponed by the server: the session sends it again after 2026-11-24T14:00:01Z; the program has no token
        0:00 store
        0:01 → live oauthtoken (rt-0) with the ticket
        0:01 store, no answer
        0:46 the store can't be reached: the store gave no answer in time; the session asks the store again after 2026-11-24T14:00:47Z; the program has no token
    0:46.500 store
    0:46.500 refreshed: the token is valid until 2026-11-24T15:20:01Z
    0:46.500 consent due by 1560:01
    0:46.500 the store works again
       65:01 → live oauthtoken (rt-1)
       65:01 store
       65:01 refreshed: the token is valid until 2026-11-24T16:25:01Z
       65:01 consent due by 1625:01
    ");
}

#[test]
fn a_newer_snapshot_replaces_the_tokens_that_wait_for_the_store() {
    let mut other = World::app([refreshed("at-9", "rt-9")]);
    other.now = later(start(), minutes(5));
    let newer = other.run(minutes(6)).snapshot();
    let mut world = World::app([refreshed("at-1", "rt-1"), refreshed("at-10", "rt-10")]).storing([None]);
    world.run(Duration::from_secs(10));
    world.session.adopt(later(start(), minutes(6)), newer, &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("at-9"));
    let id = world.silent.remove(0);
    world.stored(id);
    assert_eq!(world.token().as_deref(), Some("at-9"), "word of the older one changes nothing");
    assert!(world.run(minutes(80)).trace().contains("(rt-9)"), "{}", world.trace());
}

#[test]
fn a_snapshot_without_a_refresh_token_does_not_replace_an_unstored_one() {
    let mut other = World::app([refreshed("newer", "rt-x")]);
    other.now = later(start(), minutes(5));
    let newer = without_refresh_token(&other.run(minutes(6)).snapshot());
    let mut world = World::app([refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]).storing([None]);
    world.run(Duration::from_secs(10));
    world.session.adopt(later(start(), minutes(6)), newer, &mut world.budget);
    world.run(minutes(10));
    assert_eq!(world.token().as_deref(), Some("newer"), "{}", world.trace());
    assert!(world.run(minutes(100)).trace().contains("oauthtoken (rt-1)"), "{}", world.trace());
}

#[test]
fn a_store_failure_ends_when_the_unsaved_tokens_are_superseded() {
    let mut other = World::user([token_to("newer", 80)]);
    other.now = later(start(), minutes(2));
    let newer = other.run(minutes(3)).snapshot();
    let mut world =
        World::user([token_to("one", 80)]).storing([Some(true)].into_iter().chain((0..100).map(|_| Some(false))));
    world.run(minutes(3));
    world.session.adopt(world.now, newer, &mut world.budget);
    let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    assert!(until > later(start(), minutes(60)), "{until}");
}
