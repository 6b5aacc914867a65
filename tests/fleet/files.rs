//! What can happen to files.

use std::fs;
use std::time::Duration;

use tradovate_auth_simulator::Endpoint;

use crate::members::{Fleet, holds};
use crate::place::Place;

pub(crate) fn with_a_full_disk_the_session_is_used_and_left_as_it_is() {
    use_what_others_store(|fleet| fleet.start_with_a_full_disk(300));
}

pub(crate) fn with_a_read_only_disk_the_session_is_used_and_left_as_it_is() {
    if Fleet::has_namespaces() {
        use_what_others_store(|fleet| fleet.start_with_a_read_only_disk(300));
    } else {
        println!("not run: this system has no user namespaces");
    }
}

/// One process can't write to the disk.
fn use_what_others_store(start_hindered: impl FnOnce(&mut Fleet) -> usize) {
    let mut fleet = Fleet::new(Place::files(), Duration::from_secs(20));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    let hindered = start_hindered(&mut fleet);
    fleet.await_word_of(hindered, "token");
    fleet.kill(first);
    let record = fs::read(fleet.place.file()).unwrap();
    fleet.await_word_of(hindered, "event the store can't be written");
    assert!(holds(&fleet.place.file(), &record));
    let next = fleet.start(300);
    fleet.await_word_of(next, "token");
    fleet.await_word_of(hindered, "token");
    fleet.assert_well();
}

pub(crate) fn what_is_damaged_is_left_alone_and_nobody_logs_in() {
    let mut fleet = Fleet::new(Place::files(), Duration::from_secs(300));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.kill(first);
    let path = fleet.place.file();
    let record = fs::read(&path).unwrap();
    for index in [0, 30, 60, record.len() / 2, record.len() - 1] {
        let mut damaged = record.clone();
        damaged[index] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let cold = fleet.start(300);
        fleet.await_word_of(cold, "event the store can't be read");
        fleet.kill(cold);
        assert!(holds(&path, &damaged));
    }
    assert_eq!(fleet.server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    fs::write(&path, &record).unwrap();
    let cold = fleet.start(300);
    fleet.await_word_of(cold, "token");
    fleet.assert_well();
}
