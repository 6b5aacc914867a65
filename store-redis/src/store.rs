//! [`RedisStore`]: the store that a program creates and passes to its token sources.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::StoreError;

use crate::settings::Settings;

/// A store in Redis, through which processes on any number of machines share sessions.
///
/// It connects when it is first used, and again after a failure. Clones share their connections, and one store is
/// enough for all sessions of a process. [The documentation of the crate](crate) says what the store needs from Redis.
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
    /// Creates a store at a URL, and does not connect yet. The URL is
    /// `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or `unix:///path?db=0&user=…&pass=…`.
    /// The default port is 6379.
    ///
    /// # Errors
    /// [`StoreErrorKind::Misconfigured`](tradovate_auth_session::StoreErrorKind::Misconfigured) if the URL is not
    /// valid.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        Settings::new(url).map(Self::from_settings)
    }

    /// Sets the prefix of the keys and of the channel. Default: `tradovate-auth:`. All processes that share a session
    /// need the same prefix.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let keys = crate::scripts::Keys::new(prefix.into());
        self.with(|settings| settings.keys = keys)
    }

    /// Seals (encrypts) the records with a key. So a person who can read Redis, its backups or its replicas can't
    /// trade. All processes that share a session need the same key. A store with a key reads only sealed records.
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn sealed(self, key: tradovate_auth_store::SealingKey) -> Self {
        let codec = tradovate_auth_store::Codec::sealed(key);
        self.with(|settings| settings.codec = codec)
    }

    /// Sets how long the store tries to connect to one address of the host, and how long it waits for an answer.
    /// Default: two seconds each. The shortest time is one millisecond. After that time, the store returns
    /// [`StoreErrorKind::Unreachable`](tradovate_auth_session::StoreErrorKind::Unreachable).
    #[must_use]
    pub fn time_outs(self, connect: Duration, answer: Duration) -> Self {
        // A socket rejects a time-out of zero.
        let shortest = Duration::from_millis(1);
        let (connect_time, answer_time) = (connect.max(shortest), answer.max(shortest));
        self.with(|settings| (settings.connect_time, settings.answer_time) = (connect_time, answer_time))
    }

    /// Trusts only the certificate authorities in this PEM text. Default: the authorities of the system.
    ///
    /// # Errors
    /// [`StoreErrorKind::Misconfigured`](tradovate_auth_session::StoreErrorKind::Misconfigured) if the certificates
    /// can't be read, or if the URL does not begin with `rediss://`.
    pub fn root_certificates(self, pem: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).root_certificates(pem).map(Self::from_settings)
    }

    /// Presents a client certificate to the server: a certificate chain and its private key, both in PEM.
    ///
    /// # Errors
    /// [`StoreErrorKind::Misconfigured`](tradovate_auth_session::StoreErrorKind::Misconfigured) if the chain or the key
    /// can't be read, or if the URL does not begin with `rediss://`.
    pub fn client_certificate(self, chain: &[u8], key: &[u8]) -> Result<Self, StoreError> {
        Settings::clone(&self.settings).client_certificate(chain, key).map(Self::from_settings)
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self::from_settings(settings)
    }

    /// Creates a store with connections of its own, because they depend on the settings.
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
