//! [`RedisStoreError`]: why Redis could not do what it was asked to, and what to do about it.
//!
//! Of what a server says, only what holds no secret gets in here: it may repeat the command it refuses, and with it the
//! password or a session.

use redis::{ErrorKind, RedisError};

/// Why the store could not do what it was asked to. Neither its text nor its `Debug` form holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisStoreError {
    /// The URL is none of Redis, or not complete.
    #[error(
        "the URL of Redis can't be used: it has to be redis://[[user]:password@]host[:port][/database], or rediss://… \
         for TLS, with the special characters of a password percent-encoded"
    )]
    Url,
    /// The certificates or the key can't be read, or the URL asks for no TLS.
    #[error("the certificates for Redis can't be used: {0}")]
    Certificates(String),
    /// There is no connection.
    #[error("Redis can't be reached at {address}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// No connection, or no answer, within the time allowed. What was to be done may have been done.
    #[error("Redis at {address} did not answer in time: is it overloaded, or the network down?")]
    TimedOut {
        /// Where it was looked for.
        address: String,
    },
    /// The user or the password is wrong, or missing.
    #[error("Redis refused the login: check the user and the password in its URL")]
    Refused,
    /// The user may not do what the store has to do.
    #[error("Redis does not allow its user what a store of sessions needs, see the documentation for it: {0}")]
    Forbidden(String),
    /// The server is a replica, or was made one.
    #[error("this Redis is a read-only replica: connect to the primary")]
    ReadOnly,
    /// The server has started and reads its data, or has lost its primary.
    #[error("Redis is not ready yet: try again in a moment")]
    NotReady,
    /// There is no memory left for what has to be written.
    #[error("Redis is out of memory: raise its maxmemory, or remove something")]
    OutOfMemory,
    /// Fewer replicas are connected than the server was told to insist on.
    #[error("Redis has too few replicas to write safely (min-replicas-to-write): mend the replication")]
    TooFewReplicas,
    /// The server refuses writes because it can't save them.
    #[error("Redis can't write to its disk and refuses changes: see the log of the server")]
    NotPersisted,
    /// A script of another program keeps the server busy.
    #[error("Redis is busy with a script of another program: try again, or stop that script")]
    Busy,
    /// The server belongs to a cluster, and the session to another node.
    #[error("this Redis is a node of a cluster, which this store doesn't support: use a server of its own")]
    Cluster,
    /// A command or a protocol that the store needs is missing.
    #[error("this Redis lacks what the store needs: use Redis 6 or newer with scripts allowed ({0})")]
    TooOld(String),
    /// A key is in use for something else, or was changed by hand.
    #[error("the key {key} holds no session: choose another prefix, or remove the key")]
    Foreign {
        /// The key.
        key: String,
    },
    /// The session could not be encoded.
    #[error("{0}")]
    NotEncoded(String),
    /// Anything else.
    #[error("Redis could not do it: {0}")]
    Other(String),
}

impl RedisStoreError {
    pub(crate) fn lost(address: String) -> Self {
        Self::Unreachable { address, reason: "the connection was lost".into() }
    }

    /// Whether the connection it came on should not be used again: it is broken, or leads to the wrong server, and
    /// another may lead to the right one.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Refused
                | Self::ReadOnly
                | Self::NotReady
                | Self::Cluster
                | Self::Other(_)
        )
    }

    pub(crate) fn new(error: &RedisError, address: String) -> Self {
        if error.is_timeout() {
            return Self::TimedOut { address };
        }
        match error.kind() {
            ErrorKind::Io => Self::Unreachable { address, reason: error.to_string() },
            ErrorKind::AuthenticationFailed => Self::Refused,
            ErrorKind::RESP3NotSupported => Self::TooOld("HELLO".into()),
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Self::said(error.code().unwrap_or_default(), error.detail().unwrap_or_default())
            }
            // The address of the server is wrong, such as one without a host.
            ErrorKind::InvalidClientConfig => Self::Unreachable { address, reason: "it is no address".into() },
            kind => Self::Other(format!("an answer that can't be understood ({kind:?})")),
        }
    }

    fn said(code: &str, detail: &str) -> Self {
        // Before Redis 7, what a command in a script says is wrapped into an error of the script.
        let says = |words: &[&str]| words.iter().any(|word| code == *word || (code == "ERR" && detail.contains(word)));
        if code == "FOREIGN" {
            Self::Foreign { key: detail.into() }
        } else if says(&["NOAUTH", "WRONGPASS"]) {
            Self::Refused
        } else if says(&["NOPERM"]) {
            Self::Forbidden(harmless(detail))
        } else if says(&["READONLY"]) {
            Self::ReadOnly
        } else if says(&["LOADING", "MASTERDOWN", "TRYAGAIN"]) {
            Self::NotReady
        } else if says(&["OOM"]) {
            Self::OutOfMemory
        } else if says(&["NOREPLICAS"]) {
            Self::TooFewReplicas
        } else if says(&["MISCONF"]) {
            Self::NotPersisted
        } else if says(&["BUSY"]) {
            Self::Busy
        } else if says(&["MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN"]) {
            Self::Cluster
        } else if says(&["unknown command", "NOPROTO"]) {
            Self::TooOld(harmless(detail))
        } else {
            Self::Other(harmless(&format!("{code} {detail}")))
        }
    }
}

/// What a server says, without the arguments of the command that it may repeat.
fn harmless(detail: &str) -> String {
    const SHOWN: usize = 160;
    let said = detail.split_once(", with args").map_or(detail, |(said, _)| said);
    said.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> RedisStoreError {
        let (code, detail) = line.split_once(' ').unwrap();
        RedisStoreError::said(code, detail)
    }

    #[test]
    fn what_a_server_says_tells_what_to_do() {
        assert_eq!(said("READONLY You can't write against a read only replica."), RedisStoreError::ReadOnly);
        assert_eq!(said("LOADING Redis is loading the dataset in memory"), RedisStoreError::NotReady);
        assert_eq!(said("OOM command not allowed when used memory > 'maxmemory'."), RedisStoreError::OutOfMemory);
        assert_eq!(said("NOREPLICAS Not enough good replicas to write."), RedisStoreError::TooFewReplicas);
        assert_eq!(said("MISCONF Redis is configured to save RDB snapshots"), RedisStoreError::NotPersisted);
        assert_eq!(said("NOAUTH Authentication required."), RedisStoreError::Refused);
        assert_eq!(said("MOVED 3999 127.0.0.1:6381"), RedisStoreError::Cluster);
    }

    #[test]
    fn what_a_command_in_a_script_says_is_found_in_an_older_servers_error() {
        let line =
            "ERR Error running script (call to f_0a): @user_script:7: @user_script: 7: -READONLY You can't write";
        assert_eq!(said(line), RedisStoreError::ReadOnly);
    }

    #[test]
    fn a_command_that_a_server_repeats_is_not_shown() {
        for line in [
            "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `canary`, ",
            "NOPERM unknown command 'AUTH', with args beginning with: 'canary'",
            "STRANGE unknown command 'AUTH', with args beginning with: 'canary'",
        ] {
            let error = said(line);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
