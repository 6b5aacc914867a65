//! Whose a snapshot is, so that no session goes on from another one's.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::fact::is_default;

/// The owner of a snapshot. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    /// The configured base of logins, whatever host the server has named since.
    pub(crate) login: String,
    /// The name that a user logs in by.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) user: Option<String>,
    /// The `client_id` of an app.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) app: Option<String>,
    /// The caller's own key of the user who has authorized the app.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) key: Option<String>,
}

/// Why a snapshot is another owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerMismatch {
    /// It names no owner.
    #[error("it names no owner")]
    Unknown,
    /// It is of another login host than the configured one, such as Demo instead of Live.
    #[error("it is of another login host")]
    LoginHost,
    /// It is of another login name, or one of the two is of an app and the other of a user with a password.
    #[error("it is of another login name")]
    LoginName,
    /// It is of another app.
    #[error("it is of another client_id")]
    ClientId,
    /// It is of another user of the app, by the caller's own key.
    #[error("it is of another user key")]
    UserKey,
    /// The server has given another user id.
    #[error("it is of another user id")]
    UserId,
}

impl Owner {
    /// What makes `stored` another owner, if anything.
    pub(crate) fn mismatch(&self, stored: Option<&Self>) -> Option<OwnerMismatch> {
        let Some(stored) = stored else { return Some(OwnerMismatch::Unknown) };
        if self.login != stored.login {
            Some(OwnerMismatch::LoginHost)
        } else if self.user != stored.user || self.app.is_some() != stored.app.is_some() {
            Some(OwnerMismatch::LoginName)
        } else if self.app != stored.app {
            Some(OwnerMismatch::ClientId)
        } else if self.key != stored.key {
            Some(OwnerMismatch::UserKey)
        } else {
            None
        }
    }
}
