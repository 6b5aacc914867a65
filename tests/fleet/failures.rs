//! Tests of failures of the store and of processes at the worst moment: in every case, there is only one login.

use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_simulator::Endpoint;

use crate::members::Fleet;
use crate::shared_store::SharedStore;
use crate::times;

/// Three processes that have a token.
fn running(store: SharedStore, lifetime: u64) -> Fleet {
    let mut fleet = Fleet::new(store, Duration::from_secs(lifetime));
    for _ in 0..3 {
        fleet.start(300);
    }
    fleet.await_of_all(0..3, "token");
    fleet
}

/// The store is down while a renewal is due, and comes back empty while a new process starts.
pub(crate) fn a_store_that_comes_back_empty_causes_no_login(store: fn() -> SharedStore) {
    for _ in 0..times() {
        let mut fleet = running(store(), 30);
        fleet.store.go_away();
        fleet.await_of_all(0..3, "event store_failed");
        // Meanwhile the pauses between the processes' tries grow: the next try would be four seconds later.
        thread::sleep(Duration::from_secs(4));
        fleet.store.come_back_empty();
        let newcomer = fleet.start(300);
        fleet.await_word_of(newcomer, "token");
        // This is the first renewal, because the store was away when it was due.
        fleet.await_any_of(0..4, "event renewed");
        fleet.assert_well();
    }
}

/// A backup with an expired token is restored while processes have a good one and a new process starts.
pub(crate) fn a_restored_backup_with_an_expired_token_causes_no_login(store: fn() -> SharedStore) {
    for _ in 0..times() {
        let mut fleet = running(store(), 12);
        fleet.store.back_up();
        for _ in 0..2 {
            fleet.await_word("event renewed");
        }
        thread::sleep(Duration::from_secs(2));
        fleet.store.restore();
        let newcomer = fleet.start(300);
        fleet.await_word_of(newcomer, "token");
        fleet.await_word("event renewed");
        fleet.assert_well();
    }
}

/// The lease is lost while its holder waits for the answer to the first login. The answer takes longer than the pause
/// that follows a login with an unknown outcome.
pub(crate) fn losing_the_lease_during_the_first_login_causes_no_second_login(store: fn() -> SharedStore) {
    let start = |_| {
        let mut fleet = Fleet::new(store(), Duration::from_secs(90));
        fleet.time_out = 30;
        fleet.answer_slowly(Endpoint::AccessTokenRequest, Duration::from_secs(18));
        for _ in 0..3 {
            fleet.start(300);
        }
        fleet.await_request(Endpoint::AccessTokenRequest);
        fleet.store.lose_lease();
        fleet
    };
    let fleets: Vec<_> = (0..times()).map(start).collect();
    for mut fleet in fleets {
        fleet.await_of_all(0..3, "token");
        fleet.assert_well();
    }
}

/// The disk is full when the lease holder has renewed, for longer than the previous token is valid.
pub(crate) fn a_token_that_cannot_be_stored_is_used_by_its_process_and_stored_later(store: fn() -> SharedStore) {
    for _ in 0..times() {
        let mut fleet = running(store(), 20);
        fleet.answer_slowly(Endpoint::RenewAccessToken, Duration::from_secs(1));
        fleet.await_request(Endpoint::RenewAccessToken);
        fleet.fill_disk();
        let holder = fleet.lease_holder();
        fleet.await_word_of(holder, "event renewed");
        let old = fleet.printed(holder, "token")[0].to_owned();
        fleet.await_that("a newer token", |member, line| member == holder && line > &*old && line.starts_with("token"));
        // Later, the disk may be full for longer than the new token is valid.
        assert!(fleet.printed(holder, "gap").is_empty(), "{}", fleet.all());
        // A process that has tried to store is paused, so that another one gets the lease and tries.
        let mut paused = Vec::new();
        while paused.len() < 3 {
            let member =
                fleet.await_any_of((0..3).filter(|member| !paused.contains(member)), "event store_failed_not_writable");
            fleet.pause(member);
            paused.push(member);
        }
        fleet.make_space();
        for member in paused {
            fleet.signal(member, "-CONT");
        }
        fleet.await_of_all(0..3, "event store_restored");
        for member in 0..3 {
            while fleet.printed(member, "token").len() < 2 {
                fleet.await_word_of(member, "token");
            }
        }
        fleet.catch_up();
        // The other processes have no token until the new one can be stored.
        fleet.assert_well_but_for(&[0, 1, 2]);
    }
}

/// The process that sends the first login is killed before it has the answer.
pub(crate) fn after_a_kill_during_the_first_login_another_process_logs_in(store: fn() -> SharedStore) {
    let mut fleet = Fleet::new(store(), Duration::from_secs(60));
    fleet.answer_slowly(Endpoint::AccessTokenRequest, Duration::from_secs(2));
    for _ in 0..2 {
        fleet.start(300);
    }
    fleet.await_request(Endpoint::AccessTokenRequest);
    let killed = fleet.kill_lease_holder();
    let begun = Instant::now();
    fleet.await_word_of(1 - killed, "token");
    println!("the time until another process logged in: {:.1} s", begun.elapsed().as_secs_f64());
    let statistics = fleet.server.statistics();
    let path = Endpoint::AccessTokenRequest.path();
    let times: Vec<_> = statistics.log().filter(|entry| entry.path.ends_with(path)).map(|entry| entry.at).collect();
    assert!(
        matches!(times[..], [first, second] if second.duration_since(first).as_secs() >= 14),
        "the first one may have opened a session, so fifteen seconds pass from its announcement: {times:?}"
    );
}

/// When one process forgets the session, all running processes forget it. A process that starts later logs in.
pub(crate) fn a_forgotten_session_is_not_written_back_by_other_processes(store: fn() -> SharedStore) {
    for _ in 0..times() {
        let mut fleet = running(store(), 20);
        fleet.forget(0);
        fleet.await_of_all(0..3, "event stopped_forgotten");
        let logged_in = fleet.server.statistics().logins;
        assert_eq!(logged_in, 1, "{}", fleet.all());
        let next = fleet.start(300);
        fleet.await_word_of(next, "event logged_in");
        fleet.await_word_of(next, "token");
        assert_eq!(fleet.server.statistics().logins, 2, "{}", fleet.all());
    }
}
