//! The snapshot of a session: what survives a restart, in a versioned form for any store.
//!
//! It is the one place where tokens are serialized, and only explicitly; it never holds a password, an API secret or a
//! client secret. Whoever can read it can trade: store it as you would store a password.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tradovate_auth_core::internal::{Damage, Fields, LONGEST_WAIT, later, moved, read_stored};
use tradovate_auth_core::{
    AccessToken, ApiHosts, MarketDataGrant, MarketDataToken, PenaltyTicket, RefreshGrant, RefreshToken,
};
use zeroize::Zeroizing;

use crate::budget::{Gate, Operation};
use crate::session::Postponed;
use crate::session::refreshes::RefusedToken;

mod history;
mod owner;

pub(crate) use history::{History, is_default};
pub(crate) use owner::Owner;
pub use owner::OwnerMismatch;

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// A session as it is stored: serialize it with any self-describing `serde` format, and hand it to
/// [`Session::adopt`](crate::Session::adopt) after a restart.
///
/// It names its owner: the configured login base and the login name; for an app, the `client_id` and the caller's own key of
/// the user ([`Session::with_user_key`](crate::Session::with_user_key)). A session of another owner takes over nothing of
/// it but the limits of the network address. A snapshot that names no owner is nobody's.
///
/// ```
/// use tradovate_auth_session::StoredSession;
///
/// let newer = serde_json::from_str::<StoredSession>(r#"{"version":2,"sealed":"…"}"#);
/// assert!(newer.unwrap_err().to_string().starts_with("a newer version of this library has written the session"));
/// ```
#[derive(Clone)]
pub struct StoredSession(pub(crate) Box<Content>);

#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) owner: Option<Owner>,
    pub(crate) grant: Option<StoredGrant>,
    pub(crate) refresh: Option<RefreshGrant>,
    pub(crate) user_id: Option<i64>,
    pub(crate) hosts: ApiHosts,
    pub(crate) clock_offset: Option<SignedDuration>,
    pub(crate) worked_before: bool,
    pub(crate) locked: Option<Gate>,
    pub(crate) closed: Vec<(Operation, Gate)>,
    pub(crate) postponed: Option<Postponed>,
    pub(crate) refused: Vec<RefusedToken>,
    pub(crate) password_expires_at: Option<Timestamp>,
    pub(crate) history: History,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredGrant {
    pub(crate) access_token: AccessToken,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) market_data: Option<MarketDataGrant>,
}

impl Content {
    /// Shortens each wait that is longer than any wait can be at `now`.
    pub(crate) fn limit_waits(&mut self, now: Timestamp) {
        let longest = later(now, LONGEST_WAIT);
        if let Some(postponed) = &mut self.postponed {
            postponed.until = postponed.until.min(longest);
        }
        self.refused.iter_mut().for_each(|refused| refused.until = refused.until.min(longest));
        self.history.limit_waits(now, longest);
    }
}

