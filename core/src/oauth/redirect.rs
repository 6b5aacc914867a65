//! [`RedirectError`]: why a redirect brought no code (RFC 6749, section 4.1.2).

use alloc::borrow::Cow;
use alloc::string::String;

use super::stored_authorization::Issuer;
use crate::wire::bearer_token::TOKEN_LIMIT;
use crate::wire::excerpt;
use crate::wire::secret::{AuthorizationCode, State};

/// The advice for the case that the ignored redirect was the real one.
const BEGIN_AGAIN: &str = "; if the login does not go on, begin it again";

/// Why a redirect brought no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The redirect is longer than any answer can be.
    #[error("the redirect is longer than {limit} bytes, which no answer is: it was ignored{}", BEGIN_AGAIN)]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The redirect is not for the redirect URI of this login: it has another scheme, host, port or path, or lacks a
    /// parameter of the redirect URI.
    #[error(
        "this is not the redirect URI of this login, so it was ignored: give the whole address that the browser came back \
         to, and compare it with the registration"
    )]
    OtherAddress,
    /// The query is not well-formed: it has a percent sign without two hexadecimal digits.
    #[error("the redirect's query is malformed: it was ignored{}", BEGIN_AGAIN)]
    MalformedQuery,
    /// The redirect has a parameter twice.
    #[error("the redirect has `{parameter}` twice, so it may be forged and was ignored{}", BEGIN_AGAIN)]
    Repeated {
        /// The name of the parameter.
        parameter: &'static str,
    },
    /// The redirect has no `state`: it may be forged.
    #[error("the redirect has no `state`, so it may be forged and was ignored{}", BEGIN_AGAIN)]
    MissingState,
    /// The redirect has the `state` of another login, or a forged one.
    #[error("the redirect's `state` is not this login's, so it may be forged and was ignored{}", BEGIN_AGAIN)]
    WrongState,
    /// The redirect names another issuer than the expected one (`iss`, RFC 9207): it may come from another server.
    #[error("the redirect's `iss` is not the issuer of this login, so it may be forged and was ignored{}", BEGIN_AGAIN)]
    WrongIssuer,
    /// The redirect names no issuer, but this login requires one (`iss`, RFC 9207).
    #[error("the redirect has no `iss`, which this login requires, so it may be forged and was ignored{}", BEGIN_AGAIN)]
    MissingIssuer,
    /// This login was answered before. A code and a `state` can be used once.
    #[error("this login was answered before: the redirect was ignored; begin another login")]
    AlreadyAnswered,
    /// The redirect is the answer, but has neither `code` nor `error`.
    #[error("the redirect has neither a code nor an error: begin the login again")]
    MissingCode,
    /// The redirect is the answer, but its code is not valid.
    #[error("the redirect's code is too long or has invalid characters: begin the login again")]
    UnusableCode,
    /// The redirect is the answer, but has both `code` and `error`.
    #[error("the redirect has a code beside an error, so the code is not used: begin the login again")]
    CodeBesideError,
    /// The user or the server denied the authorization.
    #[error(transparent)]
    Denied(Denial),
}

impl RedirectError {
    /// Whether the redirect was the answer. The login has then ended without a code. Otherwise the redirect was
    /// ignored, and the answer may still come.
    #[must_use]
    pub fn ends_login(&self) -> bool {
        matches!(self, Self::MissingCode | Self::UnusableCode | Self::CodeBesideError | Self::Denied(_))
    }
}

/// A denied authorization, with the text of the authorization page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", denial_text(self))]
#[non_exhaustive]
pub struct Denial {
    /// The reason.
    pub kind: DenialKind,
    /// The code (`error`) and its description (`error_description`), as one printable line of limited length.
    pub text: String,
}

/// The reason for a denial (RFC 6749, section 4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialKind {
    /// `access_denied`: the user or the server denied the authorization.
    AccessDenied,
    /// `invalid_request`: a parameter is missing or wrong.
    InvalidRequest,
    /// `unauthorized_client`: the app may not log users in with this method.
    UnauthorizedClient,
    /// `unsupported_response_type`: the page issues no codes.
    UnsupportedResponseType,
    /// `invalid_scope`: the scope is unknown or too wide.
    InvalidScope,
    /// `server_error`.
    ServerError,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// Any other reason.
    Other,
}

