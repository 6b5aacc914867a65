//! A login of unknown outcome may have opened a server session. A third one makes the server close the oldest one, which
//! may be the trader's.

use super::*;
use tradovate_auth_session::StoreRequest;

fn unknown_answers() -> Vec<Case> {
    vec![
        ("no answer", || Answer::Failure(Failure::MaybeSent)),
        ("no answer before the deadline", || Answer::Silence),
        ("500", || status(500, "Internal Server Error")),
        ("an expired token", || token("one", -1)),
    ]
}

/// The times between logins, in seconds.
fn pauses(sent: &[Sent]) -> Vec<i64> {
    sent.windows(2).map(|two| two[1].at.duration_since(two[0].at).as_secs()).collect()
}

fn check(name: &str, sent: &[Sent]) {
    let pauses = pauses(sent);
    assert!(pauses.iter().all(|pause| *pause >= 15), "{name}: {pauses:?}");
    for three in sent.windows(3) {
        assert!(three[2].at >= three[0].at + minutes(15), "{name}: {pauses:?}");
    }
    assert!(pauses.is_sorted_by(|one, next| next >= one.min(&2700)), "{name}: {pauses:?}");
}

//= R-SESSION-6
#[test]
fn a_login_of_unknown_outcome_is_repeated_after_15_seconds_and_then_after_growing_pauses() {
    for (name, answer) in unknown_answers() {
        let mut program = Program::user();
        let sent = program.run(minutes(300), |_| answer());
        check(name, &sent);
        assert!((5..=9).contains(&sent.len()), "{name}: {:?}", pauses(&sent));
        assert!(pauses(&sent)[0] <= 65, "{name}: {:?}", pauses(&sent));
    }
}

#[test]
fn a_session_gets_a_token_within_an_hour_after_the_server_recovers() {
    for (name, answer) in unknown_answers() {
        for sick_for in [0, 1, 20, 50, 200] {
            let mut program = Program::user();
            program.run(minutes(sick_for), |_| answer());
            let healthy_at = program.now;
            program.run(minutes(61), |_| token("two", 900));
            assert!(program.token().is_some(), "{name}: not usable an hour after {healthy_at}");
        }
    }
}

#[test]
fn a_restart_does_not_reset_the_pauses_after_kicks() {
    for (name, answer) in unknown_answers() {
        let mut program = Program::user();
        let mut sent = Vec::new();
        for _ in 0..60 {
            sent.extend(program.run(minutes(5), |_| answer()));
            program = program.restarted(seconds(1), trader());
        }
        check(name, &sent);
    }
}

#[test]
fn a_login_is_stored_before_the_next_login() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| status(500, ""));
    let stored: Value = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    let mut next = Program::starting_at(start() + seconds(2), trader());
    next.adopt(&stored);
    assert!(next.run(seconds(12), |_| status(500, "")).is_empty());
    assert_eq!(next.run(seconds(5), |_| status(500, "")).len(), 1);
}

/// The program after a crash. It knows only what it has stored.
fn crashed(program: &Program, after: SignedDuration) -> Program {
    restarted(program, trader(), after)
}

fn restarted(program: &Program, session: Session, after: SignedDuration) -> Program {
    let stored: Value = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    let mut next = Program::starting_at(program.now + after, session.with_store());
    next.adopt(&stored);
    next.stored.clone_from(&program.stored);
    next
}

#[test]
fn a_program_that_crashes_during_each_login_pauses_as_after_a_login_of_unknown_outcome() {
    let mut program = Program::new(trader().with_store());
    let mut sent = Vec::new();
    for _ in 0..3000 {
        sent.extend(program.run(seconds(2), |_| Answer::Silence));
        program = crashed(&program, seconds(1));
    }
    check("a crash", &sent);
}

#[test]
fn a_login_may_have_been_sent_long_after_its_announcement() {
    let mut program = Program::new(trader().with_store());
    let action = program.session.poll(program.now, &mut program.budget);
    let Action::Store { id, request: StoreRequest::Keep(snapshot) } = action else { panic!("no announcement") };
    program.now += seconds(20);
    program.session.store_answered(program.now, id, Ok(StoreAnswer::Kept), &mut program.budget);
    assert!(matches!(program.session.poll(program.now, &mut program.budget), Action::Send { .. }));
    program.stored.push(serde_json::to_string(&snapshot).unwrap());
    let sent = crashed(&program, seconds(1)).run(minutes(1), |_| token("one", 80));
    assert!(sent[0].at >= program.now + seconds(15), "{sent:?}");
    // An announcement is not used after 90 s.
    let sent = crashed(&program, seconds(90)).run(seconds(1), |_| token("one", 80));
    assert_eq!(sent.len(), 1);
}

