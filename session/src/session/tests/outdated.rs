//! How a process treats a record that may be older than the record of another process.

use super::sharing::{load_from, member};
use super::*;
use crate::record::Fact;

const DEAD: &str = "Invalid access token";

/// A process that has learnt that its token is dead, and then loads the record of another process.
fn beside_one_with_a_dead_token(script: impl IntoIterator<Item = Answer>) -> World {
    let mut first = member(World::user([token_to("one", 80)]));
    first.run(minutes(1));
    first.session.record.tokens.access_is_dead();
    let mut second = member(World::user(script));
    second.now = later(start(), minutes(20));
    second.record = Some(stored_record(Revision(9), Ok(first.snapshot())));
    second
}

#[test]
fn after_loading_a_record_with_a_dead_token_a_login_waits_a_second_for_other_processes() {
    let mut world = beside_one_with_a_dead_token([token_to("two", 120)]);
    world.run(minutes(21));
    let trace = world.trace();
    assert!(trace.contains("20:01 → demo accesstokenrequest") && !trace.contains("20:00"), "{trace}");
}

#[test]
fn a_dead_token_makes_a_login_wait_for_other_processes_although_the_record_names_no_login_any_more() {
    let mut first = member(World::user([token_to("one", 80), token_to("two", 160), token_to("three", 240)]));
    first.run(minutes(150));
    first.session.record.tokens.access_is_dead();
    let mut second = member(World::user([token_to("four", 260)]));
    second.now = later(start(), minutes(160));
    second.record = Some(stored_record(Revision(9), Ok(first.snapshot())));
    second.run(minutes(161));
    let trace = second.trace();
    assert!(trace.contains("160:01 → demo accesstokenrequest") && !trace.contains("160:00"), "{trace}");
}

#[test]
fn the_second_for_other_processes_starts_when_the_lease_is_given_back() {
    let credentials = Credentials::new("trader", "password");
    let mut session = Session::new(Environment::demo(), credentials, 1).with_shared_store(MayLogIn::WhenNeeded);
    let mut budget = RateBudget::default();
    let at = |millis| start() + SignedDuration::from_millis(millis);
    let lease = Lease { fence: 1, time: seconds(60) };
    let none = || StoreAnswer::Loaded(None);
    for (millis, answer) in
        [(0, none()), (0, StoreAnswer::Lease(Some(lease))), (0, none()), (900, StoreAnswer::Released)]
    {
        let Action::Store { id, .. } = session.poll(at(0), &mut budget) else { panic!("no request to the store") };
        session.store_answered(at(millis), id, Ok(answer), &mut budget);
    }
    let Action::Wait { until } = session.poll(at(900), &mut budget) else { panic!("the others could not save yet") };
    assert_eq!(until, at(1900));
}

#[test]
fn a_reported_token_that_cannot_be_verified_yet_makes_the_session_load_the_record() {
    let mut first = member(World::user([token_to("one", 80), status(401, DEAD), token_to("two", 100)]));
    first.run(minutes(1));
    let mut second = member(World::user([]));
    load_from(&mut second, &first);
    second.run(minutes(2));
    first.run(minutes(3));
    first.reject(401, DEAD);
    first.run(minutes(4));
    // The process does not learn of the change, and the next verifying renewal has to wait.
    (second.record, second.saved_at) = (first.record.clone(), first.saved_at);
    second.session.record.verified_at = Some(later(start(), minutes(3)));
    second.now = later(start(), minutes(5));
    assert_eq!(second.reject(401, DEAD), Verdict::BeingChecked);
    assert!(second.session.is_verifying(), "a driver that polls only without a token polls now");
    second.run(minutes(6));
    assert_eq!(second.token().as_deref(), Some("two"), "{}", second.trace());
}

#[test]
fn repeated_reports_of_a_rejected_token_load_the_record_at_most_every_ten_seconds() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(5));
    world.session.record.verified_at = Some(world.now);
    let loads = |world: &mut World| {
        world.reject(401, DEAD);
        let action = world.session.poll(world.now, &mut world.budget);
        let Action::Store { id, request: StoreRequest::Load } = action else { return false };
        world.ask_store(id, StoreRequest::Load);
        true
    };
    assert!(loads(&mut world));
    world.now = later(world.now, Duration::from_secs(9));
    assert!(!loads(&mut world));
    world.now = later(world.now, Duration::from_secs(1));
    assert!(loads(&mut world));
}

#[test]
fn a_session_is_verifying_until_the_record_is_loaded_although_no_renewal_follows_the_report() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(5));
    world.session.record.verified_at = Some(world.now);
    assert!(!world.session.is_verifying());
    assert_eq!(world.reject(401, ""), Verdict::Forbidden);
    assert!(world.session.is_verifying());
    world.run(minutes(6));
    assert!(!world.session.is_verifying());
}

#[test]
fn reports_that_are_not_about_the_token_in_use_load_no_record() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(5));
    world.reject(403, "");
    world.reject(200, r#"{"p-ticket":"ticket","p-time":15}"#);
    let of_an_older_token = world.session.token.generation - 1;
    world.reject_of(of_an_older_token, 401, DEAD);
    assert!(matches!(world.session.poll(world.now, &mut world.budget), Action::Wait { .. }));
    world.reject(401, DEAD);
    let action = world.session.poll(world.now, &mut world.budget);
    assert!(matches!(action, Action::Store { request: StoreRequest::Load, .. }), "this report is about the token");
}

#[test]
fn an_app_does_not_require_consent_while_its_store_cannot_be_read() {
    let app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut world = World::of(app.with_shared_store(MayLogIn::WhenNeeded), []);
    let Action::Store { id, request: StoreRequest::Load } = world.session.poll(world.now, &mut world.budget) else {
        panic!("it loads first")
    };
    assert!(world.session.next_event().is_none());
    let down = StoreError::new(StoreErrorKind::Unreachable, "it is down");
    world.session.store_answered(world.now, id, Err(down), &mut world.budget);
    assert!(matches!(world.session.poll(world.now, &mut world.budget), Action::Wait { .. }));
    assert!(world.session.stop_reason().is_none());
    world.run(minutes(1));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::ConsentRequired)), "the store holds nothing");
}

#[test]
fn an_app_whose_store_cannot_be_read_waits_for_the_whole_pause_between_loads() {
    let app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut world = World::of(app.with_shared_store(MayLogIn::WhenNeeded), []);
    for pause in [250, 500, 1000, 2000, 4000, 8000, 10_000].map(Duration::from_millis) {
        let Action::Store { id, request: StoreRequest::Load } = world.session.poll(world.now, &mut world.budget) else {
            panic!("it loads after each pause")
        };
        let down = StoreError::new(StoreErrorKind::Unreachable, "it is down");
        world.session.store_answered(world.now, id, Err(down), &mut world.budget);
        let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!("it waits") };
        assert_eq!(until, later(world.now, pause));
        world.now = until;
    }
}

#[test]
fn an_unsaved_announcement_does_not_clear_that_of_another_process() {
    let mut ours = member(World::app([]));
    ours.now = start();
    let id = ours.offered();
    let mut another = ours.session.record.tokens.refresh.clone();
    ours.store_answers(id, Ok(StoreAnswer::Saved(None)));
    ours.session.record.tokens.refresh.merge(another.take());
    assert!(ours.session.record.tokens.refresh.unwrap().announced.is_set());
}
