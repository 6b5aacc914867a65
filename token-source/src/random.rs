//! Random bytes from the operating system.

use std::io;

use tradovate_auth_core::Entropy;
use zeroize::Zeroizing;

/// Random bytes for one login in the browser: see
/// [`AuthorizationRequest::begin`](tradovate_auth_core::AuthorizationRequest::begin).
///
/// # Errors
/// If the operating system provides no random bytes. A working system always provides them.
pub fn entropy() -> io::Result<Entropy> {
    let mut bytes = Zeroizing::new([0; Entropy::LENGTH]);
    getrandom::fill(bytes.as_mut())?;
    Ok(Entropy::from(*bytes))
}

/// A seed that spreads pauses and renewals of one session. If there is no randomness, the sessions of several processes
/// act at the same times.
pub(crate) fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
