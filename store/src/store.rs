//! The interface of a store.

use std::time::Duration;

use tradovate_auth_session::StoredSession;

use crate::name::SessionName;
use crate::record::{Revision, Stored};

/// Where blocking programs share sessions.
///
/// All methods may be called by several threads at once. A store that can't be reached says so by an error, soon: it
/// must never say that nothing is stored because it doesn't know.
pub trait Store: Send + Sync + 'static {
    /// Why the store could not do what it was asked to. Its text is shown to the user; it holds no secret.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The right to send something for a session and to save what comes of it.
    type Lease: Send + 'static;

    /// The record of a name, where there is one.
    ///
    /// # Errors
    /// When it can't be known.
    fn load(&self, name: &SessionName) -> Result<Option<Stored>, Self::Error>;

    /// Takes the lease of a name for a time, unless another holder's has not yet run out. Where an earlier holder's has,
    /// that holder can't save any more, whatever it believes.
    ///
    /// # Errors
    /// When it can't be known whether there is another holder.
    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Self::Lease>, Self::Error>;

    /// Saves a session, durably, if the record is still the one the caller knows (`None`: there is none), and no
    /// other lease was given since the caller's. Returns the new revision, or `None` where either is not so and nothing
    /// was changed.
    ///
    /// # Errors
    /// When it was not saved, or that can't be known.
    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &Self::Lease,
    ) -> Result<Option<Revision>, Self::Error>;

    /// Gives a lease back before its time, if it is still the caller's.
    ///
    /// # Errors
    /// When it was not given back; it runs out by itself then.
    fn release(&self, name: &SessionName, lease: Self::Lease) -> Result<(), Self::Error>;

    /// Returns as soon as the record is another one than the caller knows, within a second of it; at the latest when the
    /// time is over. It may return early, for no reason.
    ///
    /// # Errors
    /// When the record can't be watched.
    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), Self::Error>;
}

/// Where async programs share sessions: [`Store`] with futures. A future that is dropped may or may not have done its
/// work.
pub trait AsyncStore: Send + Sync + 'static {
    /// As [`Store::Error`].
    type Error: std::error::Error + Send + Sync + 'static;

    /// As [`Store::Lease`].
    type Lease: Send + Sync + 'static;

    /// As [`Store::load`].
    fn load(&self, name: &SessionName) -> impl Future<Output = Result<Option<Stored>, Self::Error>> + Send;

    /// As [`Store::lease`].
    fn lease(
        &self,
        name: &SessionName,
        time: Duration,
    ) -> impl Future<Output = Result<Option<Self::Lease>, Self::Error>> + Send;

    /// As [`Store::save`].
    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &Self::Lease,
    ) -> impl Future<Output = Result<Option<Revision>, Self::Error>> + Send;

    /// As [`Store::release`].
    fn release(&self, name: &SessionName, lease: Self::Lease) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// As [`Store::changed`].
    fn changed(
        &self,
        name: &SessionName,
        known: Option<Revision>,
        time: Duration,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
