//! OAuth sessions that can both renew and refresh, and renewals that are sent only to get a market data token.

use tradovate_auth_session::Operation;

use super::*;

const WITH_MARKET_DATA: &str = r#","mdAccessToken":"market""#;

fn is_renewal(sent: &Sent) -> bool {
    sent.endpoint == "renewaccesstoken"
}

/// A renewed token of 80 minutes.
fn renewed(sent: &Sent, fields: &str) -> Answer {
    token_with("renewed", sent.at.duration_since(start()).as_mins() + 80, fields)
}

/// A server as in the wire contract: only renewals bring a market data token.
fn server(sent: &Sent) -> Answer {
    if is_renewal(sent) { renewed(sent, WITH_MARKET_DATA) } else { refreshed("at", "rt") }
}

/// The minute of each request, and whether it was a renewal.
fn minutes_of(sent: &[Sent]) -> Vec<(i64, bool)> {
    sent.iter().map(|sent| (sent.at.duration_since(start()).as_mins(), is_renewal(sent))).collect()
}

/// An app that has exchanged its code, has renewed, and has a market data token.
fn begun() -> Program {
    let mut program = Program::app();
    assert_eq!(minutes_of(&program.run(minutes(1), server)), [(0, false), (0, true)]);
    program
}

fn market_data(program: &Program) -> Option<String> {
    program.held()?.market_data_token.map(|token| token.expose().into())
}

fn take_renewals(program: &mut Program, count: usize) {
    (0..count).for_each(|_| program.budget.take(program.now, Operation::Renew));
}

//= R-RENEW-10
//= R-REFRESH-4
#[test]
fn an_oauth_session_renews_its_token_and_refreshes_every_twelve_hours() {
    let sent = Program::app().run(minutes(25 * 60), server);
    let refreshes: Vec<_> = minutes_of(&sent).into_iter().filter(|(_, is_renewal)| !is_renewal).collect();
    assert_eq!(refreshes, [(0, false), (720, false), (1440, false)]);
    assert!((24..=28).contains(&sent.len()), "{} requests in 25 hours", sent.len());
}

