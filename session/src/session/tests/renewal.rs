use super::*;

#[test]
fn a_short_lived_token_is_renewed_at_half_its_life() {
    let mut world = World::user([token_to("one", 10), token_to("two", 20)]);
    insta::assert_snapshot!(world.run(minutes(8)).trace(), @"
    0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T14:10:00Z
    5:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T14:20:00Z
    ");
}

//= R-LIMIT-2
#[test]
fn failed_renewals_are_repeated_until_expiry_within_the_hourly_limit() {
    let faults = (0..15).map(|_| status(500, ""));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 160)]))
        .ahead(SignedDuration::ZERO);
    world.run(minutes(100));
    let renewals = world.trace.iter().filter(|line| line.contains("renewaccesstoken")).count();
    assert_eq!(renewals, 15);
    insta::assert_snapshot!(world.trace.split_off(world.trace.len() - 3).join("\n"), @"
    76:50.356 → demo renewaccesstoken (one): renewal failed (500); next try at 77:20.356
    77:20.356 → demo renewaccesstoken (one): renewal failed (500); next try at 77:50.356
    79:59.500 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn renewals_during_maintenance_do_not_count_in_the_budget() {
    let faults = (0..10).map(|_| status(503, ""));
    let mut world = World::user([token_to("one", 120)].into_iter().chain(faults).chain([token_to("two", 240)]));
    world.run(minutes(118));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    // The budget counts the renewal that the server handled: fourteen of the hour's fifteen are left.
    (0..13).for_each(|_| world.budget.take(world.now, Operation::Renew));
    assert_eq!(world.budget.earliest(world.now, Operation::Renew), world.now);
    world.budget.take(world.now, Operation::Renew);
    assert!(world.budget.earliest(world.now, Operation::Renew) > world.now);
}

#[test]
fn three_failed_renewals_of_a_rejected_token_are_followed_by_a_login() {
    let faults = (0..9).map(|_| status(500, ""));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults).chain([token_to("two", 160)]));
    world.run(minutes(10));
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(15)).trace(), @r#"
         0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
        10:00 a call is answered 401 "Invalid access token": Dead
        10:00 → demo renewaccesstoken (one): renewal failed (500); next try at 10:00.500
    10:00.500 → demo renewaccesstoken (one): renewal failed (500); next try at 10:01.500
    10:01.500 → demo renewaccesstoken (one): renewal failed (500); next try at 10:03.500
    10:03.500 → demo renewaccesstoken (one): renewal failed (500); next try at 10:07.500
    10:07.500 → demo renewaccesstoken (one): renewal failed (500); next try at 10:15.500
    10:15.500 → demo renewaccesstoken (one): renewal failed (500); next try at 10:31.500
    10:31.500 → demo renewaccesstoken (one): renewal failed (500); next try at 11:01.500
    11:01.500 → demo renewaccesstoken (one): renewal failed (500); next try at 11:31.500
    11:31.500 → demo renewaccesstoken (one): renewal failed (500); next try at 12:01.500
        12:00 the server no longer accepts the token: the program has no token until the session gets a new one
        12:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T16:40:00Z
    "#);
}

