//! The snapshot of a session as it is stored, in a versioned form for any store.
//!
//! Tokens are serialized here and only explicitly. A snapshot never holds a password, an API secret or a client secret. Whoever can
//! read it can trade: store it as you would store a password.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::budget::Address;
use crate::moments::later;
pub use crate::record::OwnerMismatch;
use crate::record::{Fact, Owner, Record};
use tradovate_auth_core::internal::{Damage, Fields, read_stored};

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// A session as it is stored: serialize it with any self-describing `serde` format, and hand it to
/// [`Session::adopt`](crate::Session::adopt) after a restart.
///
/// It names its owner: the configured login base and the login name; for an app, the `client_id` and the caller's own key of
/// the user ([`Session::with_user_key`](crate::Session::with_user_key)). A session of another owner takes over nothing of
/// it but the limits of the network address. A snapshot that names no owner is nobody's.
///
/// ```
/// use tradovate_auth_session::StoredSession;
///
/// let newer = serde_json::from_str::<StoredSession>(r#"{"version":2,"sealed":"…"}"#);
/// assert!(newer.unwrap_err().to_string().starts_with("a newer version of this library has written the session"));
/// ```
#[derive(Clone)]
pub struct StoredSession(pub(crate) Box<Stored>);

/// The record of a session beside that of its network address.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) owner: Option<Owner>,
    /// By the clock of whoever wrote it, as all times in it but those of tokens.
    pub(crate) written_at: Option<Timestamp>,
    /// How far the server's clock is ahead. It is a hint, and never merged.
    pub(crate) clock_offset: Option<SignedDuration>,
    /// As the session's: the ends of its tokens were derived by a clock that was not learnt.
    pub(crate) assumed_offset: Option<SignedDuration>,
    pub(crate) record: Record,
    pub(crate) address: Address,
}

impl StoredSession {
    /// When the access token expires, in server time, if there is one.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.record.tokens.access.as_ref().map(|access| access.expires_at)
    }

    /// The user, if the server has said who it is.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.0.record.user_id
    }

    /// How long after it was taken something of it is still of use; nothing if that may be for ever. A store may drop it then.
    #[must_use]
    pub fn keep_for(&self) -> Option<Duration> {
        let written_at = self.0.written_at?;
        let end = self.0.record.ends().max(self.0.address.ends()).unwrap_or(written_at).max(written_at);
        if end == Timestamp::MAX {
            return None;
        }
        // Some of these are times of the server's, whose clock may be as far away as this.
        let room = Duration::from_secs(24 * 3600);
        Some(Duration::try_from(end.duration_since(written_at)).unwrap_or_default().saturating_add(room))
    }

    /// The same as read at `now` after a restart. If the clock shows an earlier time than when it was written, the clock was
    /// wrong then or is wrong now; it is read as if it had just been written, so that nothing in it lasts longer than what
    /// was left, and the server's time does not go back.
    pub(crate) fn read_at(self, now: Timestamp) -> Self {
        let Some(written_at) = self.0.written_at.filter(|written_at| *written_at > now) else { return self };
        let mut read = self.seen_at(now, Duration::ZERO);
        read.0.clock_offset = read.0.clock_offset.or_else(|| Some(written_at.duration_since(now)));
        read
    }

    /// The same as read at `now` by a machine whose clock may be another's, `age` after it was taken: every local time in
    /// it is translated to the clock that shows `now`.
    pub(crate) fn seen_at(mut self, now: Timestamp, age: Duration) -> Self {
        let stored = &mut self.0;
        let Some(written_at) = stored.written_at else { return self };
        let by = now.duration_since(later(written_at, age));
        stored.written_at.shift(by);
        stored.clock_offset = stored.clock_offset.map(|offset| offset.saturating_sub(by));
        stored.assumed_offset = stored.assumed_offset.map(|offset| offset.saturating_sub(by));
        stored.record.shift(by);
        stored.address.shift(by);
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
        self.0.address.write(&mut map)?;
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
        address: Address::read(&mut fields)?,
    })
}

#[cfg(test)]
mod tests;
