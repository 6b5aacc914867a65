//! [`Keeper`]: a task that renews the token before it expires.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::Revision;
use tradovate_auth_token_source::{Idle, LONGEST_SLEEP};

use crate::sync_primitives::tokio;
use crate::sync_primitives::tokio::task::JoinHandle;
use crate::sync_primitives::tokio::time::{Instant, timeout};
use crate::token_source::Inner;

/// Keeps a session alive until the keeper is dropped. Dropping it cancels its task at once. A request in flight
/// continues in the background, so its answer is not lost.
#[derive(Debug)]
#[must_use = "the session is kept alive only as long as the keeper lives"]
pub struct Keeper {
    source: Arc<Inner>,
    keeps: JoinHandle<()>,
    watches: Option<JoinHandle<()>>,
}

/// How long one query for changes of a store may take.
const QUERY_TIME: Duration = Duration::from_secs(5);

/// The longest wait for a load from the store, for one change of the source, and for the end of the keeper's task.
const SHORT_WAIT: Duration = Duration::from_millis(500);

impl Keeper {
    pub(crate) fn start(source: Arc<Inner>) -> Self {
        let watches = source.storage.is_shared().then(|| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { watch(&source).await })
        });
        let kept = Arc::clone(&source);
        Self { source, keeps: tokio::spawn(async move { keep(&kept).await }), watches }
    }

    /// Stops the keeper, and waits until requests in flight have ended and their answers are stored. It waits at most
    /// as long as one request may take.
    ///
    /// Call this before the program ends, so that no answer is lost and other processes need not wait for the end of a
    /// lease. Without this call, a request in flight continues in the background, or is cancelled when the program
    /// ends.
    pub async fn stop(mut self) {
        let source = Arc::clone(&self.source);
        self.keeps.abort();
        // Another thread may be running the task now, and may be about to send a request.
        let _ = timeout(SHORT_WAIT, &mut self.keeps).await;
        drop(self);
        let begun = Instant::now();
        loop {
            // The receiver is created before the check, so a change after the check ends the sleep at once.
            let mut changes = source.changes();
            if begun.elapsed() >= source.shared.longest_exchange() || !source.shared.is_busy() {
                return;
            }
            // This starts the next action if the session only waited for the end of a back-off.
            source.drive();
            // The loop checks again after a change and after the time-out.
            let _ = timeout(SHORT_WAIT, changes.changed()).await;
        }
    }
}

async fn keep(source: &Arc<Inner>) {
    loop {
        let mut changes = source.changes();
        let time = match source.drive() {
            Idle::Wait(time) | Idle::Busy(time) => time.min(LONGEST_SLEEP),
            // There is no action until something changes.
            Idle::Stopped(_) => LONGEST_SLEEP,
        };
        // The loop checks again after a change and after the time-out.
        let _ = timeout(time, changes.changed()).await;
    }
}

/// Reloads the session whenever the shared store changes.
async fn watch(source: &Arc<Inner>) {
    loop {
        let known = source.shared.known_revision();
        let begun = Instant::now();
        match source.storage.changed(known, QUERY_TIME).await {
            Ok(()) if begun.elapsed() >= QUERY_TIME => {}
            Ok(()) => {
                source.shared.store_has_changed();
                wait_for_load(source, known).await;
            }
            Err(_) => wait_for_load(source, known).await,
        }
    }
}

/// Waits until the source has loaded another record, at most `SHORT_WAIT`.
async fn wait_for_load(source: &Inner, known: Option<Revision>) {
    let load = async {
        let mut changes = source.changes();
        while source.shared.known_revision() == known && changes.changed().await.is_ok() {}
    };
    // The store is queried again after a load and after the time-out.
    let _ = timeout(SHORT_WAIT, load).await;
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.keeps.abort();
        if let Some(watches) = &self.watches {
            watches.abort();
        }
    }
}
