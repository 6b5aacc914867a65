//! Tests that run with every store.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tradovate_auth_simulator::Endpoint;

use crate::members::Fleet;
use crate::shared_store::SharedStore;
use crate::times;

pub(crate) fn one_process_logs_in_once(store: SharedStore) {
    are_one_client(store, 1, |fleet, _| fleet.start(20 * times()));
}

pub(crate) fn ten_processes_share_one_login(store: SharedStore) {
    are_one_client(store, 10, |fleet, _| fleet.start(20 * times()));
}

/// The clocks are between five minutes behind and four minutes ahead, and are corrected after ten seconds.
pub(crate) fn ten_processes_with_wrong_clocks_share_one_login(store: SharedStore) {
    let ahead = |number: usize| (i64::try_from(number).unwrap() - 5) * 60;
    are_one_client(store, 10, |fleet, number| fleet.start_with_clock_that_is_set(20 * times(), ahead(number)));
}

/// Runs processes for 20 seconds, or a multiple of that, with tokens that are valid for five seconds.
fn are_one_client(store: SharedStore, count: usize, start: impl Fn(&mut Fleet, usize) -> usize) {
    let mut fleet = Fleet::new(store, Duration::from_secs(5));
    for number in 0..count {
        start(&mut fleet, number);
    }
    for _ in 0..count {
        fleet.await_word("done");
    }
    let ended = Timestamp::now();
    fleet.assert_well();
    let statistics = fleet.server.statistics();
    let renewals = usize::try_from(statistics.renewals).unwrap();
    let [loads, leases, saves, releases] = fleet.uses();
    println!(
        "{count} processes: {renewals} renewals; the store: {loads} loads, {leases} leases, {saves} saves, {releases} releases"
    );
    let path = Endpoint::RenewAccessToken.path();
    let times: Vec<_> = statistics.log().filter(|entry| entry.path.ends_with(path)).map(|entry| entry.at).collect();
    assert_eq!(times.len(), renewals, "no renewal was refused");
    // The processes may end before they use the token of a renewal in their last second.
    let late = times.iter().filter(|at| ended.duration_since(**at).as_secs() < 1).count();
    let used = fleet.ends().len();
    assert!(
        (1 + renewals - late..=1 + renewals).contains(&used),
        "the token of each renewal was used: {}",
        fleet.all()
    );
    for pair in times.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        // A renewal is due after half of the lifetime. A `Date` in whole seconds can make that look half a second
        // longer.
        assert!(apart.as_secs() >= 1, "two renewals instead of one, {apart} apart: {}", fleet.all());
    }
}

/// Of three processes, the one that has just taken the lease is killed: before, during or after its exchange.
pub(crate) fn a_killed_lease_holder_is_replaced(store: SharedStore) {
    let mut fleet = Fleet::new(store, Duration::from_secs(20));
    for _ in 0..3 {
        fleet.start(300);
    }
    fleet.await_of_all(0..3, "token");
    let mut longest = Duration::ZERO;
    for _ in 0..times() {
        let (holder, _) = fleet.await_word("lease");
        fleet.kill(holder);
        let killed = Instant::now();
        fleet.catch_up();
        let before = fleet.ends().len();
        let newcomer = fleet.start(300);
        fleet.await_word_of(newcomer, "token");
        while fleet.ends().len() == before {
            fleet.await_word("token");
        }
        longest = longest.max(killed.elapsed());
    }
    fleet.assert_well();
    println!("the longest time until another process took over: {:.1} s", longest.as_secs_f64());
}

/// The lease holder is paused past the end of its lease, during or shortly before a renewal.
pub(crate) fn a_paused_lease_holder_changes_nothing_when_it_continues(store: SharedStore) {
    let mut fleet = Fleet::new(store, Duration::from_secs(20));
    for _ in 0..3 {
        fleet.start(300);
    }
    fleet.await_of_all(0..3, "token");
    let holder = fleet.pause_lease_holder();
    let (next, _) = fleet.await_that("lease", |member, line| member != holder && line == "lease");
    // From now on no lease has to end while a token is valid. The new tokens still expire after the old one.
    fleet.set_lifetime(Duration::from_secs(13));
    fleet.await_word_of(next, "token");
    fleet.signal(holder, "-CONT");
    let newest = fleet.ends().iter().max().map(ToString::to_string).unwrap();
    fleet.await_that(&newest, |member, line| {
        member == holder && line.strip_prefix("token ").is_some_and(|token| *token >= *newest)
    });
    for _ in 0..6 {
        fleet.await_word("token");
    }
    fleet.assert_well_but_for(&[holder]);
}
