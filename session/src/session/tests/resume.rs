use super::*;

/// The snapshot that a session stores at this minute after it has received these answers.
fn stored_at(minute: u64, world: World) -> StoredSession {
    let mut world = world;
    world.run(minutes(minute));
    let text = serde_json::to_string(&world.snapshot()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn resumed_at(minute: u64, mut world: World, stored: StoredSession) -> World {
    world.now = later(start(), minutes(minute));
    world.session.adopt(world.now, stored, &mut world.budget);
    world.write_events();
    world
}

#[test]
fn a_captcha_and_a_ticket_survive_a_restart() {
    let stored = stored_at(0, World::user([ok(r#"{"p-ticket":"ticket","p-time":600}"#)]));
    let mut world = resumed_at(1, World::user([token_to("one", 200)]), stored);
    insta::assert_snapshot!(world.run(minutes(20)).trace(), @"    10:06 → demo accesstokenrequest with the ticket: logged in: the token is valid until 2026-11-24T17:20:00Z");
    let stored = stored_at(0, World::user([ok(r#"{"p-captcha":true}"#)]));
    let mut world = resumed_at(1, World::user([token_to("one", 200)]), stored);
    insta::assert_snapshot!(world.run(minutes(61)).trace(), @"    60:36 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T17:20:00Z");
}

#[test]
fn a_refused_refresh_token_stays_refused() {
    let answers = [refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT), token_to("renewed", 150)];
    let stored = stored_at(80, World::app(answers));
    let mut world = resumed_at(81, World::app([status(401, DEAD), refreshed("at-2", "rt-2")]), stored);
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(460)).trace(), @r#"
     81:00 adopted a token: it is valid until 2026-11-24T16:30:00Z
     81:00 a call is answered 401 "Invalid access token": Dead
     81:00 → live renewaccesstoken (renewed): the server no longer accepts the token: the program has no token until the session gets a new one
    425:02 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T22:25:02Z; consent due by 1985:02
    "#);
}

#[test]
fn an_older_snapshot_changes_no_token() {
    let stored = stored_at(10, World::user([token_to("older", 70)]));
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    world.session.adopt(world.now, stored, &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn a_newer_snapshot_of_another_process_is_taken_over_with_its_refresh_token() {
    let stored = stored_at(70, World::app([refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]));
    let mut world = World::app([refreshed("at-x", "rt-x")]);
    world.run(minutes(1));
    world.now = later(start(), minutes(70));
    world.script.push_back(refreshed("at-3", "rt-3"));
    world.session.adopt(world.now, stored, &mut world.budget);
    world.write_events();
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @"
      0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
     70:00 adopted a token: it is valid until 2026-11-24T16:25:00Z
    130:00 → live oauthtoken (rt-2): refreshed: the token is valid until 2026-11-24T17:30:00Z; consent due by 1690:00
    ");
}

#[test]
fn a_refusal_of_a_token_that_was_replaced_meanwhile_does_not_concern_the_new_one() {
    let stored = stored_at(70, World::app([refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]));
    let mut world = World::app([refreshed("at-x", "rt-x"), ok(INVALID_GRANT), Answer::Silence]);
    world.run(Duration::from_secs(3910));
    world.session.adopt(later(start(), minutes(70)), stored, &mut world.budget);
    world.answer_late(ok(INVALID_GRANT));
    world.script.push_back(refreshed("at-3", "rt-3"));
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @"
      0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
     65:00 → live oauthtoken (rt-x): refresh failed (Refused, InvalidGrant); next try at 65:02
     65:02 → live oauthtoken (rt-x)
     65:10 ← late: adopted a token: it is valid until 2026-11-24T16:25:00Z
    130:00 → live oauthtoken (rt-2): refreshed: the token is valid until 2026-11-24T17:30:00Z; consent due by 1690:00
    ");
}

#[test]
fn hosts_and_clock_survive_a_restart() {
    let hosts =
        r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","apiHosts":{"demo":"acme.ninjatrader.com"}}"#;
    let stored = stored_at(10, World::user([ok(hosts)]).ahead(SignedDuration::from_mins(10)));
    let mut world = resumed_at(20, World::user([token_to("two", 80), token_to("three", 160)]), stored);
    insta::assert_snapshot!(world.run(minutes(60)).trace(), @"
        20:00 the user's hosts have changed: the program has to connect to the new hosts
        20:00 adopted a token: it is valid until 2026-11-24T15:20:00Z
        20:00 → acme renewaccesstoken (one): renewed: the token is valid until 2026-11-24T15:20:00Z
    54:59.500 → acme renewaccesstoken (two): renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn a_snapshot_without_a_refresh_token_does_not_remove_the_sessions_own() {
    let mut other = World::app([refreshed("newer", "rt-x")]);
    other.now = later(start(), minutes(1));
    let newer = without_refresh_token(&other.run(minutes(2)).snapshot());
    let mut world = World::app([refreshed("at-1", "rt-1")]);
    world.run(minutes(2));
    world.session.adopt(world.now, newer, &mut world.budget);
    assert_eq!(world.token().as_deref(), Some("newer"));
    let stored = serde_json::to_value(world.snapshot()).unwrap();
    assert_eq!(stored["refresh"]["token"], "rt-1");
}

#[test]
fn the_answer_to_a_renewal_is_used_after_another_process_has_given_up_the_token() {
    let mut world = World::user([token_to("one", 80), Answer::Silence]);
    world.run(minutes(65));
    let dead = changed(&world.snapshot(), |fields| {
        let access = fields.remove("access").unwrap();
        fields.insert("deadIssuedAt".into(), access["issuedAt"].clone());
    });
    adopt(&mut world, dead);
    assert_eq!(world.token(), None);
    world.answer_late(token_to("two", 160));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn an_expired_token_from_a_snapshot_causes_no_adoption_event() {
    for (minute, is_reported) in [(79, true), (80, false)] {
        let mut other = World::user([token_to("one", 80)]);
        other.run(minutes(1));
        let mut world = World::user([]);
        world.now = later(start(), minutes(minute));
        adopt(&mut world, other.snapshot());
        assert_eq!(world.trace().contains("adopted a token"), is_reported, "{minute} {}", world.trace());
    }
}

#[test]
fn an_assumed_clock_offset_is_adopted_only_with_the_first_token() {
    let mut other = World::app([refreshed("at-1", "rt-1")]);
    other.run(minutes(1));
    let assumed =
        |offset: i64| changed(&other.snapshot(), |fields| drop(fields.insert("assumedOffsetMs".into(), offset.into())));
    let mut world = World::app([]);
    world.now = other.now;
    adopt(&mut world, assumed(1000));
    assert_eq!(world.session.token.assumed_offset, Some(SignedDuration::from_secs(1)));
    adopt(&mut world, assumed(2000));
    assert_eq!(world.session.token.assumed_offset, Some(SignedDuration::from_secs(1)));
}

#[test]
fn a_token_from_a_record_older_than_a_minute_is_confirmed_by_a_renewal() {
    for (age, is_confirmed) in [(seconds(60), false), (seconds(61), true)] {
        let mut other = sharing::member(World::user([token_to("one", 80)]));
        other.run(minutes(1));
        let mut world = sharing::member(World::user([]));
        world.now = later(other.now, age);
        let stored = (other.snapshot(), Some(age));
        world.session.synchronize(world.now, Some(stored), &mut world.budget);
        assert_eq!(world.session.confirmation_due().is_some(), is_confirmed, "{age:?}");
    }
}

/// A snapshot that was stored five minutes after the first loss, and one that was stored a minute after a kick.
fn after_losses() -> [StoredSession; 2] {
    let lost = || status(401, DEAD);
    let mut world = World::user([token_to("one", 80), lost(), token_to("two", 90), lost()]);
    world.run(minutes(10));
    world.reject(401, DEAD);
    world.run(minutes(15));
    let first = world.snapshot();
    world.reject(401, DEAD);
    [first, stored_at(26, world)]
}

/// A start with a clock that was set back. The token may have expired.
#[test]
fn a_loss_after_the_clock_was_set_back_is_no_kick() {
    let [stored, _] = after_losses();
    let mut world = resumed_at(2, World::user([status(401, DEAD), token_to("three", 80)]), stored);
    world.reject(401, DEAD);
    world.run(minutes(13));
    assert_eq!(world.token().as_deref(), Some("three"), "{}", world.trace());
}

#[test]
fn the_rest_of_the_pause_after_a_kick_is_waited_for_after_the_clock_was_set_back() {
    let [_, stored] = after_losses();
    let mut world = resumed_at(2, World::user([token_to("three", 80)]), stored);
    world.run(minutes(30));
    assert!(world.trace().starts_with("    16:00 → demo accesstokenrequest: logged in"), "{}", world.trace());
}

#[test]
fn a_clock_that_is_behind_by_a_minute_does_not_hide_a_kick() {
    let [stored, _] = after_losses();
    let mut world = resumed_at(14, World::user([status(401, DEAD)]), stored);
    world.reject(401, DEAD);
    world.run(minutes(25));
    assert!(world.trace().contains("more than once"), "{}", world.trace());
}

#[test]
fn a_snapshot_with_a_future_time_does_not_hide_a_kick_from_a_session_that_runs() {
    let lost = || status(401, DEAD);
    let adopted = resumed_at(1, World::user([lost()]), stored_at(0, World::user([token_to("old", 80)])));
    let mut with_token = World::user([token_to("old", 80), lost()]);
    with_token.run(seconds(1));
    let mut without_token = World::user([status(500, ""), lost()]);
    without_token.run(seconds(1));
    for mut world in [adopted, with_token, without_token] {
        world.now = later(start(), minutes(2));
        let [stored, _] = after_losses();
        adopt(&mut world, stored);
        world.reject(401, DEAD);
        world.run(minutes(12));
        assert!(world.trace().contains("more than once"), "{}", world.trace());
    }
}
