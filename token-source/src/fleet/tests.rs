use jiff::SignedDuration;
use tradovate_auth_core::{Credentials, Environment};
use tradovate_auth_session::{RateBudget, Session};

use super::*;

const LONGEST: Duration = Duration::from_secs(45);
const LOG_IN: Option<Pending> = Some(Pending::Send(Operation::LogIn));
const RENEW: Option<Pending> = Some(Pending::Send(Operation::Renew));

fn at(milliseconds: i64) -> Timestamp {
    "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(milliseconds)
}

#[expect(clippy::unnecessary_wraps, reason = "as it is loaded")]
fn record(revision: u64) -> Option<Stored> {
    let session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 7);
    let session = session.snapshot(at(0), &RateBudget::default());
    Some(Stored { revision: Revision(revision), age: None, session: Ok(session) })
}

#[expect(clippy::unnecessary_wraps, reason = "as it is loaded")]
fn damaged(revision: u64) -> Option<Stored> {
    Some(Stored { revision: Revision(revision), age: None, session: Err(Unreadable::Damaged) })
}

/// One that has looked into the store already.
fn fleet(log_in: LogIn) -> Fleet {
    let mut fleet = Fleet::new(log_in);
    fleet.loaded(at(0), record(1));
    fleet
}

/// What to do, where the lease is given and the store holds this.
fn lead(fleet: &mut Fleet, now: i64, stored: Option<Stored>) -> Seen {
    fleet.led(at(now), Lease { begun: at(now), time: lease_time(LONGEST), is_ours: true });
    fleet.loaded(at(now), stored)
}

fn step(fleet: &mut Fleet, now: i64, pending: Option<Pending>) -> String {
    match fleet.step(at(now), pending, false, LONGEST) {
        Step::Rest(until) => format!("rest for {} ms", until.duration_since(at(now)).as_millis()),
        step => format!("{step:?}").to_lowercase(),
    }
}

#[test]
fn nothing_is_sent_without_the_lease_and_the_lease_is_given_back() {
    let mut fleet = fleet(LogIn::WhenNeeded);
    assert_eq!(step(&mut fleet, 0, RENEW), "lead");
    lead(&mut fleet, 0, record(1));
    assert_eq!(step(&mut fleet, 0, RENEW), "poll");
    assert_eq!(step(&mut fleet, 0, Some(Pending::Store)), "poll");
    assert_eq!(step(&mut fleet, 1, None), "release");
    fleet.released();
    assert_eq!(step(&mut fleet, 1, None), "poll");
    assert_eq!(step(&mut fleet, 2, RENEW), "lead");
}

#[test]
fn a_lease_that_may_run_out_before_an_answer_comes_is_taken_anew_but_good_for_storing_one() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    lead(&mut fleet, 0, record(1));
    assert_eq!(step(&mut fleet, 22_500, RENEW), "poll");
    assert_eq!(step(&mut fleet, 22_501, RENEW), "lead");
    assert_eq!(step(&mut fleet, 60_000, Some(Pending::Store)), "poll");
}

#[test]
fn the_lease_is_kept_as_long_as_a_token_waits_to_be_stored() {
    let mut fleet = fleet(LogIn::WhenNeeded);
    lead(&mut fleet, 0, record(2));
    assert!(matches!(fleet.step(at(1), None, true, LONGEST), Step::Poll));
    fleet.has_failed(at(1), false, "down".into());
    assert!(matches!(fleet.step(at(2), None, true, LONGEST), Step::Poll));
    assert!(matches!(fleet.step(at(3), None, false, LONGEST), Step::Release));
}

#[test]
fn a_record_that_is_known_is_not_taken_over_again() {
    let mut fleet = fleet(LogIn::WhenNeeded);
    assert!(matches!(fleet.loaded(at(0), record(1)), Seen::Known));
    assert!(matches!(fleet.loaded(at(0), record(2)), Seen::Record(Some(_))));
    fleet.saved(Some(Revision(3)));
    assert!(matches!(fleet.loaded(at(0), record(3)), Seen::Known), "it is this process's own");
}

#[test]
fn the_lease_of_another_is_waited_for_until_something_changes() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    fleet.led(at(0), Lease { begun: at(0), time: LONGEST, is_ours: false });
    fleet.loaded(at(0), record(1));
    assert_eq!(step(&mut fleet, 0, RENEW), "rest for 500 ms");
    assert_eq!(step(&mut fleet, 0, LOG_IN), "rest for 500 ms");
    assert_eq!(step(&mut fleet, 500, RENEW), "lead");
    fleet.led(at(500), Lease { begun: at(500), time: LONGEST, is_ours: false });
    fleet.has_changed();
    assert_eq!(step(&mut fleet, 501, RENEW), "look");
}

#[test]
fn a_store_is_looked_into_at_first_and_when_it_may_have_changed() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    assert_eq!(step(&mut fleet, 0, LOG_IN), "look", "there may be a session");
    assert_eq!(step(&mut fleet, 0, None), "look");
    fleet.loaded(at(0), record(1));
    assert_eq!((step(&mut fleet, 0, None).as_str(), fleet.known()), ("poll", Some(Revision(1))));
    fleet.has_changed();
    assert_eq!(step(&mut fleet, 1, None), "look");
}

#[test]
fn an_empty_store_is_believed_after_a_second_without_the_lease() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    fleet.loaded(at(-5000), None);
    assert_eq!(step(&mut fleet, 0, LOG_IN), "lead", "which those hear of who still hold what it has lost");
    lead(&mut fleet, 0, None);
    assert_eq!(step(&mut fleet, 0, LOG_IN), "release");
    fleet.released();
    assert_eq!(step(&mut fleet, 1, LOG_IN), "rest for 999 ms");
    assert_eq!(step(&mut fleet, 1000, LOG_IN), "lead");
    lead(&mut fleet, 1000, None);
    assert_eq!(step(&mut fleet, 1000, LOG_IN), "poll");
}

