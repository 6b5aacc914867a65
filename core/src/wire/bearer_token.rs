//! [`AccessToken`] and [`MarketDataToken`]: the tokens that a program uses for its calls and its sockets.

use alloc::string::String;
use alloc::vec::Vec;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::wire::ascii::all_bytes;
use crate::wire::secret::{redacted, seal};
use crate::wire::wiped_body::wiped;

/// The longest token the vendor's specification allows, in characters.
pub(crate) const TOKEN_LIMIT: usize = 8192;

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
    fn the_error_of_a_malformed_token_says_what_a_token_must_be() {
        assert_eq!(MalformedToken.to_string(), "not a usable token: it must be 1 to 8192 visible ASCII characters");
    }
}
