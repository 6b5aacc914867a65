use super::*;

//= R-RENEW-11
#[test]
fn a_loss_is_followed_by_one_login() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), token_to("two", 200)]);
    world.run(minutes(20));
    world.reject(401, DEAD);
    assert_eq!(world.token(), None);
    insta::assert_snapshot!(world.run(minutes(25)).trace(), @r#"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    20:00 a call is answered 401 "Invalid access token": Dead
    20:00 → demo renewaccesstoken (one): the server no longer accepts the token: the program has no token until the session gets a new one
    20:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T17:20:00Z
    "#);
}

#[test]
fn after_the_second_lost_session_an_oauth_session_waits_before_it_refreshes() {
    let lost = || status(401, DEAD);
    let mut world =
        World::app([refreshed("one", "rt-1"), lost(), refreshed("two", "rt-2"), lost(), refreshed("three", "rt-3")]);
    world.run(minutes(2));
    world.reject(401, DEAD);
    world.run(minutes(4));
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(40)).trace(), @r#"
     0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
     2:00 a call is answered 401 "Invalid access token": Dead
     2:00 → live renewaccesstoken (one): the server no longer accepts the token: the program has no token until the session gets a new one
     2:00 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T15:22:00Z; consent due by 1562:00
     4:00 a call is answered 401 "Invalid access token": BeingChecked
    17:00 → live renewaccesstoken (two): the server no longer accepts the token: the program has no token until the session gets a new one; the server closed the server session more than once: the program has no token, and the session neither logs in nor refreshes before 2026-11-24T14:32:00Z; another program may log in as the same user: end that program
    32:00 → live oauthtoken (rt-2): refreshed: the token is valid until 2026-11-24T15:52:00Z; consent due by 1592:00
    "#);
}

//= R-SESSION-2
#[test]
fn a_kick_that_appears_as_faults_is_recognized_if_renewals_fail_too() {
    for kick in [408, 500] {
        let faults = (0..9).map(|_| status(kick, ""));
        let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 200)]));
        world.run(minutes(20));
        assert_eq!(world.reject(kick, ""), Verdict::NotAboutTheToken);
        world.run(minutes(25));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        assert!(world.trace().contains("the server no longer accepts the token"), "{}", world.trace());
    }
}

#[test]
fn maintenance_after_a_reported_500_does_not_count_as_a_kick() {
    // A caller receives a 500. After that, every endpoint is in maintenance.
    let faults = (0..40).map(|_| status(503, "<html>"));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 200)]));
    world.run(minutes(20));
    world.reject(500, "");
    world.run(minutes(60));
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 1, "{}", world.trace());
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn after_a_kick_a_refresh_waits_only_if_it_opens_a_session() {
    let lost = || status(401, DEAD);
    let mut world = World::app([refreshed("one", "rt-1"), lost(), refreshed("two", "rt-2"), lost()]);
    for minute in [2, 4] {
        world.run(minutes(minute));
        world.reject(401, DEAD);
    }
    world.run(minutes(19));
    // Another process has obtained a token that lives for ten minutes.
    let mut other = World::app([ok(r#"{"access_token":"new","refresh_token":"rt-3","expires_in":600}"#)]);
    other.now = later(start(), minutes(18));
    other.run(minutes(19));
    world.session.adopt(world.now, other.snapshot(), &mut world.budget);
    world.script.push_back(refreshed("three", "rt-4"));
    world.trace.clear();
    insta::assert_snapshot!(world.run(minutes(25)).trace(), @"
    19:00 adopted a token: it is valid until 2026-11-24T14:28:00Z
    23:00 → live oauthtoken (rt-3): refreshed: the token is valid until 2026-11-24T15:43:00Z; consent due by 1583:00
    ");
}
