//! What a session asks of its store, and what the store answers.
//!
//! A store holds one record for each session: the newest snapshot under a [`Revision`]. A process that wants to send takes the
//! [`Lease`] first, so that one process at a time sends and saves. The session asks by
//! [`Action::Store`](crate::Action::Store); the driver asks the store and reports the answer to
//! [`Session::store_answered`](crate::Session::store_answered).

use alloc::string::String;
use core::time::Duration;

use crate::stored_session::StoredSession;

mod error;

pub use error::{StoreError, StoreErrorKind};

/// When a process may open a session of its own if its store has none that can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MayLogIn {
    /// Never. The process uses what others store, and may renew it.
    Never,
    /// If the store says twice within a second that it holds nothing, or holds a session that has ended.
    #[default]
    WhenNeeded,
    /// Also if the stored session can't be read. The new session replaces it.
    EvenIfUnreadable,
}

/// Which of all records that were ever stored under a name: each save makes another, and none comes twice, not even
/// after a store has lost everything. Revisions have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub u64);

/// The right to send requests for a session and to save the result, for a limited time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The number of the lease. No other lease of the same name ever has the same one, and later ones have higher ones,
    /// unless the store has forgotten the earlier ones.
    pub fence: u64,
    /// When it ends: this long after it was asked for. A store may give less time than it was asked for.
    pub time: Duration,
}

/// A record as it was loaded.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// Which one it is.
    pub revision: Revision,
    /// How long ago it was saved, by the store's own clock: the clocks of two machines may differ, this doesn't. `None` if
    /// that clock has been set back since.
    pub age: Option<Duration>,
    /// Where it is, such as `the file /home/trader/x.session`. The event [`StoreFailed`](crate::EventKind::StoreFailed) says so
    /// if the session can't be read. It must hold no secret.
    pub place: String,
    /// The session, or why it can't be read.
    pub session: Result<StoredSession, Unreadable>,
}

/// Why a record can't be read. It is left as it is, unless the program allows a login in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is nothing of this library's.
    #[error("what is stored is another program's: remove it, or choose another place for the session")]
    Foreign,
    /// A newer version of this library has written it.
    #[error("a newer version of this library has stored the session: update this program")]
    Newer,
    /// It is not what was written under this name: cut off, changed, or copied from another one.
    #[error("the stored session is damaged: remove it to log in anew")]
    Damaged,
    /// It is sealed, and no key was given.
    #[error("the stored session is sealed: give the key it was sealed with")]
    Sealed,
    /// It is not sealed, and a key was given: whoever could write it could have put another user's session there.
    #[error("the stored session is not sealed, and with a key only sealed ones are used: remove it to log in anew")]
    Unsealed,
    /// It is sealed with another key, for another name, or damaged.
    #[error(
        "the stored session was sealed with another key, or is damaged: give that key, or remove it to log in anew"
    )]
    WrongKey,
}

/// What a session asks of its store.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreRequest {
    /// Store this snapshot with the owner's hook, for this process alone. The answer is [`StoreAnswer::Kept`].
    Keep(StoredSession),
    /// Take the lease for this long. The answer is [`StoreAnswer::Lease`].
    Acquire(Duration),
    /// Load the record. The answer is [`StoreAnswer::Loaded`].
    Load,
    /// Save this snapshot if the record is still the one that is known. The answer is [`StoreAnswer::Saved`].
    Save {
        /// What to save.
        snapshot: StoredSession,
        /// The record that the snapshot replaces; `None` if there is none.
        known: Option<Revision>,
        /// The lease of this process.
        lease: Lease,
    },
    /// End the lease before its time. The answer is [`StoreAnswer::Released`].
    Release(Lease),
}

/// What a store has done.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreAnswer {
    /// The hook has stored the snapshot.
    Kept,
    /// The lease that was given, or `None`: another process holds it.
    Lease(Option<Lease>),
    /// The record, if there is one.
    Loaded(Option<StoredRecord>),
    /// The revision under which the snapshot was saved, or `None`: another process came first, and nothing was changed.
    Saved(Option<Revision>),
    /// The lease has ended.
    Released,
}

/// Who may send for a shared session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseHolder {
    /// Nobody, as far as this process knows.
    Nobody,
    /// This process, until then.
    ThisProcess {
        /// The end of its lease.
        until: jiff::Timestamp,
    },
    /// Another process, when this one last asked for the lease.
    AnotherProcess,
}
