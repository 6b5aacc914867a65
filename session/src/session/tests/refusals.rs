use alloc::boxed::Box;

use super::*;

#[test]
fn credentials_that_worked_are_tried_once_more_after_an_hour() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), ok(BAD_PASSWORD), ok(BAD_PASSWORD)]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-24T15:20:00Z
     64.535 → demo renewaccesstoken (one)
     64.535 the server has ended the session
     64.535 → demo accesstokenrequest
     64.535 refused (Refused, IncorrectCredentials); next try at 124.535
    124.535 → demo accesstokenrequest
    124.535 stopped: Refused, IncorrectCredentials
    ");
}

#[test]
fn a_refusal_that_was_none_is_forgotten_after_a_log_in() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), ok(BAD_PASSWORD), token_to("two", 400)]);
    world.run(minutes(200));
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn what_makes_no_sense_to_the_server_is_not_sent_again() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), status(400, "")]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    64.535 → demo renewaccesstoken (one)
    64.535 the server has ended the session
    64.535 → demo accesstokenrequest
    64.535 stopped: 400
    ");
}

#[test]
fn a_step_no_program_can_take_stops_it() {
    let mut world = World::user([ok(r#"{"mfaRequired":true,"channel":"email"}"#)]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 stopped: Incomplete, only mfaRequired, channel
    ");
}

#[test]
fn each_kind_of_first_refusal_stops_it() {
    for answer in [
        status(401, ""),
        status(404, ""),
        status(400, ""),
        ok(r#"{"errorText":"The app is not registered"}"#),
        ok(r#"{"errorText":"This endpoint should be called on live.tradovateapi.com"}"#),
        moved("https://evil.com/v1/auth/accesstokenrequest"),
        status(421, ""),
    ] {
        let mut world = World::user([answer]);
        world.run(minutes(300));
        assert!(matches!(world.session.stop_reason(), Some(StopReason::Refused(_))), "{}", world.trace());
        assert_eq!(world.trace.iter().filter(|line| line.contains('→')).count(), 1, "{}", world.trace());
    }
}

#[test]
fn a_log_in_for_another_user_than_the_sessions_stops_it() {
    let other = ok(r#"{"accessToken":"other","expirationTime":"2026-11-24T18:00:00Z","userId":2}"#);
    let mut world = World::user([token_to("one", 80), status(401, DEAD), other]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    64.535 → demo renewaccesstoken (one)
    64.535 the server has ended the session
    64.535 → demo accesstokenrequest
    64.535 stopped: OtherUser
    ");
}

#[test]
fn a_token_beside_an_error_is_not_used() {
    let both = r#"{"errorText":"no","accessToken":"both","expirationTime":"2026-11-24T18:00:00Z"}"#;
    let mut world = World::user([ok(both), token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(2)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 login failed (TokenBesideRefusal); next try at 0.258
    0.258 → demo accesstokenrequest
    0.258 logged in, good until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn log_ins_of_unknown_outcome_are_repeated_less_and_less() {
    let unknown = || Answer::Failure(Failure::MaybeSent);
    for mut answer in [
        Box::new(unknown) as Box<dyn FnMut() -> Answer>,
        Box::new(|| Answer::Silence),
        Box::new(|| status(408, "")),
        Box::new(|| status(500, "")),
        Box::new(|| status(504, "")),
        Box::new(|| ok("<html>")),
    ] {
        let mut world = World::user((0..12).map(|_| answer()));
        world.run(minutes(179));
        assert_eq!(world.trace.iter().filter(|line| line.contains('→')).count(), 5, "{}", world.trace());
    }
}

#[test]
fn a_log_in_that_was_not_sent_counts_nowhere() {
    let not_sent = (0..20).map(|_| Answer::Failure(Failure::NotSent));
    let mut world = World::user(not_sent.chain([token_to("one", 80)]));
    world.run(minutes(30));
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn a_pause_the_server_asks_for_is_kept() {
    let fault = with_header(status(503, ""), header::RETRY_AFTER, "600");
    let mut world = World::user([fault, token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(20)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 login failed (503); next try at 10.000
    10.000 → demo accesstokenrequest
    10.000 logged in, good until 2026-11-24T15:20:00Z
    ");
}
