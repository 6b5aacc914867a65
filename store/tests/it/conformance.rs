//! The file store keeps the contract, in its blocking and in its async form.

use tradovate_auth_store::conformance::Suite;

use super::*;

#[test]
fn the_file_store_passes_all_checks_as_a_blocking_store() {
    let world = World::in_memory();
    Suite::new(|| world.other()).run().unwrap();
}

#[cfg(feature = "tokio")]
#[test]
fn the_file_store_passes_all_checks_as_an_async_store() {
    let world = World::in_memory();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    Suite::of_async(|| world.other(), move |task| handle.block_on(task)).run().unwrap();
}

#[cfg(feature = "seal")]
#[test]
fn a_sealed_store_keeps_a_large_record() {
    let world = World::new();
    let key = || tradovate_auth_store::SealingKey::from_bytes([7; 32]);
    Suite::new(|| world.other().sealed(key())).check("a_large_record_is_loaded_unchanged").unwrap();
}

#[test]
fn a_lease_of_another_name_has_another_fence() {
    helpers::a_lease_of_another_name_has_another_fence(&World::new().store);
}

#[test]
fn no_wait_for_a_change_ends_before_the_change_or_its_time() {
    let world = World::new();
    helpers::a_save_of_another_session_does_not_end_the_wait(&world.store, &world.other());
    helpers::changed_waits_until_its_time_is_over_if_the_record_stays_the_same(&World::new().store);
}
