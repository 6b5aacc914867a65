//! The fuzz target for joining stored sessions: the order in which a session adopts two snapshots does not matter.

use arbitrary::{Arbitrary, Unstructured};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tradovate_auth_core::{Credentials, Environment};
use tradovate_auth_session::{RateBudget, Session, StoredSession};

/// Seconds before or after [`now`]. The two ends of the range are the two ends of time.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct At(i16);

/// A counter. The two highest values are the highest that a counter can have.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Count(u8);

/// A snapshot of the owner. Names and tokens are few, so that two snapshots often have the same.
#[derive(Arbitrary, Debug)]
struct Snapshot {
    started_at: Option<At>,
    dead_issued_at: Option<At>,
    access: Option<Access>,
    refresh: Option<Refresh>,
    hosts: Option<(At, bool)>,
    has_user_id: bool,
    refused_refresh_tokens: Vec<(u8, At)>,
    attempts: Vec<(u8, u8, At, Option<At>)>,
    log_ins: [Count; 3],
    answered_at: Option<At>,
    refused: Option<(Count, At, Option<At>, bool)>,
    loss: Option<(At, Count, Option<At>)>,
    postponed: Option<(Count, Option<(At, bool)>)>,
    pause: Option<(Option<At>, Count, At, Count)>,
    verified_at: Option<At>,
    market_data: Option<(Count, bool, u8)>,
    followed_host_is_wrong: Option<Count>,
    configured_host_tried_at: Option<At>,
    password_expires_at: Option<(Count, Option<At>)>,
    lock_out: Option<(At, u32)>,
    closed_endpoint: Option<(At, u32)>,
    sent: Vec<At>,
}

#[derive(Arbitrary, Debug)]
struct Access {
    token: bool,
    issued_at: At,
    expires_at: At,
    market_data: Option<(bool, At)>,
}

#[derive(Arbitrary, Debug)]
struct Refresh {
    token: bool,
    issued_at: Option<At>,
    expires_at: Option<At>,
    flags: [Count; 3],
}

/// Reads the input as two snapshots of one owner.
pub fn merges(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok([one, other]) = <[Snapshot; 2]>::arbitrary(&mut input).map(|both| both.map(|it| it.stored())) else {
        return;
    };
    let (forth, back) = (joined(&[&one, &other]), joined(&[&other, &one]));
    assert_eq!(forth, back, "\n{one:#}\n{other:#}");
    let again = joined(&[&one, &other, &one, &other]);
    assert_eq!(forth, again, "\n{one:#}\n{other:#}");
}

/// The stored facts of a session that has adopted these snapshots one after the other.
fn joined(snapshots: &[&Value]) -> Map<String, Value> {
    let mut session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 7);
    let mut budget = RateBudget::default();
    for &snapshot in snapshots {
        let stored: StoredSession = serde_json::from_value(snapshot.clone()).expect("a snapshot can be read");
        session.adopt(now(), stored, &mut budget);
    }
    let mut facts = serde_json::to_value(session.snapshot(now(), &budget)).expect("a snapshot can be written");
    let facts = facts.as_object_mut().expect("an object");
    let is_forgotten = facts.contains_key("startedAt") && TOKENS.iter().all(|name| !facts.contains_key(*name));
    facts.retain(|name, _| !(NOT_JOINED.contains(&&**name) || is_forgotten && NOT_KEPT.contains(&&**name)));
    facts.clone()
}

/// Facts that depend on what the session did with the first snapshot: hosts are adopted only with a token, and the pause
/// of an earlier token doesn't count. Of two logins within five seconds, one counts.
const NOT_JOINED: &[&str] = &["hosts", "hostsAt", "pause", "sent"];

/// The facts of a login. If a snapshot has a start and none of these, a process has forgotten the session.
const TOKENS: &[&str] = &["access", "refresh", "deadIssuedAt", "hosts", "hostsAt"];

/// Facts that a session drops if it had tokens when another process forgot it.
const NOT_KEPT: &[&str] = &["userId", "followedHostIsWrong"];

