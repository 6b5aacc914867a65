//! Every edge of the diagram, by the names of the states it connects.

use super::*;

fn state(world: &World) -> &'static str {
    match &world.session.state {
        State::Resting => "Resting",
        State::Exchanging(_) => "Exchanging",
        State::Storing(_) => "Storing",
        State::Stopped(_) => "Stopped",
    }
}

fn poll(world: &mut World) -> Action {
    world.session.poll(world.now, &mut world.budget)
}

fn exchanging(mut world: World) -> (World, ExchangeId) {
    let Action::Send { id, .. } = poll(&mut world) else { panic!() };
    assert_eq!(state(&world), "Exchanging");
    (world, id)
}

fn storing() -> (World, ExchangeId) {
    let (mut world, id) = exchanging(World::user([]).storing([]));
    world.answer(id, token_to("one", 80));
    assert_eq!(state(&world), "Storing");
    let Action::Store { id, .. } = poll(&mut world) else { panic!() };
    assert!(matches!(poll(&mut world), Action::Wait { .. }));
    assert_eq!(state(&world), "Storing");
    (world, id)
}

#[test]
fn resting_to_resting() {
    let (mut world, id) = exchanging(World::user([]));
    world.answer(id, token_to("one", 80));
    assert!(matches!(poll(&mut world), Action::Wait { .. }));
    assert_eq!(state(&world), "Resting");
}

#[test]
fn exchanging_to_resting() {
    for answer in [
        token_to("one", 80),
        status(503, ""),
        status(429, ""),
        ok(r#"{"p-ticket":"ticket","p-time":15}"#),
        moved("https://acme.ninjatrader.com/v1/auth/accesstokenrequest"),
        Answer::Failure(Failure::NotSent),
        Answer::Failure(Failure::MaybeSent),
    ] {
        let (mut world, id) = exchanging(World::user([]));
        world.answer(id, answer);
        assert_eq!(state(&world), "Resting");
    }
}

#[test]
fn exchanging_to_resting_when_the_deadline_passes() {
    let (mut world, _) = exchanging(World::user([]));
    let Action::Wait { until } = poll(&mut world) else { panic!() };
    assert_eq!(until, later(start(), Duration::from_secs(45)));
    world.now = until;
    assert!(matches!(poll(&mut world), Action::Wait { .. }));
    assert_eq!(state(&world), "Resting");
}

#[test]
fn exchanging_to_storing_to_resting() {
    let (mut world, id) = storing();
    world.session.stored(world.now, id);
    assert_eq!(state(&world), "Resting");
    assert_eq!(world.token().as_deref(), Some("one"));
}

#[test]
fn storing_to_storing() {
    let (mut world, id) = storing();
    world.session.store_failed(world.now, id);
    assert_eq!(state(&world), "Storing");
    let Action::Wait { until } = poll(&mut world) else { panic!() };
    world.now = until;
    assert!(matches!(poll(&mut world), Action::Store { .. }));
}

#[test]
fn resting_to_storing_to_resting() {
    let (mut world, id) = exchanging(World::user([]).storing([]));
    world.answer(id, status(429, ""));
    let Action::Store { id, .. } = poll(&mut world) else { panic!() };
    assert_eq!(state(&world), "Storing");
    world.session.store_failed(world.now, id);
    assert_eq!(state(&world), "Resting");
    let Action::Wait { until } = poll(&mut world) else { panic!() };
    world.now = until;
    let Action::Store { id, .. } = poll(&mut world) else { panic!() };
    world.session.stored(world.now, id);
    assert_eq!(state(&world), "Resting");
}

#[test]
fn exchanging_to_stopped() {
    for answer in [ok(BAD_PASSWORD), ok(r#"{"mfaRequired":true}"#)] {
        let (mut world, id) = exchanging(World::user([]));
        world.answer(id, answer);
        assert_eq!(state(&world), "Stopped");
    }
}

#[test]
fn resting_to_stopped() {
    let mut world = World::app([ok(INVALID_GRANT), ok(INVALID_GRANT)]);
    world.run(minutes(1));
    assert_eq!(state(&world), "Stopped");
    let session = Session::new(Environment::demo(), Credentials::new("", ""), 7);
    let mut world = World::of(session, []);
    assert!(matches!(poll(&mut world), Action::Stopped(StopReason::Unbuildable(_))));
}

#[test]
fn every_state_to_stopped() {
    let resting = World::user([]);
    let (exchanging, _) = exchanging(World::user([]));
    let (storing, _) = storing();
    for mut world in [resting, exchanging, storing] {
        world.session.forget(world.now);
        assert_eq!(state(&world), "Stopped");
    }
}

#[test]
fn stopped_to_resting() {
    let stopped = || {
        let (mut world, id) = exchanging(World::user([]));
        world.answer(id, ok(BAD_PASSWORD));
        world
    };
    let mut replaced = stopped();
    replaced.session.replace_credentials(Credentials::new("trader", "other"));
    assert_eq!(state(&replaced), "Resting");
    let mut adopted = stopped();
    let mut other = World::user([token_to("one", 80)]);
    other.run(minutes(1));
    adopted.session.adopt(adopted.now, other.snapshot(), &mut adopted.budget);
    assert_eq!(state(&adopted), "Resting");
    let mut late = World::app([Answer::Silence, ok(INVALID_GRANT), ok(INVALID_GRANT)]);
    late.run(minutes(5));
    assert_eq!(state(&late), "Stopped");
    late.answer_late(refreshed("at-1", "rt-1"));
    assert_eq!(state(&late), "Resting");
}

#[test]
fn stopped_to_storing() {
    let mut world = World::app([Answer::Silence, ok(INVALID_GRANT), ok(INVALID_GRANT)]).storing([]);
    world.run(minutes(5));
    assert_eq!(state(&world), "Stopped");
    world.answer_late(refreshed("at-1", "rt-1"));
    assert_eq!(state(&world), "Storing");
}
