//! Stores that break the contract: each fails the check that names its defect. The same store without a defect passes.

mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;

use tradovate_auth_store::conformance::{Suite, Task};

use super::*;
use memory::{Defect, Memory};

/// The smallest executor: it polls again when it is woken.
fn block_on(mut task: Task<'_>) {
    struct Thread(thread::Thread, AtomicBool);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let this = Arc::new(Thread(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&this));
    while task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        while !this.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

fn suite(defect: Defect) -> Suite<'static> {
    let database = Arc::default();
    Suite::of_async(move || Memory::open(&database, defect), block_on)
}

#[test]
fn a_store_without_a_defect_passes_all_checks() {
    suite(Defect::None).run().unwrap();
    let database = Arc::default();
    Suite::new(|| Box::new(Memory::open(&database, Defect::None)) as Box<dyn Store>).run().unwrap();
}

#[test]
fn each_defect_of_a_store_fails_its_check() {
    let cases = [
        (Defect::InventsRecords, "nothing_is_stored_at_first"),
        (Defect::LoadsOld, "a_saved_session_is_loaded_by_others"),
        (Defect::ForgetsAges, "the_age_of_a_record_counts_from_its_save"),
        (Defect::IgnoresKnown, "a_save_needs_the_known_record"),
        (Defect::RepeatsRevisions, "no_revision_is_used_twice"),
        (Defect::CutsNames, "two_names_never_share_a_record"),
        (Defect::CutsRecords, "a_large_record_is_loaded_unchanged"),
        (Defect::ConfirmsEarly, "a_record_and_its_lease_survive_a_reopen"),
        (Defect::GivesLeasesTwice, "one_process_at_a_time_holds_the_lease"),
        (Defect::IgnoresReleases, "a_released_lease_can_be_taken_at_once"),
        (Defect::KeepsLeases, "a_lease_ends_when_its_time_is_over"),
        (Defect::RepeatsFences, "later_leases_have_higher_fences"),
        (Defect::IgnoresFence, "a_lease_is_for_one_name"),
        (Defect::IgnoresFence, "the_holder_of_an_earlier_lease_can_not_save"),
        (Defect::ReleasesAll, "the_holder_of_an_earlier_lease_can_not_release_the_next_one"),
        (Defect::RefusesEndedLeases, "a_holder_whose_lease_has_ended_saves_if_no_other_was_given"),
        (Defect::NeverTells, "changed_returns_at_once_if_the_revision_differs"),
        (Defect::NeverTells, "changed_returns_within_a_second_of_a_save"),
        (Defect::WaitsLong, "changed_returns_when_its_time_is_over"),
        (Defect::GivesLeasesTwice, "one_of_many_concurrent_callers_gets_the_lease"),
        (Defect::SavesInTwoSteps, "no_concurrent_increment_is_lost"),
        (Defect::SavesInTwoSteps, "concurrent_histories_are_linearizable"),
        (Defect::LoadsOld, "concurrent_histories_are_linearizable"),
        (Defect::LeasesLongFirst, "a_cancelled_lease_is_free_when_its_time_is_over"),
        (Defect::RemovesFirst, "a_cancelled_save_is_done_or_not_done"),
        (Defect::LeasesLongFirst, "a_cancelled_release_leaves_a_lease_that_ends"),
        (Defect::RemovesFirst, "a_cancelled_load_or_wait_changes_nothing"),
    ];
    for check in suite(Defect::None).names() {
        assert!(cases.iter().any(|(_, name)| *name == check), "no wrong store fails {check}");
    }
    thread::scope(|scope| {
        for (defect, check) in cases {
            scope.spawn(move || {
                // A race of threads does not happen in each run.
                let found = (0..20).find_map(|_| suite(defect).check(check).err());
                let violations = found.unwrap_or_else(|| panic!("{defect:?} passes {check}"));
                println!("{defect:?}: {violations}");
                assert!(violations.names().eq([check]) && violations.to_string().contains(check), "{violations}");
            });
        }
    });
}

/// If a store is wrong only when several processes work at the same time, checks with calls in a row can't show this.
#[test]
fn a_store_that_saves_in_two_steps_fails_only_the_checks_of_concurrent_calls() {
    let violations = suite(Defect::SavesInTwoSteps).run().unwrap_err();
    let concurrent = ["no_concurrent_increment_is_lost", "concurrent_histories_are_linearizable"];
    assert!(violations.names().all(|name| concurrent.contains(&name)), "{violations}");
}

#[test]
fn a_check_that_does_not_exist_is_an_error() {
    assert!(suite(Defect::None).check("unknown").unwrap_err().to_string().contains("no check has this name: unknown"));
}
