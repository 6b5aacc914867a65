//! The file store for async programs.

use tokio::time::timeout;
use tradovate_auth_store::AsyncStore;

use super::*;

#[tokio::test]
async fn an_async_and_a_blocking_program_share_one_file_store() {
    let world = World::new();
    let (store, name) = (&world.store, &world.name);
    assert!(AsyncStore::load(store, name).await.unwrap().is_none());
    let lease = AsyncStore::lease(store, name, MINUTE).await.unwrap().unwrap();
    assert!(AsyncStore::lease(store, name, MINUTE).await.unwrap().is_none());
    let revision = AsyncStore::save(store, name, &session(7), None, lease).await.unwrap().unwrap();
    assert!(AsyncStore::save(store, name, &session(8), None, lease).await.unwrap().is_none());
    AsyncStore::release(store, name, lease).await.unwrap();

    assert_eq!(AsyncStore::load(store, name).await.unwrap().unwrap().revision, revision);
    assert_eq!(user_of(world.load()), Some(7));
    world.lease();
}

#[test]
fn a_dropped_wait_leaves_no_thread_behind() {
    let (world, revision) = World::saved(7);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let wait = AsyncStore::changed(&world.store, &world.name, Some(revision), Duration::MAX);
        assert!(timeout(Duration::from_millis(20), wait).await.is_err(), "told of nothing");
    });
    // If such a thread still ran, the drop would wait for it without end.
    drop(runtime);
}

#[tokio::test]
async fn an_async_program_gets_the_errors_of_the_file_system() {
    let world = World::new();
    fs::create_dir(world.path("session")).unwrap();
    let error = AsyncStore::load(&world.store, &world.name).await.unwrap_err();
    assert_says(&error, StoreErrorKind::NotReadable, "is not a regular file, but a link");
    let error = AsyncStore::changed(&world.store, &world.name, None, Duration::MAX).await.unwrap_err();
    assert_says(&error, StoreErrorKind::NotReadable, "is not a regular file, but a link");
}
