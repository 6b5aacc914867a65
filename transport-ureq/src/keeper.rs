//! [`Keeper`]: renews ahead of expiry on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::Revision;
use tradovate_auth_token_source::sync::Instant;
use tradovate_auth_token_source::sync::atomic::{AtomicBool, Ordering};
use tradovate_auth_token_source::sync::mpsc::{self, Receiver};
use tradovate_auth_token_source::sync::thread;
use tradovate_auth_token_source::{Idle, LONGEST_SLEEP};

use crate::token_source::Inner;

/// Keeps a session alive for as long as it lives itself. Dropping it ends its thread; an exchange under way is brought
/// to its end in the background, so that its answer is not lost.
#[derive(Debug)]
#[must_use = "the session is kept alive only as long as the keeper lives"]
pub struct Keeper {
    source: Arc<Inner>,
    over: Arc<AtomicBool>,
    ended: Receiver<()>,
}

/// The longest a keeper's end is waited for: it never carries a request itself, but may be in a callback, which may be
/// the one that drops it.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// How long a store is asked for changes at a time.
const SLICE: Duration = Duration::from_secs(5);

/// How long a load from the store is waited for.
const MOMENT: Duration = Duration::from_millis(500);

impl Keeper {
    pub(crate) fn start(source: Arc<Inner>) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (running, ended) = mpsc::channel();
        let (kept, ends) = (Arc::clone(&source), Arc::clone(&over));
        thread::Builder::new().name("tradovate-auth-keeper".into()).spawn(move || {
            let _running = running;
            keep(&kept, &ends);
        })?;
        // Dropped where the system has no second thread to give, it ends the first.
        let keeper = Self { source, over, ended };
        if keeper.source.storage.is_shared() {
            let (watched, ends) = (Arc::clone(&keeper.source), Arc::clone(&keeper.over));
            thread::Builder::new().name("tradovate-auth-watch".into()).spawn(move || watch(&watched, &ends))?;
        }
        Ok(keeper)
    }
}

impl Keeper {
    /// Ends it, and waits until what is under way is done and what has come is stored, for as long as an exchange may take:
    /// so a program that ends loses nothing, and leaves no lease behind which others would have to wait for. Without this
    /// an exchange ends in the background, or with the program.
    pub fn stop(self) {
        let source = Arc::clone(&self.source);
        drop(self);
        let begun = Instant::now();
        loop {
            // Counted before it is looked whether anything is under way: the end of it ends the sleep.
            let seen = source.changes.count();
            let is_over = begun.elapsed() >= source.shared.longest_exchange();
            if is_over || source.shared.is_calling_back() || !source.shared.is_busy() {
                return;
            }
            // The session may wait only for the end of a pause.
            source.drive();
            source.changes.sleep(seen, MOMENT);
        }
    }
}

fn keep(source: &Arc<Inner>, over: &AtomicBool) {
    loop {
        // Counted before anything is looked at: what changes afterwards ends the sleep.
        let seen = source.changes.count();
        if over.load(Ordering::SeqCst) {
            return;
        }
        let time = match source.drive() {
            Idle::Wait(time) | Idle::Busy(time) => time,
            // Something changes before there is work, or a store that has failed is asked again.
            Idle::Stopped(_) => LONGEST_SLEEP,
        };
        source.changes.sleep(seen, time);
    }
}

/// Has the source load whenever the store that it shares has changed. The store is asked in slices, after each of
/// which a keeper that is dropped ends this too.
fn watch(source: &Arc<Inner>, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let known = source.shared.known_revision();
        let begun = Instant::now();
        match source.shared.call_back(|| source.storage.changed(known, SLICE)) {
            Ok(()) if begun.elapsed() >= SLICE => {}
            Ok(()) => {
                source.shared.store_has_changed();
                wait_for_load(source, over, known);
            }
            Err(_) => wait_for_load(source, over, known),
        }
    }
}

/// Waits until the source is in step with another record, for a moment at most.
fn wait_for_load(source: &Inner, over: &AtomicBool, known: Option<Revision>) {
    let begun = Instant::now();
    loop {
        let seen = source.changes.count();
        let left = MOMENT.saturating_sub(begun.elapsed());
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
        // An error means that the thread has ended, which is what is waited for.
        let _ = self.ended.recv_timeout(LONGEST_WAIT);
    }
}
