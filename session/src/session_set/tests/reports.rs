//! Reports to a set, and the events of a set.

use super::*;

#[test]
fn a_failed_request_is_sent_again_and_its_cause_is_reported() {
    let (mut world, keys) = World::of("office", [by_password(1)]);
    let (session, id, _) = world.request().unwrap();
    world.set.failed(world.now, session, id, Failure::NotSent);
    let (_, id, _) = core::iter::from_fn(|| {
        let SetAction::Wait { until } = world.set.poll(world.now) else { panic!("no pause") };
        world.now = until;
        Some(world.request())
    })
    .flatten()
    .next()
    .unwrap();
    assert!(world.now < start() + 10.seconds(), "not at its deadline");
    world.set.failed_because(world.now, session, id, Failure::NotSent, "connection refused");
    let mut causes = Vec::new();
    while let Some(SetEvent::Session { session, event }) = world.set.next_event() {
        assert_eq!(session, keys[0]);
        causes.push(event.kind.to_string());
    }
    assert_eq!(causes.len(), 2, "{causes:?}");
    assert!(!causes[0].contains("connection refused") && causes[1].contains("connection refused"), "{causes:?}");
}

#[test]
fn events_come_in_the_order_in_which_they_happened() {
    let (mut world, keys) = World::of("office", (0..2).map(by_password));
    let requests: Vec<_> = core::iter::from_fn(|| world.request()).collect();
    for (session, id, operation) in requests.into_iter().rev() {
        world.set.receive(world.now, session, id, granted(world.now, operation));
    }
    let first = world.set.next_event();
    assert!(matches!(first, Some(SetEvent::Session { session, .. }) if session == keys[1]), "{first:?}");
}

#[test]
fn the_events_of_other_sessions_are_kept_if_one_is_removed() {
    let (mut world, keys) = World::of("office", (0..2).map(by_password));
    world.run(start() + 1.minute(), |_| {});
    world.set.remove(keys[0]);
    let event = world.set.next_event();
    assert!(matches!(event, Some(SetEvent::Session { session, .. }) if session == keys[1]), "{event:?}");
}

#[test]
fn a_session_is_not_polled_for_a_renewal_before_the_endpoint_opens() {
    let (mut world, keys) = World::of("office", [by_password(1)]);
    world.run(start() + 1.minute(), |_| {});
    let opens = start() + 68.minutes();
    let holds_for = opens.duration_since(world.now).unsigned_abs();
    world.set.with(world.now, keys[0], |_, budget| budget.close(start() + 1.minute(), Operation::Renew, holds_for));
    let SetAction::Wait { until } = world.set.poll(world.now) else { panic!("no wait") };
    assert!(until >= opens, "{until}");
    world.run(start() + 80.minutes(), |_| {});
    assert_eq!(world.count(Operation::Renew), 1);
}
