//! A shared store that answers late, out of order, or with an unexpected answer.

use super::sharing::{after, in_step, member, postponed};
use super::*;
use crate::store::Unreadable;

type Answered = Option<Result<StoreAnswer, StoreError>>;

/// Drives a session until a time. `answer` may answer a question to the store; otherwise the world answers it.
fn run_with(world: &mut World, time: Duration, mut answer: impl FnMut(&StoreRequest) -> Answered) {
    let end = later(start(), time);
    for _ in 0..1000 {
        let next = match world.session.poll(world.now, &mut world.budget) {
            Action::Send { id, request } => {
                world.send(id, &request);
                None
            }
            Action::Store { id, request } => {
                match answer(&request) {
                    Some(answer) => world.store_answers(id, answer),
                    None => world.ask_store(id, request),
                }
                None
            }
            Action::Wait { until } => Some(until),
            Action::Stopped { check_at, .. } => Some(check_at.unwrap_or(Timestamp::MAX)),
        };
        world.write_events();
        if let Some(next) = next {
            assert!(next > world.now, "waits are in the future");
            world.now = next.min(end);
            if next > end {
                return;
            }
        }
    }
    panic!("the session spins:\n{}", world.trace());
}

/// Makes a session load the last record that another session has saved. The two share one store, so revisions are
/// unique.
fn load_from(world: &mut World, other: &World) {
    sharing::load_from(world, other);
    let known = world.session.known_revision().map_or(0, |known| known.0);
    world.record.as_mut().unwrap().revision = Revision(known.wrapping_add(1000));
}

/// Another process holds the lease.
fn lease_of_another(request: &StoreRequest) -> Answered {
    matches!(request, StoreRequest::Acquire(_)).then_some(Ok(StoreAnswer::Lease(None)))
}

fn down() -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, "it is down")
}

#[test]
fn a_login_is_announced_again_after_the_user_has_changed() {
    let mut world = member(World::user([status(500, ""), token_to("one", 80)]));
    world.announce();
    world.session.replace_credentials(Credentials::new("another", "password"));
    world.run(minutes(1));
    let announced = world.trace().find("store").filter(|at| Some(*at) < world.trace().find('→'));
    assert!(announced.is_some(), "{}", world.trace());
    assert!(!world.trace().contains("0:01 →"), "a login of unknown outcome counts: {}", world.trace());
}

#[test]
fn an_announced_ticket_is_not_sent_with_another_password() {
    let mut world = postponed();
    world.script = [token_to("one", 80)].into_iter().collect();
    world.now = later(start(), seconds(15));
    world.announce();
    world.session.replace_credentials(Credentials::new("trader", "another"));
    world.run(minutes(1));
    assert!(world.token().is_some() && !world.trace().contains("with the ticket"), "{}", world.trace());
}

#[test]
fn a_token_that_waits_for_a_lease_is_used_after_the_old_one_expires() {
    let mut world = member(World::user([token_to("one", 80), Answer::Silence]));
    world.run(minutes(66));
    assert!(!world.session.persistence.holds_lease(), "{}", world.trace());
    world.answer_late(token_to("two", 160));
    run_with(&mut world, minutes(81), |request| match request {
        StoreRequest::Acquire(_) => Some(Err(down())),
        _ => None,
    });
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn an_unreadable_record_is_not_replaced_by_a_waiting_token() {
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160)]));
    world.run(minutes(1));
    let mut saves = 0;
    run_with(&mut world, minutes(81), |request| match request {
        StoreRequest::Save { .. } => {
            saves += 1;
            Some(Ok(StoreAnswer::Saved(None)))
        }
        StoreRequest::Load if saves > 0 => Some(Ok(StoreAnswer::Loaded(Some(StoredRecord {
            revision: Revision(99),
            age: None,
            place: String::new(),
            session: Err(Unreadable::Newer),
        })))),
        _ => None,
    });
    assert_eq!((saves, world.token().as_deref()), (1, Some("two")), "{}", world.trace());
}

