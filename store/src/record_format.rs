//! [`Codec`]: writes and reads records. All stores use the same format: a header line with a version, then the JSON of
//! the snapshot, plain or sealed (encrypted).
//!
//! ```text
//! tradovate-auth session 1 plain <salt> <sum>↵{"version":1,…}
//! tradovate-auth session 1 sealed↵<base64 of nonce, ciphertext and tag>
//! ```
//!
//! The sum is the SHA-256 of the name, the salt and the JSON. It detects accidents, such as a record that was cut off
//! or copied to another name. Without the key, nobody can read or change the content of a sealed record. But somebody
//! can replace it by an older record of the same name. Salt and nonce make each record different, even for the same
//! snapshot, so the bytes identify the revision.

#[cfg(feature = "seal")]
mod seal;
#[cfg(test)]
mod tests;

use std::io;

use hmac_sha256::Hash as Sha256;
use serde::Deserialize;
use tradovate_auth_session::StoredSession;
use zeroize::Zeroizing;

#[cfg(feature = "seal")]
pub use self::seal::{MalformedKey, SealingKey};
use crate::hex::hex;
use crate::name::SessionName;
use tradovate_auth_session::Unreadable;
use tradovate_auth_session::{StoreError, StoreErrorKind};

const MAGIC: &str = "tradovate-auth session ";

/// The version that this library writes, and the newest version that it reads.
const VERSION: u32 = 1;

const PLAIN: &str = "plain ";
const SEALED: &str = "sealed\n";

/// The number of hexadecimal digits of the salt and of the sum.
const SALT: usize = 16;
const SUM: usize = 64;

/// Writes and reads the records of a store, plain or sealed (encrypted).
///
/// ```
/// use tradovate_auth_session::StoredSession;
/// use tradovate_auth_session::{Unreadable};
/// use tradovate_auth_store::{Codec, SessionName};
///
/// let session: StoredSession = serde_json::from_str(r#"{"version":1,"workedBefore":true,"userId":7}"#)?;
/// let name = SessionName::new("my app", "user 7");
/// let record = Codec::plain().encode(&name, &session)?;
/// assert!(record.starts_with(b"tradovate-auth session 1 plain "));
/// assert_eq!(Codec::plain().decode(&name, &record)?.user_id(), Some(7));
/// assert_eq!(Codec::plain().decode(&name, &record[..99]).unwrap_err(), Unreadable::Damaged);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Codec {
    #[cfg(feature = "seal")]
    key: Option<SealingKey>,
}

impl Codec {
    /// The longest record that is read, in bytes: 1 MiB. No snapshot needs as much.
    pub const LIMIT: usize = 1 << 20;

    /// Creates a codec without a key. Everybody who can read its records can trade, so protect the place where they are
    /// stored.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Creates a codec that seals its records with a key. It does not read plain records. Otherwise anybody with write
    /// access could replace a record by another user's session.
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn sealed(key: SealingKey) -> Self {
        Self { key: Some(key) }
    }

    /// Encodes a snapshot as a record for this name. The record is wiped on drop.
    ///
    /// # Errors
    /// If the operating system provides no random bytes, or if the record would be longer than [`Codec::LIMIT`].
    pub fn encode(&self, name: &SessionName, session: &StoredSession) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let json = json(session)?;
        let record = self.write(name, &json)?;
        if record.len() > Self::LIMIT { Err(unwritten("the session is too long to be stored")) } else { Ok(record) }
    }

    /// Decodes the record that is stored under this name.
    ///
    /// # Errors
    /// [`Unreadable`] if the record is not complete and unchanged, if it was written under another name, or if this
    /// codec has a key and the record is not sealed with it.
    pub fn decode(&self, name: &SessionName, record: &[u8]) -> Result<StoredSession, Unreadable> {
        match Form::of(record)? {
            Form::Plain { salt, sum: stated, json } => {
                if self.has_key() {
                    return Err(Unreadable::Unsealed);
                }
                if stated != sum(name, salt, json).as_bytes() {
                    return Err(Unreadable::Damaged);
                }
                session(json)
            }
            Form::Sealed(body) => self.open(name, body),
        }
    }

    #[cfg(feature = "seal")]
    fn has_key(&self) -> bool {
        self.key.is_some()
    }

    #[cfg(not(feature = "seal"))]
    #[expect(clippy::unused_self, reason = "it is asked the same way with and without keys")]
    fn has_key(&self) -> bool {
        false
    }

    #[cfg(feature = "seal")]
    fn write(&self, name: &SessionName, json: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let Some(key) = &self.key else { return plain(name, json) };
        let header = format!("{MAGIC}{VERSION} {SEALED}");
        let body = key.seal(&bound(&header, name), json)?;
        Ok(Zeroizing::new([header.as_bytes(), body.as_bytes()].concat()))
    }

    #[cfg(not(feature = "seal"))]
    #[expect(clippy::unused_self, reason = "it is asked the same way with and without keys")]
    fn write(&self, name: &SessionName, json: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        plain(name, json)
    }

    #[cfg(feature = "seal")]
    fn open(&self, name: &SessionName, body: &[u8]) -> Result<StoredSession, Unreadable> {
        let key = self.key.as_ref().ok_or(Unreadable::Sealed)?;
        let header = format!("{MAGIC}{VERSION} {SEALED}");
        session(&key.open(&bound(&header, name), body)?)
    }

    #[cfg(not(feature = "seal"))]
    #[expect(clippy::unused_self, reason = "it is asked the same way with and without keys")]
    fn open(&self, _name: &SessionName, _body: &[u8]) -> Result<StoredSession, Unreadable> {
        Err(Unreadable::Sealed)
    }
}

