//! Proof Key for Code Exchange (RFC 7636): only the program that started a login can exchange its code.

use alloc::string::String;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac_sha256::Hash as Sha256;

use crate::wire::secret::CodeVerifier;

/// The number of random bytes of a verifier and of a state: as many as RFC 7636 (section 4.1) recommends.
pub(super) const OCTETS: usize = 32;

/// A verifier of 43 characters.
pub(super) fn verifier(octets: &[u8; OCTETS]) -> CodeVerifier {
    CodeVerifier::new(text(octets))
}

/// The S256 challenge of a verifier.
//= R-AUTHORIZE-4
pub(super) fn challenge(verifier: &CodeVerifier) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::hash(verifier.expose().as_bytes()))
}

/// Whether a text can be a verifier: 43 to 128 unreserved characters (section 4.1).
pub(super) fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// Random bytes as a text that needs no escaping anywhere.
pub(super) fn text(octets: &[u8; OCTETS]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_43_to_128_unreserved_characters() {
        assert!(is_verifier(verifier(&[0xff; OCTETS]).expose()));
        assert!(is_verifier(&"a-._~Z09".repeat(16)));
        for text in ["", &"a".repeat(42), &"a".repeat(129), &"a".repeat(42).replace('a', "+a"), &"ü".repeat(30)] {
            assert!(!is_verifier(text), "{text}");
        }
    }
}
