//! A market data token that a renewal doesn't replace: it ends before the access token.

use http::StatusCode;

use super::*;

/// Logs in with a market data token to minute 80, renews without one, and stops at this minute.
fn renewed(minute: i64) -> Program {
    let mut program = Program::user();
    program.run(minutes(minute), |sent| {
        if sent.is_login() { token_with("one", 80, r#","mdAccessToken":"market""#) } else { token("two", 160) }
    });
    program
}

fn market_data(program: &Program) -> Option<String> {
    program.held()?.market_data_token.map(|token| token.expose().into())
}

#[test]
fn the_access_token_is_handed_out_without_a_market_data_token_that_has_ended() {
    let mut program = renewed(70);
    let before = program.held().unwrap();
    assert_eq!(before.usable_until, start() + minutes(80));
    assert_eq!(market_data(&program).as_deref(), Some("market"));
    program.now = before.usable_until;
    assert_eq!((program.token().as_deref(), market_data(&program)), (Some("two"), None));
    assert!(program.held().unwrap().usable_until > start() + minutes(150));
}

#[test]
fn a_session_wakes_up_when_its_market_data_token_ends() {
    assert_eq!(renewed(70).waits_until(), start() + minutes(80));
}

#[test]
fn a_session_wakes_up_when_its_market_data_token_ends_while_a_request_is_in_flight() {
    let mut program = renewed(79);
    program.now += seconds(50);
    let generation = program.held().unwrap().generation;
    program.session.rejected(program.now, generation, StatusCode::UNAUTHORIZED, b"", &mut program.budget);
    assert_eq!(program.run(seconds(1), |_| Answer::Silence).len(), 1);
    assert_eq!(program.waits_until(), start() + minutes(80));
}

#[test]
fn a_session_wakes_up_when_its_token_is_no_longer_handed_out() {
    let mut program = renewed(70);
    program.run_to(start() + minutes(159), |_| status(503, ""));
    let end = program.held().unwrap().usable_until;
    assert_eq!(end, start() + minutes(160) - seconds(30));
    program.run_to(end - SignedDuration::from_millis(1), |_| status(503, ""));
    assert_eq!(program.waits_until(), end);
}