#[test]
fn a_program_that_restarts_every_ten_seconds_logs_in_again_within_two_minutes() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| Answer::Silence);
    let mut sent = Vec::new();
    while sent.is_empty() {
        program = crashed(&program, seconds(1));
        sent = program.run(seconds(9), |_| Answer::Silence);
    }
    assert!(sent[0].at <= start() + seconds(120), "{sent:?}");
}

#[test]
fn a_login_that_opened_no_session_causes_no_pause_after_a_crash() {
    for answer in [status(503, ""), Answer::Failure(Failure::NotSent), status(400, "")] {
        let mut answers = vec![answer];
        let mut program = Program::new(trader().with_store());
        program.run(SignedDuration::from_millis(400), |_| answers.pop().unwrap());
        let mut next = crashed(&program, seconds(5));
        assert_eq!(next.run(seconds(1), |_| token("one", 80)).len(), 1, "{}", program.log());
    }
}

#[test]
fn a_login_that_cannot_be_built_does_not_count_as_one_of_unknown_outcome() {
    let too_long = Credentials::new("trader", "x".repeat(100));
    let mut program = Program::new(Session::new(Environment::demo(), too_long.clone(), 0).with_store());
    for _ in 0..3 {
        assert_eq!(program.run(seconds(5), |_| token("one", 80)).len(), 0);
        assert!(program.session.stop_reason().is_some());
        program = restarted(&program, Session::new(Environment::demo(), too_long.clone(), 0), seconds(1));
    }
    let mut next = crashed(&program, seconds(1));
    assert_eq!(next.run(seconds(1), |_| token("one", 80)).len(), 1, "{}", next.log());
}

#[test]
fn a_ticket_is_sent_once_although_the_program_crashes() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| ok(r#"{"p-ticket":"ticket","p-time":15}"#));
    let sent = program.run(seconds(20), |_| Answer::Silence);
    assert_eq!(sent[0].body["p-ticket"], "ticket");
    let sent = crashed(&program, seconds(1)).run(minutes(1), |_| token("one", 80));
    assert!(sent[0].is_login() && sent[0].body["p-ticket"].is_null(), "{}", sent[0].body);
}

#[test]
fn a_login_of_unknown_outcome_counts_as_one_of_two_per_15_minutes() {
    let mut program = Program::user();
    let mut answers = vec![token("three", 300), token("two", 200), status(500, "")];
    program.run(minutes(1), |_| answers.pop().unwrap());
    assert_eq!(program.token().as_deref(), Some("two"));
    let generation = program.held().unwrap().generation;
    let dead = http::StatusCode::UNAUTHORIZED;
    program.session.rejected(program.now, generation, dead, DEAD.as_bytes(), &mut program.budget);
    let sent =
        program.run(minutes(20), |sent| if sent.is_login() { answers.pop().unwrap() } else { status(401, DEAD) });
    assert_eq!(sent[0].endpoint, "renewaccesstoken");
    assert!(sent[1].is_login() && sent[1].at >= start() + minutes(15), "{sent:?}");
}

#[test]
fn a_login_that_opened_no_session_is_repeated_within_two_seconds() {
    for (name, answer) in
        [("502", status(502, "")), ("503", status(503, "")), ("not sent", Answer::Failure(Failure::NotSent))]
    {
        let mut answers = vec![token("one", 80), answer];
        let mut program = Program::user();
        program.run(seconds(2), |_| answers.pop().unwrap());
        assert_eq!(program.token().as_deref(), Some("one"), "{name}");
    }
}

#[test]
fn a_late_penalty_allows_the_login_again_with_its_ticket() {
    let mut program = Program::user();
    let Action::Send { id, .. } = program.session.poll(program.now, &mut program.budget) else { panic!() };
    program.run(seconds(46), |_| panic!("nothing is sent"));
    let refusal = Response::new(r#"{"p-ticket":"ticket","p-time":1}"#);
    program.session.receive(program.now, id, refusal, &mut program.budget);
    let sent = program.run(seconds(3), |_| token("one", 80));
    assert_eq!(sent[0].body["p-ticket"], "ticket", "it was not handled, so it may go out again");
}
