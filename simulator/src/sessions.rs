//! The server's sessions: who is logged in, with which tokens, and until when. A user can have two sessions. A third
//! closes the oldest, whose tokens are then refused.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    side::Side,
    time::{elapsed, later},
};

/// How many sessions a user can have at a time.
const MAX_SESSIONS: usize = 2;
/// How long a dead token is distinguished from one that was never issued.
const DEAD_TOKEN_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Login,
    OAuth,
}

/// One server session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) user: i64,
    pub(crate) side: Side,
    pub(crate) origin: Origin,
    pub(crate) opened: Timestamp,
    /// The expiry of the latest token.
    pub(crate) expires: Timestamp,
    pub(crate) market_data_token: Option<String>,
    pub(crate) device: Option<String>,
    closed: bool,
}

#[derive(Clone)]
struct Token {
    session: u64,
    expires: Timestamp,
}

/// The status of a token.
pub(crate) enum TokenStatus {
    /// The token was never issued, or was dead for so long that it is forgotten.
    Unknown,
    Expired,
    /// The token's session was closed, for example by a later login.
    Closed,
    Good(Session),
}

/// All sessions and their tokens.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    by_id: BTreeMap<u64, Session>,
    tokens: BTreeMap<String, Token>,
    opened: u64,
}

/// The properties of a session that is about to be opened.
pub(crate) struct NewSession {
    pub(crate) user: i64,
    pub(crate) side: Side,
    pub(crate) origin: Origin,
    pub(crate) device: Option<String>,
    pub(crate) market_data_token: Option<String>,
}

impl Sessions {
    /// Opens a session and closes the user's oldest sessions over the maximum. Returns its id and how many were closed.
    pub(crate) fn open(
        &mut self,
        now: Timestamp,
        new_session: NewSession,
        token: &str,
        expires: Timestamp,
    ) -> (u64, u64) {
        self.forget(now);
        let open = self.open_of(now, new_session.user);
        let surplus = (open.len() + 1).saturating_sub(MAX_SESSIONS);
        let mut closed = 0;
        for id in open.into_iter().take(surplus) {
            closed += u64::from(self.close(id));
        }
        self.opened += 1;
        let NewSession { user, side, origin, device, market_data_token } = new_session;
        let id = self.opened;
        let session =
            Session { id, user, side, origin, opened: now, expires, market_data_token, device, closed: false };
        self.by_id.insert(id, session);
        self.tokens.insert(token.to_owned(), Token { session: id, expires });
        (id, closed)
    }

    /// Extends a session by a token, which may be new. Earlier tokens keep their own expiry.
    pub(crate) fn extend(&mut self, id: u64, token: &str, expires: Timestamp) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.expires = expires;
            self.tokens.insert(token.to_owned(), Token { session: id, expires });
        }
    }

    /// Sets the market data token of a session.
    pub(crate) fn give_market_data(&mut self, id: u64, token: &str) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.market_data_token = Some(token.to_owned());
        }
    }

    pub(crate) fn token_status(&self, now: Timestamp, token: &str) -> TokenStatus {
        let Some(token) = self.tokens.get(token) else { return TokenStatus::Unknown };
        match self.by_id.get(&token.session) {
            None => TokenStatus::Unknown,
            Some(_) if token.expires <= now => TokenStatus::Expired,
            Some(session) if session.closed => TokenStatus::Closed,
            Some(session) => TokenStatus::Good(session.clone()),
        }
    }

    /// The open session with this market data token.
    pub(crate) fn of_market_data(&self, now: Timestamp, token: &str) -> Option<&Session> {
        self.by_id.values().find(|session| {
            !session.closed && session.expires > now && session.market_data_token.as_deref() == Some(token)
        })
    }

    /// When a token of a session expires; `None` if the session is closed or its tokens are revoked. A market data
    /// token expires with its session.
    pub(crate) fn end(&self, id: u64, token: &str) -> Option<Timestamp> {
        let session = self.by_id.get(&id).filter(|session| !session.closed)?;
        Some(self.tokens.get(token).map_or(session.expires, |token| token.expires))
    }

    pub(crate) fn is_open(&self, now: Timestamp, id: u64) -> bool {
        self.by_id.get(&id).is_some_and(|session| !session.closed && session.expires > now)
    }

    /// The ids of the user's open sessions, oldest first.
    pub(crate) fn open_of(&self, now: Timestamp, user: i64) -> Vec<u64> {
        self.by_id
            .values()
            .filter(|session| session.user == user && !session.closed && session.expires > now)
            .map(|session| session.id)
            .collect()
    }

    /// Closes a session. Returns whether it was open.
    pub(crate) fn close(&mut self, id: u64) -> bool {
        self.by_id.get_mut(&id).is_some_and(|session| !std::mem::replace(&mut session.closed, true))
    }

    /// Forgets all tokens of the user, as if they had never been issued.
    pub(crate) fn revoke(&mut self, user: i64) {
        self.by_id.retain(|_, session| session.user != user);
    }

    /// Makes all tokens of the user expire now.
    pub(crate) fn expire(&mut self, now: Timestamp, user: i64) {
        for session in self.by_id.values_mut().filter(|session| session.user == user) {
            session.expires = session.expires.min(now);
        }
        for token in self.tokens.values_mut() {
            if self.by_id.get(&token.session).is_some_and(|session| session.user == user) {
                token.expires = token.expires.min(now);
            }
        }
    }

    fn forget(&mut self, now: Timestamp) {
        self.by_id.retain(|_, session| now <= later(session.expires, DEAD_TOKEN_RETENTION));
        self.tokens.retain(|_, token| elapsed(now, token.expires) <= DEAD_TOKEN_RETENTION);
    }
}
