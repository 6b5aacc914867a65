//! Credentials that were refused and never worked are tried again only if the program asks for it, also after a
//! restart.

use std::time::Duration;

use tradovate_auth_core::{Error, RefusalKind};
use tradovate_auth_session::Operation;

use super::*;

fn refused() -> Answer {
    ok(WRONG_PASSWORD)
}

fn trader_with(password: &str) -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", password), 7)
}

/// A program whose password was refused.
fn stopped() -> Program {
    let mut program = Program::user();
    assert_eq!(program.run(minutes(1), |_| refused()).len(), 1);
    assert!(matches!(program.stop_reason(), Some(StopReason::Refused(Error::Refused(_)))));
    program
}

#[test]
fn a_wrong_password_is_sent_once_by_a_program_that_restarts_in_a_loop() {
    let mut program = Program::user();
    let mut sent = program.run(minutes(1), |_| refused());
    for _ in 0..100 {
        program = program.restarted(minutes(10), trader());
        sent.extend(program.run(seconds(5), |_| refused()));
    }
    assert_eq!(sent.len(), 1);
    match program.stop_reason() {
        Some(StopReason::RefusedBefore { at, text }) => {
            assert_eq!((*at, text.as_str()), (start(), "Incorrect username or password."));
        }
        other => panic!("{other:?}"),
    }
    let said = program.stop_reason().unwrap().to_string();
    assert!(said.contains("2026-11-24T14:00:00Z") && said.contains("start with `another_try`"), "{said}");
}

#[test]
fn a_program_can_request_another_try_after_refused_credentials() {
    let mut program = stopped().restarted(minutes(1), trader_with("corrected").with_another_try());
    program.run(seconds(1), |_| token("one", 80));
    assert_eq!(program.token().as_deref(), Some("one"));
    // The next start need not ask again, and an old snapshot changes nothing.
    let old = stopped().snapshot();
    program.adopt(&old);
    let mut program = program.restarted(minutes(120), trader_with("corrected"));
    program.adopt(&old);
    program.run(seconds(1), |_| token("two", 300));
    assert_eq!(program.token().as_deref(), Some("two"));
}

#[test]
fn credentials_refused_at_another_try_are_not_sent_again_after_a_restart() {
    let mut program = stopped().restarted(minutes(1), trader().with_another_try());
    assert_eq!(program.run(seconds(1), |_| refused()).len(), 1);
    let mut program = program.restarted(minutes(1), trader());
    assert_eq!(program.run(minutes(600), |_| refused()).len(), 0);
}

#[test]
fn replaced_credentials_are_tried() {
    let mut program = stopped().restarted(minutes(1), trader());
    program.run(seconds(1), |_| panic!("nothing is sent"));
    program.session.replace_credentials(Credentials::new("trader", "corrected"));
    program.adopt(&stopped().snapshot());
    program.run(seconds(1), |_| token("one", 80));
    assert_eq!(program.token().as_deref(), Some("one"));
}

#[test]
fn replaced_credentials_are_stored_although_their_login_is_not_sent_yet() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| refused());
    assert!(matches!(program.stop_reason(), Some(StopReason::Refused(_))));
    program.budget.close(program.now, Operation::LogIn, Duration::from_secs(3600));
    program.session.replace_credentials(Credentials::new("trader", "corrected"));
    assert!(program.run(minutes(1), |_| panic!("the endpoint is closed")).is_empty());
    // The program crashes, and starts with the new password.
    let stored = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    let mut program = Program::starting_at(program.now + minutes(120), trader_with("corrected"));
    program.adopt(&stored);
    program.run(seconds(1), |_| token("one", 300));
    assert_eq!(program.token().as_deref(), Some("one"));
}

#[test]
fn the_ticket_of_replaced_credentials_is_not_sent_after_a_crash() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| ok(r#"{"p-ticket":"k-1","p-time":15}"#));
    program.session.replace_credentials(Credentials::new("trader", "changed"));
    program.budget.lock_out(program.now, Duration::from_secs(3600));
    assert!(program.run(minutes(1), |_| panic!("the address is locked out")).is_empty());
    let stored = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    let mut program = Program::starting_at(program.now + minutes(120), trader_with("changed"));
    program.adopt(&stored);
    let sent = program.run(seconds(1), |_| token("one", 300));
    assert!(sent[0].is_login() && sent[0].body["p-ticket"].is_null(), "{}", sent[0].body);
}

#[test]
fn refused_credentials_do_not_stop_another_user_or_login_host() {
    for session in [
        Session::new(Environment::demo(), Credentials::new("somebody", "password"), 7),
        Session::new(Environment::live(), Credentials::new("trader", "password"), 7),
    ] {
        let mut program = stopped().restarted(minutes(1), session);
        program.run(seconds(1), |_| token("one", 80));
        assert_eq!(program.token().as_deref(), Some("one"));
    }
}

