//! A program that is killed or restarted again and again logs in no more often than one that keeps running.

use super::*;
use crate::store::{MemoryStore, serve};
use tradovate_auth_session::MayLogIn;

#[test]
fn a_login_announced_before_a_crash_has_an_unknown_outcome() {
    let mut store = MemoryStore::holding(&trader().snapshot(start(), &RateBudget::default()), start());
    let mut logins = Vec::new();
    let mut now = start();
    for seed in 0..6 {
        let mut budget = RateBudget::default();
        let mut session = Session::new(Environment::demo(), Credentials::new("trader", "password"), seed)
            .with_shared_store(MayLogIn::WhenNeeded);
        for _ in 0..20 {
            match serve(&mut session, now, &mut budget, &mut store) {
                Action::Send { .. } => {
                    logins.push(now.duration_since(start()).as_secs());
                    break; // the process is killed
                }
                Action::Wait { until } => now = until,
                other => panic!("{other:?}"),
            }
        }
        // Until the lease of the dead process has expired.
        now += seconds(68);
    }
    let third: Vec<_> = logins.windows(3).map(|w| w[2] - w[0]).collect();
    assert!(third.iter().all(|t| *t >= 900), "logins at {logins:?}");
}

#[test]
fn the_next_login_supersedes_one_from_a_clock_that_was_years_ahead() {
    let mut first = Program::user();
    first.run(minutes(1), |_| token("one", 80));
    let mut ahead = first.snapshot();
    ahead["startedAt"] = "2036-01-01T00:00:00Z".into();
    let mut next = Program::starting_at(first.now, trader());
    next.adopt(&ahead);
    next.run(minutes(1), |sent| if sent.is_login() { token("two", 160) } else { status(401, DEAD) });
    assert_eq!(next.token().as_deref(), Some("two"));
    for order in [[ahead.clone(), next.snapshot()], [next.snapshot(), ahead]] {
        let mut program = Program::starting_at(next.now, trader());
        for snapshot in &order {
            program.adopt(snapshot);
        }
        assert_eq!(program.token().as_deref(), Some("two"));
    }
}