#[test]
fn a_store_that_reports_every_save_as_overtaken_has_failed() {
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160)]));
    world.run(minutes(1));
    run_with(&mut world, minutes(81), |request| match request {
        StoreRequest::Save { .. } => Some(Ok(StoreAnswer::Saved(None))),
        _ => None,
    });
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
}

#[test]
fn a_ticket_that_another_process_has_sent_is_not_sent_after_an_overtaken_save() {
    let mut first = postponed();
    first.now = later(start(), seconds(15));
    let id = first.offered();
    let session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 0);
    let mut second = after(&first, session, [Answer::Silence]);
    second.run(seconds(20));
    assert!(second.trace().contains("with the ticket"), "{}", second.trace());
    first.store_answers(id, Ok(StoreAnswer::Saved(None)));
    load_from(&mut first, &second);
    first.script = [token_to("one", 80)].into_iter().collect();
    first.run(minutes(30));
    assert!(first.token().is_some() && !first.trace().contains("with the ticket"), "{}", first.trace());
}

#[test]
fn an_unsent_ticket_does_not_replace_a_newer_one() {
    let newer = ok(r#"{"p-ticket":"newer","p-time":600}"#);
    let mut world = postponed();
    world.script = [Answer::Silence, newer].into_iter().collect();
    world.run(minutes(4));
    let ticket = |world: &World| world.session.record.postponed.get().map(|it| it.secret.expose().to_string());
    assert_eq!(ticket(&world).as_deref(), Some("newer"), "{}", world.trace());
    world.answer_late(Answer::Failure(Failure::NotSent));
    assert_eq!(ticket(&world).as_deref(), Some("newer"), "{}", world.trace());
}

#[test]
fn a_newer_lineage_replaces_an_older_lineage_that_was_renewed_later() {
    let mut older = member(World::user([token_to("one", 80), token_to("two", 160)]));
    older.run(minutes(5));
    let mut newer = member(World::user([token_to("other", 90)]));
    newer.now = later(start(), minutes(10));
    newer.run(minutes(11));
    older.run(minutes(66));
    load_from(&mut newer, &older);
    newer.run(minutes(66));
    load_from(&mut older, &newer);
    older.run(minutes(67));
    assert_eq!((newer.token().as_deref(), older.token().as_deref()), (Some("other"), Some("other")));
}

#[test]
fn forget_also_drops_a_session_that_another_process_opened_before_it_was_saved() {
    let mut first = member(World::user([token_to("one", 80)]));
    first.run(minutes(1));
    let mut second = member(World::user([status(401, DEAD), token_to("two", 90)]));
    load_from(&mut second, &first);
    first.session.forget(first.now);
    second.run(minutes(2));
    second.reject(401, DEAD);
    second.run(minutes(3));
    assert_eq!(second.token().as_deref(), Some("two"), "{}", second.trace());
    load_from(&mut first, &second);
    first.run(minutes(4));
    load_from(&mut second, &first);
    second.run(minutes(5));
    assert!(matches!(second.session.stop_reason(), Some(StopReason::Forgotten)), "{}", second.trace());
}

#[test]
fn a_session_that_is_opened_after_forget_was_saved_is_kept() {
    let mut first = member(World::user([token_to("one", 80)]));
    first.run(minutes(1));
    first.session.forget(first.now);
    first.run(minutes(2));
    let mut second = member(World::user([token_to("two", 90)]));
    load_from(&mut second, &first);
    second.run(minutes(3));
    first.session.persistence.share();
    load_from(&mut first, &second);
    first.run(minutes(4));
    load_from(&mut second, &first);
    second.run(minutes(5));
    assert_eq!(second.token().as_deref(), Some("two"), "{}", second.trace());
}

#[test]
fn a_refusal_is_saved_for_the_other_processes_after_the_store_has_failed_once() {
    let mut world = member(World::user([ok(BAD_PASSWORD)]));
    world.store_works = [Some(true), Some(false), Some(true)].into_iter().collect();
    run_with(&mut world, minutes(2), |_| None);
    assert_eq!(world.stored.len(), 2, "the announced login, and the refusal: {}", world.trace());
    assert!(!world.session.persistence.holds_lease());
}

#[test]
fn a_stopped_session_reports_its_stop_while_it_waits_for_the_store() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.run(minutes(1));
    world.session.forget(world.now);
    let mut asked = 0;
    for _ in 0..20 {
        match world.session.poll(world.now, &mut world.budget) {
            Action::Store { id, .. } => {
                asked += 1;
                world.store_answers(id, Err(down()));
            }
            Action::Stopped { reason: StopReason::Forgotten, check_at: Some(at) } => world.now = at,
            action => panic!("{action:?}"),
        }
    }
    assert!(asked > 5);
}

