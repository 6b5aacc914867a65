//! [`Entropy`]: the random bytes of one login. The caller provides them.

use zeroize::Zeroizing;

use super::pkce::OCTETS;
use crate::wire::secret::redacted;

/// Random bytes for one login in the browser. They must be unique and unpredictable. Take them from the operating
/// system: the transports have a function `entropy()` for this. This value is wiped on drop.
///
/// ```
/// use tradovate_auth_core::Entropy;
///
/// let mut bytes = [0; Entropy::LENGTH];
/// // getrandom::fill(&mut bytes)?;
/// let entropy = Entropy::from(bytes);
/// ```
pub struct Entropy(Zeroizing<[[u8; OCTETS]; 2]>);

impl Entropy {
    /// The number of bytes. Half of them are for the PKCE verifier, half for the `state`.
    pub const LENGTH: usize = 2 * OCTETS;

    /// The bytes for the verifier and for the state.
    pub(super) fn halves(&self) -> &[[u8; OCTETS]; 2] {
        &self.0
    }
}

impl From<[u8; Self::LENGTH]> for Entropy {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        let mut halves = Zeroizing::new([[0; OCTETS]; 2]);
        halves.as_flattened_mut().copy_from_slice(Zeroizing::new(bytes).as_slice());
        Self(halves)
    }
}

redacted!(Entropy);
