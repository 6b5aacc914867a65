//! An answer whose `Date` is years away from the known server time.

use super::*;
use crate::driver::dated;
use crate::store::{MemoryStore, serve};
use tradovate_auth_session::{MayLogIn, StoredSession};

fn oauth(access: &str, refresh: &str, date: Timestamp) -> Response<String> {
    let body = format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":4800,"refresh_token_expires_in":93600}}"#
    );
    dated(200, body, date)
}

#[test]
fn a_session_keeps_its_refresh_token_after_a_date_far_in_the_past() {
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
fn a_replaced_token_stays_replaced_after_a_date_far_in_the_past() {
    let json = |session: &Session, now, budget: &RateBudget| -> StoredSession {
        serde_json::from_str(&serde_json::to_string(&session.snapshot(now, budget)).unwrap()).unwrap()
    };
    let (mut ba, mut bb) = (RateBudget::default(), RateBudget::default());
    let member = || trader().with_shared_store(MayLogIn::WhenNeeded);
    let (mut a, mut b) = (member(), member());
    let mut store = MemoryStore::holding(&json(&a, start(), &ba), start());
    let drive = |s: &mut Session, now, budget: &mut RateBudget, store: &mut MemoryStore, answer| {
        let Action::Send { id, .. } = serve(s, now, budget, store) else { panic!("nothing is sent") };
        s.receive(now, id, answer, budget);
        serve(s, now, budget, store);
    };
    let body = |text: &str, end: i64| {
        format!(r#"{{"accessToken":"{text}","expirationTime":"{}","userId":1}}"#, start() + minutes(end))
    };
    drive(&mut a, start(), &mut ba, &mut store, dated(200, body("one", 80), start()));
    serve(&mut b, start(), &mut bb, &mut store);
    let due = start() + minutes(67);
    drive(&mut a, due, &mut ba, &mut store, dated(200, body("two", 147), "2000-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(a.token(due).unwrap().access_token.expose(), "two");
    assert!(matches!(serve(&mut b, due, &mut bb, &mut store), Action::Wait { .. }), "it has nothing to do");
    assert_eq!(b.token(due).unwrap().access_token.expose(), "two");
}
