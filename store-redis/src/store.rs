//! [`RedisStore`]: the store that a program creates and passes to its token sources.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::StoreError;

use crate::settings::Settings;

/// Sessions in Redis, for any number of processes on any number of machines.
///
/// It connects at the first use, and again by itself after a failure. Clones share their connections, and one store is
/// enough for all sessions of a process. [The crate](crate) says what it needs from Redis.
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
    /// [`StoreError`] if the URL is not valid.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        Settings::new(url).map(Self::from_settings)
    }

    /// The prefix of the keys and of the channel, instead of `tradovate-auth:`. All processes that share sessions need
    /// the same prefix.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let keys = crate::scripts::Keys::new(prefix.into());
        self.with(|settings| settings.keys = keys)
    }

    /// Seals (encrypts) the records with a key. So a person who can read Redis, its backups or its replicas can't
    /// trade.
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn sealed(self, key: tradovate_auth_store::SealingKey) -> Self {
        let codec = tradovate_auth_store::Codec::sealed(key);
        self.with(|settings| settings.codec = codec)
    }

    /// The longest time to connect to one address of the host, and the longest time to wait for an answer. The default
    /// is two seconds each. After that, the store reports that Redis can't be reached.
    #[must_use]
    pub fn time_outs(self, connect: Duration, answer: Duration) -> Self {
        // A socket rejects a time-out of zero.
        let shortest = Duration::from_millis(1);
        let (connect_time, answer_time) = (connect.max(shortest), answer.max(shortest));
        self.with(|settings| (settings.connect_time, settings.answer_time) = (connect_time, answer_time))
    }

    /// Trusts only the certificate authorities in this PEM text. The default is the authorities of the system.
    ///
    /// # Errors
    /// [`StoreError`] if the certificates can't be read or the URL isn't `rediss://`.
    pub fn root_certificates(self, pem: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).root_certificates(pem).map(Self::from_settings)
    }

    /// Presents a client certificate to the server: a chain and its key, in PEM.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read or the URL isn't `rediss://`.
    pub fn client_certificate(self, chain: &[u8], key: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).client_certificate(chain, key).map(Self::from_settings)
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self::from_settings(settings)
    }

    /// The store gets its own connections, because the settings differ.
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
