//! Fixes, reverted from outside: what a session is told, what it finds when it starts and what it hands out are changed
//! as if a defect were back.

use http::{Request, Response, Uri, header};
use jiff::Timestamp;
use serde_json::Value;
use tradovate_auth_core::{Failure, RequestBody};
use tradovate_auth_session::SessionToken;

use super::{Mutant, Tamper, bodies};
use crate::wire::{Answer, Operation, Says};

/// The longest wait that is believed.
const DAY: i64 = 86_400;

impl Tamper {
    /// The hosts that the last good answer has named.
    pub(super) fn follow(&mut self, answer: &Answer) {
        if answer.good_grant().is_some() {
            self.followed.clone_from(&answer.hosts);
        }
    }

    /// Stays at the followed host, whatever is wrong with it.
    pub(super) fn stay(&self, request: &mut Request<RequestBody>) {
        let [live, demo] = &self.followed;
        let followed = match request.uri().host() {
            Some("live.tradovateapi.com") => live,
            Some("demo.tradovateapi.com") => demo,
            _ => &None,
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if let Some(host) = followed
            && let Ok(uri) = format!("https://{host}{path}").parse::<Uri>()
        {
            *request.uri_mut() = uri;
        }
    }

    /// What a session finds in its store: its own snapshot, or another's.
    pub(crate) fn snapshot(&self, found: String, own: Option<&str>, local: Timestamp) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(&found) else { return found };
        match self.mutant {
            Some(Mutant::AdoptsAnybody) => {
                let own = own.and_then(|own| serde_json::from_str::<Value>(own).ok());
                if let (Some(owner), Some(fields)) =
                    (own.and_then(|own| own.get("owner").cloned()), value.as_object_mut())
                {
                    fields.insert("owner".to_owned(), owner);
                }
            }
            Some(Mutant::ForgetsItsRefreshes) => {
                if let Some(refresh) = value.get_mut("refresh").and_then(Value::as_object_mut) {
                    refresh.insert("issuedAt".to_owned(), local.to_string().into());
                }
            }
            Some(Mutant::TriesAtEachStart) => forget(&mut value, &["refused"]),
            Some(Mutant::TrustsLocalClock) => {
                let end = value.get("access").and_then(|access| access.get("expiresAt")?.as_str()?.parse().ok());
                if end.is_some_and(|end: Timestamp| end <= local) {
                    forget(&mut value, &["access"]);
                }
            }
            _ => return found,
        }
        value.to_string()
    }

    /// A failure as the session is told of it.
    pub(crate) fn failure(&self, operation: Operation, failure: Failure) -> Failure {
        if self.is(Mutant::RepeatsUnknownLogins) && operation == Operation::LogIn { Failure::NotSent } else { failure }
    }

    /// An answer as the session is told of it, as if a fix were missing.
    pub(super) fn unfixed(&self, response: &mut Response<Vec<u8>>) {
        match self.mutant {
            Some(Mutant::BlamesTheToken) => bodies::blame_token(response),
            Some(Mutant::RepeatsUnknownLogins) => bodies::soften(response, &[408, 500, 504]),
            Some(Mutant::BelievesGateways) if matches!(response.status().as_u16(), 502..=504) => {
                *response.body_mut() =
                    br#"{"errorText":"","error":"","accessToken":null,"access_token":null}"#.to_vec();
            }
            Some(Mutant::NeverLearnsTime) => {
                response.headers_mut().remove(header::DATE);
            }
            _ => {}
        }
    }

    /// Whether an answer asks for a wait that is believed without a bound.
    pub(super) fn asks_for_ever(&self, answer: &Answer) -> bool {
        let (Says::LockedOut(wait) | Says::Penalty(_, wait)) = &answer.says else { return false };
        self.is(Mutant::BelievesAnyWait) && wait.as_secs() >= DAY
    }

    /// Whether callers are not told that only the market data token has ended.
    pub(crate) fn misses(&self, before: Option<&SessionToken>, after: Option<&SessionToken>) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return false };
        self.is(Mutant::MissesMarketDataEnd)
            && before.generation == after.generation
            && before.market_data_token.is_some()
            && after.market_data_token.is_none()
    }

    /// Whether steps of the wall clock are seen by a program that runs.
    pub(crate) fn follows_wall_clock(&self) -> bool {
        self.is(Mutant::FollowsWallClock)
    }

    /// A program comes up with a clock that is behind the one by which it was locked out: it adds the difference.
    pub(crate) fn comes_up(&mut self, quiet_until: Timestamp, set_back: jiff::SignedDuration) {
        if self.is(Mutant::AddsClockError) && set_back.is_positive() {
            self.silent_until = Some(quiet_until + set_back);
        }
    }

    pub(crate) fn is_silent(&self, now: Timestamp) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }
}

/// Takes fields away, wherever they are.
fn forget(value: &mut Value, names: &[&str]) {
    let Some(fields) = value.as_object_mut() else { return };
    for name in names {
        fields.remove(*name);
    }
    fields.values_mut().for_each(|value| forget(value, names));
}
