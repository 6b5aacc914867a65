//! [`Keeper`]: renews ahead of expiry in a task of its own.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tradovate_auth_token_source::{Idle, LONGEST_SLEEP};

use crate::token_source::Inner;

/// Keeps a session alive for as long as it lives itself. Dropping it ends its task at once; an exchange under way is
/// brought to its end in the background, so that its answer is not lost.
#[derive(Debug)]
#[must_use = "the session is kept alive only as long as the keeper lives"]
pub struct Keeper(JoinHandle<()>);

impl Keeper {
    pub(crate) fn start(source: Arc<Inner>) -> Self {
        Self(tokio::spawn(async move { keep(&source).await }))
    }
}

async fn keep(source: &Arc<Inner>) {
    loop {
        let mut changes = source.changes();
        let time = match source.lead() {
            Idle::Wait(time) | Idle::Led(time) => time.min(LONGEST_SLEEP),
            // Something changes before there is work.
            Idle::Stopped(_) => LONGEST_SLEEP,
        };
        // Over or changed, the loop looks again.
        let _ = timeout(time, changes.changed()).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
