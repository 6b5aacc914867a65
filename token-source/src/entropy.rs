//! Randomness from the operating system.

use std::io;

use tradovate_auth_core::Entropy;
use zeroize::Zeroizing;

/// Random bytes for one login in the browser: see
/// [`AuthorizationRequest::begin`](tradovate_auth_core::AuthorizationRequest::begin).
///
/// # Errors
/// Where the operating system has none to give, which no system in order does.
pub fn entropy() -> io::Result<Entropy> {
    let mut bytes = Zeroizing::new([0; Entropy::LENGTH]);
    getrandom::fill(bytes.as_mut())?;
    Ok(Entropy::from(*bytes))
}

/// What spreads the pauses and renewals of one session. Without randomness sessions spread less, and no more follows.
pub(crate) fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
