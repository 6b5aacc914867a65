//! Tests of damaged and unwritable files.

use std::fs;
use std::time::Duration;

use tradovate_auth_simulator::Endpoint;

use crate::members::{Fleet, holds};
use crate::shared_store::SharedStore;

pub(crate) fn a_process_with_a_full_disk_uses_the_session_and_leaves_the_record_unchanged() {
    use_what_others_store(|fleet| fleet.start_with_a_full_disk(300));
}

pub(crate) fn a_process_with_a_read_only_disk_uses_the_session_and_leaves_the_record_unchanged() {
    if Fleet::has_namespaces() {
        use_what_others_store(|fleet| fleet.start_with_a_read_only_disk(300));
    } else {
        println!("not run: this system has no user namespaces");
    }
}

/// One process can't write to the disk.
fn use_what_others_store(start_hindered: impl FnOnce(&mut Fleet) -> usize) {
    let mut fleet = Fleet::new(SharedStore::files(), Duration::from_secs(20));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    let hindered = start_hindered(&mut fleet);
    fleet.await_word_of(hindered, "token");
    fleet.kill(first);
    let record = fs::read(fleet.store.file()).unwrap();
    fleet.await_word_of(hindered, "event store_failed_not_writable");
    assert!(holds(&fleet.store.file(), &record));
    let next = fleet.start(300);
    fleet.await_word_of(next, "token");
    fleet.await_word_of(hindered, "token");
    fleet.assert_well();
}

pub(crate) fn a_damaged_record_is_not_replaced_and_causes_no_login() {
    let mut fleet = Fleet::new(SharedStore::files(), Duration::from_secs(300));
    let first = fleet.start(300);
    fleet.await_word_of(first, "token");
    fleet.kill(first);
    let path = fleet.store.file();
    let record = fs::read(&path).unwrap();
    for index in [0, 30, 60, record.len() / 2, record.len() - 1] {
        let mut damaged = record.clone();
        damaged[index] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let cold = fleet.start(300);
        fleet.await_word_of(cold, "event store_failed_not_readable");
        fleet.kill(cold);
        assert!(holds(&path, &damaged));
    }
    assert_eq!(fleet.server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    fs::write(&path, &record).unwrap();
    let cold = fleet.start(300);
    fleet.await_word_of(cold, "token");
    fleet.assert_well();
}