impl StoredSession {
    /// When the access token expires, in server time, where there is one.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.grant.as_ref().map(|grant| grant.expires_at)
    }

    /// The user, where the server has said who it is.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.0.user_id
    }

    /// How long after it was taken something of it is still of use; nothing where that may be for ever. A store may drop
    /// it then.
    #[must_use]
    pub fn keep_for(&self) -> Option<Duration> {
        let content = &self.0;
        let written_at = content.history.written_at?;
        let refresh_never_ends = content.refresh.as_ref().is_some_and(|refresh| refresh.expires_at.is_none());
        if refresh_never_ends || content.history.log_ins.is_to_be_kept() {
            return None;
        }
        let ends = [
            self.expires_at(),
            content.refresh.as_ref().and_then(|refresh| refresh.expires_at),
            content.locked.map(|gate| gate.end()),
            content.postponed.as_ref().map(|postponed| postponed.until),
            content.history.counts_until(),
        ];
        let closed = content.closed.iter().map(|(_, gate)| gate.end());
        let refused = content.refused.iter().map(|refused| refused.until);
        let end = ends.into_iter().flatten().chain(closed).chain(refused).fold(written_at, Timestamp::max);
        // Some of these are times of the server's, whose clock may be as far away as this.
        let room = Duration::from_secs(24 * 3600);
        Some(Duration::try_from(end.duration_since(written_at)).unwrap_or_default().saturating_add(room))
    }

    /// The same as read at `now` after a restart. If the clock shows an earlier time than when it was written, the clock was
    /// wrong then or is wrong now; it is read as if it had just been written, so that nothing in it lasts longer than what
    /// was left, and the server's time does not go back.
    pub(crate) fn read_at(self, now: Timestamp) -> Self {
        let Some(written_at) = self.0.history.written_at.filter(|written_at| *written_at > now) else { return self };
        let mut read = self.seen_at(now, Duration::ZERO);
        read.0.clock_offset = read.0.clock_offset.or_else(|| Some(written_at.duration_since(now)));
        read
    }

    /// The same as read at `now` by a machine whose clock may be another's, `age` after it was taken: every local time in
    /// it is translated to the clock that shows `now`.
    pub(crate) fn seen_at(mut self, now: Timestamp, age: Duration) -> Self {
        let content = &mut self.0;
        let Some(written_at) = content.history.written_at else { return self };
        let by = now.duration_since(later(written_at, age));
        content.locked = content.locked.map(|gate| gate.moved(by));
        content.closed.iter_mut().for_each(|(_, gate)| *gate = gate.moved(by));
        content.refused.iter_mut().for_each(|refused| refused.until = moved(refused.until, by));
        if let Some(postponed) = &mut content.postponed {
            postponed.until = moved(postponed.until, by);
        }
        content.clock_offset = content.clock_offset.map(|offset| offset.saturating_sub(by));
        content.history.shift(by);
        self
    }
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("user_id", &self.user_id())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

/// The form that is written; see [`stored`] for how it is read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Form<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a Owner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<AccessForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<SecretForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    hosts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_ms: Option<i64>,
    worked_before: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_out: Option<GateForm>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    closed_endpoints: BTreeMap<OperationForm, GateForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postponed: Option<PostponedForm<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    refused_refresh_tokens: BTreeMap<String, Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "History::is_empty")]
    history: &'a History,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessForm<'a> {
    token: Cow<'a, str>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    market_data: Option<SecretForm<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretForm<'a> {
    token: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<Timestamp>,
}

/// When a lock-out or a captcha was learnt, and for how long it holds from then on.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GateForm {
    learnt_at: Timestamp,
    holds_for_ms: u64,
}

impl From<Gate> for GateForm {
    fn from(gate: Gate) -> Self {
        let holds_for_ms = u64::try_from(gate.holds_for.as_millis()).unwrap_or(u64::MAX);
        Self { learnt_at: gate.learnt_at, holds_for_ms }
    }
}

impl From<GateForm> for Gate {
    fn from(form: GateForm) -> Self {
        Self::new(form.learnt_at, Duration::from_millis(form.holds_for_ms))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostponedForm<'a> {
    operation: OperationForm,
    ticket: Cow<'a, str>,
    until: Timestamp,
}

#[derive(Debug, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OperationForm {
    AccessTokenRequest,
    RenewAccessToken,
    OAuthToken,
    Me,
}

impl From<Operation> for OperationForm {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::LogIn => Self::AccessTokenRequest,
            Operation::Renew => Self::RenewAccessToken,
            Operation::Refresh => Self::OAuthToken,
            Operation::Identify => Self::Me,
        }
    }
}

impl From<OperationForm> for Operation {
    fn from(form: OperationForm) -> Self {
        match form {
            OperationForm::AccessTokenRequest => Self::LogIn,
            OperationForm::RenewAccessToken => Self::Renew,
            OperationForm::OAuthToken => Self::Refresh,
            OperationForm::Me => Self::Identify,
        }
    }
}

