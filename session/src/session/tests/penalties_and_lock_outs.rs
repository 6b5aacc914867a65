use super::*;

const PENALTY: &str = r#"{"p-ticket":"ticket","p-time":15}"#;
const CAPTCHA: &str = r#"{"p-ticket":"ticket","p-time":15,"p-captcha":true}"#;

//= R-PENALTY-3
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
fn postponed_until_returns_the_request_and_the_end_of_its_wait() {
    let mut world = World::user([]);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.session.receive(world.now, id, Response::new(PENALTY), &mut world.budget);
    let end = later(world.now, Duration::from_secs(15));
    assert_eq!(world.session.postponed_until(world.now), Some((Operation::LogIn, end)));
    assert_eq!(world.session.postponed_until(end), None);
}

#[test]
fn a_penalty_on_the_retry_brings_the_next_ticket() {
    let second = ok(r#"{"p-ticket":"second","p-time":60}"#);
    let mut world = World::user([ok(PENALTY), second, token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(5)).trace(), @"
    0:00 → demo accesstokenrequest: login postponed by the server: the session sends it again after 2026-11-24T14:00:15Z; the program has no token
    0:15 → demo accesstokenrequest with the ticket: login postponed by the server: the session sends it again after 2026-11-24T14:01:15Z; the program has no token
    1:15 → demo accesstokenrequest with the ticket: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn penalties_without_a_wait_do_not_cause_a_fast_loop() {
    let penalty = || ok(r#"{"p-ticket":"ticket","p-time":0}"#);
    let mut world = World::app((0..8).map(|_| penalty()).chain([refreshed("one", "rt-1")]));
    insta::assert_snapshot!(world.run(minutes(5)).trace(), @"
        0:00 → live oauthtoken (rt-0): refresh postponed by the server: the session sends it again after 2026-11-24T14:00:01Z; the program has no token
    0:00.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:00:02Z; the program has no token
    0:01.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:00:04Z; the program has no token
    0:03.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:00:08Z; the program has no token
    0:07.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:00:16Z; the program has no token
    0:15.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:00:32Z; the program has no token
    0:31.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:01:02Z; the program has no token
    1:01.500 → live oauthtoken (rt-0) with the ticket: refresh postponed by the server: the session sends it again after 2026-11-24T14:01:32Z; the program has no token
    1:31.500 → live oauthtoken (rt-0) with the ticket: refreshed: the token is valid until 2026-11-24T15:21:31Z; consent due by 1561:31.500
    ");
}

//= R-PENALTY-7
#[test]
fn a_postponed_renewal_is_repeated_unchanged_after_its_wait() {
    let mut world = World::user([token_to("one", 80), ok(PENALTY), token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one): renewal postponed by the server: the session sends it again after 2026-11-24T15:05:15Z; the token is usable until 2026-11-24T15:19:30Z
    65:15 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
}

//= R-PENALTY-9
#[test]
fn a_used_ticket_is_not_used_again() {
    let mut world =
        World::user([token_to("one", 80), status(401, DEAD), ok(PENALTY), ok(BAD_PASSWORD), token_to("two", 400)]);
    insta::assert_snapshot!(world.run(minutes(200)).trace(), @"
      0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
     65:00 → demo renewaccesstoken (one): the server no longer accepts the token: the program has no token until the session gets a new one
     65:00 → demo accesstokenrequest: login postponed by the server: the session sends it again after 2026-11-24T15:05:15Z; the program has no token
     65:15 → demo accesstokenrequest with the ticket: refused (Refused, IncorrectCredentials); next try at 125:15
    125:15 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T20:40:00Z
    ");
}

//= R-PENALTY-4
#[test]
fn a_captcha_closes_only_the_login_endpoint_for_an_hour() {
    let mut world = World::user([ok(CAPTCHA), token_to("one", 200)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → demo accesstokenrequest: the server asks for a captcha: the session sends no login before 2026-11-24T15:00:36Z; if the server asks again after that, a person has to solve the captcha; the program has no token
    60:36 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T17:20:00Z
    ");
    assert_eq!(world.budget.earliest(start(), Operation::Renew), start());
}

#[test]
fn a_lock_out_reported_by_a_caller_counts_and_each_report_restarts_it() {
    let mut world = World::user([token_to("one", 80), token_to("two", 240)]).ahead(SignedDuration::ZERO);
    world.run(minutes(60));
    world.reject(429, "");
    world.run(minutes(70));
    world.reject(429, "");
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @r#"
      0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
     60:00 a call is answered 429 "": LockedOut
     60:00 the server locked out this network address: the session sends nothing before 2026-11-24T16:00:36Z; let no program at this address send anything before then, not even with a token; the token is usable until 2026-11-24T15:19:29Z
     70:00 a call is answered 429 "": LockedOut
     70:00 the server locked out this network address: the session sends nothing before 2026-11-24T16:10:36Z; let no program at this address send anything before then, not even with a token; the token is usable until 2026-11-24T15:19:29Z
    130:36 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T18:00:00Z
    "#);
}

//= R-LIMIT-6
#[test]
fn a_request_with_its_ticket_waits_for_a_second_that_is_not_full_although_the_logins_of_the_hour_are_used_up() {
    let mut world = World::user([]);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.session.receive(world.now, id, Response::new(PENALTY), &mut world.budget);
    (0..3).for_each(|_| world.budget.take(world.now, Operation::LogIn));
    world.now = later(world.now, Duration::from_secs(15));
    (0..33).for_each(|_| world.budget.take(world.now, Operation::Refresh));
    let soon = later(world.now, Duration::from_secs(1));
    assert!(matches!(world.session.poll(world.now, &mut world.budget), Action::Wait { until } if until == soon));
    assert!(matches!(world.session.poll(soon, &mut world.budget), Action::Send { .. }));
}

//= R-LIMIT-1
//= R-LIMIT-7
#[test]
fn sessions_with_one_budget_send_at_most_four_failed_logins_per_hour() {
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
fn a_lock_out_that_ends_now_is_not_stored() {
    let mut world = World::user([token_to("one", 180)]);
    world.run(minutes(1));
    world.budget.lock_out(world.now, minutes(60));
    world.run(seconds(60 * 60 + 59));
    let is_stored = |world: &World| world.snapshot().0.limits.ends() > Some(later(start(), minutes(60)));
    assert!(is_stored(&world));
    world.run(minutes(61));
    assert!(!is_stored(&world));
}

//= R-PENALTY-9
#[test]
fn a_ticket_that_was_answered_with_a_captcha_is_not_sent_again() {
    let penalty = || ok(r#"{"p-ticket":"ticket","p-time":15}"#);
    let captcha = || ok(r#"{"p-ticket":"other","p-time":15,"p-captcha":true}"#);
    for mut world in [
        World::user([penalty(), captcha(), token_to("one", 180)]),
        World::user([penalty(), captcha(), token_to("one", 180)]).storing([]),
        World::app([penalty(), captcha(), refreshed("one", "rt-1")]),
    ] {
        world.run(minutes(70));
        assert_eq!(world.trace().matches("with the ticket").count(), 1, "{}", world.trace());
        assert_eq!(world.token().as_deref(), Some("one"), "{}", world.trace());
    }
    let mut world = World::user([token_to("one", 200), penalty(), captcha()]);
    world.run(minutes(186));
    assert!(world.session.record.postponed.get().is_none(), "{}", world.trace());
}

#[test]
fn a_late_captcha_leaves_the_ticket_of_the_next_login() {
    let mut world = World::user([Answer::Silence, ok(PENALTY)]);
    world.run(seconds(61));
    world.answer_late(ok(CAPTCHA));
    assert!(world.session.record.postponed.get().is_some(), "{}", world.trace());
}

/// A session whose token is reported as dead, and how many renewals it sends in the hour after that.
fn renewals_of_an_hour(answers: impl Iterator<Item = Answer>) -> usize {
    let mut world = World::user([token_to("one", 80)].into_iter().chain(answers));
    world.run(minutes(5));
    world.reject(401, "Access is denied");
    world.run(minutes(65));
    world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count()
}

//= R-LIMIT-2
#[test]
fn renewals_that_are_postponed_again_and_again_keep_the_hourly_limit() {
    assert_eq!(renewals_of_an_hour((0..300).map(|_| ok(PENALTY))), 15);
}

//= R-LIMIT-2
#[test]
fn renewals_that_fail_after_a_penalty_keep_the_hourly_limit() {
    let answers = [ok(PENALTY)].into_iter().chain((0..300).map(|_| status(500, "")));
    assert_eq!(renewals_of_an_hour(answers), 15);
}

//= R-LIMIT-1
#[test]
fn logins_that_are_postponed_again_and_again_keep_the_hourly_limit() {
    let mut world = World::user((0..300).map(|_| ok(PENALTY)));
    world.run(minutes(60));
    assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 4);
}

#[test]
fn a_ticket_is_not_sent_an_hour_after_its_wait() {
    let hour = 60 * 60;
    for (after, has_ticket) in [(15 + hour - 1, true), (15 + hour, false)] {
        let mut world = World::user([ok(PENALTY)]);
        world.run(seconds(1));
        let snapshot = world.snapshot();
        let mut next = World::user([token_to("one", 200)]);
        next.now = later(start(), seconds(after));
        next.session.adopt(next.now, snapshot, &mut next.budget);
        next.run(seconds(after));
        assert_eq!(next.trace().contains("with the ticket"), has_ticket, "{}", next.trace());
    }
}

//= R-PENALTY-9
#[test]
fn a_late_captcha_does_not_restore_the_ticket_that_was_sent() {
    let mut world = World::user([]).storing([]);
    keep(&mut world);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.session.receive(world.now, id, Response::new(PENALTY), &mut world.budget);
    keep(&mut world);
    world.now = later(world.now, seconds(15));
    keep(&mut world);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.now = later(world.now, seconds(45));
    // The outcome is on its way to the store.
    assert!(matches!(world.session.poll(world.now, &mut world.budget), Action::Store { .. }));
    world.session.receive(world.now, id, Response::new(CAPTCHA), &mut world.budget);
    assert!(world.session.record.postponed.get().is_none());
}
