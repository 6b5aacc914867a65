use super::*;

fn wrong_clocks() -> [SignedDuration; 4] {
    [10, -10, 120, -120].map(SignedDuration::from_mins)
}

#[test]
fn with_a_wrong_local_clock_tokens_are_valid_and_renewals_are_in_time() {
    for ahead in wrong_clocks() {
        let mut world = World::user([]).ahead(ahead);
        let mut issued = None;
        for minute in 0..600 {
            if world.script.is_empty() {
                world.script.push_back(Answer::Token("token", 80));
            }
            let before = world.script.len();
            world.run(minutes(minute));
            if world.script.len() < before {
                issued = Some(world.now);
            }
            let token = world.session.token(world.now).unwrap();
            assert!(token.usable_until <= later(issued.unwrap(), minutes(80)), "{ahead}");
        }
        let count = |what: &str| world.trace.iter().filter(|line| line.contains(what)).count();
        assert_eq!((count("accesstokenrequest"), count("renewaccesstoken")), (1, 9), "{ahead} {}", world.trace());
    }
}

#[test]
fn a_suspension_during_an_exchange_does_not_set_a_wrong_server_time() {
    // The server answered at once, but the answer was read from the socket two hours later.
    let mut world = World::user([token_to("one", 80), Answer::Silence]).ahead(SignedDuration::ZERO);
    world.run(minutes(65));
    let date = "Tue, 24 Nov 2026 15:05:00 GMT";
    world.now = later(start(), minutes(185));
    world.ahead = None;
    world.answer_late(with_header(token_to("two", 145), header::DATE, date));
    assert_eq!(world.token(), None);
    world.script.push_back(token_to("three", 300));
    insta::assert_snapshot!(world.run(minutes(186)).trace(), @"
         0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    64:59.500 → demo renewaccesstoken (one)
       185:00 ← late: renewal failed (ExpiredAlready); next try at 185:00.500
    185:00.500 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T19:00:00Z
    ");
}

#[test]
fn a_suspension_during_the_first_exchange_does_not_make_an_expired_token_look_alive() {
    let mut world = World::user([Answer::Silence]);
    world.run(Duration::from_secs(1));
    world.now = later(start(), minutes(120));
    world.answer_late(with_header(token_to("one", 80), header::DATE, "Tue, 24 Nov 2026 14:00:01 GMT"));
    assert_eq!(world.token(), None, "{}", world.trace());
}

#[test]
fn a_refresh_token_is_saved_from_an_answer_that_came_too_late_for_its_access_token() {
    let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence]).storing([]);
    world.run(minutes(65));
    world.now = later(start(), minutes(300));
    world.answer_late(refreshed("at-2", "rt-2"));
    assert_eq!(world.token(), None);
    world.script.push_back(refreshed("at-3", "rt-3"));
    insta::assert_snapshot!(world.run(minutes(301)).trace(), @"
      0:00 → live oauthtoken (rt-0)
      0:00 store
      0:00 refreshed: the token is valid until 2026-11-24T15:20:00Z
      0:00 consent due by 1560:00
     65:00 → live oauthtoken (rt-1)
    300:00 ← late
    300:00 store
    300:00 refreshed: the token is valid until 2026-11-24T16:25:00Z
    300:00 consent due by 1625:00
    300:00 → live oauthtoken (rt-2)
    300:00 store
    300:00 refreshed: the token is valid until 2026-11-24T20:20:00Z
    300:00 consent due by 1860:00
    ");
}

#[test]
fn a_late_answer_does_not_prolong_its_token_whatever_its_date() {
    for ahead in [None, Some(SignedDuration::from_mins(10))] {
        let mut world = World::app([refreshed("at-1", "rt-1"), Answer::Silence]).ahead(SignedDuration::from_mins(10));
        world.run(minutes(54));
        let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!() };
        world.run(minutes(65));
        world.now = later(world.now, Duration::from_secs(40));
        world.ahead = ahead;
        world.answer_late(refreshed("at-2", "rt-2"));
        let token = world.session.token(world.now).unwrap();
        assert!(token.usable_until < later(until, minutes(80)), "{}", world.trace());
    }
}

#[test]
fn a_session_ignores_a_time_before_that_of_its_last_poll() {
    let mut world = World::user([token_to("one", 80), token_to("two", 160)]);
    world.run(minutes(70));
    world.now = start();
    let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    assert!(until > later(start(), minutes(70)));
    assert!(world.session.token(Timestamp::MIN).is_some());
}