/// The parts of a record.
enum Form<'a> {
    Plain { salt: &'a [u8], sum: &'a [u8], json: &'a [u8] },
    Sealed(&'a [u8]),
}

impl<'a> Form<'a> {
    fn of(record: &'a [u8]) -> Result<Self, Unreadable> {
        let Some(rest) = record.strip_prefix(MAGIC.as_bytes()) else {
            // An empty record can remain after a crash of the machine. No other program writes one.
            let is_cut_off = MAGIC.as_bytes().starts_with(record);
            return Err(if is_cut_off { Unreadable::Damaged } else { Unreadable::Foreign });
        };
        let rest = after_version(rest)?;
        if record.len() > Codec::LIMIT {
            return Err(Unreadable::Damaged);
        }
        if let Some(body) = rest.strip_prefix(SEALED.as_bytes()) {
            return Ok(Self::Sealed(body));
        }
        plain_parts(rest).ok_or(Unreadable::Damaged)
    }
}

fn after_version(rest: &[u8]) -> Result<&[u8], Unreadable> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    let version: Option<u32> = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    let rest = rest.strip_prefix(b" ").ok_or(Unreadable::Damaged)?;
    match version {
        Some(version) if version > VERSION => Err(Unreadable::Newer),
        Some(VERSION) if digits.len() == 1 => Ok(rest),
        _ => Err(Unreadable::Damaged),
    }
}

fn plain_parts(rest: &[u8]) -> Option<Form<'_>> {
    let (salt, rest) = rest.strip_prefix(PLAIN.as_bytes())?.split_at_checked(SALT)?;
    let (sum, rest) = rest.strip_prefix(b" ")?.split_at_checked(SUM)?;
    Some(Form::Plain { salt, sum, json: rest.strip_prefix(b"\n")? })
}

fn plain(name: &SessionName, json: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let salt = format!("{:0SALT$x}", random()?);
    let sum = sum(name, salt.as_bytes(), json);
    let header = format!("{MAGIC}{VERSION} {PLAIN}{salt} {sum}\n");
    Ok(Zeroizing::new([header.as_bytes(), json].concat()))
}

fn sum(name: &SessionName, salt: &[u8], json: &[u8]) -> String {
    let mut hash = Sha256::new();
    // A name contains no line break, and the salt has a fixed length. So no other parts give the same bytes.
    for part in [name.as_str().as_bytes(), b"\n", salt, json] {
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// The data that a sealed record is bound to.
#[cfg(feature = "seal")]
fn bound(header: &str, name: &SessionName) -> Vec<u8> {
    [header.as_bytes(), name.as_str().as_bytes()].concat()
}

/// Serializes a snapshot. The bytes are counted first, because a vector that grows leaves copies in memory.
fn json(session: &StoredSession) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut length = Length(0);
    let not_json = |_| unwritten("the session can't be written as JSON");
    serde_json::to_writer(&mut length, session).map_err(not_json)?;
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, session).map_err(not_json)?;
    Ok(json)
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn session(json: &[u8]) -> Result<StoredSession, Unreadable> {
    serde_json::from_slice(json).map_err(|_| if is_newer(json) { Unreadable::Newer } else { Unreadable::Damaged })
}

/// Whether a newer version of this library wrote the snapshot. Such a snapshot can't be read, whatever it contains.
fn is_newer(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let empty = |Versioned { version }| format!(r#"{{"version":{version}}}"#);
    serde_json::from_slice(json).is_ok_and(|stated| serde_json::from_str::<StoredSession>(&empty(stated)).is_err())
}

fn unwritten(text: &str) -> StoreError {
    StoreError::new(StoreErrorKind::NotWritable, text)
}

/// Returns random bits.
///
/// # Errors
/// If the operating system provides no random bytes.
pub(crate) fn random() -> Result<u64, StoreError> {
    getrandom::u64().map_err(no_random)
}

fn no_random(source: getrandom::Error) -> StoreError {
    unwritten("the operating system gives no random bytes").with_source(source)
}
