//! [`RequestBody`] and [`ResponseBody`]: bytes of a request and of a response, wiped on drop.
//!
//! A [`RequestBody`] can be sent as a slice or as shared [`Bytes`]. A [`ResponseBody`] grows up to a limit. Neither
//! prints its content.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use zeroize::Zeroize as _;

/// The body of a request. It may contain a password, so it is wiped on drop and never printed.
///
/// Blocking clients use the slice ([`AsRef`]), async clients the shared bytes ([`into_bytes`](Self::into_bytes)).
/// Neither makes a copy.
///
/// ```
/// use tradovate_auth_core::RequestBody;
///
/// let body = RequestBody::new(br#"{"password":"secret"}"#.to_vec());
/// assert_eq!(format!("{body:?}"), "RequestBody([redacted; 21 bytes])");
/// ```
#[derive(Clone, Default)]
pub struct RequestBody(Bytes);

impl RequestBody {
    /// Takes ownership of the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(wiped(bytes))
    }

    /// Whether the body is empty, as for every GET. Such a request has no content type and no content length.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes for an async client, shared and not copied. They are wiped when the last holder drops them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl AsRef<[u8]> for RequestBody {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody([redacted; {} bytes])", self.0.len())
    }
}

/// Shared bytes that are wiped when the last holder drops them.
pub(crate) fn wiped(bytes: Vec<u8>) -> Bytes {
    Bytes::from_owner(Wiped(bytes))
}

/// Bytes that are wiped on drop, all at once. `Zeroizing` wipes a `Vec` byte by byte.
struct Wiped(Vec<u8>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Wiped {
    fn wipe(&mut self) {
        self.0.spare_capacity_mut().zeroize();
        self.0.as_mut_slice().zeroize();
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The body of a response while it is received. It may contain a token, so it is wiped on drop and never printed.
///
/// ```
/// use tradovate_auth_core::ResponseBody;
///
/// let mut body = ResponseBody::with_limit(8);
/// body.extend(b"12345678")?;
/// assert!(body.extend(b"9").is_err());
/// # Ok::<(), tradovate_auth_core::Oversized>(())
/// ```
pub struct ResponseBody {
    bytes: Wiped,
    limit: usize,
}

/// The capacity for the first chunk, in bytes. The usual answer has about 1 KiB.
const FIRST_CAPACITY: usize = 2048;

/// A response body that exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is longer than {limit} bytes")]
pub struct Oversized {
    /// The limit in bytes.
    pub limit: usize,
}

impl ResponseBody {
    /// The default limit of the transports: 256 KiB.
    pub const DEFAULT_LIMIT: usize = 256 * 1024;

    /// Creates an empty body for at most `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { bytes: Wiped(Vec::new()), limit }
    }

    /// Checks an announced length before the body is read. If the body is still empty, this also reserves memory.
    ///
    /// # Errors
    /// [`Oversized`] if a body of this length would exceed the limit.
    pub fn announce(&mut self, length: u64) -> Result<(), Oversized> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.limit);
        let length = length.ok_or(Oversized { limit: self.limit })?;
        let Wiped(bytes) = &mut self.bytes;
        if bytes.is_empty() {
            bytes.reserve_exact(length);
        }
        Ok(())
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// [`Oversized`] if the body would exceed the limit. Stop reading then.
    pub fn extend(&mut self, chunk: &[u8]) -> Result<(), Oversized> {
        let Wiped(bytes) = &mut self.bytes;
        let length = bytes.len().saturating_add(chunk.len());
        if length > self.limit {
            return Err(Oversized { limit: self.limit });
        }
        if length > bytes.capacity() {
            // A `Vec` that grows by itself would leave the old bytes in memory unwiped.
            let mut grown = Vec::with_capacity(length.saturating_mul(2).max(FIRST_CAPACITY));
            grown.extend_from_slice(bytes);
            grown.extend_from_slice(chunk);
            self.bytes = Wiped(grown);
        } else {
            bytes.extend_from_slice(chunk);
        }
        Ok(())
    }
}

impl AsRef<[u8]> for ResponseBody {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseBody([redacted; {} bytes])", self.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_body_shares_its_bytes_and_prints_only_its_length() {
        let body = RequestBody::new(b"canary".to_vec());
        assert_eq!(body.as_ref().as_ptr(), body.clone().into_bytes().as_ptr());
        assert_eq!(format!("{body:?}"), "RequestBody([redacted; 6 bytes])");
        assert!(RequestBody::default().is_empty() && !body.is_empty());
    }

    #[test]
    fn a_chunk_that_fits_is_appended_without_reallocation() {
        let mut body = ResponseBody::with_limit(FIRST_CAPACITY);
        body.extend(b"1").unwrap();
        assert!(body.bytes.0.capacity() >= FIRST_CAPACITY);
        let first = body.as_ref().as_ptr();
        body.extend(&[b'2'; FIRST_CAPACITY - 1]).unwrap();
        assert_eq!(body.as_ref().as_ptr(), first);
    }

    #[test]
    fn a_body_of_announced_length_has_no_spare_capacity() {
        let mut body = ResponseBody::with_limit(5000);
        body.announce(600).unwrap();
        assert_eq!(body.bytes.0.capacity(), 600);
        body.extend(&[b'1'; 600]).unwrap();
        assert_eq!(body.bytes.0.capacity(), 600);
        body.announce(5000).unwrap();
        assert_eq!(body.bytes.0.capacity(), 600, "what is there stays where it is");
    }

    #[test]
    fn a_body_wipes_its_bytes_on_drop() {
        let mut bytes = Wiped(b"canary".to_vec());
        bytes.wipe();
        assert_eq!(bytes.as_ref(), [0; 6]);
    }

    #[test]
    fn the_default_limit_of_an_answer_is_256_kib() {
        assert_eq!(ResponseBody::DEFAULT_LIMIT, 262_144);
    }

    #[test]
    fn a_response_grows_in_chunks_up_to_its_limit() {
        let mut body = ResponseBody::with_limit(5000);
        assert_eq!(body.announce(5000), Ok(()));
        assert_eq!(body.announce(5001), Err(Oversized { limit: 5000 }));
        assert_eq!(body.announce(u64::MAX), Err(Oversized { limit: 5000 }));
        for _ in 0..1000 {
            body.extend(b"12345").unwrap();
        }
        assert_eq!(body.as_ref().len(), 5000);
        assert_eq!(body.extend(b"x"), Err(Oversized { limit: 5000 }));
        assert_eq!(body.as_ref().len(), 5000);
        assert_eq!(format!("{body:?}"), "ResponseBody([redacted; 5000 bytes])");
    }
}