impl Snapshot {
    fn stored(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| {
            // A snapshot contains no null.
            if !value.is_null() {
                fields.insert(name.into(), value);
            }
        };
        put("version", json!(1));
        put("owner", json!({"login": "https://demo.tradovateapi.com/v1", "user": "trader"}));
        put("startedAt", optional(self.started_at));
        put("deadIssuedAt", optional(self.dead_issued_at));
        put("access", self.access.as_ref().map(Access::stored).into());
        put("refresh", self.refresh.as_ref().map(Refresh::stored).into());
        if let Some((at, is_first)) = self.hosts {
            let host = if is_first { "a.tradovateapi.com" } else { "b.tradovateapi.com" };
            put("hosts", json!({"demo": host}));
            put("hostsAt", at.stored());
        }
        put("userId", self.has_user_id.then_some(7).into());
        let refused = self.refused_refresh_tokens.iter().map(|(name, at)| (format!("f-{}", name % 3), at.stored()));
        put("refusedRefreshTokens", Value::Object(refused.collect()));
        put("logIns", self.log_ins());
        put("postponed", self.postponed.map(postponed).into());
        put("pause", self.pause.map(pause).into());
        put("verifiedAt", optional(self.verified_at));
        let wish = |(changes, is_open, unfulfilled): (Count, bool, u8)| json!({"changes": changes.stored(), "isOpen": is_open, "unfulfilled": unfulfilled % 3});
        put("marketData", self.market_data.map(wish).into());
        put("followedHostIsWrong", self.followed_host_is_wrong.map(Count::stored).into());
        put("configuredHostTriedAt", optional(self.configured_host_tried_at));
        let password = |(count, at): (Count, Option<At>)| object([("count", count.stored()), ("value", optional(at))]);
        put("passwordExpiresAt", self.password_expires_at.map(password).into());
        let gate = |(at, millis): (At, u32)| json!({"learntAt": at.stored(), "holdsForMs": millis});
        put("lockOut", self.lock_out.map(gate).into());
        put("closedEndpoints", self.closed_endpoint.map(|it| json!({"accesstokenrequest": gate(it)})).into());
        let sent: Vec<_> = self.sent.iter().take(8).map(|at| at.stored()).collect();
        put("sent", json!({"accesstokenrequest": sent}));
        Value::Object(fields)
    }

    fn log_ins(&self) -> Value {
        let mut attempts: Vec<_> = self.attempts.iter().take(4).map(|it| (it.0 % 4, it)).collect();
        attempts.sort_by_key(|(id, _)| *id);
        attempts.dedup_by_key(|(id, _)| *id);
        let attempts = attempts.into_iter().map(|(id, &(_, status, sent, until))| {
            let status = ["announced", "unknown", "openedNone", "opened"][usize::from(status % 4)];
            object([("id", id.into()), ("status", status.into()), ("sent", sent.stored()), ("until", optional(until))])
        });
        let refused = |(of_try, at, retry_at, is_first): (Count, At, Option<At>, bool)| {
            object([
                ("ofTry", of_try.stored()),
                ("at", at.stored()),
                ("retryAt", optional(retry_at)),
                ("text", if is_first { "no" } else { "wrong password" }.into()),
            ])
        };
        let loss = |(at, kicks, next): (At, Count, Option<At>)| {
            object([("at", at.stored()), ("kicks", kicks.stored()), ("nextLogIn", optional(next))])
        };
        let [credentials, worked, tries] = self.log_ins.map(Count::stored);
        object([
            ("attempts", attempts.collect()),
            ("answeredAt", optional(self.answered_at)),
            ("credentials", credentials),
            ("worked", worked),
            ("tries", tries),
            ("refused", self.refused.map(refused).into()),
            ("loss", self.loss.map(loss).into()),
        ])
    }
}

impl Access {
    fn stored(&self) -> Value {
        let market_data = |(is_first, expires_at): (bool, At)| json!({"token": if is_first { "md-1" } else { "md-2" }, "expiresAt": expires_at.stored()});
        object([
            ("token", if self.token { "at-1" } else { "at-2" }.into()),
            ("issuedAt", self.issued_at.stored()),
            ("expiresAt", self.expires_at.stored()),
            ("marketData", self.market_data.map(market_data).into()),
        ])
    }
}

impl Refresh {
    fn stored(&self) -> Value {
        let [refused_once, announced, outcome_unknown] = self.flags.map(Count::stored);
        object([
            ("token", if self.token { "rt-1" } else { "rt-2" }.into()),
            ("issuedAt", optional(self.issued_at)),
            ("expiresAt", optional(self.expires_at)),
            ("refusedOnce", refused_once),
            ("announced", announced),
            ("outcomeUnknown", outcome_unknown),
        ])
    }
}

fn postponed((count, ticket): (Count, Option<(At, bool)>)) -> Value {
    let ticket = ticket.map(|(until, is_first)| {
        json!({
            "until": until.stored(), "operation": "accesstokenrequest", "request": "hash",
            "ticket": if is_first { "t-1" } else { "t-2" },
        })
    });
    object([("count", count.stored()), ("value", ticket.into())])
}

fn pause((of, ends, until, faults): (Option<At>, Count, At, Count)) -> Value {
    object([("of", optional(of)), ("ends", ends.stored()), ("until", until.stored()), ("faults", faults.stored())])
}

impl At {
    fn stored(self) -> Value {
        let at = match self.0 {
            i16::MIN => Timestamp::MIN,
            i16::MAX => Timestamp::MAX,
            seconds => now().saturating_add(SignedDuration::from_secs(seconds.into())).expect("a time"),
        };
        json!(at)
    }
}

impl Count {
    fn stored(self) -> Value {
        json!(if self.0 < 254 { self.0.into() } else { u32::MAX - u32::from(u8::MAX - self.0) })
    }
}

fn optional(at: Option<At>) -> Value {
    at.map(At::stored).into()
}

/// An object without the fields that are null.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn now() -> Timestamp {
    "2026-11-24T14:20:30Z".parse().expect("a time")
}