#[test]
fn a_session_refreshes_every_twelve_hours_although_its_refresh_token_stays_the_same() {
    let sent = Program::app().run(minutes(25 * 60), |sent| match (is_renewal(sent), sent.at == start()) {
        (false, false) => ok(r#"{"access_token":"at","expires_in":4800}"#),
        _ => server(sent),
    });
    let refreshes: Vec<_> = minutes_of(&sent).into_iter().filter(|(_, is_renewal)| !is_renewal).collect();
    assert_eq!(refreshes, [(0, false), (720, false), (1440, false)]);
}

#[test]
fn a_restart_does_not_delay_the_twelve_hourly_refresh() {
    let mut program = begun();
    let mut refreshes = Vec::new();
    for _ in 0..5 {
        refreshes.extend(program.run(minutes(180), server).into_iter().filter(|sent| !is_renewal(sent)));
        program = program.restarted(seconds(1), app());
    }
    assert_eq!(minutes_of(&refreshes), [(720, false)]);
}

#[test]
fn a_refresh_token_of_unknown_age_is_used_when_the_access_token_is_due() {
    let mut program = begun();
    let mut snapshot = program.snapshot();
    snapshot["refresh"].as_object_mut().unwrap().remove("issuedAt");
    program = Program::starting_at(program.now, app());
    program.adopt(&snapshot);
    let sent = program.run(minutes(70), server);
    assert_eq!(sent[..2].iter().map(is_renewal).collect::<Vec<_>>(), [true, false], "the first one confirms the token");
}

//= R-RENEW-12
#[test]
fn an_oauth_session_leaves_five_of_fifteen_renewals_per_hour_to_others() {
    for (taken, renews) in [(9, true), (10, false)] {
        let mut program = begun();
        program.run_to(start() + minutes(60), server);
        take_renewals(&mut program, taken);
        let sent = program.run(minutes(8), server);
        assert_eq!(sent.iter().map(is_renewal).next(), Some(renews), "{taken} of the hour's renewals are taken");
    }
}

#[test]
fn an_oauth_session_refreshes_while_the_renewal_endpoint_is_closed() {
    let mut program = begun();
    program.run_to(start() + minutes(60), server);
    program.budget.close(program.now, Operation::Renew, minutes(60).unsigned_abs());
    assert_eq!(program.run(minutes(8), server).iter().map(is_renewal).next(), Some(false));
}

#[test]
fn an_oauth_session_waits_for_a_spare_renewal_while_the_refresh_endpoint_is_closed() {
    let mut program = begun();
    take_renewals(&mut program, 10);
    program.run_to(start() + minutes(30), server);
    program.budget.close(program.now, Operation::Refresh, minutes(60).unsigned_abs());
    let sent = program.run(minutes(50), server);
    assert!(minutes_of(&sent).iter().all(|(minute, is_renewal)| *is_renewal && *minute >= 61), "{sent:?}");
    assert!(!sent.is_empty());
}

#[test]
fn an_oauth_session_refreshes_after_a_failed_renewal() {
    for failure in [404, 500, 503] {
        let mut program = begun();
        let sent = program.run(minutes(70), |sent| if is_renewal(sent) { status(failure, "") } else { server(sent) });
        assert_eq!(sent[..2].iter().map(is_renewal).collect::<Vec<_>>(), [true, false], "{failure}");
        assert!(sent[1].at.duration_since(sent[0].at) <= minutes(1), "{failure}");
    }
}

#[test]
fn an_oauth_session_that_prefers_refreshes_sends_no_renewal() {
    let sent = Program::refreshing_app().run(minutes(25 * 60), server);
    assert!(sent.len() > 20 && !sent.iter().any(is_renewal), "{sent:?}");
}

//= R-RENEW-12
#[test]
fn one_renewal_follows_an_exchange_that_brought_no_market_data_token() {
    let program = begun();
    assert_eq!(market_data(&program).as_deref(), Some("market"));

    let mut program = Program::app();
    let with_market_data = r#"{"access_token":"at","refresh_token":"rt","expires_in":4800,"mdAccessToken":"market"}"#;
    assert_eq!(minutes_of(&program.run(minutes(10), |_| ok(with_market_data))), [(0, false)], "it has brought one");
}

#[test]
fn no_renewal_is_sent_for_market_data_after_two_renewals_without_it() {
    let sent = Program::app()
        .run(minutes(25 * 60), |sent| if is_renewal(sent) { renewed(sent, "") } else { refreshed("at", "rt") });
    let is_soon = |pair: &&[Sent]| is_renewal(&pair[1]) && pair[1].at.duration_since(pair[0].at) < minutes(30);
    let followed: Vec<_> = sent.windows(2).filter(is_soon).map(|pair| pair[0].clone()).collect();
    assert_eq!(minutes_of(&followed), [(0, false)], "of the three exchanges, only the first is followed by a renewal");
}

/// Answers that refuse a renewal and do not say that the token is dead.
const NOT_PERMITTED: [Case; 5] = [
    ("200 with a text", || ok(r#"{"errorText":"Access is denied"}"#)),
    ("401 without a body", || status(401, "")),
    ("401 with a text", || status(401, "Access is denied")),
    ("401 with a text in JSON", || status(401, r#"{"errorText":"Access is denied"}"#)),
    ("401 with a page", || status(401, "<html>Unauthorized</html>")),
];

/// Runs the program for this many minutes, and asserts that it has a token at the end of each. Returns the requests that
/// it has sent.
fn run_with_a_token(
    program: &mut Program,
    count: usize,
    case: &str,
    mut server: impl FnMut(&Sent) -> Answer,
) -> Vec<Sent> {
    let run_minute = |minute| {
        let sent = program.run(minutes(1), &mut server);
        assert!(program.token().is_some(), "{case}: no token after minute {minute}\n{}", program.log());
        sent
    };
    (1..=count).flat_map(run_minute).collect()
}

#[test]
fn a_refused_renewal_counts_as_a_renewal_without_a_market_data_token() {
    for (case, refusal) in NOT_PERMITTED {
        let server = |sent: &Sent| if is_renewal(sent) { refusal() } else { refreshed("at", "rt") };
        let sent = run_with_a_token(&mut Program::app(), 60, case, server);
        assert_eq!(minutes_of(&sent), [(0, false), (0, true)], "{case}");
    }
}

//= R-STATUS-4
#[test]
fn a_renewal_for_market_data_that_is_not_permitted_keeps_the_token() {
    for (case, refusal) in NOT_PERMITTED {
        let mut program = Program::app();
        let server = |sent: &Sent| if is_renewal(sent) { refusal() } else { refreshed("at", "rt") };
        run_with_a_token(&mut program, 60, case, server);
        assert_eq!(program.held().unwrap().generation, 1, "{case}");
        assert!(!program.log().contains("the server no longer accepts the token"), "{case}: {}", program.log());
        assert!(program.snapshot()["pause"].get("row").is_none(), "{case}: {}", program.snapshot());
    }
}

#[test]
fn a_user_whose_renewals_are_never_permitted_has_a_token_at_every_minute() {
    for (case, refusal) in NOT_PERMITTED {
        let mut program = Program::app();
        let server = |sent: &Sent| if is_renewal(sent) { refusal() } else { refreshed("at", "rt") };
        run_with_a_token(&mut program, 13 * 60, case, server);
        let is_kick = |event: &EventKind| matches!(event, EventKind::PossiblyKicked { .. });
        assert!(!program.events.iter().any(is_kick), "{case}: {}", program.log());
    }
}

#[test]
fn a_restart_remembers_that_a_renewal_for_market_data_was_not_permitted() {
    let mut program = Program::new(app().with_store());
    let server = |sent: &Sent| if is_renewal(sent) { status(401, "") } else { refreshed("at", "rt") };
    program.run(minutes(1), server);
    let stored: Value = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    assert_eq!(stored["marketData"], program.snapshot()["marketData"]);
}

//= R-STATUS-3
#[test]
fn a_renewal_for_market_data_ends_a_token_that_the_server_calls_dead() {
    for text in [DEAD, "Expired Access Token"] {
        let mut is_first = true;
        let mut program = Program::app();
        let sent = program.run(minutes(1), |sent| {
            if is_renewal(sent) && std::mem::take(&mut is_first) { status(401, text) } else { server(sent) }
        });
        assert_eq!(minutes_of(&sent), [(0, false), (0, true), (0, false), (0, true)], "{text}");
        assert!(program.log().contains("the server no longer accepts the token"), "{text}: {}", program.log());
    }
}

//= R-RENEW-11
#[test]
fn any_401_to_a_due_renewal_ends_the_token_although_a_market_data_token_is_wanted() {
    for (case, refusal) in &NOT_PERMITTED[1..] {
        let mut program = Program::app();
        // The renewals for market data fail, so the token is still wanted when the renewal is due.
        let sent = program.run(minutes(65), |sent| match is_renewal(sent) {
            true if sent.at <= start() + minutes(60) => status(500, ""),
            true => refusal(),
            false => refreshed("at", "rt"),
        });
        let at_the_end: Vec<_> = minutes_of(&sent).into_iter().filter(|(minute, _)| *minute > 60).collect();
        assert_eq!(at_the_end[..2], [(64, true), (64, false)], "{case}");
        assert!(program.log().contains("the server no longer accepts the token"), "{case}: {}", program.log());
    }
}

//= R-RENEW-11
#[test]
fn any_401_to_a_verifying_renewal_ends_the_token_although_a_market_data_token_is_wanted() {
    for (case, refusal) in &NOT_PERMITTED[1..] {
        let mut program = Program::app();
        program.run(minutes(5), |sent| if is_renewal(sent) { status(500, "") } else { server(sent) });
        let (generation, denied) = (program.held().unwrap().generation, http::StatusCode::UNAUTHORIZED);
        program.session.rejected(program.now, generation, denied, b"", &mut program.budget);
        let sent = program.run(seconds(1), |sent| if is_renewal(sent) { refusal() } else { server(sent) });
        assert_eq!(minutes_of(&sent)[..2], [(5, true), (5, false)], "{case}");
    }
}

#[test]
fn the_access_token_is_handed_out_while_the_renewal_for_market_data_is_in_flight() {
    let mut program = Program::app();
    let sent = program.run(minutes(1), |sent| if is_renewal(sent) { Answer::Silence } else { server(sent) });
    assert!(sent.iter().any(is_renewal) && program.token().as_deref() == Some("at"));
}

#[test]
fn poll_names_the_time_of_the_next_spare_renewal() {
    let mut program = Program::app();
    take_renewals(&mut program, 10);
    assert_eq!(minutes_of(&program.run(minutes(2), server)), [(0, false)]);
    assert_eq!(program.waits_until(), start() + seconds(3636), "a renewal counts for an hour and one per cent");
    assert_eq!(minutes_of(&program.run(minutes(59), server)), [(60, true)]);
}

#[test]
fn a_failed_renewal_for_market_data_delays_no_other_request_and_is_retried_after_15_minutes() {
    let faulty = |sent: &Sent| if is_renewal(sent) { status(500, "") } else { server(sent) };
    let mut program = Program::app();
    assert_eq!(minutes_of(&program.run(minutes(44), faulty)), [(0, false), (0, true), (15, true), (30, true)]);
    assert!(program.snapshot()["pause"].get("row").is_none(), "{}", program.snapshot());
    // The three failed renewals say nothing about the token.
    let generation = program.held().unwrap().generation;
    program.session.rejected(
        program.now,
        generation,
        http::StatusCode::UNAUTHORIZED,
        DEAD.as_bytes(),
        &mut program.budget,
    );
    assert_eq!(minutes_of(&program.run(seconds(1), faulty))[..1], [(44, true)], "it is verified at once");
    assert!(!program.log().contains("the server no longer accepts the token"));
}

#[test]
fn a_postponed_renewal_for_market_data_delays_no_refresh_and_stays_postponed_after_the_refresh() {
    let mut program = Program::app();
    let mut is_first = true;
    let sent = program.run(minutes(150), |sent| {
        if is_renewal(sent) && std::mem::take(&mut is_first) {
            return ok(r#"{"p-ticket":"ticket","p-time":7200}"#);
        }
        server(sent)
    });
    let sent = minutes_of(&sent);
    assert_eq!(sent[..2], [(0, false), (0, true)]);
    assert!(matches!(sent[2], (60..=66, false)), "{sent:?}");
    assert!(matches!(sent[3], (121.., true)), "{sent:?}");
}

#[test]
fn a_refresh_follows_a_due_renewal_that_fails_although_a_market_data_token_is_wanted() {
    let sent = Program::app().run(minutes(70), |sent| if is_renewal(sent) { status(500, "") } else { server(sent) });
    let at_the_end: Vec<_> = minutes_of(&sent).into_iter().filter(|(minute, _)| *minute > 60).collect();
    assert_eq!(at_the_end[..2], [(64, true), (65, false)]);
}

#[test]
fn a_captcha_for_a_refresh_leaves_a_renewal_postponed() {
    let mut program = Program::app();
    let sent = program.run(minutes(70), |sent| match (is_renewal(sent), sent.at == start()) {
        (true, _) => ok(r#"{"p-ticket":"ticket","p-time":7200}"#),
        (false, true) => server(sent),
        (false, false) => ok(r#"{"p-captcha":true}"#),
    });
    assert_eq!(sent.iter().map(is_renewal).collect::<Vec<_>>(), [false, true, false]);
    let postponed = program.session.postponed_until(program.now);
    assert_eq!(postponed.map(|(operation, _)| operation), Some(Operation::Renew));
}

#[test]
fn a_refresh_goes_before_a_renewal_for_market_data_that_is_due_at_the_same_moment() {
    // The failed renewals are 15 minutes apart, so one is due when the refresh token is 12 hours old.
    let sent = Program::app().run(minutes(721), |sent| {
        if is_renewal(sent) {
            return status(500, "");
        }
        ok(r#"{"access_token":"at","refresh_token":"rt","expires_in":90000,"refresh_token_expires_in":180000}"#)
    });
    let from_minute_705: Vec<_> = minutes_of(&sent).into_iter().filter(|(minute, _)| *minute >= 705).collect();
    assert_eq!(from_minute_705, [(705, true), (720, false), (720, true)]);
}
