use super::*;

#[test]
fn it_logs_in_once_and_renews_before_expiry() {
    let mut world = World::user([token_to("one", 80), token_to("two", 150), token_to("three", 220)]);
    insta::assert_snapshot!(world.run(minutes(150)).trace(), @"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-24T15:20:00Z
     64.535 → demo renewaccesstoken (one)
     64.535 renewed, good until 2026-11-24T16:30:00Z
    134.323 → demo renewaccesstoken (two)
    134.323 renewed, good until 2026-11-24T17:40:00Z
    ");
}

#[test]
fn refused_credentials_that_never_worked_stop_it() {
    let mut world = World::user([ok(r#"{"errorText":"Incorrect username or password."}"#)]);
    insta::assert_snapshot!(world.run(minutes(600)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 stopped: Refused, IncorrectCredentials
    ");
}

#[test]
fn a_penalty_is_answered_with_its_ticket() {
    let mut world = World::user([ok(r#"{"p-ticket":"t","p-time":15}"#), token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 login postponed by the server until 2026-11-24T14:00:15Z
    0.250 → demo accesstokenrequest with the ticket
    0.250 logged in, good until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_lock_out_is_waited_for() {
    let mut world = World::user([status(429, ""), token_to("one", 180)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 locked out: nothing is sent before 2026-11-24T15:00:36Z
    60.600 → demo accesstokenrequest
    60.600 logged in, good until 2026-11-24T17:00:00Z
    ");
}

#[test]
fn faults_are_tried_again_with_growing_pauses() {
    let faults = (0..9).map(|_| status(503, "<html>"));
    let mut world = World::user(faults.chain([token_to("one", 180)]));
    insta::assert_snapshot!(world.run(minutes(20)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 login failed (503); next try at 0.011
    0.011 → demo accesstokenrequest
    0.011 login failed (503); next try at 0.035
    0.035 → demo accesstokenrequest
    0.035 login failed (503); next try at 0.079
    0.079 → demo accesstokenrequest
    0.079 login failed (503); next try at 0.181
    0.181 → demo accesstokenrequest
    0.181 login failed (503); next try at 0.360
    0.360 → demo accesstokenrequest
    0.360 login failed (503); next try at 0.726
    0.726 → demo accesstokenrequest
    0.726 login failed (503); next try at 1.540
    1.540 → demo accesstokenrequest
    1.540 login failed (503); next try at 2.407
    2.407 → demo accesstokenrequest
    2.407 login failed (503); next try at 3.145
    3.145 → demo accesstokenrequest
    3.145 logged in, good until 2026-11-24T17:00:00Z
    ");
}

#[test]
fn the_market_data_token_of_a_lost_session_is_not_kept_over_a_log_in() {
    let first = ok(r#"{"accessToken":"one","mdAccessToken":"market","expirationTime":"2026-11-24T15:20:00Z"}"#);
    let mut world = World::user([first, status(401, DEAD), token_to("two", 160)]);
    world.run(minutes(20));
    world.reject(401, DEAD);
    world.run(minutes(21));
    let token = world.session.token(world.now).unwrap();
    assert_eq!(token.access_token.expose(), "two");
    assert!(token.market_data_token.is_none());
}
