//! An arbitrary snapshot of one owner, and its JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use arbitrary::Arbitrary;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::StoredSession;

use super::json::{Object, Text, list};

/// 2026-11-24T14:20:30Z.
pub(super) const NOW: Timestamp = Timestamp::constant(1_795_530_030, 0);

/// A snapshot of the owner. Names and tokens are few, so that two snapshots often have the same.
#[derive(Arbitrary, Debug)]
pub(super) struct Snapshot {
    pub(super) started_at: Option<At>,
    pub(super) dead_issued_at: Option<At>,
    pub(super) access: Option<Access>,
    pub(super) refresh: Option<Refresh>,
    hosts: Option<(At, bool)>,
    has_user_id: bool,
    pub(super) refused_refresh_tokens: [Option<At>; 3],
    /// As many as a session remembers, whatever their age and status.
    attempts: [Option<Attempt>; 4],
    /// How often the credentials were replaced, those that worked, and how often refusals were cancelled.
    pub(super) log_ins: [Count; 3],
    answered_at: Option<At>,
    refused: Option<Refused>,
    loss: Option<Loss>,
    pub(super) postponed: Option<(Count, Option<Ticket>)>,
    pause: Option<Pause>,
    pub(super) verified_at: Option<At>,
    market_data: Option<([Option<At>; 2], Count, bool, u8)>,
    followed_host_is_wrong: Option<Count>,
    pub(super) configured_host_tried_at: Option<At>,
    pub(super) password_expires_at: Option<(Count, Option<At>)>,
    pub(super) lock_out: Option<Gate>,
    pub(super) closed_endpoint: Option<Gate>,
    sent: Vec<At>,
}

/// Seconds before or after [`NOW`]. The two ends of the range are the two ends of time.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct At(i16);

/// A counter. The two highest values are the highest that a counter can have.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Count(u8);

#[derive(Arbitrary, Debug)]
pub(super) struct Access {
    is_first: bool,
    pub(super) issued_at: At,
    expires_at: At,
    market_data: Option<(bool, At)>,
}

#[derive(Arbitrary, Debug)]
pub(super) struct Refresh {
    is_first: bool,
    pub(super) issued_at: Option<At>,
    expires_at: Option<At>,
    flags: [Count; 3],
}

#[derive(Arbitrary, Debug)]
struct Attempt {
    status: u8,
    sent: At,
    until: Option<At>,
}

#[derive(Arbitrary, Debug)]
struct Refused {
    of_try: Count,
    at: At,
    retry_at: Option<At>,
    is_first: bool,
}

#[derive(Arbitrary, Debug)]
struct Loss {
    at: At,
    kicks: Count,
    pause_until: Option<At>,
}

#[derive(Arbitrary, Debug)]
pub(super) struct Ticket {
    until: At,
    is_first: bool,
}

#[derive(Arbitrary, Debug)]
struct Pause {
    ended_at: Option<At>,
    row: Vec<(At, Option<At>)>,
}

/// A lock-out or a captcha.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Gate {
    learnt_at: At,
    holds_for_ms: u32,
}

impl Snapshot {
    pub(super) fn stored(&self) -> StoredSession {
        serde_json::from_str(&self.json()).expect("a snapshot can be read")
    }

    /// Whether a process has forgotten the session: it stores the start of a login without tokens.
    pub(super) fn is_forgotten(&self) -> bool {
        let has_tokens = self.access.is_some() || self.refresh.is_some() || self.dead_issued_at.is_some();
        self.started_at.is_some() && !has_tokens
    }

