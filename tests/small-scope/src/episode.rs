//! The episodes: short runs of a few processes, before any fault is placed.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use tradovate_auth_core::{AuthorizationRequest, ClientId, Credentials, Entropy, Environment, OAuthApp};
use tradovate_auth_session::{Login, MayLogIn, Policy, Session};
use tradovate_auth_simulator::{ClosedSession, Simulator};

pub(crate) const USER: &str = "synthetic-user";

/// The number of processes and their stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One session without a store.
    Alone,
    /// One session with a store of its own.
    Stored,
    /// Two processes with one store.
    Two,
    /// Three processes with one store. The third one does not learn of changes.
    Three,
}

/// The event of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The store is empty, and all processes start.
    FirstLogin,
    /// The token expires soon.
    Renewal,
    /// The token of an app expires soon, and a refresh replaces the refresh token.
    Refresh,
    /// Callers of all processes receive a 401 that says nothing about the token. The token is good.
    Forbidden,
    /// The server has ended the session, and callers of all processes receive the answer for a dead token.
    Dead,
    /// The server has closed the session. Callers of all processes, and renewals, receive 408.
    Kick,
    /// The user is moved to another host, and callers of all processes are redirected there.
    HostMove,
}

/// An episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The processes that take part.
    pub shape: Shape,
    /// The event.
    pub kind: Kind,
}

const SHAPES: [(Shape, &str); 4] =
    [(Shape::Alone, "alone"), (Shape::Stored, "stored"), (Shape::Two, "two"), (Shape::Three, "three")];

const KINDS: [(Kind, &str); 7] = [
    (Kind::FirstLogin, "first-login"),
    (Kind::Renewal, "renewal"),
    (Kind::Refresh, "refresh"),
    (Kind::Forbidden, "forbidden"),
    (Kind::Dead, "dead"),
    (Kind::Kick, "kick"),
    (Kind::HostMove, "host-move"),
];

impl Episode {
    /// All episodes, except refreshes without a store: that refresh token would be lost with its process.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let each = |(shape, _)| KINDS.map(|(kind, _)| Self { shape, kind });
        let all = SHAPES.into_iter().flat_map(each);
        all.filter(|it| it.shape != Shape::Alone || it.kind != Kind::Refresh).collect()
    }

    pub(crate) fn processes(self) -> usize {
        match self.shape {
            Shape::Alone | Shape::Stored => 1,
            Shape::Two => 2,
            Shape::Three => 3,
        }
    }

    /// The time at which a process first starts. The processes of an app wait for the consent.
    pub(crate) fn starts(self, number: usize) -> SignedDuration {
        let apart = SignedDuration::from_millis(if self.kind == Kind::Refresh { 2000 } else { 5 });
        apart * i32::try_from(number).unwrap_or_default()
    }

    pub(crate) fn is_shared(self) -> bool {
        self.processes() > 1
    }

    pub(crate) fn server(self) -> Simulator {
        let closed = if self.kind == Kind::Kick { ClosedSession::RequestTimeout } else { ClosedSession::Unauthorized };
        Simulator::builder().options(|options| options.closed_session = closed).build()
    }

    /// The session that a process creates. The first process of an app starts with the consent of its user.
    pub(crate) fn session(self, server: &mut Simulator, begins: bool) -> Option<Session> {
        // All sessions have the same seed, so that all want to renew at the same time.
        let session = if self.kind == Kind::Refresh {
            let app = OAuthApp::new("synthetic-client");
            let login = if begins { consent(server, app)? } else { Login::app(app) };
            // By default the session would renew while its address has renewals to spare.
            Session::new(Environment::live(), login, 1).with_policy(Policy::default().with_refreshes_preferred(true))
        } else {
            let credentials = Credentials::new(USER, "synthetic-password")
                .with_app("Synthetic App", "1.0")
                .with_api_key(ClientId::Number(8), "synthetic-api-secret");
            Session::new(Environment::demo(), credentials, 1)
        };
        Some(match self.shape {
            Shape::Alone => session,
            Shape::Stored => session.with_store(),
            Shape::Two | Shape::Three => session.with_shared_store(MayLogIn::WhenNeeded),
        })
    }
}

fn consent(server: &mut Simulator, app: OAuthApp) -> Option<Login> {
    let request = AuthorizationRequest::new(&app, "http://localhost:8888/");
    let (url, mut pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).ok()?;
    let code = pending.redirected(&server.consent(USER, url.as_str())?).ok()?;
    Some(Login::code(app, code))
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = SHAPES.iter().find(|(shape, _)| *shape == self.shape).map_or("", |(_, name)| name);
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, name)| name);
        write!(f, "{shape}/{kind}")
    }
}

impl FromStr for Episode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::all().into_iter().find(|episode| episode.to_string() == text);
        found.ok_or_else(|| format!("no episode: {text}"))
    }
}
