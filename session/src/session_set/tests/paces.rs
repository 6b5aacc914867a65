//! When a pace starts again, and when a network has too many tokens.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::super::renewal_pace::{Pace, Pending};
use super::*;
use crate::Policy;

fn second(second: i64) -> Timestamp {
    start() + SignedDuration::from_secs(second)
}

/// A token that is extended every 1000 seconds and lives 250 seconds longer.
fn token(now: i64) -> Pending {
    Pending { since: second(now), due: second(now + 1000), end: second(now + 1250) }
}

/// The seconds from `now`, at which a token is added, to the first request for it. The previous token was extended at
/// the start.
fn first_after(now: i64) -> i64 {
    let mut pace = Pace::new(Duration::ZERO, 1);
    pace.add(start(), 0, token(0));
    pace.count_request(start(), true);
    assert_eq!(pace.next(start()).map(|at| at.duration_since(start()).as_secs()), Some(968), "it goes on");
    pace.remove(0, token(0));
    pace.add(second(now), 0, token(now));
    pace.next(start()).unwrap().duration_since(second(now)).as_secs()
}

#[test]
fn a_pace_starts_again_after_more_than_an_eighth_of_its_interval_without_tokens() {
    assert_eq!(first_after(125), 968);
    let anew = first_after(126);
    assert!(anew < 500, "a part of the first interval is left out: {anew}");
    assert_eq!(first_after(20_000), anew);
}

//= R-LIMIT-6
#[test]
fn no_token_is_extended_early_while_the_second_is_full() {
    let mut network = Network::new("office", 0);
    network.enter(start(), 0, Place { operation: Operation::Refresh, kind: Kind::Pending(token(0)) });
    let (due, soon) = (second(1000), second(1001));
    assert_eq!(network.next_pending(due), Some(0));
    (0..33).for_each(|_| network.budget.take(due, Operation::Renew));
    assert_eq!((network.next_pending(due), network.next(due)), (None, Some(soon)));
    assert_eq!(network.next_pending(soon), Some(0));
}

#[test]
fn tokens_at_the_limit_of_the_network_are_not_reported_as_too_many() {
    let mut pace = Pace::new(Duration::from_secs(1250), 0);
    pace.add(start(), 0, token(0));
    assert_eq!(pace.excess(), None);
    pace.add(start(), 1, token(0));
    assert_eq!(pace.excess(), Some(6));
}

#[test]
fn oauth_sessions_leave_renewals_for_sessions_that_wait_for_their_first_login() {
    let (mut world, _) = World::of("office", (0..12).map(by_password).chain((12..24).map(by_oauth)));
    while world.now < start() + SignedDuration::from_mins(10) {
        while let Some((session, id, operation)) = world.request() {
            // The logins are not answered, so eight of them wait.
            if operation != Operation::LogIn {
                world.set.receive(world.now, session, id, dated(world.now, granted(world.now, operation)));
            }
        }
        world.now += SignedDuration::from_secs(10);
    }
    assert_eq!((world.count(Operation::LogIn), world.count(Operation::Renew)), (4, 7));
}

#[test]
fn oauth_sessions_leave_no_renewals_for_logins_while_a_captcha_has_closed_their_endpoint() {
    let (mut world, _) = World::of("office", (0..12).map(by_password).chain((12..24).map(by_oauth)));
    while world.now < start() + SignedDuration::from_mins(10) {
        while let Some((session, id, operation)) = world.request() {
            let answer = match operation {
                Operation::LogIn => Response::new(r#"{"p-ticket":"t","p-time":15,"p-captcha":true}"#.into()),
                _ => granted(world.now, operation),
            };
            world.set.receive(world.now, session, id, dated(world.now, answer));
        }
        world.now += SignedDuration::from_secs(10);
    }
    assert_eq!((world.count(Operation::LogIn), world.count(Operation::Renew)), (1, 10));
}

//= R-LIMIT-6
#[test]
fn tokens_that_are_due_while_the_second_is_full_are_extended_in_the_next_one() {
    let (mut world, keys) = World::of("office", (0..8).map(by_oauth));
    world.run(start() + SignedDuration::from_mins(1), |_| {});
    // The program does not run while the tokens become due, and then sends other requests first.
    world.now = start() + SignedDuration::from_mins(75);
    let now = world.now;
    world.set.with(now, keys[0], |_, budget| (0..33).for_each(|_| budget.take(now, Operation::Refresh)));
    world.sent.clear();
    world.run(now + SignedDuration::from_secs(2), |_| {});
    assert_eq!(world.sent.len(), 8);
}

#[test]
fn networks_that_start_together_keep_their_distance_although_first_tokens_wait_for_the_next_second() {
    let networks = ["a", "b", "c", "d", "e", "f"];
    for prefers_refreshes in [true, false] {
        let policy = Policy::default().with_refreshes_preferred(prefers_refreshes);
        let mut world = World::new();
        for (network, seed) in (0..100).flat_map(|seed| networks.map(|network| (network, seed))) {
            world.set.insert(network, by_oauth(seed).with_policy(policy));
        }
        world.run(second(10), |_| {});
        let has_token = |world: &World| world.sent.iter().map(|sent| sent.session).collect::<BTreeSet<_>>().len();
        assert_eq!(has_token(&world), 600);
        world.sent.clear();
        world.run(second(600), |_| {});
        let mut per_second = BTreeMap::<i64, usize>::new();
        for sent in &world.sent {
            *per_second.entry(sent.at.duration_since(start()).as_secs()).or_default() += 1;
        }
        let busiest = per_second.values().copied().max();
        assert!(
            busiest.is_some_and(|busiest| busiest <= 3),
            "{prefers_refreshes}, {busiest:?}: all six networks send at once"
        );
    }
}