    pub(super) fn json(&self) -> String {
        let hosts = self.hosts.map(|(_, is_first)| {
            let host = if is_first { "a.tradovateapi.com" } else { "b.tradovateapi.com" };
            Object::new().field("demo", Some(Text(host))).end()
        });
        let mut refused = Object::new();
        for (name, until) in ["f-0", "f-1", "f-2"].into_iter().zip(self.refused_refresh_tokens) {
            refused = refused.field(name, until);
        }
        let market_data = self.market_data.map(|([started_at, issued_at], changes, is_open, unfulfilled)| {
            let of = Object::new().field("startedAt", started_at).field("issuedAt", issued_at).end();
            let wish = Object::new().field("of", Some(of)).field("changes", Some(changes));
            wish.field("isOpen", Some(is_open)).field("unfulfilled", Some(unfulfilled % 3)).end()
        });
        let closed = self.closed_endpoint.map(|gate| Object::new().field(LOG_IN, Some(gate.json())).end());
        let sent: Vec<_> = self.sent.iter().take(8).map(At::to_string).collect();
        Object::new()
            .field("version", Some(1))
            .field("owner", Some(r#"{"login":"https://demo.tradovateapi.com/v1","user":"trader"}"#))
            .field("startedAt", self.started_at)
            .field("deadIssuedAt", self.dead_issued_at)
            .field("access", self.access.as_ref().map(Access::json))
            .field("refresh", self.refresh.as_ref().map(Refresh::json))
            .field("hosts", hosts)
            .field("hostsAt", self.hosts.map(|(at, _)| at))
            .field("userId", self.has_user_id.then_some(7))
            .field("refusedRefreshTokens", Some(refused.end()))
            .field("logIns", Some(self.log_ins()))
            .field(
                "postponed",
                self.postponed.as_ref().map(|(count, ticket)| latest(*count, ticket.as_ref().map(Ticket::json))),
            )
            .field("pause", self.pause.as_ref().map(Pause::json))
            .field("verifiedAt", self.verified_at)
            .field("marketData", market_data)
            .field("followedHostIsWrong", self.followed_host_is_wrong)
            .field("configuredHostTriedAt", self.configured_host_tried_at)
            .field("passwordExpiresAt", self.password_expires_at.map(|(count, at)| latest(count, at)))
            .field("lockOut", self.lock_out.map(Gate::json))
            .field("closedEndpoints", closed)
            .field("sent", Some(Object::new().field(LOG_IN, Some(list(&sent))).end()))
            .end()
    }

    fn log_ins(&self) -> String {
        let attempts = self.attempts.iter().zip(0..);
        let attempts: Vec<_> = attempts.filter_map(|(attempt, id)| Some(attempt.as_ref()?.json(id))).collect();
        let [credentials, worked, tries] = self.log_ins;
        Object::new()
            .field("attempts", Some(list(&attempts)))
            .field("answeredAt", self.answered_at)
            .field("credentials", Some(credentials))
            .field("worked", Some(worked))
            .field("tries", Some(tries))
            .field("refused", self.refused.as_ref().map(Refused::json))
            .field("loss", self.loss.as_ref().map(Loss::json))
            .end()
    }
}

const LOG_IN: &str = "accesstokenrequest";

impl Access {
    pub(super) fn token(&self) -> &'static str {
        if self.is_first { "at-1" } else { "at-2" }
    }

    /// The market data token that comes with the access token, and its expiry.
    pub(super) fn market_data(&self) -> Option<(&'static str, Timestamp)> {
        self.market_data.map(|(is_first, expires_at)| (if is_first { "md-1" } else { "md-2" }, expires_at.time()))
    }

    fn json(&self) -> String {
        let market_data = self.market_data.zip(self.market_data()).map(|((_, expires_at), (token, _))| {
            Object::new().field("token", Some(Text(token))).field("expiresAt", Some(expires_at)).end()
        });
        let token = Object::new().field("token", Some(Text(self.token())));
        let token = token.field("issuedAt", Some(self.issued_at)).field("expiresAt", Some(self.expires_at));
        token.field("marketData", market_data).end()
    }
}

impl Refresh {
    pub(super) fn token(&self) -> &'static str {
        if self.is_first { "rt-1" } else { "rt-2" }
    }

    fn json(&self) -> String {
        let [refused_once, announced, outcome_unknown] = self.flags;
        Object::new()
            .field("token", Some(Text(self.token())))
            .field("issuedAt", self.issued_at)
            .field("expiresAt", self.expires_at)
            .field("refusedOnce", Some(refused_once))
            .field("announced", Some(announced))
            .field("outcomeUnknown", Some(outcome_unknown))
            .end()
    }
}

impl Attempt {
    fn json(&self, id: u8) -> String {
        let status = ["announced", "unknown", "openedNone", "opened"][usize::from(self.status % 4)];
        let attempt = Object::new().field("id", Some(id)).field("status", Some(Text(status)));
        attempt.field("sent", Some(self.sent)).field("until", self.until).end()
    }
}

impl Refused {
    fn json(&self) -> String {
        let text = if self.is_first { "no" } else { "wrong password" };
        let refused = Object::new().field("ofTry", Some(self.of_try)).field("at", Some(self.at));
        refused.field("retryAt", self.retry_at).field("text", Some(Text(text))).end()
    }
}

impl Loss {
    fn json(&self) -> String {
        let loss = Object::new().field("at", Some(self.at)).field("kicks", Some(self.kicks));
        loss.field("pauseUntil", self.pause_until).end()
    }
}

impl Ticket {
    fn json(&self) -> String {
        Object::new()
            .field("until", Some(self.until))
            .field("operation", Some(Text(LOG_IN)))
            .field("request", Some(Text("hash")))
            .field("ticket", Some(Text(if self.is_first { "t-1" } else { "t-2" })))
            .end()
    }
}

impl Pause {
    fn json(&self) -> String {
        let faults: BTreeMap<_, _> = self.row.iter().map(|(at, until)| (at.time(), until)).collect();
        let row = faults.iter().map(|(at, until)| match until {
            Some(until) => format!("\"{at}\":{until}"),
            None => format!("\"{at}\":null"),
        });
        let row = row.collect::<Vec<_>>().join(",");
        Object::new().field("endedAt", self.ended_at).field("row", Some(format!("{{{row}}}"))).end()
    }
}

impl Gate {
    /// When the gate opens, if it is closed now: it never holds longer than it says, and at most one day.
    pub(super) fn end(self) -> Option<Timestamp> {
        let holds_for = Duration::from_millis(self.holds_for_ms.into()).min(DAY);
        Some(self.learnt_at.time().min(NOW).saturating_add(holds_for).expect("a time")).filter(|end| *end > NOW)
    }

    fn json(self) -> String {
        Object::new().field("learntAt", Some(self.learnt_at)).field("holdsForMs", Some(self.holds_for_ms)).end()
    }
}

/// The longest wait.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

impl At {
    pub(super) fn time(self) -> Timestamp {
        match self.0 {
            i16::MIN => Timestamp::MIN,
            i16::MAX => Timestamp::MAX,
            seconds => NOW.saturating_add(SignedDuration::from_secs(seconds.into())).expect("a time"),
        }
    }
}

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.time())
    }
}

impl Count {
    pub(super) fn number(self) -> u32 {
        if self.0 < 254 { self.0.into() } else { u32::MAX - u32::from(u8::MAX - self.0) }
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// A value with a count of its changes.
fn latest(count: Count, value: Option<impl Display>) -> String {
    Object::new().field("count", Some(count)).field("value", value).end()
}
