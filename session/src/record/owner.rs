//! [`Owner`]: the login to which a snapshot belongs. From another owner's snapshot, a session adopts only the limits of
//! the network address, which are not in the [`Record`](super::Record).

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::merge::is_default;

/// The owner of a snapshot. Nothing in it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    /// The configured base URL of logins, not a host that the server named.
    pub(crate) login: String,
    /// The user name of a login with a password.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) user: Option<String>,
    /// The `client_id` of an OAuth app.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) app: Option<String>,
    /// The caller's own key of the user who authorized the app.
    //= R-OAUTH-10
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) key: Option<String>,
}

/// How the owner of a snapshot differs from the owner of the session: see [`StoredSession`](crate::StoredSession).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerMismatch {
    /// The snapshot names no owner.
    #[error("the snapshot names no owner")]
    Unknown,
    /// The snapshot is for another configured login host, such as Demo instead of Live.
    #[error("the snapshot is for another login host")]
    LoginHost,
    /// The snapshot is for another user name, or only one of the two is for an OAuth app.
    #[error("the snapshot is for another login name")]
    LoginName,
    /// The snapshot is for another app.
    #[error("the snapshot is for another client_id")]
    ClientId,
    /// The snapshot is for another user of the app, by the caller's own key.
    #[error("the snapshot is for another user key")]
    UserKey,
    /// The snapshot contains another user id than the server has named.
    #[error("the snapshot is for another user id")]
    UserId,
}

impl Owner {
    /// How `stored` differs from this owner. `None` if it does not.
    //= R-ENV-9
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
