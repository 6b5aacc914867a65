use super::*;

#[test]
fn a_short_lived_token_is_renewed_at_half_its_life() {
    let mut world = World::user([token_to("one", 10), token_to("two", 20)]);
    insta::assert_snapshot!(world.run(minutes(8)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 logged in, good until 2026-11-24T14:10:00Z
    4.845 → demo renewaccesstoken (one)
    4.845 renewed, good until 2026-11-24T14:20:00Z
    ");
}

#[test]
fn failed_renewals_are_tried_again_while_the_token_lives_within_the_hours_budget() {
    let faults = (0..15).map(|_| status(500, ""));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 160)]))
        .ahead(SignedDuration::ZERO);
    world.run(minutes(100));
    let renewals = world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count();
    assert_eq!(renewals, 15);
    let minute = |line: &String| line.trim().split(' ').next().unwrap().parse::<f64>().unwrap();
    let last = world.trace.iter().rfind(|line| line.contains("renewaccesstoken")).unwrap();
    assert!(minute(last) > 77.0, "{}", world.trace());
    insta::assert_snapshot!(world.trace.split_off(world.trace.len() - 3).join("\n"), @"
    77.184 renewal failed (500); next try at 77.714
    79.992 → demo accesstokenrequest
    79.992 logged in, good until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn maintenance_does_not_use_up_the_hours_renewals() {
    let faults = (0..10).map(|_| status(503, ""));
    let mut world = World::user([token_to("one", 120)].into_iter().chain(faults).chain([token_to("two", 240)]));
    world.run(minutes(118));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    // The one that was handled counts; fourteen of the hour's fifteen are left.
    (0..13).for_each(|_| world.budget.take(world.now, Operation::Renew));
    assert_eq!(world.budget.earliest(world.now, Operation::Renew), world.now);
    world.budget.take(world.now, Operation::Renew);
    assert!(world.budget.earliest(world.now, Operation::Renew) > world.now);
}

#[test]
fn no_log_in_while_the_token_can_be_renewed() {
    let faults = (0..9).map(|_| status(500, "Internal Server Error"));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 160)]));
    world.run(minutes(80));
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 1);
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn a_token_that_has_expired_by_a_clock_that_jumped_is_followed_by_a_renewal_in_vain_and_a_log_in() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), token_to("two", 300)]);
    world.run(minutes(1));
    world.now = later(start(), minutes(200));
    insta::assert_snapshot!(world.run(minutes(201)).trace(), @"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-24T15:20:00Z
    200.000 → demo renewaccesstoken (one)
    200.000 → demo accesstokenrequest
    200.000 logged in, good until 2026-11-24T19:00:00Z
    ");
}

#[test]
fn three_failed_renewals_of_a_token_that_is_said_to_be_dead_are_followed_by_a_log_in() {
    let faults = (0..8).map(|_| status(500, ""));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 160)]));
    world.run(minutes(10));
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(15)).trace(), @r#"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    10.000 a call is answered 401 "Invalid access token": Dead
    10.000 → demo renewaccesstoken (one)
    10.000 renewal failed (500); next try at 10.012
    10.012 → demo renewaccesstoken (one)
    10.012 renewal failed (500); next try at 10.034
    10.034 → demo renewaccesstoken (one)
    10.034 renewal failed (500); next try at 10.085
    10.085 → demo renewaccesstoken (one)
    10.085 renewal failed (500); next try at 10.175
    10.175 → demo renewaccesstoken (one)
    10.175 renewal failed (500); next try at 10.357
    10.357 → demo renewaccesstoken (one)
    10.357 renewal failed (500); next try at 10.791
    10.791 → demo renewaccesstoken (one)
    10.791 renewal failed (500); next try at 11.659
    11.659 → demo renewaccesstoken (one)
    11.659 renewal failed (500); next try at 12.396
    12.000 the server has ended the session
    12.000 → demo accesstokenrequest
    12.000 logged in, good until 2026-11-24T16:40:00Z
    "#);
}

