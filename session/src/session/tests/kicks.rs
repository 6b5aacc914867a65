use super::*;

#[test]
fn a_lost_session_is_followed_by_one_log_in() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), token_to("two", 200)]);
    world.run(minutes(20));
    world.reject(401, DEAD);
    assert_eq!(world.token(), None);
    insta::assert_snapshot!(world.run(minutes(25)).trace(), @r#"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    20.000 a call is answered 401 "Invalid access token": Dead
    20.000 → demo renewaccesstoken (one)
    20.000 the server has ended the session
    20.000 → demo accesstokenrequest
    20.000 logged in, good until 2026-11-24T17:20:00Z
    "#);
}

#[test]
fn a_kick_is_not_answered_with_a_kick() {
    // Another program logs in with the same user a minute after each of our logins.
    let lost = || status(401, DEAD);
    let tokens = ["two", "three", "four", "five", "six", "seven"].map(|text| token_to(text, 1000));
    let log_ins = tokens.into_iter().flat_map(|token| [lost(), token]);
    let mut world = World::user([token_to("one", 1000)].into_iter().chain(log_ins));
    for minute in 0..240 {
        world.run(minutes(minute));
        if world.trace.iter().any(|line| line.contains("logged in")) && minute > 0 {
            // Callers use the token every minute, and it has been dead for long.
            let logged_in = world.trace.iter().rfind(|line| line.contains("logged in")).unwrap();
            let at: f64 = logged_in.trim().split(' ').next().unwrap().parse().unwrap();
            if world.token().is_some() && f64::from(u32::try_from(minute).unwrap()) > at + 1.0 {
                let generation = world.session.token.generation;
                let status = StatusCode::UNAUTHORIZED;
                world.session.rejected(world.now, generation, status, DEAD.as_bytes(), &mut world.budget);
            }
        }
    }
    insta::assert_snapshot!(world.trace(), @"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-25T06:40:00Z
      2.000 → demo renewaccesstoken (one)
      2.000 the server has ended the session
      2.000 → demo accesstokenrequest
      2.000 logged in, good until 2026-11-25T06:40:00Z
     17.000 → demo renewaccesstoken (two)
     17.000 the server has ended the session
     17.000 possibly kicked by another program with the same user: no login before 2026-11-24T14:32:00Z
     32.000 → demo accesstokenrequest
     32.000 logged in, good until 2026-11-25T06:40:00Z
     34.000 → demo renewaccesstoken (three)
     34.000 the server has ended the session
     34.000 possibly kicked by another program with the same user: no login before 2026-11-24T15:04:00Z
     64.000 → demo accesstokenrequest
     64.000 logged in, good until 2026-11-25T06:40:00Z
     66.000 → demo renewaccesstoken (four)
     66.000 the server has ended the session
     66.000 possibly kicked by another program with the same user: no login before 2026-11-24T16:06:00Z
    126.000 → demo accesstokenrequest
    126.000 logged in, good until 2026-11-25T06:40:00Z
    128.000 → demo renewaccesstoken (five)
    128.000 the server has ended the session
    128.000 possibly kicked by another program with the same user: no login before 2026-11-24T17:08:00Z
    188.000 → demo accesstokenrequest
    188.000 logged in, good until 2026-11-25T06:40:00Z
    190.000 → demo renewaccesstoken (six)
    190.000 the server has ended the session
    190.000 possibly kicked by another program with the same user: no login before 2026-11-24T18:10:00Z
    ");
}

#[test]
fn a_refresh_is_no_answer_to_a_kick_either() {
    let lost = || status(401, DEAD);
    let mut world =
        World::app([refreshed("one", "rt-1"), lost(), refreshed("two", "rt-2"), lost(), refreshed("three", "rt-3")]);
    world.run(minutes(2));
    world.reject(401, DEAD);
    world.run(minutes(4));
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(40)).trace(), @r#"
     0.000 → live oauthtoken (rt-0)
     0.000 refreshed, good until 2026-11-24T15:20:00Z
     0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     2.000 a call is answered 401 "Invalid access token": Dead
     2.000 → live renewaccesstoken (one)
     2.000 the server has ended the session
     2.000 → live oauthtoken (rt-1)
     2.000 refreshed, good until 2026-11-24T15:22:00Z
     2.000 without a refresh, a new consent is due by 2026-11-25T16:02:00Z
     4.000 a call is answered 401 "Invalid access token": BeingChecked
    17.000 → live renewaccesstoken (two)
    17.000 the server has ended the session
    17.000 possibly kicked by another program with the same user: no login before 2026-11-24T14:32:00Z
    32.000 → live oauthtoken (rt-2)
    32.000 refreshed, good until 2026-11-24T15:52:00Z
    32.000 without a refresh, a new consent is due by 2026-11-25T16:32:00Z
    "#);
}

