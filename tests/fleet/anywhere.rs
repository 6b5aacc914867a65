//! What holds with every store.

use std::time::{Duration, Instant};

use tradovate_auth_simulator::Endpoint;

use crate::members::Fleet;
use crate::place::Place;

pub(crate) fn one_process_is_one_client(place: Place) {
    are_one_client(place, 1, |fleet, _| fleet.start(60));
}

pub(crate) fn ten_processes_are_one_client(place: Place) {
    are_one_client(place, 10, |fleet, _| fleet.start(60));
}

/// Their clocks differ by up to five minutes in both directions, and are set right in the middle.
pub(crate) fn ten_processes_whose_clocks_differ_and_are_set_are_one_client(place: Place) {
    let ahead = |number: usize| (i64::try_from(number).unwrap() - 5) * 60;
    are_one_client(place, 10, |fleet, number| fleet.start_with_clock_that_is_set(60, ahead(number)));
}

/// Processes for a minute of tokens that live five seconds.
fn are_one_client(place: Place, count: usize, start: impl Fn(&mut Fleet, usize) -> usize) {
    let mut fleet = Fleet::new(place, Duration::from_secs(5));
    for number in 0..count {
        start(&mut fleet, number);
    }
    for _ in 0..count {
        fleet.await_word("done");
    }
    fleet.assert_well();
    let statistics = fleet.server.statistics();
    let renewals = usize::try_from(statistics.renewals).unwrap();
    let [loads, leases, saves, releases] = fleet.uses();
    println!(
        "{count} processes: {renewals} renewals; the store: {loads} loads, {leases} leases, {saves} saves, {releases} releases"
    );
    assert_eq!(fleet.ends().len(), 1 + renewals, "each renewal was used: {}", fleet.all());
    let path = Endpoint::RenewAccessToken.path();
    let times: Vec<_> = statistics.log().filter(|entry| entry.path.ends_with(path)).map(|entry| entry.at).collect();
    assert_eq!(times.len(), renewals, "none was refused");
    for pair in times.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        // They are due after half of a life, which a `Date` of whole seconds may make look half a second longer.
        assert!(apart.as_secs() >= 1, "two renewals where one was due, {apart} apart: {}", fleet.all());
    }
}

/// Of three processes, whoever has just taken the lease is killed: before, during or after its exchange.
pub(crate) fn a_killed_leader_is_replaced(place: Place) {
    let mut fleet = Fleet::new(place, Duration::from_secs(20));
    let members: Vec<_> = (0..3).map(|_| fleet.start(300)).collect();
    for member in members {
        fleet.await_word_of(member, "token");
    }
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let (leader, _) = fleet.await_word("lease");
        fleet.kill(leader);
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
    println!("the longest take-over: {:.1} s", longest.as_secs_f64());
}

/// The leader sleeps past the end of its lease, with a renewal under way or about to be.
pub(crate) fn a_stopped_leader_changes_nothing_when_it_wakes(place: Place) {
    let mut fleet = Fleet::new(place, Duration::from_secs(20));
    let members: Vec<_> = (0..3).map(|_| fleet.start(300)).collect();
    for member in members {
        fleet.await_word_of(member, "token");
    }
    let leader = fleet.stop_leader();
    let (next, _) = fleet.await_that("lease", |member, line| member != leader && line == "lease");
    fleet.await_word_of(next, "token");
    fleet.signal(leader, "-CONT");
    let newest = fleet.ends().iter().max().map(ToString::to_string).unwrap();
    fleet.await_that(&newest, |member, line| {
        member == leader && line.strip_prefix("token ").is_some_and(|token| *token >= *newest)
    });
    for _ in 0..6 {
        fleet.await_word("token");
    }
    fleet.assert_well_but_for(&[leader]);
}
