//! Mutants that bring fixed defects back. They change the inputs of a session, the snapshot that it starts from, and
//! the tokens that it hands out, as if a fix were missing.

use http::{Request, Response, Uri, header};
use jiff::Timestamp;
use serde_json::Value;
use tradovate_auth_core::{Failure, RequestBody};
use tradovate_auth_session::{SessionToken, StoreRequest};

use super::{Mutant, Tamper, bodies};
use crate::wire::{Answer, Kept, Operation, Says};

/// The longest wait that a session accepts, in seconds.
const DAY: i64 = 86_400;

impl Tamper {
    /// Remembers the hosts that a good answer has named.
    pub(super) fn follow(&mut self, answer: &Answer) {
        if answer.good_grant().is_some() {
            self.followed.clone_from(&answer.hosts);
        }
    }

    /// Sends a request to the followed host although it is wrong.
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

    /// Changes the snapshot that a session finds at its start, its own or another program's.
    pub(crate) fn snapshot(&self, found: String, own: Option<&str>, local: Timestamp) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(&found) else { return found };
        match self.mutant {
            Some(Mutant::AdoptsOtherOwners) => {
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
            Some(Mutant::ForgetsRefusalAtStart) => forget(&mut value, &["refused"]),
            Some(Mutant::ForgetsAnnouncedLogins) => {
                let attempts = value.get_mut("logIns").and_then(|logins| logins.get_mut("attempts")?.as_array_mut());
                let is_announced = |attempt: &Value| attempt.get("status").is_some_and(|it| it == "announced");
                if let Some(attempts) = attempts {
                    attempts.retain(|attempt| !is_announced(attempt));
                }
            }
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

    /// Whether the mutant keeps a snapshot from its own store, and tells the session that it is stored.
    pub(crate) fn withholds(&self, request: &StoreRequest, kept: &Kept) -> bool {
        let is_own = matches!(request, StoreRequest::Keep(_));
        self.is(Mutant::AnnouncesNoLogins) && is_own && kept.announces_login
    }

    /// Changes a failure before the session receives it.
    pub(crate) fn failure(&self, operation: Operation, failure: Failure) -> Failure {
        if self.is(Mutant::RepeatsUnknownLogins) && operation == Operation::LogIn { Failure::NotSent } else { failure }
    }

    /// Changes an answer before the session receives it, as if a fix were missing.
    pub(super) fn unfixed(&self, response: &mut Response<Vec<u8>>) {
        match self.mutant {
            Some(Mutant::BlamesRefreshToken) => bodies::blame_token(response),
            Some(Mutant::RepeatsUnknownLogins) => bodies::soften(response, &[408, 500, 504]),
            Some(Mutant::LearnsTimeFromGateways) if matches!(response.status().as_u16(), 502..=504) => {
                *response.body_mut() =
                    br#"{"errorText":"","error":"","accessToken":null,"access_token":null}"#.to_vec();
            }
            Some(Mutant::NeverLearnsTime) => {
                response.headers_mut().remove(header::DATE);
            }
            _ => {}
        }
    }

    /// Whether an answer asks for a wait that the mutant accepts without a limit.
    pub(super) fn asks_for_unlimited_wait(&self, answer: &Answer) -> bool {
        let (Says::LockedOut(wait) | Says::Penalty(_, wait)) = &answer.says else { return false };
        self.is(Mutant::WaitsWithoutLimit) && wait.as_secs() >= DAY
    }

    /// Whether the mutant hides from callers that only the market data token has expired.
    pub(crate) fn misses(&self, before: Option<&SessionToken>, after: Option<&SessionToken>) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return false };
        self.is(Mutant::HidesMarketDataEnd)
            && before.generation == after.generation
            && before.market_data_token.is_some()
            && after.market_data_token.is_none()
    }

    /// Whether a running program follows the steps of its wall clock.
    pub(crate) fn follows_wall_clock(&self) -> bool {
        self.is(Mutant::FollowsWallClock)
    }

    /// A program starts with a clock that is behind the clock at the time of its lock-out. The mutant adds the
    /// difference to the wait.
    pub(crate) fn comes_up(&mut self, quiet_until: Timestamp, set_back: jiff::SignedDuration) {
        if self.is(Mutant::AddsClockError) && set_back.is_positive() {
            self.silent_until = Some(quiet_until + set_back);
        }
    }

    pub(crate) fn is_silent(&self, now: Timestamp) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }
}

/// Removes fields at any depth.
fn forget(value: &mut Value, names: &[&str]) {
    let Some(fields) = value.as_object_mut() else { return };
    for name in names {
        fields.remove(*name);
    }
    fields.values_mut().for_each(|value| forget(value, names));
}
