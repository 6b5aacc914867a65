//! A newtype for each secret of the protocol.
//!
//! `Debug` does not print the text of a secret. There is no `Display`. `expose` returns the text. The memory is wiped
//! on drop. Copies in HTTP and TLS libraries are not wiped.

use alloc::boxed::Box;
use alloc::string::String;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bearer_token::{AccessToken, MarketDataToken};
    use alloc::format;

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
}
