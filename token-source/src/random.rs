//! Random bytes from the operating system.

use std::io;

use tradovate_auth_core::Entropy;
use zeroize::Zeroizing;

/// Returns random bytes for one login in the browser: see
/// [`AuthorizationRequest::begin`](tradovate_auth_core::AuthorizationRequest::begin).
///
/// # Errors
/// If the operating system provides no random bytes.
pub fn entropy() -> io::Result<Entropy> {
    let mut bytes = Zeroizing::new([0; Entropy::LENGTH]);
    getrandom::fill(bytes.as_mut())?;
    Ok(Entropy::from(*bytes))
}

/// A seed for the random part of a session's pauses and renewals. Without random bytes, the sessions of several
/// processes act at the same times.
pub(crate) fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
