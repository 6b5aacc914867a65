//! Callers report what they see when they use the token.

use super::*;

#[test]
fn a_callers_time_out_after_an_outage_does_not_end_the_session() {
    let mut program = Program::user();
    program.run(minutes(1), |_| token("one", 80));
    program.run_to(start() + minutes(70), |_| Answer::Failure(Failure::NotSent));
    let generation = program.held().unwrap().generation;
    let (session, budget, now) = (&mut program.session, &mut program.budget, program.now);
    let _ = session.rejected(now, generation, http::StatusCode::REQUEST_TIMEOUT, b"", budget);
    let sent = program.run(minutes(1), |sent| if sent.is_login() { token("two", 900) } else { token("renewed", 150) });
    assert!(sent.iter().all(|sent| !sent.is_login()), "{}", program.log());
}
