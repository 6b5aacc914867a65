//! [`StoreRequest`] and [`StoreAnswer`]: what a session asks of its store, and what the store answers.
//!
//! A shared store holds one record for each session: the newest snapshot, with a [`Revision`]. A process acquires the
//! [`Lease`] before it sends, so that only one process at a time sends and saves. The session returns
//! [`Action::Store`](crate::Action::Store). The driver sends the request to the store and reports the answer with
//! [`Session::store_answered`](crate::Session::store_answered).

use alloc::string::String;
use core::time::Duration;

use crate::stored_session::StoredSession;

mod error;

pub use error::{StoreError, StoreErrorKind};

/// Whether a process may log in with a password if the shared store has no usable session. OAuth refreshes and
/// exchanges of a code are always allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MayLogIn {
    /// Never. The process uses and renews the session that another process has stored.
    Never,
    /// If the store has no usable session. If the store is empty or the stored token has expired, the process first
    /// loads the record twice, at least one second apart, because another process may be about to save a newer token.
    #[default]
    WhenNeeded,
    /// As `WhenNeeded`, and also if the stored session can't be read. The new session replaces it.
    EvenIfUnreadable,
}

/// Identifies one version of a record. Each save creates a new revision. A revision is never used twice, even after
/// a store has lost its data. Revisions can be compared for equality only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub u64);

/// The exclusive right of one process to send the requests of a session and to save the results, for a limited time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The number of the lease. It is unique for the name, and later leases have higher numbers, unless the store has
    /// lost the earlier leases.
    pub fence: u64,
    /// How long the lease lasts, counted from the request. A store may grant less time than requested.
    pub time: Duration,
}

/// A record that was loaded from the store.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// The version of the record.
    pub revision: Revision,
    /// How long ago the record was saved, measured by the store's clock only. So a difference between the clocks of two
    /// machines has no effect. `None` if the store's clock was set back since.
    pub age: Option<Duration>,
    /// The place of the record, such as `the file /home/trader/x.session`. The event
    /// [`StoreFailed`](crate::EventKind::StoreFailed) shows it if the session can't be read. It must contain no secret.
    pub place: String,
    /// The session, or why it can't be read.
    pub session: Result<StoredSession, Unreadable>,
}

/// Why a record can't be read. The session leaves the record unchanged, unless
/// [`MayLogIn::EvenIfUnreadable`] allows a login that replaces it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// This library did not write the record.
    #[error(
        "the store has data of another program under this name: choose another name or another directory for the session"
    )]
    Foreign,
    /// A newer version of this library wrote the record.
    #[error("a newer version of this library has written the session: update this program")]
    Newer,
    /// The record is incomplete, was changed, or was copied from another name.
    #[error("the stored session is damaged: {REMOVE_IT}")]
    Damaged,
    /// The record is sealed (encrypted), and no key was given.
    #[error("the stored session is sealed: give the key it was sealed with")]
    Sealed,
    /// The record is not sealed, but a key was given. Anybody with write access could have replaced it by another
    /// user's session, so it is not used.
    #[error("the stored session is not sealed, and a program with a key uses only sealed sessions: {REMOVE_IT}")]
    Unsealed,
    /// The record was sealed with another key or for another name, or it is damaged.
    #[error("the stored session was sealed with another key, or is damaged: give the right key, or {REMOVE_IT}")]
    WrongKey,
}

const REMOVE_IT: &str = "remove it to log in again; with OAuth, the user then has to authorize the app again";

/// A request of a session to its store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreRequest {
    /// Save this snapshot, in a store that this process alone uses (no lease, no revision). The answer is
    /// [`StoreAnswer::Kept`].
    Keep(StoredSession),
    /// Acquire the lease for this long. The answer is [`StoreAnswer::Lease`].
    Acquire(Duration),
    /// Load the record. The answer is [`StoreAnswer::Loaded`].
    Load,
    /// Save this snapshot if the record still has the revision `known` and the lease is still the newest one. Otherwise
    /// change nothing. The answer is [`StoreAnswer::Saved`].
    Save {
        /// What to save.
        snapshot: StoredSession,
        /// The revision that the snapshot replaces. `None` if the store holds no record.
        known: Option<Revision>,
        /// The lease of this process.
        lease: Lease,
    },
    /// Release the lease before it ends. The answer is [`StoreAnswer::Released`].
    Release(Lease),
}

/// The answer of a store to a [`StoreRequest`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreAnswer {
    /// The snapshot was saved.
    Kept,
    /// The lease, or `None` if another process holds it.
    Lease(Option<Lease>),
    /// The record, if there is one.
    Loaded(Option<StoredRecord>),
    /// The new revision, or `None` if another process has saved or has taken the lease. In this case the save changed
    /// nothing.
    Saved(Option<Revision>),
    /// The lease was released.
    Released,
}

/// Which process holds the lease of a shared session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseHolder {
    /// No process, as far as this one knows.
    Nobody,
    /// This process.
    ThisProcess {
        /// When the lease ends.
        until: jiff::Timestamp,
    },
    /// Another process, when this process last asked for the lease.
    AnotherProcess,
}
