//! Tests with wrong wall clocks: ahead or behind when a process starts, or changed between two starts.

use std::time::Duration;

use tradovate_auth_simulator::{Endpoint, LockOut};

use crate::members::Fleet;
use crate::shared_store::SharedStore;

/// The lifetime of the vendor's tokens.
const LIFETIME: Duration = Duration::from_secs(80 * 60);

const MINUTES: i64 = 60;
const HOURS: i64 = 3600;

/// As after the boot of a machine without a battery-backed clock, or on a restored machine.
pub(crate) fn a_process_with_a_clock_ahead_opens_no_second_session(store: SharedStore) {
    let mut fleet = Fleet::new(store, LIFETIME);
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

/// Each process runs alone, so no other process can tell it the time.
pub(crate) fn a_clock_that_is_further_ahead_at_each_start_opens_no_second_session(store: SharedStore) {
    let mut fleet = Fleet::new(store, LIFETIME);
    for start in 0..6 {
        let member = fleet.start_ahead(300, start * 2 * HOURS);
        fleet.await_word_of(member, "token");
        fleet.kill(member);
    }
    fleet.assert_well();
}

pub(crate) fn a_clock_ahead_does_not_shorten_a_lock_out(store: SharedStore) {
    // A renewal is due after half of this lifetime.
    let mut fleet = Fleet::new(store, Duration::from_secs(10));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.server.lock_out(LockOut::too_many_requests());
    fleet.await_word_of(first, "event locked_out");
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

pub(crate) fn a_process_with_a_clock_behind_returns_no_dead_token(store: SharedStore) {
    let mut fleet = Fleet::new(store, Duration::from_secs(5));
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

pub(crate) fn a_first_start_with_a_clock_behind_logs_in_once(store: SharedStore) {
    let mut fleet = Fleet::new(store, LIFETIME);
    for behind in [-3 * HOURS, 0, -3 * HOURS] {
        let member = fleet.start_ahead(300, behind);
        fleet.await_word_of(member, "token");
    }
    fleet.assert_well();
    assert_eq!(fleet.server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

/// The machine's wall clock was set ahead between two starts, so the times of its files are ahead too.
pub(crate) fn a_machine_clock_set_ahead_causes_no_second_session() {
    let mut fleet = Fleet::new(SharedStore::files(), LIFETIME);
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.kill(first);
    for ahead in [10 * MINUTES, 2 * HOURS] {
        fleet.store.make_older(ahead);
        let member = fleet.start_ahead(300, ahead);
        fleet.await_word_of(member, "token");
        fleet.kill(member);
    }
    fleet.assert_well();
}

/// The machine's wall clock was set back. The record seems to come from the future, and its dead token seems valid.
pub(crate) fn a_machine_clock_set_back_does_not_delay_the_replacement_of_a_dead_token() {
    for back in [10 * MINUTES, 2 * HOURS] {
        let mut fleet = Fleet::new(SharedStore::files(), Duration::from_secs(5));
        let first = fleet.start(300);
        fleet.await_word_of(first, "token");
        fleet.kill(first);
        std::thread::sleep(Duration::from_secs(6));
        fleet.store.make_older(-back);
        let member = fleet.start_ahead(300, -back);
        fleet.await_that("a token that is taken", |number, line| {
            number == member && line.starts_with("token") && line.ends_with(" 200")
        });
    }
}
