//! The authorization codes and refresh tokens that OAuth has issued. A code can be used once. A user has at most one
//! refresh token, which each refresh replaces.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac_sha256::Hash as Sha256;
use jiff::Timestamp;

/// What an authorization code is bound to.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) user: i64,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// The S256 challenge (PKCE).
    pub(crate) challenge: Option<String>,
    /// When the code was issued; `None` until the server knows the time.
    pub(crate) issued: Option<Timestamp>,
}

impl Code {
    /// Whether a verifier matches the challenge. A verifier for a code without a challenge is refused, because the
    /// challenge may have been removed from the authorization request.
    pub(crate) fn is_answered_by(&self, verifier: Option<&str>) -> bool {
        match (&self.challenge, verifier) {
            (Some(challenge), Some(verifier)) => (43..=128).contains(&verifier.len()) && *challenge == s256(verifier),
            (None, None) => true,
            _ => false,
        }
    }
}

fn s256(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::hash(verifier.as_bytes()))
}

/// A refresh token and what it is bound to.
#[derive(Clone)]
pub(crate) struct RefreshGrant {
    pub(crate) token: String,
    pub(crate) user: i64,
    pub(crate) client_id: String,
    pub(crate) resource: Option<String>,
    pub(crate) session: u64,
    pub(crate) expires: Timestamp,
}

/// All codes and refresh tokens that are valid.
#[derive(Clone, Default)]
pub(crate) struct Grants {
    codes: BTreeMap<String, Code>,
    by_user: BTreeMap<i64, RefreshGrant>,
    /// How many refreshes are still to be refused without a reason.
    pub(crate) refusals: u32,
}

impl Grants {
    pub(crate) fn issue(&mut self, text: String, code: Code) {
        self.codes.insert(text, code);
    }

    /// Starts the lifetime of codes that were issued before the server knew the time.
    pub(crate) fn set_time(&mut self, now: Timestamp) {
        for code in self.codes.values_mut() {
            code.issued.get_or_insert(now);
        }
    }

    pub(crate) fn code(&self, text: &str) -> Option<&Code> {
        self.codes.get(text)
    }

    pub(crate) fn use_up(&mut self, text: &str) {
        self.codes.remove(text);
    }

    /// Stores a refresh token in place of the user's previous one, whichever client held that.
    pub(crate) fn rotate(&mut self, grant: RefreshGrant) {
        self.by_user.insert(grant.user, grant);
    }

    pub(crate) fn refresh(&self, token: &str) -> Option<&RefreshGrant> {
        self.by_user.values().find(|grant| grant.token == token)
    }

    pub(crate) fn revoke(&mut self, user: i64) {
        self.by_user.remove(&user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_must_have_the_length_that_rfc_7636_prescribes() {
        for (length, is_right) in [(42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            let challenge = Some(s256(&verifier));
            let code = Code { user: 1, client_id: String::new(), redirect_uri: String::new(), challenge, issued: None };
            assert_eq!(code.is_answered_by(Some(&verifier)), is_right, "{length}");
        }
    }
}