impl Serialize for StoredSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let content = &self.0;
        let access = content.grant.as_ref().map(|grant| AccessForm {
            token: grant.access_token.expose().into(),
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            market_data: grant.market_data.as_ref().map(|market_data| SecretForm {
                token: market_data.token.expose().into(),
                expires_at: Some(market_data.expires_at),
                issued_at: None,
            }),
        });
        let form = Form {
            version: VERSION,
            owner: content.owner.as_ref(),
            access,
            refresh: content.refresh.as_ref().map(|refresh| SecretForm {
                token: refresh.token.expose().into(),
                expires_at: refresh.expires_at,
                issued_at: refresh.issued_at,
            }),
            user_id: content.user_id,
            hosts: content.hosts.iter().map(|(key, host)| (key.into(), host.into())).collect(),
            clock_offset_ms: content.clock_offset.map(|offset| i64::try_from(offset.as_millis()).unwrap_or_default()),
            worked_before: content.worked_before,
            lock_out: content.locked.map(GateForm::from),
            closed_endpoints: content
                .closed
                .iter()
                .map(|(operation, gate)| ((*operation).into(), (*gate).into()))
                .collect(),
            postponed: content.postponed.as_ref().map(|postponed| PostponedForm {
                operation: postponed.operation.into(),
                ticket: postponed.ticket.expose().into(),
                until: postponed.until,
            }),
            refused_refresh_tokens: content
                .refused
                .iter()
                .map(|token| (token.fingerprint.clone(), token.until))
                .collect(),
            password_expires_at: content.password_expires_at,
            history: &content.history,
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_stored(deserializer, "session", VERSION, read).map(|content| Self(Box::new(content)))
    }
}

fn read(mut fields: Fields) -> Result<Content, Damage> {
    let access: Option<AccessForm<'static>> = fields.take("access")?;
    let refresh: Option<SecretForm<'static>> = fields.take("refresh")?;
    let hosts: BTreeMap<String, String> = fields.take("hosts")?;
    let closed: BTreeMap<OperationForm, GateForm> = fields.take("closedEndpoints")?;
    let postponed: Option<PostponedForm<'static>> = fields.take("postponed")?;
    let refused: BTreeMap<String, Timestamp> = fields.take("refusedRefreshTokens")?;
    Ok(Content {
        owner: fields.take("owner")?,
        grant: access.map(stored_grant).transpose()?,
        refresh: refresh.map(|stored| {
            RefreshGrant::new(RefreshToken::new(stored.token.into_owned()), stored.expires_at, stored.issued_at)
        }),
        user_id: fields.take("userId")?,
        hosts: hosts.iter().map(|(key, host)| (key.as_str(), host.as_str())).collect(),
        clock_offset: fields.take::<Option<i64>>("clockOffsetMs")?.map(SignedDuration::from_millis),
        worked_before: fields.take("workedBefore")?,
        locked: fields.take::<Option<GateForm>>("lockOut")?.map(Gate::from),
        closed: closed.into_iter().map(|(operation, gate)| (operation.into(), gate.into())).collect(),
        postponed: postponed.map(|stored| Postponed {
            operation: stored.operation.into(),
            ticket: PenaltyTicket::new(stored.ticket.into_owned(), Duration::ZERO),
            until: stored.until,
            host: None,
        }),
        refused: refused.into_iter().map(|(fingerprint, until)| RefusedToken { fingerprint, until }).collect(),
        password_expires_at: fields.take("passwordExpiresAt")?,
        history: fields.take("history")?,
    })
}

fn stored_grant(access: AccessForm<'static>) -> Result<StoredGrant, Damage> {
    let damaged = |_| Damage::In("access");
    let token = Zeroizing::new(access.token.into_owned());
    let market_data = access.market_data.map(|stored| {
        let token = MarketDataToken::parse(stored.token.into_owned()).map_err(damaged)?;
        Ok(MarketDataGrant::new(token, stored.expires_at.unwrap_or(access.expires_at)))
    });
    Ok(StoredGrant {
        access_token: AccessToken::parse(&token).map_err(damaged)?,
        issued_at: access.issued_at,
        expires_at: access.expires_at,
        market_data: market_data.transpose()?,
    })
}

#[cfg(test)]
#[path = "stored_session/tests.rs"]
mod tests;
