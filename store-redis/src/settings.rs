//! [`Settings`]: how to reach Redis, and how a session is converted to a record and back. Both forms use it.

use std::fmt;
use std::time::Duration;

use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError};
use rustls::crypto::{CryptoProvider, ring};
use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord};
use tradovate_auth_store::{Codec, SessionName};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::scripts::{Call, Keys};

/// The default prefix of the keys.
const PREFIX: &str = "tradovate-auth:";

/// The default time-out, to connect and for an answer: long enough for a busy server, short enough for a waiting
/// caller.
const LONGEST: Duration = Duration::from_secs(2);

/// A connection that was idle for longer than this is not used again: a firewall or proxy may have dropped it.
const LONGEST_QUIET: Duration = Duration::from_secs(10);

/// How often a connection is tested while a caller waits for a message.
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// The answer of [`Keys::load`].
pub(crate) type Loaded = Option<(u64, Vec<u8>, i64)>;

#[derive(Clone)]
pub(crate) struct Settings {
    client: Client,
    certificates: redis::TlsCertificates,
    pub(crate) codec: Codec,
    pub(crate) keys: Keys,
    pub(crate) connect_time: Duration,
    pub(crate) answer_time: Duration,
    pub(crate) longest_quiet: Duration,
    pub(crate) tried_every: Duration,
}

impl Settings {
    pub(crate) fn new(url: &str) -> Result<Self, StoreError> {
        // If a password is not percent-encoded, `?` or `#` in it ends the address, and part of the password is read as
        // a port.
        let is_cut_off = url.split_once(['?', '#']).is_some_and(|(_, rest)| rest.contains('@') || url.contains('#'));
        let info: ConnectionInfo = if is_cut_off {
            return Err(unusable_url());
        } else {
            url.into_connection_info().map_err(|_| unusable_url())?
        };
        let redis = info.redis_settings().clone();
        let redis =
            redis.set_protocol(ProtocolVersion::RESP2).set_lib_name("tradovate-auth", env!("CARGO_PKG_VERSION"));
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp);
        Ok(Self {
            client: Client::open(info).map_err(|_| unusable_url())?,
            certificates: redis::TlsCertificates { client_tls: None, root_cert: None },
            codec: Codec::plain(),
            keys: Keys::new(PREFIX.into()),
            connect_time: LONGEST,
            answer_time: LONGEST,
            longest_quiet: LONGEST_QUIET,
            tried_every: TRIED_EVERY,
        })
    }

    pub(crate) fn root_certificates(self, pem: &[u8]) -> Result<Self, StoreError> {
        let certificates = redis::TlsCertificates { root_cert: Some(pem.to_vec()), ..self.certificates.clone() };
        self.certificates(certificates)
    }

    pub(crate) fn client_certificate(self, certificates: &[u8], key: &[u8]) -> Result<Self, StoreError> {
        let client = ClientTlsConfig { client_cert: certificates.to_vec(), client_key: key.to_vec() };
        let certificates = redis::TlsCertificates { client_tls: Some(client), ..self.certificates.clone() };
        self.certificates(certificates)
    }

    fn certificates(mut self, certificates: redis::TlsCertificates) -> Result<Self, StoreError> {
        if !self.is_tls() {
            return Err(unusable_certificates("the URL asks for no TLS, which rediss:// does"));
        }
        self.client = Client::build_with_tls(self.client.get_connection_info().clone(), certificates.clone())
            .map_err(|error| unusable_certificates(&error.to_string()))?;
        self.certificates = certificates;
        Ok(self)
    }

    /// The client for a connection with a protocol version.
    pub(crate) fn client(&self, protocol: ProtocolVersion) -> Client {
        if self.is_tls() {
            install_provider();
        }
        let info = self.client.get_connection_info().clone();
        let redis = info.redis_settings().clone().set_protocol(protocol);
        Client::open(info.set_redis_settings(redis)).unwrap_or_else(|_| self.client.clone())
    }

    fn is_tls(&self) -> bool {
        matches!(self.client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The address of Redis, without secrets.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    pub(crate) fn failure(&self, error: &RedisError) -> Failure {
        Failure::of(error, &self.address(), &self.keys.rights())
    }

    pub(crate) fn lost(&self) -> Failure {
        Failure::closed(&self.address(), "the connection was lost")
    }

    pub(crate) fn stored(&self, name: &SessionName, loaded: Loaded) -> Option<StoredRecord> {
        let (revision, record, age) = loaded?;
        let record = Zeroizing::new(record);
        let session = self.codec.decode(name, &record);
        Some(StoredRecord {
            revision: Revision(revision),
            age: u64::try_from(age).ok().map(Duration::from_micros),
            place: format!("the key {} of Redis", self.keys.record(name)),
            session,
        })
    }

    pub(crate) fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Call, StoreError> {
        let record = self.codec.encode(name, session)?;
        Ok(self.keys.save(name, &record, session.keep_for(), known, lease))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.address())
            .field("tls", &self.is_tls())
            .field("prefix", &self.keys.prefix())
            .finish_non_exhaustive()
    }
}