#[test]
fn a_renewal_that_is_refused_without_a_401_is_tried_again() {
    for refusal in [ok(r#"{"errorText":"Access is denied"}"#), status(403, "Access is denied"), status(400, "")] {
        let mut world = World::user([token_to("one", 80), refusal, token_to("two", 160)]);
        world.run(minutes(78));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    }
}

#[test]
fn a_renewal_that_brings_a_token_of_another_user_counts_as_failed() {
    let other = ok(r#"{"accessToken":"other","expirationTime":"2026-11-24T18:00:00Z","userId":2}"#);
    let mut world = World::user([token_to("one", 80), other, token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one): renewal failed (OtherUser); next try at 66:00
    66:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
    assert_eq!(world.token().as_deref(), Some("two"));
}

//= R-RENEW-6
#[test]
fn a_token_with_the_same_text_gets_a_new_generation() {
    let mut world = World::user([token_to("one", 80), token_to("one", 160)]);
    world.run(minutes(1));
    let first = world.session.token(world.now).unwrap().generation;
    world.run(minutes(70));
    assert!(world.session.token(world.now).unwrap().generation > first);
}

#[test]
fn a_penalty_does_not_count_as_a_failed_renewal() {
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
fn a_renewal_that_is_given_up_and_refused_later_counts_as_one_failure() {
    let mut world = World::user([token_to("one", 80), Answer::Silence, Answer::Silence, Answer::Silence]);
    world.run(minutes(10));
    world.reject(401, DEAD);
    // After the deadline and before the next try.
    for given_up in [Duration::from_millis(645_300), Duration::from_millis(1_290_700)] {
        world.run(given_up);
        world.answer_late(with_header(status(500, ""), header::RETRY_AFTER, "600"));
    }
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @r#"
         0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
        10:00 a call is answered 401 "Invalid access token": Dead
        10:00 → demo renewaccesstoken (one)
        10:45 renewal failed (MaybeSent); next try at 10:45.500
    10:45.300 ← late: renewal failed (500); next try at 20:45.300
    20:45.300 → demo renewaccesstoken (one)
    21:30.300 renewal failed (MaybeSent); next try at 21:32.300
    21:30.700 ← late: renewal failed (500); next try at 31:30.700
    "#);
}

#[test]
fn a_failed_login_does_not_count_as_a_failed_renewal() {
    // The clock is set forward, so the token seems to have expired until the answer to the login corrects the clock.
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
fn a_token_is_returned_until_just_before_usable_until() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    let end = world.session.token(world.now).unwrap().usable_until;
    let before = crate::time_arithmetic::earlier(end, Duration::from_nanos(1));
    assert!(world.session.token(before).is_some());
    assert!(world.session.token(end).is_none());
}

#[test]
fn a_renewal_answered_with_any_401_is_followed_by_a_login() {
    for refusal in ["", "Access is denied", DEAD] {
        let mut world = World::user([token_to("one", 80), status(401, refusal), token_to("two", 160)]);
        world.run(minutes(65));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        assert_eq!(world.trace.iter().filter(|line| line.contains("accesstokenrequest")).count(), 2);
    }
}

//= R-SESSION-1
//= R-RENEW-2
//= R-RENEW-4
#[test]
fn a_session_logs_in_once_and_renews_before_expiry() {
    let mut world = World::user([token_to("one", 80), token_to("two", 150), token_to("three", 220)]);
    insta::assert_snapshot!(world.run(minutes(150)).trace(), @"
      0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
     65:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T16:30:00Z
    135:00 → demo renewaccesstoken (two): renewed: the token is valid until 2026-11-24T17:40:00Z
    ");
}

//= R-STATUS-10
#[test]
fn after_faults_the_session_tries_again_with_growing_pauses() {
    let faults = (0..9).map(|_| status(503, "<html>"));
    let mut world = World::user(faults.chain([token_to("one", 180)]));
    insta::assert_snapshot!(world.run(minutes(20)).trace(), @"
        0:00 → demo accesstokenrequest: login failed (503); next try at 0:00.500
    0:00.500 → demo accesstokenrequest: login failed (503); next try at 0:01.500
    0:01.500 → demo accesstokenrequest: login failed (503); next try at 0:03.500
    0:03.500 → demo accesstokenrequest: login failed (503); next try at 0:07.500
    0:07.500 → demo accesstokenrequest: login failed (503); next try at 0:15.500
    0:15.500 → demo accesstokenrequest: login failed (503); next try at 0:31.500
    0:31.500 → demo accesstokenrequest: login failed (503); next try at 1:01.500
    1:01.500 → demo accesstokenrequest: login failed (503); next try at 1:31.500
    1:31.500 → demo accesstokenrequest: login failed (503); next try at 2:01.500
    2:01.500 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T17:00:00Z
    ");
}

#[test]
fn a_login_drops_the_market_data_token_of_the_lost_session() {
    let first = ok(r#"{"accessToken":"one","mdAccessToken":"market","expirationTime":"2026-11-24T15:20:00Z"}"#);
    let mut world = World::user([first, status(401, DEAD), token_to("two", 160)]);
    world.run(minutes(20));
    world.reject(401, DEAD);
    world.run(minutes(21));
    let token = world.session.token(world.now).unwrap();
    assert_eq!(token.access_token.expose(), "two");
    assert!(token.market_data_token.is_none());
}

#[test]
fn a_session_observes_the_retry_after_of_a_fault() {
    let fault = with_header(status(503, ""), header::RETRY_AFTER, "600");
    let mut world = World::user([fault, token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(20)).trace(), @"
     0:00 → demo accesstokenrequest: login failed (503); next try at 10:00
    10:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_rejected_token_is_given_up_at_the_deadline_of_the_third_renewal() {
    let wait = with_header(status(500, ""), header::RETRY_AFTER, "600");
    let mut world = World::user([token_to("one", 80), wait, status(500, ""), Answer::Silence, token_to("two", 160)]);
    world.run(minutes(10));
    world.reject(401, DEAD);
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @r#"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    10:00 a call is answered 401 "Invalid access token": Dead
    10:00 → demo renewaccesstoken (one): renewal failed (500); next try at 20:00
    20:00 → demo renewaccesstoken (one): renewal failed (500); next try at 20:01
    20:01 → demo renewaccesstoken (one)
    20:46 renewal failed (MaybeSent); next try at 20:48
    20:46 the server no longer accepts the token: the program has no token until the session gets a new one
    20:46 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T16:40:00Z
    "#);
}

#[test]
fn waits_for_names_the_next_request_if_two_wake_ups_coincide() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    world.budget.lock_out(world.now, minutes(79));
    world.run(seconds(79 * 60 + 31));
    let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!("no wait") };
    assert_eq!((clock(until).as_str(), world.session.waits_for()), ("80:00", Some(WakeUp::RequestDue)));
}

#[test]
fn each_login_starts_a_lineage_of_its_own() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), token_to("two", 160)]);
    world.run(minutes(1));
    let first = world.session.record.tokens.started_at;
    world.reject(401, DEAD);
    world.run(minutes(20));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    assert!(world.session.record.tokens.started_at > first);
}

#[test]
fn a_market_data_token_that_ends_with_the_renewal_is_not_kept() {
    for (end, is_kept) in [("2026-11-24T15:05:00Z", false), ("2026-11-24T15:05:01Z", true)] {
        let login = format!(
            r#"{{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","mdAccessToken":"md","mdExpirationTime":"{end}"}}"#
        );
        let mut world = World::user([ok(login), token_to("two", 160)]);
        world.run(minutes(1));
        // The market data token lives as long as the access token unless the answer says otherwise.
        let md = world.session.record.tokens.access.as_mut().unwrap().market_data.as_mut().unwrap();
        md.expires_at = end.parse().unwrap();
        world.run(minutes(65));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        assert_eq!(world.session.record.tokens.access.as_ref().unwrap().market_data.is_some(), is_kept, "{end}");
    }
}

#[test]
fn a_renewal_that_a_pause_delays_beyond_its_due_time_is_not_routine() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    assert!(world.session.outlook(world.now, &world.budget).unwrap().is_routine);
    let now = world.session.moment(world.now);
    world.session.record.pause.for_at_least(now, minutes(70));
    assert!(!world.session.outlook(world.now, &world.budget).unwrap().is_routine);
}

#[test]
fn an_expired_token_is_renewable_until_the_time_of_given_up_at() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    let ended = later(start(), minutes(90));
    (1..=3).for_each(|id| world.session.token.failed_after_expiry.add(ended, ExchangeId(id)));
    let given_up = world.session.given_up_at(ended).unwrap();
    assert!(world.session.renewable(crate::time_arithmetic::earlier(given_up, seconds(1))).is_some());
    assert!(world.session.renewable(given_up).is_none());
}

/// Sessions at minute 200 by a clock that no answer has confirmed. Their token has expired by this clock, and they can't
/// request another one: a captcha closes the login for an hour, the password was refused, or there is no refresh token.
fn with_an_expired_last_token(then: impl Fn() -> Vec<Answer>) -> [World; 3] {
    let granted = ok(r#"{"access_token":"one","token_type":"Bearer","expires_in":4800}"#);
    let by_app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut worlds = [
        (World::user([token_to("one", 80)]), World::user(then())),
        (World::user([token_to("one", 80)]), World::user(then())),
        (World::of(code::session_from("code"), [granted]), World::of(by_app, then())),
    ]
    .map(|(mut first, mut next)| {
        first.run(minutes(1));
        next.now = later(start(), minutes(200));
        adopt(&mut next, first.snapshot());
        next
    });
    worlds[0].budget.close(worlds[0].now, Operation::LogIn, minutes(60));
    worlds[1].session.record.log_ins.credentials_replaced();
    worlds[1].session.record.log_ins.refused(later(start(), minutes(1)), Some("no"));
    worlds
}

#[test]
fn faults_end_an_expired_token_that_nothing_would_replace_only_after_half_an_hour() {
    for mut world in with_an_expired_last_token(|| (0..50).map(|_| status(500, "")).collect()) {
        world.run(minutes(229));
        assert!(world.session.renewable(world.now).is_some(), "{}", world.trace());
        world.run(minutes(231));
        assert!(world.session.renewable(world.now).is_none(), "{}", world.trace());
    }
}

#[test]
fn an_expired_token_that_nothing_would_replace_is_renewed_after_the_faults() {
    for (number, faults) in [(0, 9), (1, 9), (2, 2)] {
        let then = || (0..faults).map(|_| status(500, "")).chain([token_to("two", 400)]).collect();
        let mut world = with_an_expired_last_token(then).into_iter().nth(number).unwrap();
        world.run(minutes(229));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    }
}

#[test]
fn an_expired_token_that_nothing_would_replace_is_renewed_every_ten_minutes_after_two_minutes_of_faults() {
    let worlds = with_an_expired_last_token(|| (0..20).map(|_| status(500, "")).collect());
    for mut world in worlds.into_iter().take(2) {
        world.run(minutes(222));
        let lines = [
            "201:31.500 → demo renewaccesstoken (one): renewal failed (500); next try at 202:01.500",
            "202:01.500 → demo renewaccesstoken (one): renewal failed (500); next try at 212:01.500",
            "212:01.500 → demo renewaccesstoken (one): renewal failed (500); next try at 222:01.500",
        ];
        assert!(world.trace().replace("\n ", "\n").ends_with(&lines.join("\n")), "{}", world.trace());
    }
}

#[test]
fn a_token_is_replaced_as_soon_as_the_captcha_of_the_login_ends() {
    for (closed_for, logs_in_at) in [(1, 202), (10, 210)] {
        let faults = (0..20).map(|_| status(500, ""));
        let [mut world, ..] = with_an_expired_last_token(|| faults.clone().collect());
        world.budget = RateBudget::default();
        world.budget.close(world.now, Operation::LogIn, minutes(closed_for));
        world.run(minutes(240));
        let logs_in = world.trace().lines().find(|line| line.contains("accesstokenrequest")).unwrap().to_string();
        assert!(logs_in.trim().starts_with(&logs_in_at.to_string()), "{logs_in}: {}", world.trace());
    }
}
