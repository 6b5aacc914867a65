//! [`Refusal`]: the server understood a request and refused it. A refusal has status 200, 400, 401 or 403.
//!
//! The text of the server determines the error. An error contains the text, which is limited in length and contains no
//! token. Known texts have their own advice.

mod oauth_error_codes;

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::error::{DeadToken, Error, with};
use crate::wire::excerpt;

/// A refusal: the server's text, and its kind if the text is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.summary(), self.advice())]
#[non_exhaustive]
pub struct Refusal {
    /// The kind of the refusal.
    pub kind: RefusalKind,
    /// The server's text, as one printable line of limited length with tokens masked.
    pub text: String,
}

impl Refusal {
    /// What the server said, without advice.
    pub(crate) fn summary(&self) -> String {
        if self.has_no_text() {
            "refused by the server without a text".into()
        } else {
            ["refused by the server", &with(&self.text)].concat()
        }
    }

    fn advice(&self) -> &'static str {
        if self.has_no_text() {
            "check the credentials and the permissions of the API key, and whether the device has to be approved by \
             e-mail"
        } else {
            self.kind.advice()
        }
    }

    fn has_no_text(&self) -> bool {
        self.kind == RefusalKind::Other && self.text.is_empty()
    }
}

/// The kind of a refusal, by the server's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// `Incorrect username or password`. The server sends the same text if `sec` is missing, if the caller is rate
    /// limited, and on the wrong host. So for credentials that worked before, this proves nothing.
    IncorrectCredentials,
    /// `The app is not registered`: the password is right, but the app id is not.
    AppNotRegistered,
    /// `Access is denied`.
    AccessDenied,
    /// `invalid_grant`: the authorization code is wrong, used or expired, or the refresh token is no longer valid.
    InvalidGrant,
    /// `invalid_token`: the server did not accept the refresh token.
    InvalidToken,
    /// `invalid_client`, or `client_id, redirect_uri and client_secret do not match existing setup`: the app's settings
    /// are wrong. This says nothing about the token.
    ClientMismatch,
    /// `unauthorized_client`: the app may not do this. This says nothing about the token.
    UnauthorizedClient,
    /// `Wrong client_id`: the app is not registered in this environment.
    WrongClientId,
    /// Any other text.
    Other,
}

impl RefusalKind {
    /// The known kind of a text of the server, or of the `error` code of an OAuth answer.
    pub(crate) fn of(text: &str) -> Self {
        const OF_LOGINS: [(&str, RefusalKind); 3] = [
            //= R-LOGIN-12
            ("incorrect username or password", RefusalKind::IncorrectCredentials),
            //= R-LOGIN-14
            ("the app is not registered", RefusalKind::AppNotRegistered),
            //= R-LOGIN-15
            ("access is denied", RefusalKind::AccessDenied),
        ];
        let lower = text.to_ascii_lowercase();
        OF_LOGINS
            .iter()
            .chain(&oauth_error_codes::KNOWN)
            .find(|(known, _)| lower.contains(known))
            .map_or(Self::Other, |(_, kind)| *kind)
    }

    /// Whether the refusal concerns the app and its settings, and says nothing about a token.
    #[must_use]
    pub fn blames_app(self) -> bool {
        matches!(self, Self::AppNotRegistered | Self::ClientMismatch | Self::UnauthorizedClient | Self::WrongClientId)
    }

    /// Advice for the user, as a text for messages.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::IncorrectCredentials => {
                "check name, password, cid, sec and the environment before the next try, because after five failed \
                 logins in an hour the server postpones all logins of this network address; it gives the same text to \
                 callers that are rate limited"
            }
            Self::AppNotRegistered => "the password is right; check appId, cid and sec against the API key",
            Self::AccessDenied => "check the permissions of the API key and that API access is enabled for the user",
            Self::InvalidGrant => {
                "the code was used or is too old, or there is a newer refresh token: send a refresh once more; if the server \
                 refuses it again, or if it was a code, let the user authorize the app again"
            }
            Self::InvalidToken => {
                "send the refresh once more; if the server refuses it again, let the user authorize the app again"
            }
            Self::ClientMismatch => "check client_id, client_secret and redirect_uri against the app's registration",
            Self::UnauthorizedClient => "check what the app's registration allows",
            Self::WrongClientId => "most apps are registered on Live; send the request there",
            Self::Other => "read the server's text; the server will refuse the same request again",
        }
    }
}

/// How the request was authorized. The meaning of a 401 depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Credentials,
    Bearer,
}

/// The texts of an answer that are not empty. The most precise one is last.
//= R-LOGIN-10
//= R-OAUTH-6
pub(crate) fn texts(fields: [&Option<String>; 3]) -> Vec<&str> {
    fields.into_iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect()
}

/// The last printable text. The last one is shown because a description follows its code.
pub(crate) fn printable(texts: &[&str]) -> Option<String> {
    texts.iter().rev().map(|text| excerpt::line(text)).find(|text| !text.is_empty())
}

/// The refusal in the texts of an answer. The first known text determines the kind. The last printable text is shown.
//= R-LOGIN-9
//= R-STATUS-13
pub(crate) fn in_texts(texts: &[&str], carried: Carried) -> Option<Error> {
    if texts.iter().all(|text| text.is_empty()) {
        return None;
    }
    let text = printable(texts).unwrap_or_default();
    if texts.iter().any(|text| names_other_environment(text)) {
        return Some(Error::WrongEnvironment { text });
    }
    let kind = texts.iter().map(|text| RefusalKind::of(text)).find(|kind| *kind != RefusalKind::Other);
    Some(match (carried, texts.iter().find_map(|text| dead_token(text)), kind) {
        (Carried::Bearer, Some(reason), _) => Error::Unauthorized { reason },
        (Carried::Bearer, None, Some(RefusalKind::AccessDenied)) => Error::Forbidden { text: Some(text) },
        (_, _, kind) => Error::Refused(Refusal { kind: kind.unwrap_or(RefusalKind::Other), text }),
    })
}

/// The two texts that say that a token is dead. No other text says so.
//= R-SOCKET-3
//= R-STATUS-3
fn dead_token(text: &str) -> Option<DeadToken> {
    let text = text.trim_end_matches('.');
    [("Expired Access Token", DeadToken::Expired), ("Invalid access token", DeadToken::Unknown)]
        .into_iter()
        .find_map(|(known, reason)| text.eq_ignore_ascii_case(known).then_some(reason))
}

//= R-ENV-11
fn names_other_environment(text: &str) -> bool {
    text.to_ascii_lowercase().contains("endpoint should be called on")
}

/// The known refusal in a text, if any. A web page does not count as one.
pub(crate) fn known_in(text: &[u8], carried: Carried) -> Option<Error> {
    let text = core::str::from_utf8(text).ok().filter(|text| !text.starts_with('<'))?;
    let refusal = in_texts(&[text], carried)?;
    Some(refusal).filter(|error| !matches!(error, Error::Refused(Refusal { kind: RefusalKind::Other, .. })))
}
