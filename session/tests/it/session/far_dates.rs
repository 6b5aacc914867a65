//! One answer whose `Date` is years away from the server time that is known.

use std::time::Duration;

use super::*;
use crate::driver::dated;
use tradovate_auth_session::StoredSession;

fn oauth(access: &str, refresh: &str, date: Timestamp) -> Response<String> {
    let body = format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":4800,"refresh_token_expires_in":93600}}"#
    );
    dated(200, body, date)
}

#[test]
fn one_date_far_in_the_past_loses_no_refresh_token() {
    let mut program = Program::app();
    let mut n = 0;
    let sent = program.run(minutes(180), |sent| {
        n += 1;
        let date = if n == 2 { "2000-01-01T00:00:00Z".parse().unwrap() } else { sent.at };
        Answer::Response(oauth(&format!("at-{n}"), &format!("rt-{n}"), date))
    });
    let when: Vec<_> = sent.iter().map(|s| (s.endpoint.clone(), s.at.duration_since(start()).as_mins())).collect();
    assert!(program.stop_reason().is_none() && program.token().is_some(), "{when:?}\n{}", program.log());
}

#[test]
fn one_date_far_in_the_past_brings_back_no_token_that_was_replaced() {
    let json = |session: &Session, now, budget: &RateBudget| -> StoredSession {
        serde_json::from_str(&serde_json::to_string(&session.snapshot(now, budget)).unwrap()).unwrap()
    };
    let (mut ba, mut bb) = (RateBudget::default(), RateBudget::default());
    let (mut a, mut b) = (trader().with_shared_store(), trader().with_shared_store());
    let drive = |s: &mut Session, now, budget: &mut RateBudget, answer: Response<String>| loop {
        match s.poll(now, budget) {
            Action::Store { id, .. } => s.stored(now, id),
            Action::Send { id, .. } => {
                s.receive(now, id, answer.clone(), budget);
                while let Action::Store { id, .. } = s.poll(now, budget) {
                    s.stored(now, id);
                }
                return;
            }
            other => panic!("{other:?}"),
        }
    };
    let body = |text: &str, end: i64| {
        format!(r#"{{"accessToken":"{text}","expirationTime":"{}","userId":1}}"#, start() + minutes(end))
    };
    let zero = Some(Duration::from_millis(100));
    drive(&mut a, start(), &mut ba, dated(200, body("one", 80), start()));
    b.synchronize(start(), Some((json(&a, start(), &ba), zero)), &mut bb);
    let due = start() + minutes(67);
    drive(&mut a, due, &mut ba, dated(200, body("two", 147), "2000-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(a.token(due).unwrap().access_token.expose(), "two");
    b.synchronize(due, Some((json(&a, due, &ba), zero)), &mut bb);
    let pending = b.pending(due, &bb);
    let token = b.token(due).map(|t| t.access_token.expose().to_owned());
    assert_eq!((token.as_deref(), pending), (Some("two"), None));
}
