//! [`Login`]: who logs in, and what the session starts with.

use alloc::boxed::Box;

use tradovate_auth_core::{AuthorizedCode, Credentials, Grant, OAuthApp, RefreshToken};

/// Who logs in, and what the session starts with. [`Credentials`] convert into a login with a password.
///
/// ```
/// use tradovate_auth_session::{Login, Session};
/// use tradovate_auth_core::{Credentials, Environment, OAuthApp, RefreshToken};
///
/// let by_password = Session::new(Environment::demo(), Credentials::new("trader", "password"), 7);
/// let login = Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("…"));
/// let by_app = Session::new(Environment::live(), login, 8);
/// ```
#[derive(Debug, Clone)]
pub struct Login(pub(crate) Start);

#[derive(Debug, Clone)]
pub(crate) enum Start {
    Password(Credentials),
    /// Continues a stored session.
    App(OAuthApp),
    Code(OAuthApp, AuthorizedCode),
    RefreshToken(OAuthApp, RefreshToken),
    Grant(OAuthApp, Box<Grant>),
}

impl Login {
    /// A login with user name and password.
    #[must_use]
    pub fn password(credentials: Credentials) -> Self {
        Self(Start::Password(credentials))
    }

    /// An OAuth app and the code from the user's consent. The session exchanges the code when it is first polled. Poll
    /// it at once, because a code is valid for a few minutes. Penalties and lock-outs apply to the exchange too.
    ///
    /// A code can be used once. The session sends it again only if the server certainly did not handle it. The session
    /// stops, and the user has to consent again, if the server refuses the code, if the answer is lost, or if the code
    /// was not exchanged within ten minutes. The code counts as newer than every snapshot: before the exchange, the
    /// session adopts no token.
    #[must_use]
    pub fn code(app: OAuthApp, code: AuthorizedCode) -> Self {
        Self(Start::Code(app, code))
    }

    /// An OAuth app and a refresh token that your program has stored. If the session adopts a snapshot that contains a
    /// refresh token from an answer of the server, it uses that one. After a new consent, use [`code`](Self::code).
    #[must_use]
    pub fn refresh_token(app: OAuthApp, token: RefreshToken) -> Self {
        Self(Start::RefreshToken(app, token))
    }

    /// An OAuth app that continues a stored session. Call [`Session::adopt`](crate::Session::adopt) before the first
    /// poll, or use a shared store that has the session. Otherwise the session stops with
    /// [`StopReason::ConsentRequired`](crate::StopReason::ConsentRequired).
    #[must_use]
    pub fn app(app: OAuthApp) -> Self {
        Self(Start::App(app))
    }

    /// An OAuth app and the grant from an exchange of a code that your program did itself.
    #[must_use]
    pub fn grant(app: OAuthApp, grant: Grant) -> Self {
        Self(Start::Grant(app, Box::new(grant)))
    }
}

impl From<Credentials> for Login {
    fn from(credentials: Credentials) -> Self {
        Self::password(credentials)
    }
}

impl Start {
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        match self {
            Self::Password(credentials) => Some(credentials),
            _ => None,
        }
    }

    pub(crate) fn app(&self) -> Option<&OAuthApp> {
        match self {
            Self::Password(_) => None,
            Self::App(app) | Self::Code(app, _) | Self::RefreshToken(app, _) | Self::Grant(app, _) => Some(app),
        }
    }
}
