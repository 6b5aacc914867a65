//! A market data token that a renewal does not replace expires before the access token.

use super::*;

/// Logs in with a market data token that lives to minute 80, renews without one, and stops at this minute.
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

//= R-SOCKET-8
//= R-RENEW-9
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
fn poll_names_the_expiry_of_the_market_data_token() {
    assert_eq!(renewed(70).waits_until(), start() + minutes(80));
}