#[test]
fn a_renewal_that_is_refused_without_a_401_is_no_death() {
    for refusal in [ok(r#"{"errorText":"Access is denied"}"#), status(403, "Access is denied"), status(400, "")] {
        let mut world = World::user([token_to("one", 80), refusal, token_to("two", 160)]);
        world.run(minutes(78));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    }
}

#[test]
fn an_answer_for_another_user_is_not_installed() {
    let other = ok(r#"{"accessToken":"other","expirationTime":"2026-11-24T18:00:00Z","userId":2}"#);
    let mut world = World::user([token_to("one", 80), other, token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    64.535 → demo renewaccesstoken (one)
    64.535 renewal failed (OtherUser); next try at 65.535
    65.535 → demo renewaccesstoken (one)
    65.535 renewed, good until 2026-11-24T16:40:00Z
    ");
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn the_same_text_again_is_another_generation() {
    let mut world = World::user([token_to("one", 80), token_to("one", 160)]);
    world.run(minutes(1));
    let first = world.session.token(world.now).unwrap().generation;
    world.run(minutes(70));
    assert!(world.session.token(world.now).unwrap().generation > first);
}

#[test]
fn a_market_data_token_is_kept_until_it_dies() {
    let first = ok(r#"{"accessToken":"one","mdAccessToken":"md","expirationTime":"2026-11-24T15:20:00Z"}"#);
    let mut world = World::user([first, token_to("two", 160)]);
    world.run(minutes(70));
    let market_data = |world: &World| world.session.token(world.now).unwrap().market_data_token;
    assert_eq!(market_data(&world).unwrap().expose(), "md");
    world.now = later(start(), minutes(81));
    assert!(market_data(&world).is_none());
}

#[test]
fn a_market_data_token_that_was_kept_is_handed_out_to_its_own_end() {
    let end = later(start(), minutes(80));
    let first = format!(r#"{{"accessToken":"one","mdAccessToken":"market","expirationTime":"{end}"}}"#);
    let mut world = World::user([ok(first), token_to("two", 145)]);
    world.run(minutes(70));
    let token = world.session.token(world.now).unwrap();
    assert_eq!(token.market_data_token.unwrap().expose(), "market");
    assert_eq!(token.usable_until, end);
    world.run(minutes(80));
    let token = world.session.token(world.now).unwrap();
    assert_eq!(token.access_token.expose(), "two");
    assert!(token.market_data_token.is_none());
    assert!(token.usable_until > later(start(), minutes(140)));
}

#[test]
fn a_penalty_is_no_failed_renewal() {
    let penalty = || ok(r#"{"p-ticket":"ticket","p-time":90}"#);
    let mut world =
        World::user([token_to("one", 80), status(500, ""), penalty(), penalty(), penalty(), Answer::Silence]);
    world.run(minutes(10));
    world.reject(401, DEAD);
    world.run(minutes(15));
    assert_eq!(world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count(), 5, "{}", world.trace());
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 1, "{}", world.trace());
}

#[test]
fn a_renewal_that_is_given_up_and_refused_later_has_failed_once() {
    let mut world = World::user([token_to("one", 80), Answer::Silence, Answer::Silence, Answer::Silence]);
    world.run(minutes(10));
    world.reject(401, DEAD);
    // Past the deadline, and before the next try.
    for given_up in [Duration::from_millis(645_300), Duration::from_millis(1_290_700)] {
        world.run(given_up);
        world.answer_late(with_header(status(500, ""), header::RETRY_AFTER, "600"));
    }
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @r#"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    10.000 a call is answered 401 "Invalid access token": Dead
    10.000 → demo renewaccesstoken (one)
    10.750 renewal failed (MaybeSent); next try at 10.762
    10.755 ← late
    10.755 renewal failed (500); next try at 20.755
    20.755 → demo renewaccesstoken (one)
    21.505 renewal failed (MaybeSent); next try at 21.556
    21.512 ← late
    21.512 renewal failed (500); next try at 31.512
    "#);
}

#[test]
fn a_failed_log_in_is_no_failed_renewal() {
    // The clock is set forward: the token is taken for expired, until the answer to the login corrects the clock.
    let fault = || status(500, r#"{"errorText":"Fault"}"#);
    let answers = [token_to("one", 80), fault(), fault(), fault(), token_to("two", 200)];
    let mut world = World::user(answers).ahead(SignedDuration::ZERO);
    world.run(minutes(10));
    world.reject(401, DEAD);
    world.run(Duration::from_secs(601));
    let jump = minutes(75);
    world.now = later(world.now, jump);
    world.ahead = Some(SignedDuration::try_from(jump).unwrap() * -1);
    world.run(minutes(90));
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 2, "{}", world.trace());
}

#[test]
fn a_token_is_handed_out_before_its_last_moment_and_not_at_it() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    let end = world.session.token(world.now).unwrap().usable_until;
    let before = crate::moments::earlier(end, Duration::from_nanos(1));
    assert!(world.session.token(before).is_some());
    assert!(world.session.token(end).is_none());
}

#[test]
fn a_renewal_that_is_answered_with_any_401_is_followed_by_a_log_in() {
    for refusal in ["", "Access is denied", DEAD] {
        let mut world = World::user([token_to("one", 80), status(401, refusal), token_to("two", 160)]);
        world.run(minutes(65));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 2);
    }
}
