//! A newtype for each secret of the protocol.
//!
//! `Debug` does not print the text of a secret. There is no `Display`. `expose` returns the text. The memory is wiped
//! on drop. Copies in HTTP and TLS libraries are not wiped.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

use crate::wire::ascii::all_bytes;
use crate::wire::body::wiped;

/// The longest token the vendor's specification allows, in characters.
pub(crate) const TOKEN_LIMIT: usize = 8192;

/// Implements `Debug` without the content.
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    )+};
}
pub(crate) use redacted;

macro_rules! secrets {
    ($($(#[$meta:meta])* $visibility:vis $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone)]
        $visibility struct $name(SecretString);

        impl $name {
            /// Creates the secret from its text. Length and characters are checked when a request is built with it.
            $visibility fn new(text: impl Into<String>) -> Self {
                Self(seal(text.into()))
            }

            /// The text of the secret. Don't print it.
            #[must_use]
            $visibility fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        redacted!($name);
    )+};
}

secrets! {
    /// The user's password, or the dedicated API password (`password`).
    pub Password;
    /// The secret of an API key (`sec`).
    pub ApiSecret;
    /// The secret of an OAuth app (`client_secret`). Public clients have none.
    pub ClientSecret;
    /// The code from an OAuth redirect, which can be used once (`code`).
    pub(crate) AuthorizationCode;
    /// The PKCE verifier that belongs to a code's challenge (`code_verifier`, RFC 7636).
    pub(crate) CodeVerifier;
    /// The value that distinguishes a real answer to an authorization request from a forged one (`state`).
    pub(crate) State;
    /// The token for a refresh (`refresh_token`). Each refresh may replace it.
    pub RefreshToken;
    /// The ticket of a penalty (`p-ticket`).
    pub(crate) Ticket;
    /// A person's answer to a captcha (`p-captcha`): the text that reCAPTCHA returns to the page with the captcha.
    pub CaptchaAnswer;
    /// The OpenID token of an OAuth answer (`id_token`). This library reads no claim in it.
    pub IdToken;
    /// An assertion that is sent instead of other credentials (`assertion`).
    pub Assertion;
    /// The `httpAuth` field of the OAuth token request.
    pub HttpAuth;
}

/// Moves text into a secret without a copy: shrinking a `String` in place may reallocate it.
pub(crate) fn seal(mut text: String) -> SecretString {
    if text.capacity() == text.len() {
        return SecretString::from(text);
    }
    let exact: Box<str> = Box::from(text.as_str());
    text.zeroize();
    SecretString::new(exact)
}

/// The text can't be a token: it is empty, has more than 8192 characters, or has characters that are not visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable token: it must be 1 to 8192 visible ASCII characters")]
#[non_exhaustive]
pub struct MalformedToken;

//= R-LOGIN-21
fn check_token(text: &str) -> Result<(), MalformedToken> {
    let usable = (1..=TOKEN_LIMIT).contains(&text.len()) && all_bytes(text, |byte| byte.is_ascii_graphic());
    usable.then_some(()).ok_or(MalformedToken)
}

/// The bearer token of REST calls (`accessToken`, `access_token`).
///
/// It is checked once and kept as a complete `Authorization` header. Clones share the same bytes, which are wiped when
/// the last clone is dropped.
///
/// ```
/// use tradovate_auth_core::AccessToken;
///
/// let token = AccessToken::parse("synthetic-token")?;
/// assert_eq!(token.header(), "Bearer synthetic-token");
/// assert_eq!(format!("{token:?}"), "AccessToken([redacted])");
/// # Ok::<(), tradovate_auth_core::MalformedToken>(())
/// ```
#[derive(Clone)]
pub struct AccessToken(HeaderValue);

//= R-SOCKET-1
const BEARER: &str = "Bearer ";

impl AccessToken {
    /// Checks the text of a token.
    ///
    /// # Errors
    /// [`MalformedToken`] if it is empty, has more than 8192 characters, or is not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, MalformedToken> {
        check_token(text)?;
        let bytes: Vec<u8> = [BEARER.as_bytes(), text.as_bytes()].concat();
        let mut header = HeaderValue::from_maybe_shared(wiped(bytes)).map_err(|_| MalformedToken)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header, marked as sensitive. Cloning it copies no bytes.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The token's text, without `Bearer`. Don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        let bytes = self.0.as_bytes().get(BEARER.len()..).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The token of market data sockets (`mdAccessToken`). It does not work for REST calls. An access token does not work
/// on market data sockets.
#[derive(Clone)]
pub struct MarketDataToken(SecretString);

impl MarketDataToken {
    /// Checks the text of a token.
    ///
    /// # Errors
    /// [`MalformedToken`] if it is empty, has more than 8192 characters, or is not visible ASCII.
    pub fn parse(text: impl Into<String>) -> Result<Self, MalformedToken> {
        let secret = seal(text.into());
        check_token(secret.expose_secret())?;
        Ok(Self(secret))
    }

    /// The token's text. Don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

redacted!(AccessToken, MarketDataToken);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_token_becomes_a_sensitive_bearer_header_whose_clones_share_bytes() {
        let token = AccessToken::parse("abc-123_~+/=").unwrap();
        let header = token.header();
        assert!(header.is_sensitive());
        assert_eq!(header.as_bytes(), b"Bearer abc-123_~+/=");
        assert_eq!(header.as_bytes().as_ptr(), token.header().as_bytes().as_ptr());
        assert_eq!(token.expose(), "abc-123_~+/=");
    }

    #[test]
    fn debug_output_of_secret_types_contains_no_secret() {
        let secrets = (Password::new("canary"), AuthorizationCode::new("canary"), RefreshToken::new("canary"));
        let (access, market_data) = (AccessToken::parse("canary").unwrap(), MarketDataToken::parse("canary").unwrap());
        let shown = format!("{secrets:?} {access:?} {market_data:?}");
        assert_eq!(shown.matches("([redacted])").count(), 5, "{shown}");
        assert!(!format!("{shown} {:?}", access.header()).contains("canary"), "{shown}");
    }

    #[test]
    fn text_with_spare_capacity_is_kept_whole() {
        let mut text = String::with_capacity(100);
        text.push_str("secret");
        assert_eq!(Password::new(text).expose(), "secret");
    }

    #[test]
    fn text_without_spare_capacity_is_not_copied() {
        let text = String::from("secret");
        let bytes = text.as_ptr();
        assert_eq!(Password::new(text).expose().as_ptr(), bytes);
    }

    #[test]
    fn the_error_of_a_malformed_token_says_what_a_token_must_be() {
        assert_eq!(MalformedToken.to_string(), "not a usable token: it must be 1 to 8192 visible ASCII characters");
    }
}