/// The URL is not a Redis URL, or it is incomplete.
fn unusable_url() -> StoreError {
    let text = "the URL of Redis can't be used: it has to be redis://[[user]:password@]host[:port][/database], or rediss://… \
        for TLS, with the special characters of a password percent-encoded";
    StoreError::new(StoreErrorKind::Misconfigured, text)
}

/// The certificates or the key can't be read, or the URL does not use TLS.
fn unusable_certificates(reason: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, format!("the certificates for Redis can't be used: {reason}"))
}

/// Installs `ring` as the provider of this process if there is none. The Redis client uses the provider of the process,
/// and panics if there is none and another crate of the program brings a second one.
fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have installed a provider in the meantime. That one is used.
        let _ = ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_an_unescaped_password_is_refused_and_not_printed() {
        for url in ["redis://user:123#canary@host", "redis://user:123?canary@host", "redis://:can/ary@host", "canary"] {
            let error = Settings::new(url).unwrap_err();
            assert_eq!(error.to_string(), unusable_url().to_string());
        }
    }

    #[test]
    fn a_store_waits_two_seconds_to_connect_and_two_for_an_answer() {
        let settings = Settings::new("redis://redis.example/").unwrap();
        assert_eq!((settings.connect_time, settings.answer_time), (Duration::from_secs(2), Duration::from_secs(2)));
    }

    #[test]
    fn a_connection_with_tls_finds_a_crypto_provider() {
        Settings::new("rediss://redis.example/").unwrap().client(ProtocolVersion::RESP2);
        assert!(CryptoProvider::get_default().is_some());
    }

    #[test]
    fn a_rediss_url_enables_tls_and_a_redis_url_does_not() {
        assert!(!Settings::new("redis://redis.example/").unwrap().is_tls());
        assert!(Settings::new("rediss://redis.example/").unwrap().is_tls());
        let printed = format!("{:?}", crate::RedisStore::new("redis://redis.example/").unwrap());
        assert!(printed.contains("redis.example:6379"), "{printed}");
    }

    #[test]
    fn a_url_can_contain_user_password_port_and_database() {
        let settings = Settings::new("rediss://user:p%40ss@redis.example:6380/3").unwrap();
        assert_eq!(
            format!("{settings:?}"),
            r#"RedisStore { address: "redis.example:6380", tls: true, prefix: "tradovate-auth:", .. }"#
        );
        let redis = settings.client.get_connection_info().redis_settings().clone();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("user"), Some("p@ss"), 3));
    }

    #[test]
    fn certificates_without_tls_are_refused() {
        let error = Settings::new("redis://127.0.0.1/").unwrap().root_certificates(b"").unwrap_err();
        assert!(error.to_string().starts_with("the certificates for Redis can't be used"), "{error}");
    }
}
