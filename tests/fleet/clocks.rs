//! Machines whose wall clocks are wrong: ahead or behind when a process starts, or set between two starts.

use std::time::Duration;

use tradovate_auth_simulator::{Endpoint, LockOut};

use crate::members::Fleet;
use crate::place::Place;

/// As the tokens of the vendor's server.
const LIFETIME: Duration = Duration::from_secs(80 * 60);

const MINUTES: i64 = 60;
const HOURS: i64 = 3600;

/// As after each boot of a machine without a clock of its own, or on a machine that was restored.
pub(crate) fn a_clock_that_is_ahead_opens_no_session_beside_a_good_one(place: Place) {
    let mut fleet = Fleet::new(place, LIFETIME);
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    for ahead in [10 * MINUTES, 2 * HOURS] {
        let member = fleet.start_ahead(300, ahead);
        fleet.await_word_of(member, "token");
    }
    let last = fleet.start(300);
    fleet.await_word_of(last, "token");
    fleet.assert_well();
}

/// Each is alone, so nobody can tell it what the time is.
pub(crate) fn a_clock_that_is_further_ahead_at_each_start_opens_no_other_session(place: Place) {
    let mut fleet = Fleet::new(place, LIFETIME);
    for start in 0..6 {
        let member = fleet.start_ahead(300, start * 2 * HOURS);
        fleet.await_word_of(member, "token");
        fleet.kill(member);
    }
    fleet.assert_well();
}

pub(crate) fn a_clock_that_is_ahead_ends_no_lock_out(place: Place) {
    // Half of it later, a renewal is due.
    let mut fleet = Fleet::new(place, Duration::from_secs(10));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.server.lock_out(LockOut::too_many_requests());
    fleet.await_word_of(first, "event locked out");
    fleet.kill(first);
    let asked = |fleet: &Fleet| fleet.server.statistics().log().filter(|entry| entry.path.contains("/auth/")).count();
    let before = asked(&fleet);
    for ahead in [10 * MINUTES, 2 * HOURS, 3 * HOURS] {
        fleet.start_ahead(4, ahead);
    }
    for _ in 0..3 {
        fleet.await_word("done");
    }
    assert_eq!(asked(&fleet), before, "{}", fleet.all());
}

pub(crate) fn a_clock_that_was_set_back_hands_out_no_dead_token(place: Place) {
    let mut fleet = Fleet::new(place, Duration::from_secs(5));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.kill(first);
    std::thread::sleep(Duration::from_secs(6));
    for back in [-10 * MINUTES, -2 * HOURS] {
        let member = fleet.start_ahead(300, back);
        let token = fleet.await_word_of(member, "token");
        assert!(token.ends_with(" 200"), "{token}");
    }
}

pub(crate) fn a_first_start_with_a_slow_clock_logs_in_once(place: Place) {
    let mut fleet = Fleet::new(place, LIFETIME);
    for behind in [-3 * HOURS, 0, -3 * HOURS] {
        let member = fleet.start_ahead(300, behind);
        fleet.await_word_of(member, "token");
    }
    fleet.assert_well();
    assert_eq!(fleet.server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

/// The machine's wall clock was set ahead between two starts, so that of the files is ahead too.
pub(crate) fn a_machine_whose_clock_was_set_ahead_opens_no_other_session() {
    let mut fleet = Fleet::new(Place::files(), LIFETIME);
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.kill(first);
    for ahead in [10 * MINUTES, 2 * HOURS] {
        fleet.place.make_older(ahead);
        let member = fleet.start_ahead(300, ahead);
        fleet.await_word_of(member, "token");
        fleet.kill(member);
    }
    fleet.assert_well();
}

/// The same backwards: the record seems to be written in the future, and a dead token in it good for long.
pub(crate) fn a_machine_whose_clock_was_set_back_replaces_a_dead_token_at_once() {
    for back in [10 * MINUTES, 2 * HOURS] {
        let mut fleet = Fleet::new(Place::files(), Duration::from_secs(5));
        let first = fleet.start(300);
        fleet.await_word_of(first, "token");
        fleet.kill(first);
        std::thread::sleep(Duration::from_secs(6));
        fleet.place.make_older(-back);
        let member = fleet.start_ahead(300, -back);
        fleet.await_that("a token that is taken", |number, line| {
            number == member && line.starts_with("token") && line.ends_with(" 200")
        });
    }
}
