//! The limits of a network in the snapshots of its sessions.

use alloc::collections::VecDeque;

use super::*;

/// Starts sessions six seconds apart, of which up to four log in at the same time. Returns the snapshot of each session
/// after its login was answered, and the set.
fn started(answers: impl Fn(Timestamp) -> Response<String>) -> (Vec<crate::StoredSession>, World) {
    let mut world = World::new();
    let (mut in_flight, mut snapshots) = (VecDeque::new(), Vec::new());
    for seed in 0..8 {
        world.set.insert("office", by_password(seed));
        in_flight.extend(world.request());
        if in_flight.len() == 4 {
            let (session, id, _) = in_flight.pop_front().unwrap();
            world.set.receive(world.now, session, id, answers(world.now));
            let now = world.now;
            snapshots.extend(world.set.with(now, session, |session, budget| session.snapshot(now, budget)));
        }
        world.now += SignedDuration::from_secs(6);
    }
    (snapshots, world)
}

/// The budget of a program that starts with these snapshots.
fn restarted(snapshots: Vec<crate::StoredSession>, now: Timestamp) -> RateBudget {
    let mut budget = RateBudget::default();
    for (seed, snapshot) in (0..).zip(snapshots) {
        by_password(seed).adopt(now, snapshot, &mut budget);
    }
    budget
}

#[test]
fn a_snapshot_does_not_count_the_logins_of_other_sessions_that_may_still_succeed() {
    let (snapshots, world) = started(|now| granted(now, Operation::LogIn));
    assert_eq!((snapshots.len(), world.count(Operation::LogIn)), (5, 8));
    let budget = restarted(snapshots, world.now);
    assert_eq!(budget.earliest(world.now, Operation::LogIn), world.now);
}

#[test]
fn a_snapshot_counts_failed_logins_of_its_session_at_once_and_those_of_others_after_the_deadline() {
    let (mut world, keys) = World::of("office", [by_password(0), by_password(1)]);
    let (session, id, _) = world.request().unwrap();
    assert!(world.request().is_some());
    world.set.receive(world.now, session, id, Response::new(r#"{"errorText":"Incorrect password."}"#.to_string()));
    for (seconds, of_first, of_second) in [(1, 1, 1), (44, 1, 1), (45, 2, 2)] {
        let now = start() + SignedDuration::from_secs(seconds);
        let counted = keys.iter().map(|key| {
            let snapshot = world.set.with(world.now, *key, |session, budget| session.snapshot(now, budget)).unwrap();
            restarted([snapshot].into(), now).taken(now, Operation::LogIn).count()
        });
        assert_eq!(counted.collect::<Vec<_>>(), [of_first, of_second], "{seconds}");
    }
}