impl DenialKind {
    fn of(error: &str) -> Self {
        match error {
            "access_denied" => Self::AccessDenied,
            "invalid_request" => Self::InvalidRequest,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "invalid_scope" => Self::InvalidScope,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            _ => Self::Other,
        }
    }

    /// Advice for the user, as a text for messages.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::AccessDenied => "the user has to allow it; ask again when they want to",
            Self::InvalidRequest => {
                "check client_id, redirect_uri and scope against the app's registration, and whether it takes PKCE"
            }
            Self::UnauthorizedClient => "the app's registration does not allow this way to log in",
            Self::UnsupportedResponseType => "check the authorize URL",
            Self::InvalidScope => "leave the scope away: permissions belong to the app's registration",
            Self::ServerError | Self::TemporarilyUnavailable => "try again later",
            Self::Other => "see what it says, and begin the login again",
        }
    }
}

fn denial_text(Denial { kind, text }: &Denial) -> String {
    ["the login was not authorized (\"", text, "\"): ", kind.advice()].concat()
}

/// The parameters of an answer. All other parameters are ignored.
#[derive(Default)]
pub(super) struct Response {
    state: Option<State>,
    code: Option<AuthorizationCode>,
    error: Option<String>,
    description: Option<String>,
    issuer: Option<String>,
}

impl Response {
    pub(super) fn parse(query: &str) -> Result<Self, RedirectError> {
        if !is_well_formed(query) {
            return Err(RedirectError::MalformedQuery);
        }
        let mut response = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "state" => set("state", &mut response.state, value)?,
                "code" => set("code", &mut response.code, value)?,
                "error" => set("error", &mut response.error, value)?,
                "error_description" => set("error_description", &mut response.description, value)?,
                "iss" => set("iss", &mut response.issuer, value)?,
                _ => {}
            }
        }
        Ok(response)
    }

    /// The `state`. Without a value, it counts as missing (section 3.1).
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref().filter(|state| !state.expose().is_empty())
    }

    /// Checks the issuer. The comparison is exact (RFC 9207, section 2.4). An issuer without a value counts as missing.
    //= R-AUTHORIZE-8
    pub(super) fn check_issuer(&self, asked: &Issuer) -> Result<(), RedirectError> {
        match self.issuer.as_deref().filter(|issuer| !issuer.is_empty()) {
            Some(issuer) if issuer == asked.name => Ok(()),
            Some(_) => Err(RedirectError::WrongIssuer),
            None if asked.is_required => Err(RedirectError::MissingIssuer),
            None => Ok(()),
        }
    }

    pub(super) fn outcome(self) -> Result<AuthorizationCode, RedirectError> {
        let code = self.code.filter(|code| !code.expose().is_empty());
        let error = self.error.filter(|error| !error.is_empty());
        //= R-AUTHORIZE-3
        match (code, error) {
            (Some(code), None) if is_code(code.expose()) => Ok(code),
            (Some(_), None) => Err(RedirectError::UnusableCode),
            (Some(_), Some(_)) => Err(RedirectError::CodeBesideError),
            (None, Some(error)) => Err(RedirectError::Denied(Denial {
                kind: DenialKind::of(&error),
                text: said(&error, self.description.as_deref().unwrap_or_default()),
            })),
            (None, None) => Err(RedirectError::MissingCode),
        }
    }
}

fn set<T: From<String>>(
    parameter: &'static str,
    slot: &mut Option<T>,
    value: Cow<'_, str>,
) -> Result<(), RedirectError> {
    let earlier = slot.replace(T::from(value.into_owned()));
    if earlier.is_some() { Err(RedirectError::Repeated { parameter }) } else { Ok(()) }
}

/// Whether each percent sign is followed by two hexadecimal digits.
pub(super) fn is_well_formed(query: &str) -> bool {
    let is_byte = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    query.split('%').skip(1).all(|behind| behind.get(..2).is_some_and(is_byte))
}

/// Whether a text can be a code: printable ASCII (appendix A.11), no longer than the token endpoint accepts.
fn is_code(text: &str) -> bool {
    text.len() <= TOKEN_LIMIT && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn said(error: &str, description: &str) -> String {
    let (error, description) = (excerpt::name(error), excerpt::line(description));
    let gap = if error.is_empty() || description.is_empty() { "" } else { ": " };
    [&error, gap, &description].concat()
}

#[cfg(test)]
mod tests;