#[test]
fn a_snapshot_of_a_refusal_contains_nothing_of_the_password() {
    let of = |password: &str| {
        let mut program = Program::new(trader_with(password));
        program.run(minutes(1), |_| refused());
        program.snapshot()
    };
    assert_eq!(of("password"), of("another password"), "whatever the password is");
}

#[test]
fn the_refusal_is_stored_before_the_session_stops() {
    let mut program = Program::new(trader().with_store());
    program.run(seconds(1), |_| refused());
    assert!(matches!(program.stop_reason(), Some(StopReason::Refused(_))));
    let stored: Value = serde_json::from_str(program.stored.last().unwrap()).unwrap();
    let mut next = Program::starting_at(start() + minutes(5), trader());
    next.adopt(&stored);
    assert_eq!(next.run(minutes(5), |_| refused()).len(), 0);
    assert!(matches!(next.stop_reason(), Some(StopReason::RefusedBefore { .. })));
}

#[test]
fn a_session_with_refused_credentials_stops_although_its_store_fails() {
    let mut session = trader().with_store();
    let mut budget = RateBudget::default();
    let Action::Store { id, .. } = session.poll(start(), &mut budget) else { panic!() };
    session.store_answered(start(), id, Ok(StoreAnswer::Kept), &mut budget);
    let Action::Send { id, .. } = session.poll(start(), &mut budget) else { panic!() };
    session.receive(start(), id, Response::new(WRONG_PASSWORD), &mut budget);
    let (mut now, mut tries) = (start(), 0);
    loop {
        match session.poll(now, &mut budget) {
            Action::Store { id, .. } => {
                tries += 1;
                session.store_answered(now, id, Err(disk_full()), &mut budget);
            }
            Action::Wait { until } => now = until,
            action => {
                assert!(matches!(action, Action::Stopped { reason: StopReason::Refused(_), .. }));
                break;
            }
        }
    }
    assert_eq!(tries, 3);
    assert!(now <= start() + seconds(10));
}

#[test]
fn refused_credentials_that_worked_are_tried_once_more_despite_restarts() {
    let mut program = Program::user();
    program.run(minutes(1), |_| token("one", 80));
    program = program.restarted(minutes(100), trader());
    let mut sent = Vec::new();
    for _ in 0..40 {
        sent.extend(program.run(minutes(5), |sent| if sent.is_login() { refused() } else { status(401, DEAD) }));
        program = program.restarted(seconds(1), trader());
    }
    sent.retain(Sent::is_login);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[1].at >= sent[0].at + minutes(60), "{sent:?}");
    assert!(matches!(program.restarted(seconds(1), trader()).after_a_poll(), Some(StopReason::RefusedBefore { .. })));
}

#[test]
fn an_adopted_token_is_renewed_although_the_credentials_were_refused() {
    let mut program = stopped();
    let mut other = Program::starting_at(program.now, trader());
    other.run(seconds(1), |_| token("one", 80));
    program.adopt(&other.snapshot());
    program.run_to(start() + minutes(79), |sent| {
        assert!(!sent.is_login());
        token("two", 160)
    });
    assert_eq!(program.token().as_deref(), Some("two"));
}

#[test]
fn a_login_that_failed_without_a_refusal_is_repeated_after_a_restart() {
    for answer in [|| ok(r#"{"mfaRequired":true}"#), || status(404, "not here"), || status(400, "")] {
        let mut program = Program::user();
        program.run(minutes(1), |_| answer());
        assert!(matches!(program.stop_reason(), Some(StopReason::Refused(_))));
        let mut program = program.restarted(minutes(1), trader());
        program.run(seconds(1), |_| token("one", 80));
        assert_eq!(program.token().as_deref(), Some("one"));
    }
}

#[test]
fn a_login_refused_for_any_reason_is_not_repeated_after_a_restart() {
    for (answer, kind) in [
        (ok(r#"{"errorText":"The app is not registered"}"#), RefusalKind::AppNotRegistered),
        (status(401, ""), RefusalKind::Other),
        (ok(r#"{"errorText":"Access is denied"}"#), RefusalKind::AccessDenied),
    ] {
        let mut answers = vec![answer];
        let mut program = Program::user();
        program.run(minutes(1), |_| answers.pop().unwrap());
        match program.stop_reason() {
            Some(StopReason::Refused(Error::Refused(refusal))) => assert_eq!(refusal.kind, kind),
            other => panic!("{other:?}"),
        }
        let mut program = program.restarted(minutes(1), trader());
        assert_eq!(program.run(minutes(600), |_| refused()).len(), 0, "{kind:?}");
    }
}
