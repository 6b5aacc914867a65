//! The server's sessions: who is logged in, by which tokens, and until when.
//! A user has two at most; a third closes the oldest, whose tokens are then of no use.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    side::Side,
    time::{elapsed, later},
};

/// Sessions a user can have at a time.
const AT_MOST: usize = 2;
/// How long a dead token is still told apart from one that never existed.
const MEMORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How a session began.
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
    /// The latest expiry of its tokens.
    pub(crate) expires: Timestamp,
    pub(crate) market_data_token: Option<String>,
    pub(crate) device: Option<String>,
    closed: bool,
}

struct Token {
    session: u64,
    expires: Timestamp,
}

/// What a token is worth.
pub(crate) enum Worth {
    /// Never issued, or dead for so long that it is forgotten.
    Unknown,
    Expired,
    /// Of a session that a later login closed.
    Closed,
    Good(Session),
}

/// All sessions and their tokens.
#[derive(Default)]
pub(crate) struct Sessions {
    by_id: BTreeMap<u64, Session>,
    tokens: BTreeMap<String, Token>,
    opened: u64,
}

/// A session about to be opened.
pub(crate) struct Opening {
    pub(crate) user: i64,
    pub(crate) side: Side,
    pub(crate) origin: Origin,
    pub(crate) device: Option<String>,
    pub(crate) market_data_token: Option<String>,
}

impl Sessions {
    /// Opens a session and closes the oldest ones that are then too many. Returns its id and how many were closed.
    pub(crate) fn open(&mut self, now: Timestamp, opening: Opening, token: &str, expires: Timestamp) -> (u64, u64) {
        self.forget(now);
        let open = self.open_of(now, opening.user);
        let surplus = (open.len() + 1).saturating_sub(AT_MOST);
        let mut closed = 0;
        for id in open.into_iter().take(surplus) {
            closed += u64::from(self.close(id));
        }
        self.opened += 1;
        let Opening { user, side, origin, device, market_data_token } = opening;
        let id = self.opened;
        let session =
            Session { id, user, side, origin, opened: now, expires, market_data_token, device, closed: false };
        self.by_id.insert(id, session);
        self.tokens.insert(token.to_owned(), Token { session: id, expires });
        (id, closed)
    }

    /// Prolongs a session by a token, new or known. Tokens issued before keep their own expiry.
    pub(crate) fn extend(&mut self, id: u64, token: &str, expires: Timestamp) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.expires = expires;
            self.tokens.insert(token.to_owned(), Token { session: id, expires });
        }
    }

    /// Gives a session its market data token.
    pub(crate) fn give_market_data(&mut self, id: u64, token: &str) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.market_data_token = Some(token.to_owned());
        }
    }

    pub(crate) fn worth(&self, now: Timestamp, token: &str) -> Worth {
        let Some(token) = self.tokens.get(token) else { return Worth::Unknown };
        match self.by_id.get(&token.session) {
            None => Worth::Unknown,
            Some(_) if token.expires <= now => Worth::Expired,
            Some(session) if session.closed => Worth::Closed,
            Some(session) => Worth::Good(session.clone()),
        }
    }

    /// The open session with this market data token.
    pub(crate) fn of_market_data(&self, now: Timestamp, token: &str) -> Option<&Session> {
        self.by_id.values().find(|session| {
            !session.closed && session.expires > now && session.market_data_token.as_deref() == Some(token)
        })
    }

    /// When a token of a session ends; `None` if the session is closed or its tokens are revoked. A market data token ends
    /// with its session.
    pub(crate) fn end(&self, id: u64, token: &str) -> Option<Timestamp> {
        let session = self.by_id.get(&id).filter(|session| !session.closed)?;
        Some(self.tokens.get(token).map_or(session.expires, |token| token.expires))
    }

    pub(crate) fn is_open(&self, now: Timestamp, id: u64) -> bool {
        self.by_id.get(&id).is_some_and(|session| !session.closed && session.expires > now)
    }

    /// The user's open sessions, oldest first.
    pub(crate) fn open_of(&self, now: Timestamp, user: i64) -> Vec<u64> {
        self.by_id
            .values()
            .filter(|session| session.user == user && !session.closed && session.expires > now)
            .map(|session| session.id)
            .collect()
    }

    /// Closes a session; whether it was there to be closed.
    pub(crate) fn close(&mut self, id: u64) -> bool {
        self.by_id.get_mut(&id).is_some_and(|session| !std::mem::replace(&mut session.closed, true))
    }

    /// Makes every token of the user unknown.
    pub(crate) fn revoke(&mut self, user: i64) {
        self.by_id.retain(|_, session| session.user != user);
    }

    /// Ends the life of every token of the user now.
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
        self.by_id.retain(|_, session| now <= later(session.expires, MEMORY));
        self.tokens.retain(|_, token| elapsed(now, token.expires) <= MEMORY);
    }
}
