//! [`Changes`]: the messages of the channel, for all tasks that wait for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::watch;

use super::lock;

pub(crate) struct Changes {
    /// Nothing: the connection is lost, and no message will come.
    names: Mutex<Option<HashMap<String, watch::Sender<()>>>>,
}

/// A task that waits for messages about a name.
pub(crate) struct Watcher {
    changes: Weak<Changes>,
    name: String,
    /// There until it is dropped.
    messages: Option<watch::Receiver<()>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { names: Mutex::new(Some(HashMap::new())) }
    }
}

impl Changes {
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.names).is_some()
    }

    pub(crate) fn tell(&self, name: &[u8]) {
        let names = lock(&self.names);
        let name = str::from_utf8(name).ok();
        if let Some(sender) = names.as_ref().zip(name).and_then(|(names, name)| names.get(name)) {
            sender.send_replace(());
        }
    }

    pub(crate) fn lose(&self) {
        *lock(&self.names) = None;
    }

    pub(crate) fn watcher(self: &Arc<Self>, name: &str) -> Option<Watcher> {
        let mut names = lock(&self.names);
        let sender = names.as_mut()?.entry(name.to_owned()).or_insert_with(|| watch::Sender::new(()));
        let messages = Some(sender.subscribe());
        Some(Watcher { changes: Arc::downgrade(self), name: name.to_owned(), messages })
    }
}

impl Watcher {
    /// What has come so far doesn't count any more.
    pub(crate) fn forget_messages(&mut self) {
        if let Some(messages) = &mut self.messages {
            messages.mark_unchanged();
        }
    }

    /// Waits for a message; says whether one has come, or none will.
    pub(crate) async fn message(&mut self) -> bool {
        match &mut self.messages {
            Some(messages) => messages.changed().await.is_ok(),
            None => false,
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Some(changes) = self.changes.upgrade() else { return };
        let mut names = lock(&changes.names);
        self.messages = None;
        if let Some(names) = names.as_mut()
            && names.get(&self.name).is_some_and(|sender| sender.receiver_count() == 0)
        {
            names.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_waits_for_is_forgotten() {
        let changes = Arc::new(Changes::default());
        let names = || lock(&changes.names).as_ref().map(HashMap::len);
        let (one, other) = (changes.watcher("a"), changes.watcher("a"));
        assert_eq!(names(), Some(1));
        drop(one);
        assert_eq!(names(), Some(1));
        drop(other);
        assert_eq!(names(), Some(0));
        changes.tell(b"a");
        changes.lose();
        assert!(changes.watcher("a").is_none());
    }
}
