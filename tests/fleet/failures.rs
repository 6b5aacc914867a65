//! Failures of a store and of the processes that share it, at the worst moment: whatever happens, there is one login.

use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_simulator::Endpoint;

use crate::members::Fleet;
use crate::place::Place;

/// How often each failure is brought about: once, or as often as the variable `FLEET_TIMES` says.
fn times() -> usize {
    std::env::var("FLEET_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Processes that have a token, and watch.
fn running(place: Place, lifetime: u64) -> Fleet {
    let mut fleet = Fleet::new(place, Duration::from_secs(lifetime));
    for _ in 0..3 {
        fleet.start(300);
    }
    fleet.await_of_all(0..3, "token");
    fleet
}

/// The store goes away, a renewal falls due meanwhile, and it comes back empty while a new process starts.
pub(crate) fn a_store_that_comes_back_empty_while_a_renewal_is_due_costs_no_login(place: fn() -> Place) {
    for _ in 0..times() {
        let mut fleet = running(place(), 30);
        fleet.place.go_away();
        fleet.await_of_all(0..3, "event the store can't be");
        // The pauses between their tries grow meanwhile: the next one would be four seconds later.
        thread::sleep(Duration::from_secs(4));
        fleet.place.come_back_empty();
        let newcomer = fleet.start(300);
        fleet.await_word_of(newcomer, "token");
        fleet.await_word("event renewed");
        fleet.assert_well();
    }
}

/// A backup is restored whose token has ended, while processes hold a good one and a new process starts.
pub(crate) fn a_backup_with_a_token_that_has_ended_costs_no_login(place: fn() -> Place) {
    for _ in 0..times() {
        let mut fleet = running(place(), 12);
        fleet.place.back_up();
        for _ in 0..2 {
            fleet.await_word("event renewed");
        }
        thread::sleep(Duration::from_secs(2));
        fleet.place.restore();
        let newcomer = fleet.start(300);
        fleet.await_word_of(newcomer, "token");
        fleet.await_word("event renewed");
        fleet.assert_well();
    }
}

/// The lease is lost while its holder waits for the answer to the first login, for longer than the pause after a login
/// whose outcome is unknown.
pub(crate) fn a_lease_that_is_lost_during_the_first_login_costs_no_second_one(place: fn() -> Place) {
    let start = |_| {
        let mut fleet = Fleet::new(place(), Duration::from_secs(90));
        fleet.time_out = 30;
        fleet.answer_slowly(Endpoint::AccessTokenRequest, Duration::from_secs(18));
        for _ in 0..3 {
            fleet.start(300);
        }
        fleet.await_request(Endpoint::AccessTokenRequest);
        fleet.place.lose_lease();
        fleet
    };
    let fleets: Vec<_> = (0..times()).map(start).collect();
    for mut fleet in fleets {
        fleet.await_of_all(0..3, "token");
        fleet.assert_well();
    }
}

/// The disk is full when the process with the lease has renewed, and for longer than the token before lives.
pub(crate) fn a_token_that_can_not_be_stored_is_used_by_its_own_process_and_stored_later(place: fn() -> Place) {
    for _ in 0..times() {
        let mut fleet = running(place(), 30);
        fleet.answer_slowly(Endpoint::RenewAccessToken, Duration::from_secs(1));
        fleet.await_request(Endpoint::RenewAccessToken);
        fleet.fill_disk();
        let (holder, _) = fleet.await_word("event renewed");
        let old = fleet.said(holder, "token")[0].to_owned();
        fleet.await_that("a newer token", |member, line| member == holder && line > &*old && line.starts_with("token"));
        // Later the disk may be full for longer than the new token lives.
        assert!(fleet.said(holder, "gap").is_empty(), "{}", fleet.all());
        fleet.await_of_all(0..3, "event the store can't be written");
        fleet.make_space();
        fleet.await_of_all(0..3, "event the store works again");
        for member in 0..3 {
            while fleet.said(member, "token").len() < 2 {
                fleet.await_word_of(member, "token");
            }
        }
        fleet.catch_up();
        // The others have no token until one can be stored.
        fleet.assert_well_but_for(&[0, 1, 2]);
    }
}

/// The process that sends the first login is killed before it has the answer.
pub(crate) fn a_process_that_is_killed_during_the_first_login_is_replaced(place: fn() -> Place) {
    let mut fleet = Fleet::new(place(), Duration::from_secs(60));
    fleet.answer_slowly(Endpoint::AccessTokenRequest, Duration::from_secs(2));
    for _ in 0..2 {
        fleet.start(300);
    }
    fleet.await_request(Endpoint::AccessTokenRequest);
    let killed = fleet.kill_leader();
    let begun = Instant::now();
    fleet.await_word_of(1 - killed, "token");
    println!("the take-over of a first login: {:.1} s", begun.elapsed().as_secs_f64());
    let statistics = fleet.server.statistics();
    let path = Endpoint::AccessTokenRequest.path();
    let times: Vec<_> = statistics.log().filter(|entry| entry.path.ends_with(path)).map(|entry| entry.at).collect();
    assert!(
        matches!(times[..], [first, second] if second.duration_since(first).as_secs() >= 14),
        "the first one may have opened a session, so fifteen seconds pass from its announcement: {times:?}"
    );
}

/// What one process forgets is forgotten by all that run, and a process that starts later logs in.
pub(crate) fn a_session_that_one_process_forgets_is_written_back_by_none(place: fn() -> Place) {
    for _ in 0..times() {
        let mut fleet = running(place(), 20);
        fleet.forget(0);
        fleet.await_of_all(0..3, "event stopped: the session was forgotten");
        let logged_in = fleet.server.statistics().logins;
        assert_eq!(logged_in, 1, "{}", fleet.all());
        let next = fleet.start(300);
        fleet.await_word_of(next, "event logged in");
        fleet.await_word_of(next, "token");
        assert_eq!(fleet.server.statistics().logins, 2, "{}", fleet.all());
    }
}
