//! [`Failure`]: why a request to Redis failed, what to do about it, and whether the connection can be used again.
//!
//! A failure contains only those parts of a server's error that hold no secret. A server may repeat the command that it
//! refuses, and with it a password or a session.

use redis::{ErrorKind, RedisError};
use tradovate_auth_session::StoreError;
use tradovate_auth_session::StoreErrorKind::{self, Misconfigured, NotReadable, NotWritable, Unreachable};

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    error: StoreError,
    /// Whether the connection should not be used again: it is broken, or it leads to a server that can't be used.
    pub(crate) ends_connection: bool,
    /// Whether there is no connection, or it was closed. In this case the store may try another one at once.
    pub(crate) is_closed: bool,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    fn new(kind: StoreErrorKind, text: impl Into<String>, ends_connection: bool) -> Self {
        Self { error: StoreError::new(kind, text), ends_connection, is_closed: false }
    }

    /// There is no connection, for this reason.
    pub(crate) fn closed(address: &str, reason: &str) -> Self {
        let failure = Self::new(Unreachable, format!("Redis can't be reached at {address}: {reason}"), true);
        Self { is_closed: true, ..failure }
    }

    /// The failure for an error of the client. `rights` are the rights that the Redis user needs.
    pub(crate) fn of(error: &RedisError, address: &str, rights: &str) -> Self {
        if error.is_timeout() {
            let text = format!("Redis at {address} did not answer in time: is it overloaded, or the network down?");
            return Self::new(Unreachable, text, true);
        }
        match error.kind() {
            ErrorKind::Io => Self::closed(address, &error.to_string()),
            // For example, a URL without a host.
            ErrorKind::InvalidClientConfig => Self::closed(address, "this is not an address"),
            ErrorKind::AuthenticationFailed => Self::said("NOAUTH", "", rights),
            ErrorKind::RESP3NotSupported => Self::said("NOPROTO", "HELLO", rights),
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Self::said(error.code().unwrap_or_default(), error.detail().unwrap_or_default(), rights)
            }
            kind => Self::new(NotReadable, format!("an answer of Redis can't be understood ({kind:?})"), true),
        }
    }

    /// A server's error, by its code and its text.
    fn said(code: &str, detail: &str, rights: &str) -> Self {
        // Before Redis 7, an error of a command in a script is wrapped in an error of the script.
        let says = |words: &[&str]| words.iter().any(|word| code == *word || (code == "ERR" && detail.contains(word)));
        let what = harmless(detail);
        if code == "FOREIGN" {
            let text = format!("the key {detail} has data of another program: choose another prefix");
            Self::new(NotReadable, text, false)
        } else if says(&["NOAUTH", "WRONGPASS"]) {
            let text = "Redis refused the login: check the user and the password in its URL";
            Self::new(Misconfigured, text, true)
        } else if says(&["NOPERM", "has no permissions to", "The user executing the script can't"]) {
            let text = format!(
                "Redis does not allow its user what this store needs ({what}): give the user its rights with \
                `ACL SETUSER name {rights}`"
            );
            Self::new(Misconfigured, text, false)
        } else if says(&["READONLY"]) {
            Self::new(NotWritable, "this Redis is a read-only replica: connect to the primary", true)
        } else if says(&["LOADING", "MASTERDOWN", "TRYAGAIN"]) {
            Self::new(Unreachable, "Redis is not ready yet: try again in a moment", true)
        } else if says(&["OOM"]) {
            Self::new(NotWritable, "Redis is out of memory: raise its maxmemory, or remove something", false)
        } else if says(&["NOREPLICAS"]) {
            let text = "Redis has too few replicas to write safely (min-replicas-to-write): repair the replication";
            Self::new(NotWritable, text, false)
        } else if says(&["MISCONF"]) {
            let text = "Redis can't write to its disk and refuses changes: see the log of the server";
            Self::new(NotWritable, text, false)
        } else if says(&["BUSY"]) {
            let text = "Redis is busy with a script of another program: try again, or stop that script";
            Self::new(Unreachable, text, false)
        } else if says(&["MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN"]) {
            let text = "this Redis is a node of a cluster, which this store doesn't support: use a server of its own";
            Self::new(Misconfigured, text, true)
        } else if says(&["unknown command", "NOPROTO"]) {
            let text =
                format!("this Redis lacks what the store needs: use Redis 6 or newer with scripts allowed ({what})");
            Self::new(Misconfigured, text, false)
        } else {
            Self::new(
                NotReadable,
                format!("Redis returned an unknown error: {}", harmless(&format!("{code} {detail}"))),
                true,
            )
        }
    }
}

/// A server's error without the arguments of the command, which the server may repeat.
fn harmless(detail: &str) -> String {
    const SHOWN: usize = 160;
    let said = detail.split_once(", with args").map_or(detail, |(said, _)| said);
    said.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> StoreError {
        let (code, detail) = line.split_once(' ').unwrap();
        Failure::said(code, detail, "~sessions:* +get").into()
    }

    #[test]
    fn each_error_of_a_server_has_advice() {
        for (line, kind, expected) in [
            ("READONLY You can't write against a read only replica.", NotWritable, "connect to the primary"),
            ("LOADING Redis is loading the dataset in memory", Unreachable, "try again in a moment"),
            ("OOM command not allowed when used memory > 'maxmemory'.", NotWritable, "raise its maxmemory"),
            ("NOREPLICAS Not enough good replicas to write.", NotWritable, "repair the replication"),
            ("MISCONF Redis is configured to save RDB snapshots", NotWritable, "see the log of the server"),
            ("NOAUTH Authentication required.", Misconfigured, "check the user and the password"),
            ("NOPERM User app has no permissions", Misconfigured, "`ACL SETUSER name ~sessions:* +get`"),
            ("ERR this user has no permissions to run the 'select' command", Misconfigured, "`ACL SETUSER name ~sess"),
            ("ERR The user executing the script can't run this command", Misconfigured, "`ACL SETUSER name ~sess"),
            ("MOVED 3999 127.0.0.1:6381", Misconfigured, "use a server of its own"),
        ] {
            let error = said(line);
            assert!(error.kind() == kind && error.to_string().contains(expected), "{line}: {error:?}");
        }
    }

    #[test]
    fn a_script_error_of_an_older_redis_is_recognized() {
        let line =
            "ERR Error running script (call to f_0a): @user_script:7: @user_script: 7: -READONLY You can't write";
        assert_eq!(said(line).to_string(), "this Redis is a read-only replica: connect to the primary");
    }

    #[test]
    fn an_unknown_redis_error_is_shown_and_shortened() {
        let error = said("STRANGE the moon is full").to_string();
        assert!(error.contains("STRANGE the moon is full"), "{error}");
        let long = said(&format!("STRANGE {}", "x".repeat(500))).to_string();
        assert!(long.contains("xxx") && long.len() < 250, "{long}");
    }

    #[test]
    fn a_command_that_a_server_repeats_is_not_printed() {
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
