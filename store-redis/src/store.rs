//! [`RedisStore`]: what a program makes, and hands to its token sources.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::StoreError;

use crate::settings::Settings;

/// Sessions in Redis, for any number of processes on any number of machines.
///
/// It connects when it is first used, and again by itself after each trouble. Clones share their connections, and one is
/// enough for all sessions of a process. See [the crate](crate) for what it asks of Redis.
///
/// ```
/// use tradovate_auth_store_redis::RedisStore;
///
/// let store = RedisStore::new("redis://app:secret@redis.example:6379/0")?.prefix("trading:");
/// assert!(!format!("{store:?}").contains("secret"));
/// # Ok::<(), tradovate_auth_session::StoreError>(())
/// ```
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) settings: Arc<Settings>,
    #[cfg(feature = "blocking")]
    pub(crate) blocking: Arc<crate::blocking::Connections>,
    #[cfg(feature = "tokio")]
    pub(crate) nonblocking: Arc<crate::nonblocking::Connections>,
}

impl RedisStore {
    /// A store at a URL: `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or
    /// `unix:///path?db=0&user=…&pass=…`.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be one.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        Settings::new(url).map(Self::from_settings)
    }

    /// What the keys of all sessions and the channel begin with, instead of `tradovate-auth:`. Processes that share
    /// sessions give the same one.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let keys = crate::scripts::Keys::new(prefix.into());
        self.with(|settings| settings.keys = keys)
    }

    /// Seals what is stored with a key, so that who can read Redis, its backups or its replicas can't trade.
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn sealed(self, key: tradovate_auth_store::SealingKey) -> Self {
        let codec = tradovate_auth_store::Codec::sealed(key);
        self.with(|settings| settings.codec = codec)
    }

    /// How long a connection may take, to one address of the host, and how long an answer; two seconds each unless said.
    /// After that the store says that Redis can't be reached.
    #[must_use]
    pub fn time_outs(self, connect: Duration, answer: Duration) -> Self {
        // No time at all is no time-out to a socket, but an error.
        let shortest = Duration::from_millis(1);
        let (connect_time, answer_time) = (connect.max(shortest), answer.max(shortest));
        self.with(|settings| (settings.connect_time, settings.answer_time) = (connect_time, answer_time))
    }

    /// Trusts the authorities of these certificates, in PEM, and no others; unless said, those of the system are trusted.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read or the URL isn't `rediss://`.
    pub fn root_certificates(self, pem: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).root_certificates(pem).map(Self::from_settings)
    }

    /// Shows the server a certificate: a chain and its key, in PEM.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read or the URL isn't `rediss://`.
    pub fn client_certificate(self, chain: &[u8], key: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).client_certificate(chain, key).map(Self::from_settings)
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self::from_settings(settings)
    }

    /// With connections of its own: those of other settings would be the wrong ones.
    fn from_settings(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            #[cfg(feature = "blocking")]
            blocking: Arc::default(),
            #[cfg(feature = "tokio")]
            nonblocking: Arc::default(),
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