#[test]
fn a_login_is_announced_again_if_a_lock_out_has_delayed_it() {
    let mut world = member(World::user([token_to("one", 180)]));
    while world.stored.is_empty() {
        let Action::Store { id, request } = world.session.poll(world.now, &mut world.budget) else {
            panic!("no store")
        };
        world.ask_store(id, request);
    }
    world.budget.lock_out(world.now, minutes(60));
    world.run(minutes(61));
    assert!(world.trace().contains("60:00 store\n    60:00 → demo accesstokenrequest"), "{}", world.trace());
}

#[test]
fn a_login_is_not_sent_if_another_process_has_saved_a_token_since_the_announcement() {
    // The store has lost the lease of the first process and given it to the second one.
    let mut first = member(World::user([token_to("one", 80)]));
    let mut second = member(World::user([token_to("two", 80)]));
    first.announce();
    second.run(seconds(1));
    load_from(&mut first, &second);
    first.run(minutes(1));
    assert_eq!(first.token().as_deref(), Some("two"), "{}", first.trace());
    assert!(!first.trace().contains('→'), "{}", first.trace());
}

#[test]
fn an_announced_refresh_counts_as_unknown_only_for_the_process_with_the_lease() {
    let mut first = member(World::app([refreshed("at-1", "rt-1")]));
    first.run(minutes(64));
    let mut second = in_step(member(World::app([refreshed("at-2", "rt-2")])), 64, &first);
    first.now = later(start(), minutes(65));
    first.announce();
    second.now = first.now;
    second.record = Some(stored_record(Revision(100), Ok(first.snapshot())));
    run_with(&mut second, minutes(65), lease_of_another);
    // The first process finds another record in the store, so it does not send the refresh.
    first.session.synchronize(first.now, Some((second.snapshot(), None)), &mut first.budget);
    second.record = Some(stored_record(Revision(101), Ok(first.snapshot())));
    second.session.store_changed();
    second.run(minutes(66));
    assert!(second.trace().contains("→ live oauthtoken (rt-1)"), "{}", second.trace());
}

#[test]
fn an_announced_refresh_may_have_been_sent_although_the_record_can_no_longer_be_read() {
    let mut first = member(World::app([refreshed("at-1", "rt-1"), Answer::Silence]));
    first.run(minutes(64));
    let mut second = World::app([token_to("renewed", 200)]);
    second.session = second.session.with_shared_store(MayLogIn::EvenIfUnreadable);
    let mut second = in_step(second, 64, &first);
    first.run(minutes(65));
    second.now = first.now;
    second.record = Some(stored_record(Revision(100), Ok(first.stored.last().unwrap().clone())));
    second.session.store_changed();
    run_with(&mut second, minutes(65), lease_of_another);
    second.record = Some(stored_record(Revision(101), Err(Unreadable::Damaged)));
    second.session.store_changed();
    second.run(minutes(66));
    assert!(second.trace().contains("→ live renewaccesstoken (at-1)"), "{}", second.trace());
}

