//! A session that its network has chosen, and that can't send. If the set chose it again at once, `poll` would not
//! return.

use super::*;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

impl World {
    fn requests_of(&self, session: SessionKey) -> Vec<(i64, Operation)> {
        let of_it = self.sent.iter().filter(|sent| sent.session == session);
        of_it.map(|sent| (sent.at.duration_since(start()).as_mins(), sent.operation)).collect()
    }
}

/// A refresh that also brings a market data token.
fn refreshed() -> Response<String> {
    granted(start(), Operation::Refresh).map(|body| body.replacen('{', r#"{"mdAccessToken":"synthetic","#, 1))
}

#[test]
fn a_session_in_a_pause_is_not_extended_before_its_pause_ends() {
    let (mut world, _) = World::of("cloud", (0..20).map(by_oauth));
    let mut failed = None;
    while world.now < start() + minutes(80) {
        while let Some((session, id, operation)) = world.request() {
            let answer = if operation == Operation::Refresh && failed.is_none() && world.now > start() + minutes(55) {
                // The session pauses for ten minutes. Then it can renew, because the hour has a renewal to spare again.
                failed = Some(session);
                Response::builder().status(404).body(String::new()).unwrap()
            } else if operation == Operation::Refresh {
                refreshed()
            } else {
                granted(world.now, operation)
            };
            world.set.receive(world.now, session, id, dated(world.now, answer));
        }
        let SetAction::Wait { until } = world.set.poll(world.now) else { panic!("there is more to do") };
        world.now = until;
    }
    let requests = world.requests_of(failed.unwrap());
    let [(0, Operation::Refresh), (failed_at, Operation::Refresh), (next, _)] = requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(next - failed_at, 10, "{requests:?}");
}

#[test]
fn a_session_that_waits_longer_than_its_budget_is_not_chosen_again_and_again() {
    let (mut world, keys) = World::of("office", [by_password(1)]);
    world.run(start() + minutes(60), |_| {});
    world.set.with(world.now, keys[0], |_, _| ());
    assert!(world.request().is_none());
    // A caller with another clock closes the endpoint: by the budget for five minutes, by the session for fifteen.
    let quarter = core::time::Duration::from_secs(15 * 60);
    world.set.with(world.now, keys[0], |_, budget| budget.close(start() + minutes(50), Operation::Renew, quarter));
    world.run(start() + minutes(76), |_| {});
    assert_eq!(world.requests_of(keys[0]), [(0, Operation::LogIn), (75, Operation::Renew)]);
}

/// A renewal endpoint that a captcha has closed opens while the tokens end. The driver polls some seconds late, so their
/// network chooses the sessions for renewals, but they need logins.
#[test]
fn a_session_that_needs_a_login_when_it_is_chosen_for_a_renewal_waits_in_the_queue_of_the_logins() {
    let (mut world, keys) = World::of("office", (0..12).map(by_password));
    world.run(start() + minutes(1), |_| {});
    let holds_for = core::time::Duration::from_secs(80 * 60 + 2);
    world.set.with(world.now, keys[0], |_, budget| budget.close(start(), Operation::Renew, holds_for));
    world.run(start() + minutes(80) - SignedDuration::from_secs(1), |_| {});
    world.now = start() + minutes(80) + SignedDuration::from_secs(10);
    let first: Vec<_> = core::iter::from_fn(|| world.request()).collect();
    assert_eq!(first.iter().map(|(.., operation)| *operation).collect::<Vec<_>>(), [Operation::LogIn; 4]);
    world.now += SignedDuration::from_secs(1);
    for (session, id, operation) in first {
        world.set.receive(world.now, session, id, dated(world.now, granted(world.now, operation)));
    }
    world.run(start() + minutes(81), |_| {});
    assert_eq!(world.usable(&keys), 12);
}
