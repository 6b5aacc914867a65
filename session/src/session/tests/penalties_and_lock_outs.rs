use super::*;

const PENALTY: &str = r#"{"p-ticket":"ticket","p-time":15}"#;
const CAPTCHA: &str = r#"{"p-ticket":"ticket","p-time":15,"p-captcha":true}"#;

#[test]
fn the_retry_is_the_identical_body_with_the_ticket() {
    let mut world = World::user([]);
    let Action::Send { id, request } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.session.receive(world.now, id, Response::new(PENALTY), &mut world.budget);
    world.now = later(world.now, Duration::from_secs(15));
    let Action::Send { request: retry, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    let text = |request: &Request<RequestBody>| String::from_utf8(request.body().as_ref().to_vec()).unwrap();
    let ticket = r#","p-ticket":"ticket"}"#;
    assert_eq!(text(&retry), text(&request).replace('}', ticket));
    assert_eq!((retry.uri(), retry.method()), (request.uri(), request.method()));
}

#[test]
fn a_penalty_on_the_retry_brings_the_next_ticket() {
    let second = ok(r#"{"p-ticket":"second","p-time":60}"#);
    let mut world = World::user([ok(PENALTY), second, token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(5)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 login postponed by the server until 2026-11-24T14:00:15Z
    0.250 → demo accesstokenrequest with the ticket
    0.250 login postponed by the server until 2026-11-24T14:01:15Z
    1.250 → demo accesstokenrequest with the ticket
    1.250 logged in, good until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_penalty_without_a_wait_is_no_storm() {
    let penalty = || ok(r#"{"p-ticket":"ticket","p-time":0}"#);
    let mut world = World::app((0..8).map(|_| penalty()).chain([refreshed("one", "rt-1")]));
    insta::assert_snapshot!(world.run(minutes(5)).trace(), @"
    0.000 → live oauthtoken (rt-0)
    0.000 OAuth exchange postponed by the server until 2026-11-24T14:00:00Z
    0.011 → live oauthtoken (rt-0) with the ticket
    0.011 OAuth exchange postponed by the server until 2026-11-24T14:00:02Z
    0.035 → live oauthtoken (rt-0) with the ticket
    0.035 OAuth exchange postponed by the server until 2026-11-24T14:00:04Z
    0.079 → live oauthtoken (rt-0) with the ticket
    0.079 OAuth exchange postponed by the server until 2026-11-24T14:00:10Z
    0.181 → live oauthtoken (rt-0) with the ticket
    0.181 OAuth exchange postponed by the server until 2026-11-24T14:00:21Z
    0.360 → live oauthtoken (rt-0) with the ticket
    0.360 OAuth exchange postponed by the server until 2026-11-24T14:00:43Z
    0.726 → live oauthtoken (rt-0) with the ticket
    0.726 OAuth exchange postponed by the server until 2026-11-24T14:01:32Z
    1.540 → live oauthtoken (rt-0) with the ticket
    1.540 OAuth exchange postponed by the server until 2026-11-24T14:02:24Z
    2.407 → live oauthtoken (rt-0) with the ticket
    2.407 refreshed, good until 2026-11-24T15:22:24Z
    2.407 without a refresh, a new consent is due by 2026-11-25T16:02:24Z
    ");
}

#[test]
fn a_postponed_renewal_is_repeated_as_it_was() {
    let mut world = World::user([token_to("one", 80), ok(PENALTY), token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    64.535 → demo renewaccesstoken (one)
    64.535 renewal postponed by the server until 2026-11-24T15:04:47Z
    64.785 → demo renewaccesstoken (one)
    64.785 renewed, good until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn a_used_ticket_is_not_used_again() {
    let mut world =
        World::user([token_to("one", 80), status(401, DEAD), ok(PENALTY), ok(BAD_PASSWORD), token_to("two", 400)]);
    insta::assert_snapshot!(world.run(minutes(200)).trace(), @"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-24T15:20:00Z
     64.535 → demo renewaccesstoken (one)
     64.535 the server has ended the session
     64.535 → demo accesstokenrequest
     64.535 login postponed by the server until 2026-11-24T15:04:47Z
     64.785 → demo accesstokenrequest with the ticket
     64.785 refused (Refused, IncorrectCredentials); next try at 124.785
    124.785 → demo accesstokenrequest
    124.785 logged in, good until 2026-11-24T20:40:00Z
    ");
}

#[test]
fn a_captcha_closes_the_log_in_for_an_hour_and_nothing_else() {
    let mut world = World::user([ok(CAPTCHA), token_to("one", 200)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 the server asks for a captcha: no login before 2026-11-24T15:00:36Z
    60.600 → demo accesstokenrequest
    60.600 logged in, good until 2026-11-24T17:20:00Z
    ");
    assert_eq!(world.budget.earliest(start(), Operation::Renew), start());
}

#[test]
fn a_captcha_on_renewal_is_waited_for_and_the_log_in_follows_expiry() {
    let script = [token_to("one", 80), ok(CAPTCHA), token_to("two", 160)];
    let mut world = World::user(script).ahead(SignedDuration::ZERO);
    insta::assert_snapshot!(world.run(minutes(81)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 logged in, good until 2026-11-24T15:20:00Z
    64.527 → demo renewaccesstoken (one)
    64.527 the server asks for a captcha: no renewal before 2026-11-24T16:05:07Z
    79.994 → demo accesstokenrequest
    79.994 logged in, good until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn a_longer_retry_after_is_kept() {
    let locked = with_header(status(423, ""), header::RETRY_AFTER, "7200");
    let mut world = World::user([locked, token_to("one", 300)]);
    insta::assert_snapshot!(world.run(minutes(130)).trace(), @"
      0.000 → demo accesstokenrequest
      0.000 locked out: nothing is sent before 2026-11-24T16:01:12Z
    121.200 → demo accesstokenrequest
    121.200 logged in, good until 2026-11-24T19:00:00Z
    ");
}

#[test]
fn one_sessions_lock_out_silences_its_neighbours() {
    let mut world = World::user([status(429, "")]);
    world.run(minutes(1));
    let mut neighbour = World::app([refreshed("one", "rt-1")]);
    neighbour.budget = world.budget.clone();
    insta::assert_snapshot!(neighbour.run(minutes(70)).trace(), @"
    60.600 → live oauthtoken (rt-0)
    60.600 refreshed, good until 2026-11-24T16:20:36Z
    60.600 without a refresh, a new consent is due by 2026-11-25T17:00:36Z
    ");
}

#[test]
fn a_lock_out_a_caller_has_seen_counts_too_and_starts_again_with_each() {
    let mut world = World::user([token_to("one", 80), token_to("two", 240)]).ahead(SignedDuration::ZERO);
    world.run(minutes(60));
    world.reject(429, "");
    world.run(minutes(70));
    world.reject(429, "");
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @r#"
      0.000 → demo accesstokenrequest
      0.000 logged in, good until 2026-11-24T15:20:00Z
     60.000 a call is answered 429 "": LockedOut
     60.000 locked out: nothing is sent before 2026-11-24T16:00:36Z
     70.000 a call is answered 429 "": LockedOut
     70.000 locked out: nothing is sent before 2026-11-24T16:10:36Z
    130.600 → demo accesstokenrequest
    130.600 logged in, good until 2026-11-24T18:00:00Z
    "#);
}

#[test]
fn neighbours_share_the_hours_failed_log_ins_and_one_stays_for_the_human() {
    let mut budget = RateBudget::default();
    let mut sent = 0;
    for _ in 0..6 {
        let mut world = World::user([ok(BAD_PASSWORD)]);
        world.budget = budget;
        world.run(minutes(30));
        sent += world.trace.iter().filter(|line| line.contains('→')).count();
        budget = world.budget;
    }
    assert_eq!(sent, 4);
}

#[test]
fn log_ins_that_succeed_take_nothing_from_the_neighbours() {
    let mut budget = RateBudget::default();
    for _ in 0..20 {
        let mut world = World::user([token_to("one", 80)]);
        world.budget = budget;
        world.run(minutes(1));
        assert!(world.token().is_some());
        budget = world.budget;
    }
}

#[test]
fn a_long_penalty_is_waited_out_by_a_clock_that_runs_fast_too() {
    let mut world = World::user([ok(r#"{"p-ticket":"ticket","p-time":3600}"#), token_to("one", 300)]);
    insta::assert_snapshot!(world.run(minutes(61)).trace(), @"
     0.000 → demo accesstokenrequest
     0.000 login postponed by the server until 2026-11-24T15:00:36Z
    60.600 → demo accesstokenrequest with the ticket
    60.600 logged in, good until 2026-11-24T19:00:00Z
    ");
}