#[test]
fn losses_far_apart_are_followed_by_log_ins_at_once() {
    let lost = || status(401, DEAD);
    let mut world =
        World::user([token_to("one", 1000), lost(), token_to("two", 1000), lost(), token_to("three", 1000)]);
    for minute in [20, 60] {
        world.run(minutes(minute));
        world.reject(401, DEAD);
    }
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @r#"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-25T06:40:00Z
    20.000 a call is answered 401 "Invalid access token": Dead
    20.000 → demo renewaccesstoken (one)
    20.000 the server has ended the session
    20.000 → demo accesstokenrequest
    20.000 logged in, good until 2026-11-25T06:40:00Z
    60.000 a call is answered 401 "Invalid access token": Dead
    60.000 → demo renewaccesstoken (two)
    60.000 the server has ended the session
    60.000 → demo accesstokenrequest
    60.000 logged in, good until 2026-11-25T06:40:00Z
    "#);
}

#[test]
fn a_kick_that_shows_as_faults_is_recognized_when_renewals_fail_alike() {
    for kick in [408, 500] {
        let faults = (0..8).map(|_| status(kick, ""));
        let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 200)]));
        world.run(minutes(20));
        assert_eq!(world.reject(kick, ""), Verdict::NotAboutTheToken);
        world.run(minutes(25));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        assert!(world.trace().contains("the server has ended the session"), "{}", world.trace());
    }
}

#[test]
fn faults_of_the_whole_server_are_no_kick() {
    // A caller meets a 500, and then everything is in maintenance.
    let faults = (0..40).map(|_| status(503, "<html>"));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 200)]));
    world.run(minutes(20));
    world.reject(500, "");
    world.run(minutes(60));
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 1, "{}", world.trace());
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn a_call_that_faults_by_itself_costs_one_renewal_in_a_quarter_of_an_hour() {
    let renewals = (0..9).map(|_| token_to("renewed", 200));
    let mut world = World::user([token_to("one", 200)].into_iter().chain(renewals));
    for minute in 1..=60 {
        world.run(minutes(minute));
        world.reject(500, "");
    }
    assert_eq!(world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count(), 4, "{}", world.trace());
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 1);
}

#[test]
fn after_a_kick_a_refresh_waits_only_where_it_opens_a_session() {
    let lost = || status(401, DEAD);
    let mut world = World::app([refreshed("one", "rt-1"), lost(), refreshed("two", "rt-2"), lost()]);
    for minute in [2, 4] {
        world.run(minutes(minute));
        world.reject(401, DEAD);
    }
    world.run(minutes(19));
    // Another process has come by a token that lives for ten minutes.
    let mut other = World::app([ok(r#"{"access_token":"new","refresh_token":"rt-3","expires_in":600}"#)]);
    other.now = later(start(), minutes(18));
    other.run(minutes(19));
    world.session.adopt(world.now, other.snapshot(), &mut world.budget);
    world.script.push_back(refreshed("three", "rt-4"));
    world.trace.clear();
    insta::assert_snapshot!(world.run(minutes(25)).trace(), @"
    19.000 adopted a token, good until 2026-11-24T14:28:00Z
    22.846 → live oauthtoken (rt-3)
    22.846 refreshed, good until 2026-11-24T15:42:50Z
    22.846 without a refresh, a new consent is due by 2026-11-25T16:22:50Z
    ");
}
