//! [`StoredSession`]: the snapshot of a session in a versioned form that any store can hold.
//!
//! A snapshot contains tokens, but never a password, an API secret or a client secret.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::network_budget::StoredLimits;
pub use crate::record::OwnerMismatch;
use crate::record::{Fact, Owner, Record};
use crate::time_arithmetic::{LATE, later};
use tradovate_auth_core::workspace_only::{Damage, Fields, read_stored};

/// The version that this library writes, and the newest version that it reads.
const VERSION: u32 = 1;

/// A snapshot of a session. Serialize it with any self-describing `serde` format, such as JSON. After a restart, pass
/// it to [`Session::adopt`](crate::Session::adopt).
///
/// A snapshot contains tokens: everybody who can read it can trade. Protect it like a password. It never contains a
/// password, an API secret or a client secret.
///
/// A snapshot names its *owner*, the login to which it belongs. For a user with a password, the owner is the configured
/// base URL of logins and the user name. For an OAuth app, it is this base URL, the `client_id` and your key of the
/// user ([`Session::with_user_key`](crate::Session::with_user_key)). A session with another login adopts only the
/// limits of the network address. A snapshot that names no owner counts as one of another owner.
///
/// ```
/// use tradovate_auth_session::StoredSession;
///
/// let newer = serde_json::from_str::<StoredSession>(r#"{"version":2,"sealed":"…"}"#);
/// assert!(newer.unwrap_err().to_string().starts_with("a newer version of this library has written the session"));
/// ```
#[derive(Clone)]
pub struct StoredSession(pub(crate) Box<Stored>);

/// The record of a session and the limits of its network address.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) owner: Option<Owner>,
    /// By the clock of the writer. All local times in the snapshot use this clock.
    pub(crate) written_at: Option<Timestamp>,
    /// How far the server's clock is ahead. A hint that is never merged.
    pub(crate) clock_offset: Option<SignedDuration>,
    /// The assumed offset by which the expiry of the tokens was derived, if no answer confirmed the offset.
    pub(crate) assumed_offset: Option<SignedDuration>,
    pub(crate) record: Record,
    pub(crate) limits: StoredLimits,
}

impl StoredSession {
    /// When the access token expires, by the server's clock. `None` if the snapshot contains no access token.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.record.tokens.access.as_ref().map(|access| access.expires_at)
    }

    /// Whether the snapshot contains a token: an access token or a refresh token. The token may have expired.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.0.record.tokens.access.is_some() || self.0.record.tokens.refresh.is_some()
    }

    /// The user's id, if the server has named it.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.0.record.user_id
    }

    /// How long a store has to keep this snapshot, counted from when it was taken. `None` if without limit, for example
    /// because the server has refused the credentials.
    #[must_use]
    pub fn keep_for(&self) -> Option<Duration> {
        let written_at = self.0.written_at?;
        let end = self.0.record.ends().max(self.0.limits.ends()).unwrap_or(written_at).max(written_at);
        if end == Timestamp::MAX {
            return None;
        }
        // Some of these are server times, and the server's clock may differ by this much.
        let room = Duration::from_secs(24 * 3600);
        Some(Duration::try_from(end.duration_since(written_at)).unwrap_or_default().saturating_add(room))
    }

    /// The snapshot as read at `now` after a restart. If `now` is before the time of writing, the clock was wrong then
    /// or is wrong now. In this case the snapshot is read as if it had just been written. So no pause in it lasts
    /// longer than the rest that was left, and the server's time does not go back. If the session has just started and the
    /// clock is behind by more than a minute, the clock was set back, and hours may have passed since.
    pub(crate) fn read_at(self, now: Timestamp, is_start: bool) -> Self {
        let Some(written_at) = self.0.written_at.filter(|written_at| *written_at > now) else { return self };
        let mut read = self.seen_at(now, Duration::ZERO);
        read.0.clock_offset = read.0.clock_offset.or_else(|| Some(written_at.duration_since(now)));
        if is_start && later(now, LATE) < written_at {
            read.0.record.log_ins.hours_may_have_passed();
        }
        read
    }

    /// The snapshot as read at `now`, `age` after it was taken, perhaps by a machine with another clock. Every local
    /// time in it is translated to the clock that shows `now`.
    pub(crate) fn seen_at(mut self, now: Timestamp, age: Duration) -> Self {
        let stored = &mut self.0;
        let Some(written_at) = stored.written_at else { return self };
        let by = now.duration_since(later(written_at, age));
        stored.written_at.shift(by);
        stored.clock_offset = stored.clock_offset.map(|offset| offset.saturating_sub(by));
        stored.assumed_offset = stored.assumed_offset.map(|offset| offset.saturating_sub(by));
        stored.record.shift(by);
        stored.limits.shift(by);
        self
    }
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("user_id", &self.user_id())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

impl Serialize for StoredSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        if let Some(owner) = &self.0.owner {
            map.serialize_entry("owner", owner)?;
        }
        if let Some(written_at) = &self.0.written_at {
            map.serialize_entry("writtenAt", written_at)?;
        }
        let offsets = [("clockOffsetMs", self.0.clock_offset), ("assumedOffsetMs", self.0.assumed_offset)];
        for (name, offset) in offsets {
            if let Some(offset) = offset {
                map.serialize_entry(name, &i64::try_from(offset.as_millis()).unwrap_or_default())?;
            }
        }
        self.0.record.write(&mut map)?;
        self.0.limits.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for StoredSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_stored(deserializer, "session", VERSION, read).map(|stored| Self(Box::new(stored)))
    }
}

fn read(mut fields: Fields) -> Result<Stored, Damage> {
    Ok(Stored {
        owner: fields.take("owner")?,
        written_at: fields.take("writtenAt")?,
        clock_offset: fields.take::<Option<i64>>("clockOffsetMs")?.map(SignedDuration::from_millis),
        assumed_offset: fields.take::<Option<i64>>("assumedOffsetMs")?.map(SignedDuration::from_millis),
        record: Record::read(&mut fields)?,
        limits: StoredLimits::read(&mut fields)?,
    })
}

#[cfg(test)]
mod tests;
