//! Programs that are killed or restarted again and again log in and renew no more often than one that goes on.

use std::time::Duration;

use super::*;
use crate::support::driver::dated;
use tradovate_auth_core::StoredSession;

#[test]
fn a_login_that_was_announced_before_a_crash_is_of_unknown_outcome() {
    let mut record: Option<StoredSession> = None;
    let mut logins = Vec::new();
    let mut now = start();
    let mut written = now;
    for seed in 0..6 {
        let mut budget = RateBudget::default();
        let mut session =
            Session::new(Environment::demo(), Credentials::new("trader", "password"), seed).with_shared_store();
        let text = record.as_ref().map(|r| serde_json::to_string(r).unwrap());
        let stored = text.map(|t| serde_json::from_str(&t).unwrap());
        let age = Duration::try_from(now.duration_since(written)).unwrap();
        session.synchronize(now, stored.map(|s| (s, Some(age))), &mut budget);
        for _ in 0..20 {
            match session.poll(now, &mut budget) {
                Action::Store { id, snapshot } => {
                    record = Some(snapshot);
                    written = now;
                    session.stored(now, id);
                }
                Action::Send { .. } => {
                    logins.push(now.duration_since(start()).as_secs());
                    break; // the process is killed
                }
                Action::Wait { until } => now = until,
                other => panic!("{other:?}"),
            }
        }
        // Until the lease of the dead process has run out.
        now += seconds(68);
    }
    let third: Vec<_> = logins.windows(3).map(|w| w[2] - w[0]).collect();
    assert!(third.iter().all(|t| *t >= 900), "logins at {logins:?}");
}

#[test]
fn restarts_renew_no_more_often_than_the_address_may() {
    let make = |i: i64| Session::new(Environment::demo(), Credentials::new(format!("t{i}"), "p"), i.unsigned_abs());
    let mut stored: Vec<Option<String>> = vec![None; 8];
    let mut renewals = Vec::new();
    let mut expiry = [start(); 8];
    for run in 0..8_i64 {
        let begun = start() + minutes(16 * run);
        let mut budget = RateBudget::default();
        let mut sessions: Vec<_> = (0..8).map(make).collect();
        for (session, stored) in sessions.iter_mut().zip(&stored) {
            if let Some(text) = stored {
                session.adopt(begun, serde_json::from_str(text).unwrap(), &mut budget);
            } else {
                // The first start has tokens from logins long ago.
                budget = RateBudget::default();
            }
        }
        for second in 0..(16 * 60) {
            let now = begun + seconds(second);
            for (i, session) in sessions.iter_mut().enumerate() {
                while let Action::Send { id, request } = session.poll(now, &mut budget) {
                    if request.uri().path().ends_with("renewaccesstoken") {
                        renewals.push(now);
                    }
                    expiry[i] = now + minutes(80);
                    let body = format!(r#"{{"accessToken":"n{second}","expirationTime":"{}"}}"#, expiry[i]);
                    session.receive(now, id, dated(200, body, now), &mut budget);
                }
            }
        }
        let end = begun + minutes(16) - seconds(1);
        stored = sessions.iter().map(|s| Some(serde_json::to_string(&s.snapshot(end, &budget)).unwrap())).collect();
    }
    let most = renewals
        .iter()
        .map(|from| renewals.iter().filter(|at| (*from..*from + minutes(60)).contains(at)).count())
        .max();
    assert!(most.unwrap_or(0) <= 15, "{most:?} renewals in an hour");
}
