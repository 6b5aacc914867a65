//! [`Keeper`]: renews ahead of expiry in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::Revision;
use tradovate_auth_token_source::{Idle, LONGEST_SLEEP};

use crate::sync::tokio;
use crate::sync::tokio::task::JoinHandle;
use crate::sync::tokio::time::{Instant, timeout};
use crate::token_source::Inner;

/// Keeps a session alive for as long as it lives itself. Dropping it ends its task at once; an exchange under way is
/// brought to its end in the background, so that its answer is not lost.
#[derive(Debug)]
#[must_use = "the session is kept alive only as long as the keeper lives"]
pub struct Keeper {
    source: Arc<Inner>,
    keeps: JoinHandle<()>,
    watches: Option<JoinHandle<()>>,
}

/// How long a store is asked for changes at a time.
const SLICE: Duration = Duration::from_secs(5);

/// How long a load from the store is waited for.
const MOMENT: Duration = Duration::from_millis(500);

impl Keeper {
    pub(crate) fn start(source: Arc<Inner>) -> Self {
        let watches = source.storage.is_shared().then(|| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { watch(&source).await })
        });
        let kept = Arc::clone(&source);
        Self { source, keeps: tokio::spawn(async move { keep(&kept).await }), watches }
    }

    /// Ends it, and waits until what is under way is done and what has come is stored, for as long as an exchange may take:
    /// so a program that ends loses nothing, and leaves no lease behind which others would have to wait for. Without this
    /// an exchange ends in the background, or with the program.
    pub async fn stop(mut self) {
        let source = Arc::clone(&self.source);
        self.keeps.abort();
        // Another thread may run the task at this moment, and it may be about to send a request.
        let _ = timeout(MOMENT, &mut self.keeps).await;
        drop(self);
        let begun = Instant::now();
        loop {
            // Counted before it is looked whether anything is under way: the end of it ends the sleep.
            let mut changes = source.changes();
            if begun.elapsed() >= source.shared.longest_exchange() || !source.shared.is_busy() {
                return;
            }
            // The session may wait only for the end of a pause.
            source.drive();
            // Over or changed, the loop looks again.
            let _ = timeout(MOMENT, changes.changed()).await;
        }
    }
}

async fn keep(source: &Arc<Inner>) {
    loop {
        let mut changes = source.changes();
        let time = match source.drive() {
            Idle::Wait(time) | Idle::Busy(time) => time.min(LONGEST_SLEEP),
            // Something changes before there is work.
            Idle::Stopped(_) => LONGEST_SLEEP,
        };
        // Over or changed, the loop looks again.
        let _ = timeout(time, changes.changed()).await;
    }
}

/// Has the source load whenever the store that it shares has changed.
async fn watch(source: &Arc<Inner>) {
    loop {
        let known = source.shared.known_revision();
        let begun = Instant::now();
        match source.storage.changed(known, SLICE).await {
            Ok(()) if begun.elapsed() >= SLICE => {}
            Ok(()) => {
                source.shared.store_has_changed();
                wait_for_load(source, known).await;
            }
            Err(_) => wait_for_load(source, known).await,
        }
    }
}

/// Waits until the source is in step with another record, for a moment at most.
async fn wait_for_load(source: &Inner, known: Option<Revision>) {
    let looked = async {
        let mut changes = source.changes();
        while source.shared.known_revision() == known && changes.changed().await.is_ok() {}
    };
    // Over or not, the store is asked again.
    let _ = timeout(MOMENT, looked).await;
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.keeps.abort();
        if let Some(watches) = &self.watches {
            watches.abort();
        }
    }
}
