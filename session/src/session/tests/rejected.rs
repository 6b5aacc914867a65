use alloc::vec;

use super::*;

//= R-STATUS-4
//= R-STATUS-5
#[test]
fn a_401_with_a_renewed_token_means_that_the_call_is_forbidden() {
    let mut world = World::user([token_to("one", 80), token_to("two", 100)]);
    world.run(minutes(5));
    assert_eq!(world.reject(401, ""), Verdict::BeingChecked);
    assert!(world.token().is_some(), "it may be fine");
    world.run(minutes(6));
    assert_eq!(world.reject(401, ""), Verdict::Forbidden);
    insta::assert_snapshot!(world.run(minutes(15)).trace(), @r#"
    0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    5:00 a call is answered 401 "": BeingChecked
    5:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T15:40:00Z
    6:00 a call is answered 401 "": Forbidden
    "#);
}

//= R-SOCKET-3
//= R-SOCKET-4
//= R-STATUS-3
#[test]
fn every_status_has_its_verdict() {
    for (status, body, verdict) in [
        (401, "Expired Access Token", Verdict::Dead),
        (401, "\"Invalid access token\"", Verdict::Dead),
        (401, r#"{"errorText":"Expired Access Token"}"#, Verdict::Dead),
        (401, "Access is denied", Verdict::BeingChecked),
        (401, "", Verdict::BeingChecked),
        (401, "<html>Invalid access token</html>", Verdict::BeingChecked),
        (403, "", Verdict::NotAboutTheToken),
        (404, "", Verdict::NotAboutTheToken),
        (408, "", Verdict::NotAboutTheToken),
        (500, "", Verdict::NotAboutTheToken),
        (200, "", Verdict::NotAboutTheToken),
        (200, r#"{"orderId":7}"#, Verdict::NotAboutTheToken),
        (200, r#"{"p-ticket":"t","p-time":15}"#, Verdict::Postponed),
        (200, r#"{"p-ticket":"t","p-time":15,"p-captcha":true}"#, Verdict::CaptchaAsked),
        (307, "", Verdict::Moved),
        (421, "", Verdict::Moved),
        (423, "", Verdict::LockedOut),
        (429, "", Verdict::LockedOut),
    ] {
        let mut world = World::user([token_to("one", 80)]);
        world.run(minutes(1));
        assert_eq!(world.reject(status, body), verdict, "{status} {body}");
        assert_eq!(world.token().is_none(), verdict == Verdict::Dead, "{status} {body}");
    }
}

#[test]
fn a_report_about_an_older_token_changes_nothing() {
    let mut world = World::user([token_to("one", 80), token_to("two", 160)]);
    world.run(minutes(70));
    assert_eq!(world.reject_of(1, 401, DEAD), Verdict::AlreadyReplaced);
    assert_eq!(world.token().as_deref(), Some("two"));
}

#[test]
fn a_report_during_a_renewal_causes_no_second_renewal() {
    let mut world = World::user([token_to("one", 80), Answer::Silence]);
    world.run(minutes(65));
    assert_eq!(world.reject(401, ""), Verdict::BeingChecked);
    world.answer_late(token_to("two", 160));
    insta::assert_snapshot!(world.run(minutes(100)).trace(), @r#"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one)
    65:00 a call is answered 401 "": BeingChecked
    65:00 ← late: renewed: the token is valid until 2026-11-24T16:40:00Z
    "#);
}

#[test]
fn a_second_report_within_15_minutes_is_verified_after_15_minutes() {
    let mut world = World::user([token_to("one", 80), token_to("two", 100), token_to("three", 120)]);
    world.run(minutes(5));
    world.reject(401, DEAD);
    world.run(minutes(6));
    assert_eq!(world.reject(401, DEAD), Verdict::BeingChecked);
    assert_eq!(world.token().as_deref(), Some("two"), "it may be the call");
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @r#"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
     5:00 a call is answered 401 "Invalid access token": Dead
     5:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T15:40:00Z
     6:00 a call is answered 401 "Invalid access token": BeingChecked
    20:00 → demo renewaccesstoken (two): renewed: the token is valid until 2026-11-24T16:00:00Z
    "#);
}

#[test]
fn a_redirect_reported_by_a_caller_makes_the_session_read_the_hosts_again() {
    let hosts =
        r#"{"accessToken":"two","expirationTime":"2026-11-24T15:40:00Z","apiHosts":{"demo":"acme.ninjatrader.com"}}"#;
    let mut world = World::user([token_to("one", 80), ok(hosts)]);
    world.run(minutes(5));
    world.reject(421, "");
    insta::assert_snapshot!(world.run(minutes(10)).trace(), @r#"
    0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    5:00 a call is answered 421 "": Moved
    5:00 → demo renewaccesstoken (one): the user's hosts have changed: the program has to connect to the new hosts; renewed: the token is valid until 2026-11-24T15:40:00Z
    "#);
}

#[test]
fn a_report_of_status_400_403_404_502_or_503_causes_no_renewal() {
    for status in [200, 400, 403, 404, 502, 503] {
        let mut world = World::user([token_to("one", 80)]);
        world.run(minutes(5));
        world.reject(status, "");
        world.run(minutes(6));
        assert!(!world.trace().contains("renewaccesstoken"), "{}", world.trace());
    }
}

#[test]
fn a_report_is_verified_whatever_the_age_of_the_token() {
    let hours = |hours: u64| minutes(60 * hours);
    let mut world = World::user([token_to("one", 48 * 60), token_to("two", 96 * 60)]);
    world.run(hours(13));
    assert_eq!(world.reject(401, DEAD), Verdict::Dead);
    world.run(hours(13));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn is_verifying_is_true_for_a_reported_token_and_an_adopted_token() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    assert!(!world.session.is_verifying());
    world.reject(401, DEAD);
    assert!(world.session.is_verifying(), "a caller has seen it rejected");
    let mut next = World::user([]);
    next.now = world.now;
    adopt(&mut next, world.snapshot());
    assert!(next.session.is_verifying(), "it comes from a snapshot");
    let mut without = World::user([]);
    adopt(&mut without, World::user([]).snapshot());
    assert!(!without.session.is_verifying(), "there is none");
}

#[test]
fn the_15_minutes_between_verifications_count_from_the_verifying_renewal() {
    let mut world = World::user([token_to("one", 80), token_to("two", 90), token_to("three", 150)]);
    world.run(minutes(1));
    world.budget.lock_out(world.now, minutes(9));
    world.reject(401, DEAD);
    world.run(minutes(11));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    assert_eq!(world.session.record.verified_at, Some(later(start(), minutes(10))));
}

#[test]
fn a_token_reported_as_dead_is_verified_again_after_seconds_although_the_app_is_refused() {
    let app_refused = ok(r#"{"error":"invalid_client"}"#);
    let answers =
        [refreshed("one", "rt-1"), app_refused, token_to("two", 200), status(500, ""), token_to("three", 200)];
    let mut world = World::app(answers);
    world.run(minutes(90));
    world.reject(401, DEAD);
    world.run(minutes(91));
    assert_eq!(world.token().as_deref(), Some("three"), "{}", world.trace());
}

/// Sessions that hold a token after 90 minutes and can only renew it: the app was refused, or the refresh token was
/// refused twice, with and without an expiry.
fn with_only_renewals(then: impl Fn() -> Vec<Answer>) -> [World; 3] {
    let app_refused = || ok(r#"{"error":"invalid_client"}"#);
    [
        vec![refreshed("one", "rt-1"), app_refused()],
        vec![refreshed("one", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)],
        vec![refreshed_without_end("one", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)],
    ]
    .map(|refusals| {
        let mut world =
            World::app(refusals.into_iter().chain([token_to("two", 400)]).chain(then())).ahead(SignedDuration::ZERO);
        world.run(minutes(90));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        world
    })
}

#[test]
fn faults_end_a_rejected_token_that_nothing_would_replace_only_after_half_an_hour() {
    for mut world in with_only_renewals(|| (0..50).map(|_| status(500, "")).collect()) {
        world.reject(401, DEAD);
        world.run(minutes(119));
        let has_access = world.session.record.tokens.access.is_some();
        assert_eq!((world.token(), has_access), (None, true), "{}", world.trace());
        world.run(minutes(121));
        assert!(world.session.record.tokens.access.is_none(), "{}", world.trace());
    }
}

#[test]
fn a_rejected_token_that_nothing_would_replace_is_renewed_after_the_faults() {
    for number in 0..3 {
        let faults = if number == 0 { 11 } else { 2 };
        let then = || (0..faults).map(|_| status(500, "")).chain([token_to("three", 500)]).collect();
        let mut world = with_only_renewals(then).into_iter().nth(number).unwrap();
        world.reject(401, DEAD);
        world.run(minutes(119));
        assert_eq!(world.token().as_deref(), Some("three"), "{}", world.trace());
    }
}

#[test]
fn a_session_with_a_refused_app_verifies_a_dead_token_every_ten_minutes_after_two_minutes_of_faults() {
    let [mut world, ..] = with_only_renewals(|| (0..20).map(|_| status(500, "")).collect());
    world.reject(401, DEAD);
    world.run(minutes(110));
    let lines = [
        "91:31.500 → live renewaccesstoken (two): renewal failed (500); next try at 92:01.500",
        "92:01.500 → live renewaccesstoken (two): renewal failed (500); next try at 102:01.500",
        "102:01.500 → live renewaccesstoken (two): renewal failed (500); next try at 112:01.500",
    ];
    assert!(world.trace().replace("\n ", "\n").ends_with(&lines.join("\n")), "{}", world.trace());
}

#[test]
fn a_renewal_that_fails_exactly_two_minutes_after_the_first_fault_is_repeated_after_ten_minutes() {
    let faults = || (0..8).map(|_| status(500, "")).chain([Answer::Silence]).collect();
    let [mut world, ..] = with_only_renewals(faults);
    world.reject(401, DEAD);
    world.run(minutes(92));
    world.answer_late(status(500, ""));
    assert!(world.trace().ends_with("renewal failed (500); next try at 102:00"), "{}", world.trace());
}

#[test]
fn a_session_without_a_refresh_token_gives_up_a_rejected_token_after_half_an_hour_of_faults() {
    let granted = ok(r#"{"access_token":"one","token_type":"Bearer","expires_in":4800}"#);
    let answers = [granted].into_iter().chain((0..30).map(|_| status(500, "")));
    let mut world = World::of(code::session_from("code"), answers);
    world.run(minutes(1));
    world.reject(401, DEAD);
    world.run(minutes(30));
    assert!(world.session.stop_reason().is_none(), "{}", world.trace());
    world.run(minutes(32));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::ConsentRequired)), "{}", world.trace());
}

#[test]
fn a_rejected_token_is_kept_while_a_captcha_closes_the_login() {
    let answers = || [token_to("one", 300)].into_iter().chain((0..20).map(|_| status(500, "")));
    for (closed_for, replaced_at) in [(10, "11:00"), (60, "61:00")] {
        let mut world = World::user(answers());
        world.run(minutes(1));
        world.budget.close(world.now, Operation::LogIn, minutes(closed_for));
        world.reject(401, DEAD);
        world.run(minutes(90));
        let trace = world.trace();
        let logs_in = trace.lines().filter(|line| line.contains("accesstokenrequest")).nth(1).unwrap();
        assert!(logs_in.trim().starts_with(replaced_at), "{trace}");
        let has_ended = trace.lines().find(|line| line.contains("no longer accepts")).unwrap();
        assert!(has_ended.trim().starts_with(if closed_for == 10 { "11:00" } else { "31:00" }), "{trace}");
    }
}

#[test]
fn a_token_that_nothing_would_replace_is_renewed_before_it_expires_if_the_server_recovers() {
    let faults = (0..60).map(|_| status(500, ""));
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults)).ahead(SignedDuration::ZERO);
    world.run(minutes(69));
    world.budget.close(world.now, Operation::LogIn, minutes(60));
    world.reject(500, "");
    world.run(minutes(73));
    world.script = [token_to("two", 160)].into_iter().collect();
    world.run(minutes(80));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn a_rejected_token_is_kept_while_the_store_can_not_be_written() {
    let faults = (0..60).map(|_| status(500, ""));
    let works = [true, true].into_iter().chain([false; 99]).map(Some);
    let mut world = World::user([token_to("one", 80)].into_iter().chain(faults)).storing(works);
    world.run(minutes(1));
    world.session.persistence.dirty = true;
    world.run(minutes(2));
    assert!(world.session.persistence.is_failing());
    world.reject(500, "");
    world.run(minutes(10));
    assert_eq!(world.token().as_deref(), Some("one"), "{}", world.trace());
    world.script = [token_to("two", 160)].into_iter().collect();
    world.run(minutes(30));
    assert_eq!(world.session.token.generation, 1);
    world.store_works.clear();
    world.run(minutes(33));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}
