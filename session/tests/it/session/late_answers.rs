//! Answers to requests that the session has given up.

use super::*;

fn next_send(program: &mut Program) -> (ExchangeId, Sent) {
    for _ in 0..100 {
        match program.session.poll(program.now, &mut program.budget) {
            Action::Send { id, request } => return (id, Sent::new(program.now, &request)),
            Action::Wait { until } => program.now = until,
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing is sent");
}

#[test]
fn a_late_ticket_is_not_sent_with_a_newer_refresh_token() {
    let mut program = Program::refreshing_app();
    let (first, _) = next_send(&mut program);
    let (second, sent) = next_send(&mut program);
    assert_eq!(sent.body["refresh_token"], "rt-0", "the first request was given up");
    let Answer::Response(granted) = refreshed("at-1", "rt-1") else { panic!() };
    program.session.receive(program.now, first, granted, &mut program.budget);
    let ticket = Response::new(r#"{"p-ticket":"ticket","p-time":1}"#);
    program.session.receive(program.now, second, ticket, &mut program.budget);
    let (_, sent) = next_send(&mut program);
    assert_eq!((&sent.body["refresh_token"], sent.body.get("p-ticket")), (&"rt-1".into(), None));
}