#[test]
fn a_lease_that_has_ended_says_nothing_about_an_announced_refresh() {
    let mut first = member(World::app([refreshed("at-1", "rt-1")]));
    first.run(minutes(64));
    let mut second = in_step(member(World::app([])), 64, &first);
    second.session.persistence.share();
    let load = loop {
        match second.session.poll(second.now, &mut second.budget) {
            Action::Store { id, request: StoreRequest::Load } if second.session.persistence.holds_lease() => break id,
            Action::Store { id, request } => second.ask_store(id, request),
            action => panic!("{action:?}"),
        }
    };
    // The machine sleeps. Its lease ends, and the first process announces a refresh.
    first.now = later(start(), minutes(65));
    first.announce();
    second.now = later(start(), minutes(66));
    let record = StoredRecord { age: Some(seconds(60)), ..stored_record(Revision(100), Ok(first.snapshot())) };
    second.store_answers(load, Ok(StoreAnswer::Loaded(Some(record))));
    let refresh = second.snapshot().0.record.tokens.refresh.unwrap();
    assert!(refresh.announced.is_set() && !refresh.outcome_unknown.is_set());
}

#[test]
fn a_login_is_announced_again_if_the_store_has_lost_the_announcement() {
    let mut world = member(World::user([token_to("one", 80)]));
    world.announce();
    world.record = None;
    world.session.store_changed();
    world.run(minutes(1));
    assert!(world.trace().contains("0:01 store\n     0:01 → demo accesstokenrequest"), "{}", world.trace());
}

#[test]
fn poll_names_the_time_of_an_overdue_answer_while_a_late_token_is_stored() {
    let mut world = World::app([Answer::Silence, Answer::Silence]).storing([]);
    world.run(seconds(50));
    assert_eq!(world.silent.len(), 2, "{}", world.trace());
    let overdue_at = world.session.exchanges.in_flight.as_ref().unwrap().deadline;
    world.answer_late(refreshed("at-1", "rt-1"));
    let Action::Store { .. } = world.session.poll(world.now, &mut world.budget) else { panic!("nothing to store") };
    let Action::Wait { until } = world.session.poll(later(world.now, seconds(1)), &mut world.budget) else {
        panic!("nothing to wait for")
    };
    assert!(until <= overdue_at, "{until} is after {overdue_at}");
}

#[test]
fn a_lease_that_arrives_too_late_is_released() {
    let mut world = member(World::user([]));
    let late = loop {
        match world.session.poll(world.now, &mut world.budget) {
            Action::Store { id, request: StoreRequest::Acquire(_) } => break id,
            Action::Store { id, request } => world.ask_store(id, request),
            action => panic!("{action:?}"),
        }
    };
    world.now = later(world.now, seconds(46));
    assert!(matches!(world.session.poll(world.now, &mut world.budget), Action::Wait { .. }));
    world.store_answers(late, Ok(StoreAnswer::Lease(Some(Lease { fence: 7, time: seconds(67) }))));
    let Action::Store { request: StoreRequest::Release(lease), .. } = world.session.poll(world.now, &mut world.budget)
    else {
        panic!("the others wait for it")
    };
    assert_eq!(lease.fence, 7);
}

#[test]
fn a_refresh_token_that_the_program_supplies_after_forget_was_saved_is_used() {
    let mut first = member(World::app([refreshed("at-1", "rt-1")]));
    first.run(minutes(1));
    first.session.forget(first.now);
    first.run(minutes(2));
    let login = Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("rt-new"));
    let session = Session::new(Environment::live(), login, 0);
    let mut second = member(World::of(session, [refreshed("at-2", "rt-2")]));
    load_from(&mut second, &first);
    second.run(minutes(3));
    assert!(second.trace().contains("oauthtoken (rt-new)"), "{}", second.trace());
    load_from(&mut first, &second);
    first.session.persistence.share();
    first.run(minutes(4));
    load_from(&mut second, &first);
    second.run(minutes(5));
    assert_eq!(second.token().as_deref(), Some("at-2"), "{}", second.trace());
}