#[test]
fn the_first_and_last_timestamps_cause_no_panic() {
    for now in [Timestamp::MIN, Timestamp::MAX, earlier_than_the_end()] {
        let mut budget = RateBudget::default();
        let mut session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 0).with_store();
        for round in 0..50 {
            match session.poll(now, &mut budget) {
                Action::Send { id, .. } if round % 2 == 0 => {
                    let body = format!(r#"{{"accessToken":"a","expirationTime":"{now}"}}"#);
                    session.receive(now, id, Response::new(body), &mut budget);
                }
                Action::Send { id, .. } => session.failed(now, id, Failure::MaybeSent, &mut budget),
                Action::Store { id, .. } => session.store_answered(now, id, Ok(StoreAnswer::Kept), &mut budget),
                Action::Wait { .. } | Action::Stopped { .. } => {}
            }
            session.rejected(now, round, StatusCode::TOO_MANY_REQUESTS, b"", &mut budget);
            let _ = session.token(now);
        }
    }
}

fn earlier_than_the_end() -> Timestamp {
    crate::time_arithmetic::earlier(Timestamp::MAX, Duration::from_secs(1))
}

#[test]
fn a_token_that_expired_before_its_answer_was_read_is_not_used() {
    // The server answered at once, but the answer was read from the socket more than three hours later.
    let mut world = World::user([token_to("one", 80), status(401, DEAD), Answer::Silence]).ahead(SignedDuration::ZERO);
    world.run(minutes(1));
    world.now = later(start(), minutes(100));
    world.run(Duration::from_secs(6030));
    world.now = later(start(), minutes(300));
    world.ahead = None;
    world.answer_late(with_header(token_to("two", 220), header::DATE, "Tue, 24 Nov 2026 15:40:00 GMT"));
    assert!(world.trace().contains("login failed (ExpiredAlready)"), "{}", world.trace());
}

#[test]
fn server_time_counts_as_learnt_until_a_poll_is_over_a_minute_late() {
    for (late, is_learnt) in [(Duration::from_secs(60), true), (Duration::from_nanos(60_000_000_001), false)] {
        let mut world = World::user([Answer::Token("one", 80)]).ahead(SignedDuration::ZERO);
        world.run(minutes(1));
        let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!("no wait") };
        world.session.poll(later(until, late), &mut world.budget);
        assert_eq!(world.session.clock.is_learnt(), is_learnt, "{late:?}");
    }
}

#[test]
fn an_expiry_named_by_the_server_is_not_changed_by_a_clock_correction() {
    // The answer has no date.
    let mut world = World::user([token_to("one", 80), status(500, ""), ok(r#"{"errorText":"busy"}"#)]);
    world.run(minutes(65));
    world.ahead = Some(SignedDuration::from_mins(-10));
    world.run(seconds(66 * 60 + 30));
    assert!(world.session.clock.is_learnt(), "{}", world.trace());
    let end = world.session.record.tokens.access.as_ref().unwrap().expires_at;
    assert_eq!(end, later(start(), minutes(80)));
}

#[test]
fn clock_corrections_of_up_to_five_seconds_do_not_change_expiries() {
    for (apart, by) in [(5000, 0), (5001, 5001)] {
        let mut world = World::user([Answer::Token("one", 80)]).ahead(SignedDuration::ZERO);
        world.run(minutes(1));
        let end = |world: &World| world.session.record.tokens.access.as_ref().unwrap().expires_at;
        let before = end(&world);
        let assumed = world.session.clock.offset() - SignedDuration::from_millis(apart);
        world.session.token.assumed_offset = Some(assumed);
        world.session.correct_assumed_times();
        assert_eq!(end(&world).duration_since(before).as_millis(), by);
    }
}

#[test]
fn answers_in_the_format_of_the_endpoint_set_the_server_time() {
    for (body, is_answer) in [(INVALID_GRANT, true), (r#"{"token_type":"Bearer"}"#, true), (r#"{"busy":1}"#, false)] {
        let mut world = World::app([ok(body)]).ahead(SignedDuration::from_mins(10));
        world.run(Duration::ZERO);
        assert_eq!(world.session.clock.is_learnt(), is_answer, "{body} {}", world.trace());
    }
}

#[test]
fn an_outdated_clock_offset_of_another_process_makes_no_expired_token_usable() {
    // The other process measured when the server's clock was only this far ahead.
    for outdated_by in [5, 6, 20, 21].map(SignedDuration::from_secs) {
        let mut world = sharing::member(World::user([Answer::Token("one", 80)])).ahead(SignedDuration::from_mins(1));
        world.session.policy = world.session.policy.with_margin(Duration::ZERO);
        world.run(minutes(1));
        let record = changed(&world.snapshot(), |fields| {
            let offset = fields["clockOffsetMs"].as_i64().unwrap() - i64::try_from(outdated_by.as_millis()).unwrap();
            fields["clockOffsetMs"] = offset.into();
        });
        world.session.synchronize(world.now, Some((record, Some(Duration::ZERO))), &mut world.budget);
        let expired_at = later(start(), minutes(80));
        assert!(world.session.token(expired_at).is_none(), "{outdated_by}");
    }
}
