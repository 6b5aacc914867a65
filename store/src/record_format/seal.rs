//! [`SealingKey`]: seals (encrypts) records with `XChaCha20-Poly1305`. The nonce is long enough to be random each time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::{AeadInOut, Key, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize as _, Zeroizing};

use super::{no_random, unwritten};
use tradovate_auth_session::StoreError;
use tradovate_auth_session::Unreadable;

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The key that seals (encrypts) the records of a store: 32 random bytes. All programs that share a session need the
/// same key.
///
/// Keep the key in another place than the records. It is wiped when the last clone is dropped.
///
/// ```
/// use tradovate_auth_store::SealingKey;
///
/// let key: SealingKey = "4a".repeat(32).parse()?;
/// assert_eq!(format!("{key:?}"), "SealingKey([redacted])");
///
/// let error = "secret".parse::<SealingKey>().unwrap_err();
/// assert_eq!(error.to_string(), "not a sealing key: it must be 64 hexadecimal digits, as `openssl rand -hex 32` makes them");
/// # Ok::<(), tradovate_auth_store::MalformedKey>(())
/// ```
#[derive(Clone)]
pub struct SealingKey(Arc<Zeroizing<[u8; KEY]>>);

/// The text is not a sealing key. The error does not say why, because this would reveal part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealing key: it must be 64 hexadecimal digits, as `openssl rand -hex 32` makes them")]
#[non_exhaustive]
pub struct MalformedKey;

impl SealingKey {
    /// Creates a key from bytes of a secure random source. Do not use a passphrase.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; KEY]) -> Self {
        let key = Self(Arc::new(Zeroizing::new(bytes)));
        bytes.zeroize();
        key
    }

    /// Creates a key from 64 hexadecimal digits. White space around them is ignored, because a file ends with a line
    /// break.
    ///
    /// # Errors
    /// [`MalformedKey`] for every other text.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let digits = text.trim_ascii().as_bytes();
        if digits.len() != 2 * KEY {
            return Err(MalformedKey);
        }
        let mut key = Zeroizing::new([0; KEY]);
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            for &digit in pair {
                *byte = (*byte << 4) | value(digit).ok_or(MalformedKey)?;
            }
        }
        Ok(Self(Arc::new(key)))
    }

    /// Seals a body as text. The text does not contain `bound`, but the same `bound` is needed to open it.
    pub(super) fn seal(&self, bound: &[u8], secret: &[u8]) -> Result<String, StoreError> {
        let mut body = Zeroizing::new(Vec::with_capacity(NONCE + secret.len() + TAG));
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(no_random)?;
        body.extend_from_slice(&nonce);
        body.extend_from_slice(secret);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), bound, (&mut body[NONCE..]).into())
            .map_err(|_| unwritten("the session is too long to be stored"))?;
        body.extend_from_slice(&tag);
        Ok(STANDARD_NO_PAD.encode(&*body))
    }

    pub(super) fn open(&self, bound: &[u8], body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        // Only one text is accepted for the same bytes: spare bits must be zero, and only characters of the alphabet
        // are allowed.
        let body = STANDARD_NO_PAD.decode(body).map_err(|_| Unreadable::Damaged)?;
        let (nonce, rest) = body.split_first_chunk::<NONCE>().ok_or(Unreadable::Damaged)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(Unreadable::Damaged)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), bound, secret.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| Unreadable::WrongKey)?;
        Ok(secret)
    }

    /// The cipher wipes its own copy of the key when it is dropped.
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(<&Key>::from(&**self.0))
    }
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl FromStr for SealingKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        Self::parse(text)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}