#[test]
fn a_running_process_with_an_unused_refresh_token_stops_if_another_one_forgets_the_session() {
    let mut first = member(World::app([refreshed("at-1", "rt-1")]));
    first.run(minutes(1));
    let login = Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("rt-new"));
    let session = Session::new(Environment::live(), login, 0);
    let mut second = member(World::of(session, [status(429, ""), refreshed("at-2", "rt-2")]));
    second.run(minutes(2));
    first.session.forget(later(start(), minutes(2)));
    first.run(minutes(3));
    load_from(&mut second, &first);
    second.run(minutes(90));
    assert!(matches!(second.session.stop_reason(), Some(StopReason::Forgotten)), "{}", second.trace());
}

#[test]
fn forget_also_drops_the_tokens_of_a_refresh_token_that_another_process_was_given_before_it_was_saved() {
    for has_session in [true, false] {
        let mut first = member(World::app([refreshed("at-1", "rt-1")]));
        if has_session {
            first.run(minutes(1));
        }
        let mut second = member(World::app([refreshed("at-2", "rt-2")]));
        first.session.forget(later(start(), minutes(1)));
        second.run(minutes(2));
        assert_eq!(second.token().as_deref(), Some("at-2"), "{}", second.trace());
        load_from(&mut first, &second);
        first.run(minutes(3));
        load_from(&mut second, &first);
        second.run(minutes(4));
        assert!(matches!(second.session.stop_reason(), Some(StopReason::Forgotten)), "{}", second.trace());
    }
}

#[test]
fn forget_drops_a_supplied_refresh_token_that_has_brought_a_token() {
    let without_refresh_token = ok(r#"{"access_token":"at-1","expires_in":4800}"#);
    let mut first = member(World::app([without_refresh_token, status(401, DEAD), Answer::Silence]));
    first.run(minutes(1));
    first.reject(401, DEAD);
    first.run(seconds(61));
    let mut second = member(World::app([]));
    load_from(&mut second, &first);
    second.session.forget(second.now);
    first.session.synchronize(first.now, Some((second.snapshot(), None)), &mut first.budget);
    assert!(matches!(first.session.stop_reason(), Some(StopReason::Forgotten)), "{}", first.trace());
}

/// Lets a load of the shared store fail.
fn fail_a_load(world: &mut World) {
    world.session.store_changed();
    let Action::Store { id, request: StoreRequest::Load } = world.session.poll(world.now, &mut world.budget) else {
        panic!("it loads")
    };
    world.store_answers(id, Err(down()));
}

#[test]
fn a_session_whose_login_waits_for_the_store_does_not_queue_for_the_budget() {
    let mut world = member(World::user([]));
    assert!(world.session.outlook(world.now, &world.budget).is_some());
    fail_a_load(&mut world);
    assert!(world.session.outlook(world.now, &world.budget).is_none());
}

#[test]
fn a_session_whose_renewal_for_market_data_waits_for_the_store_does_not_queue_for_the_budget() {
    let mut world = member(World::app([refreshed("one", "rt-1"), status(500, "")]));
    world.session.policy = world.session.policy.with_refreshes_preferred(false);
    world.run(minutes(1));
    world.session.token.market_data_at = world.now;
    assert_eq!(world.session.market_data_due(world.now, &world.budget), Some(world.now), "{}", world.trace());
    fail_a_load(&mut world);
    assert!(world.session.outlook(world.now, &world.budget).is_none());
    world.session.token.market_data_at = later(world.now, minutes(1));
    assert!(world.session.outlook(world.now, &world.budget).is_some(), "no request is due");
}
