//! [`Keeper`]: a thread that renews the token before it expires.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::Revision;
use tradovate_auth_token_source::sync_primitives::Instant;
use tradovate_auth_token_source::sync_primitives::atomic::{AtomicBool, Ordering};
use tradovate_auth_token_source::sync_primitives::mpsc::{self, Receiver};
use tradovate_auth_token_source::sync_primitives::thread;
use tradovate_auth_token_source::{Idle, LONGEST_SLEEP};

use crate::token_source::Inner;

/// Keeps a session alive until the keeper is dropped. Dropping it ends its thread. A request in flight continues in
/// the background, so its answer is not lost.
#[derive(Debug)]
#[must_use = "the session is kept alive only as long as the keeper lives"]
pub struct Keeper {
    source: Arc<Inner>,
    over: Arc<AtomicBool>,
    ended: Receiver<()>,
}

/// How long a drop waits for the thread to end. The thread carries out no request itself, but it may run a callback,
/// and the callback may drop the keeper.
const DROP_TIMEOUT: Duration = Duration::from_millis(500);

/// How long one query for changes of a store may take. Between two queries, the thread checks whether the keeper was
/// dropped.
const QUERY_TIME: Duration = Duration::from_secs(5);

/// The longest wait for a load from the store, and for one change of the source.
const SHORT_WAIT: Duration = Duration::from_millis(500);

impl Keeper {
    pub(crate) fn start(source: Arc<Inner>) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (running, ended) = mpsc::channel();
        let (kept, ends) = (Arc::clone(&source), Arc::clone(&over));
        thread::Builder::new().name("tradovate-auth-keeper".into()).spawn(move || {
            let _running = running;
            keep(&kept, &ends);
        })?;
        // If the second thread can't be started, dropping this keeper ends the first.
        let keeper = Self { source, over, ended };
        if keeper.source.storage.is_shared() {
            let (watched, ends) = (Arc::clone(&keeper.source), Arc::clone(&keeper.over));
            thread::Builder::new().name("tradovate-auth-watch".into()).spawn(move || watch(&watched, &ends))?;
        }
        Ok(keeper)
    }
}

impl Keeper {
    /// Stops the keeper, and waits until requests in flight have ended and their answers are stored. It waits at most
    /// as long as one request may take.
    ///
    /// Call this before the program ends, so that no answer is lost and other processes need not wait for the end of a
    /// lease. Without this call, a request in flight continues in the background, or is cancelled when the program
    /// ends.
    pub fn stop(self) {
        let source = Arc::clone(&self.source);
        drop(self);
        let begun = Instant::now();
        loop {
            // The count is read before the check, so a change after the check ends the sleep at once.
            let seen = source.changes.count();
            let is_over = begun.elapsed() >= source.shared.longest_exchange();
            if is_over || source.shared.is_calling_back() || !source.shared.is_busy() {
                return;
            }
            // This starts the next action if the session only waited for the end of a back-off.
            source.drive();
            source.changes.sleep(seen, SHORT_WAIT);
        }
    }
}

fn keep(source: &Arc<Inner>, over: &AtomicBool) {
    loop {
        // The count is read before the checks, so a change after them ends the sleep at once.
        let seen = source.changes.count();
        if over.load(Ordering::SeqCst) {
            return;
        }
        let time = match source.drive() {
            Idle::Wait(time) | Idle::Busy(time) => time,
            // There is no action until something changes or it is time to ask a failed store again.
            Idle::Stopped(_) => LONGEST_SLEEP,
        };
        source.changes.sleep(seen, time);
    }
}

/// Reloads the session whenever the shared store changes. Each query of the store is short, so that the thread ends soon
/// after the keeper is dropped.
fn watch(source: &Arc<Inner>, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let known = source.shared.known_revision();
        let begun = Instant::now();
        match source.shared.call_back(|| source.storage.changed(known, QUERY_TIME)) {
            Ok(()) if begun.elapsed() >= QUERY_TIME => {}
            Ok(()) => {
                source.shared.store_has_changed();
                wait_for_load(source, over, known);
            }
            Err(_) => wait_for_load(source, over, known),
        }
    }
}

/// Waits until the source has loaded another record, at most `SHORT_WAIT`.
fn wait_for_load(source: &Inner, over: &AtomicBool, known: Option<Revision>) {
    let begun = Instant::now();
    loop {
        let seen = source.changes.count();
        let left = SHORT_WAIT.saturating_sub(begun.elapsed());
        if left.is_zero() || over.load(Ordering::SeqCst) || source.shared.known_revision() != known {
            return;
        }
        source.changes.sleep(seen, left);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.source.changes.notify();
        // An error means that the thread has ended.
        let _ = self.ended.recv_timeout(DROP_TIMEOUT);
    }
}
