//! What is stored under a name.

use std::time::Duration;

use tradovate_auth_session::StoredSession;

/// Which of all records that were ever stored under a name: each save makes another, and none comes twice, not even
/// after a store has lost everything. Revisions have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub u64);

/// A record as it was loaded.
#[derive(Debug)]
pub struct Stored {
    /// Which one it is.
    pub revision: Revision,
    /// How long ago it was saved, by the store's own clock: the clocks of two machines may differ, this doesn't. Nothing
    /// where that clock has been set back since.
    pub age: Option<Duration>,
    /// The session, where it can be read.
    pub session: Result<StoredSession, Unreadable>,
}

/// Why a record can't be read. It is left as it is, unless the program allows a login in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is nothing of this library's.
    #[error("what is stored is no session: is it another program's?")]
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
    #[error("the stored session can't be opened: it was sealed with another key, or is damaged")]
    WrongKey,
}
