//! [`Login`]: who logs in, and what a session starts from.

use alloc::boxed::Box;

use tradovate_auth_core::{AuthorizedCode, Credentials, Grant, OAuthApp, RefreshToken};

/// Who logs in, and what a session starts from. [`Credentials`] are a login by themselves.
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
    /// From a stored session.
    App(OAuthApp),
    Code(OAuthApp, AuthorizedCode),
    RefreshToken(OAuthApp, RefreshToken),
    Grant(OAuthApp, Box<Grant>),
}

impl Login {
    /// A user with a password.
    #[must_use]
    pub fn password(credentials: Credentials) -> Self {
        Self(Start::Password(credentials))
    }

    /// An OAuth app and the code that the user's consent has brought. The session exchanges the code when it is first polled,
    /// which should be at once, and keeps to penalties and lock-outs in doing so.
    ///
    /// A code is good once and for minutes: it is sent again only if the server has surely not handled it. If it is refused, if
    /// the answer is lost, or if the code has grown too old, the session stops, and the user has to consent again. The code is
    /// newer than any snapshot: no token is taken over from a snapshot that is adopted before the exchange.
    #[must_use]
    pub fn code(app: OAuthApp, code: AuthorizedCode) -> Self {
        Self(Start::Code(app, code))
    }

    /// An OAuth app and the refresh token of its last answer. A snapshot that is adopted may hold a newer one, which is used
    /// then. After another consent, use [`Self::code`]: a code is newer than any snapshot.
    #[must_use]
    pub fn refresh_token(app: OAuthApp, token: RefreshToken) -> Self {
        Self(Start::RefreshToken(app, token))
    }

    /// An OAuth app that continues a stored session: call [`Session::adopt`](crate::Session::adopt) before the first poll.
    /// Otherwise the session stops with [`StopReason::ConsentRequired`](crate::StopReason::ConsentRequired).
    #[must_use]
    pub fn app(app: OAuthApp) -> Self {
        Self(Start::App(app))
    }

    /// An OAuth app and the checked answer to the exchange of a code.
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
