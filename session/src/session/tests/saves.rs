//! How long a save may take, and what its answer changes.

use super::sharing::member;
use super::*;

#[test]
fn an_announcement_is_valid_for_twice_the_request_deadline() {
    let mut world = member(World::user([]));
    world.announce();
    let holds = |time| world.session.persistence.has_announced(Operation::LogIn, later(start(), time), seconds(90));
    assert!(holds(Duration::from_millis(89_999)) && !holds(seconds(90)));
}

#[test]
fn a_newer_token_of_another_process_replaces_an_unstored_token() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(1));
    let mut other = member(World::user([token_to("three", 200)]));
    other.now = later(start(), minutes(3));
    other.run(minutes(4));
    world.session.persistence.shared_mut().unwrap().uses_unstored = true;
    assert!(world.session.has_unstored_token());
    world.now = other.now;
    world.session.synchronize(world.now, Some((other.snapshot(), Some(Duration::ZERO))), &mut world.budget);
    assert_eq!((world.token().as_deref(), world.session.has_unstored_token()), (Some("three"), false));
}

#[test]
fn a_record_whose_save_took_long_does_not_set_the_clock() {
    let mut world = member(World::user([Answer::Token("one", 80)])).ahead(SignedDuration::from_mins(10));
    world.store_works = [Some(true), None].into_iter().collect();
    world.run(seconds(1));
    let offset = world.session.clock.offset();
    let id = world.silent.remove(0);
    let own = changed(&world.snapshot(), |fields| drop(fields.insert("writtenAt".into(), start().to_string().into())));
    world.now = later(start(), seconds(12));
    world.stored(id);
    world.session.synchronize(world.now, Some((own, Some(Duration::ZERO))), &mut world.budget);
    assert_eq!(world.session.clock.offset(), offset, "{}", world.trace());
}

#[test]
fn an_answer_of_the_wrong_kind_to_a_save_counts_as_a_store_failure() {
    let mut shared = member(World::user([]));
    let id = shared.offered();
    shared.store_answers(id, Ok(StoreAnswer::Kept));
    let mut hook = World::user([token_to("one", 80)]).storing([Some(true), None]);
    hook.run(seconds(1));
    let id = hook.silent.remove(0);
    hook.store_answers(id, Ok(StoreAnswer::Saved(Some(Revision(1)))));
    for world in [&mut shared, &mut hook] {
        world.write_events();
        assert!(world.trace().contains("the store answered another question"), "{}", world.trace());
    }
}

#[test]
fn a_due_renewal_follows_at_once_after_the_token_is_saved_to_an_emptied_store() {
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160)]));
    world.run(minutes(64));
    world.now = later(start(), minutes(65));
    world.record = None;
    world.session.store_changed();
    world.trace.clear();
    world.run(minutes(65));
    assert!(world.trace().starts_with("    65:00 store\n    65:00 → demo renewaccesstoken (one)"), "{}", world.trace());
}

#[test]
fn a_save_is_late_after_more_than_five_seconds_whether_it_works_or_fails() {
    for (time, is_late) in [(3, false), (5, false), (6, true)] {
        for works in [true, false] {
            let mut world = member(World::user([]));
            let id = world.offered();
            world.now = later(start(), seconds(time));
            if works {
                world.stored(id);
                assert!(world.session.known_revision().is_some());
            } else {
                world.store_answers(id, Err(disk_full()));
            }
            assert_eq!(world.session.persistence.as_shared().unwrap().stored_late.is_some(), is_late, "{time} {works}");
        }
    }
}

#[test]
fn a_save_of_this_process_that_took_long_does_not_correct_its_clock() {
    for is_late in [true, false] {
        let mut world = member(World::user([token_to("one", 80)])).ahead(SignedDuration::ZERO);
        world.run(minutes(1));
        let stored = world.snapshot();
        assert!(world.session.clock.is_learnt());
        // The store measures the age of the record from the time at which it was saved.
        world.now = later(world.now, seconds(20));
        world.session.persistence.shared_mut().unwrap().stored_late = stored.0.written_at.filter(|_| is_late);
        world.session.synchronize(world.now, Some((stored, Some(Duration::ZERO))), &mut world.budget);
        assert_eq!(world.session.clock.is_learnt(), is_late);
    }
}