#[test]
fn an_old_refresh_token_is_not_presented_while_a_newer_one_may_come_back() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    let refresh = Some(Pending::Send(Operation::Refresh));
    lead(&mut fleet, 0, None);
    assert_eq!(step(&mut fleet, 0, Some(Pending::Store)), "poll", "whoever holds something stores it at once");
    assert_eq!(step(&mut fleet, 0, refresh), "release");
    fleet.released();
    assert_eq!(step(&mut fleet, 1, refresh), "rest for 999 ms");
    lead(&mut fleet, 1000, None);
    assert_eq!(step(&mut fleet, 1000, refresh), "poll");
}

#[test]
fn a_store_that_was_filled_again_is_not_believed_to_be_empty() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    lead(&mut fleet, 0, None);
    fleet.released();
    fleet.loaded(at(500), record(1));
    lead(&mut fleet, 2000, None);
    assert_eq!(step(&mut fleet, 2000, LOG_IN), "release");
}

#[test]
fn a_session_that_has_ended_is_replaced_at_once() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    lead(&mut fleet, 0, record(1));
    assert_eq!(step(&mut fleet, 0, LOG_IN), "poll");
}

#[test]
fn one_that_never_logs_in_looks_without_taking_the_lease_but_renews() {
    let mut fleet = Fleet::new(LogIn::Never);
    for now in [0, 500] {
        assert_eq!(step(&mut fleet, now, LOG_IN), "look");
        fleet.loaded(at(now), record(1));
        assert_eq!(step(&mut fleet, now, LOG_IN), "rest for 500 ms");
    }
    assert_eq!(step(&mut fleet, 1000, RENEW), "look");
    fleet.loaded(at(1000), record(1));
    assert_eq!(step(&mut fleet, 1000, RENEW), "lead");
    lead(&mut fleet, 1000, record(1));
    assert_eq!(step(&mut fleet, 1000, RENEW), "poll");
    assert_eq!(step(&mut fleet, 1000, LOG_IN), "release");
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    assert!(matches!(lead(&mut fleet, 0, damaged(1)), Seen::Trouble { is_new: true, .. }));
    assert_eq!(step(&mut fleet, 0, RENEW), "release");
    fleet.released();
    assert_eq!(step(&mut fleet, 0, RENEW), "rest for 250 ms");
    assert_eq!(step(&mut fleet, 250, RENEW), "look");
    assert!(matches!(lead(&mut fleet, 250, damaged(1)), Seen::Trouble { is_new: false, .. }), "it was told");
    fleet.released();
    assert_eq!(step(&mut fleet, 250, LOG_IN), "rest for 500 ms");
    lead(&mut fleet, 750, record(2));
    assert_eq!(step(&mut fleet, 750, RENEW), "poll");
}

#[test]
fn where_a_login_in_its_place_is_allowed_it_is_replaced() {
    let mut fleet = Fleet::new(LogIn::EvenIfUnreadable);
    assert!(matches!(lead(&mut fleet, 0, damaged(1)), Seen::Record(None)));
    assert_eq!((step(&mut fleet, 0, LOG_IN).as_str(), fleet.known()), ("poll", Some(Revision(1))));
}

#[test]
fn a_store_that_fails_is_tried_less_and_less_often() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    let mut now = 0;
    let pauses: Vec<i64> = (0..8)
        .map(|_| {
            let Seen::Trouble { retry_at, .. } = fleet.has_failed(at(now), false, "down".into()) else { panic!() };
            let pause = i64::try_from(retry_at.duration_since(at(now)).as_millis()).unwrap();
            now += pause;
            pause
        })
        .collect();
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    fleet.loaded(at(now), record(1));
    let again = fleet.has_failed(at(now), false, "down".into());
    assert!(matches!(again, Seen::Trouble { is_new: true, .. }), "it was well");
}

#[test]
fn whoever_cannot_take_the_lease_still_looks() {
    let mut fleet = fleet(LogIn::WhenNeeded);
    let full = |fleet: &mut Fleet, now| fleet.has_failed(at(now), true, "the disk is full".into());
    assert_eq!(step(&mut fleet, 0, RENEW), "lead");
    assert!(matches!(full(&mut fleet, 0), Seen::Trouble { is_new: true, .. }));
    assert_eq!(step(&mut fleet, 250, RENEW), "look");
    fleet.loaded(at(250), record(1));
    assert_eq!(step(&mut fleet, 250, RENEW), "lead");
    assert!(matches!(full(&mut fleet, 250), Seen::Trouble { is_new: false, .. }), "to look has mended nothing");
    fleet.has_changed();
    assert_eq!(step(&mut fleet, 251, RENEW), "look", "another has renewed");
    lead(&mut fleet, 300, record(2));
    assert!(matches!(full(&mut fleet, 400), Seen::Trouble { is_new: true, .. }), "it was well");
}

#[test]
fn whoever_is_overtaken_in_saving_leads_no_more() {
    let mut fleet = Fleet::new(LogIn::WhenNeeded);
    lead(&mut fleet, 0, record(1));
    fleet.saved(Some(Revision(2)));
    assert_eq!((fleet.leads(), fleet.known()), (true, Some(Revision(2))));
    fleet.saved(None);
    assert_eq!((fleet.leads(), step(&mut fleet, 1, Some(Pending::Store)).as_str()), (false, "lead"));
}
