//! The fuzz target for merging stored sessions: the order in which a session adopts snapshots does not matter, and the
//! session then has the newest of each fact.

mod json;
mod snapshot;

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tradovate_auth_core::{Credentials, Environment};
use tradovate_auth_session::{RateBudget, Session, StoredSession};

use self::snapshot::{Access, At, Count, DAY, Gate, NOW, Snapshot};

/// Reads the input as three snapshots of one owner.
pub fn merges(input: &[u8]) {
    let Ok(snapshots) = <[Snapshot; 3]>::arbitrary(&mut Unstructured::new(input)) else { return };
    let [one, two, three] = snapshots.each_ref().map(Snapshot::stored);
    let mut process = Process::new();
    process.adopt([&one, &two, &three]);
    let merged = process.snapshot();
    check_token(&process, &merged);
    let known = text(&merged);
    check_newest(&known, &snapshots);
    assert_same(&known, &Process::merged([&three, &two, &one]), &snapshots, "in another order");
    let last_two = Process::merged([&two, &three]);
    assert_same(&known, &Process::merged([&one, &last_two]), &snapshots, "the last two merged first");
    process.adopt([&one, &two, &three, &merged]);
    assert_same(&known, &process.snapshot(), &snapshots, "what is known again");
}

/// A process whose session adopts snapshots.
struct Process {
    session: Session,
    budget: RateBudget,
}

impl Process {
    fn new() -> Self {
        static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(Environment::demo);
        let session = Session::new(ENVIRONMENT.clone(), Credentials::new("trader", "password"), 7);
        Self { session, budget: RateBudget::default() }
    }

    fn merged<const N: usize>(snapshots: [&StoredSession; N]) -> StoredSession {
        let mut process = Self::new();
        process.adopt(snapshots);
        process.snapshot()
    }

    fn adopt<const N: usize>(&mut self, snapshots: [&StoredSession; N]) {
        for snapshot in snapshots {
            self.session.adopt(NOW, snapshot.clone(), &mut self.budget);
        }
    }

    fn snapshot(&self) -> StoredSession {
        self.session.snapshot(NOW, &self.budget)
    }
}

/// Checks that a merged snapshot has the same facts as another.
fn assert_same(known: &str, other: &StoredSession, snapshots: &[Snapshot; 3], how: &str) {
    let other = text(other);
    if known != other {
        let is_forgotten = snapshots.iter().any(Snapshot::is_forgotten);
        let [known, other] = [known, &other].map(|text| facts(text, is_forgotten));
        assert_eq!(known, other, "{how}: {}", listed(snapshots));
    }
}

/// The facts of a snapshot that are merged.
fn facts(snapshot: &str, is_forgotten: bool) -> Map<String, Value> {
    let mut facts: Map<String, Value> = serde_json::from_str(snapshot).expect("a snapshot is JSON");
    facts.retain(|name, _| !(NOT_JOINED.contains(&&**name) || is_forgotten && NOT_KEPT.contains(&&**name)));
    facts
}

/// Facts that depend on what the session did with the first snapshot: hosts are adopted only with a token. Of two logins
/// within five seconds, one counts.
const NOT_JOINED: &[&str] = &["hosts", "hostsAt", "sent"];

/// Facts that a session drops if it has tokens when it learns that another process has forgotten the session.
const NOT_KEPT: &[&str] = &["userId", "followedHostIsWrong"];

/// Checks the token that a session hands out: it is the one of its snapshot, and it is usable.
fn check_token(process: &Process, snapshot: &StoredSession) {
    let Some(token) = process.session.token(NOW) else { return };
    assert!(token.usable_until > NOW && Some(token.expires_at) == snapshot.expires_at(), "{token:?}");
}

/// Checks that a merged snapshot has the newest of each fact: no older token wins, no dead token comes back, and no wait
/// becomes shorter.
fn check_newest(text: &str, snapshots: &[Snapshot; 3]) {
    let facts: Value = serde_json::from_str(text).expect("a snapshot is JSON");
    let same = |what: &str, known: Option<(Timestamp, &str)>, newest: Option<(Timestamp, &str)>| {
        assert_eq!(known, newest, "{what}: {text} of {}", listed(snapshots));
    };
    let same_time = |what, known: Option<Timestamp>, newest: Option<Timestamp>| {
        same(what, known.map(|it| (it, "")), newest.map(|it| (it, "")));
    };
    let same_count = |what: &str, known: &Value, read: fn(&Snapshot) -> Option<Count>| {
        let newest = snapshots.iter().filter_map(read).map(Count::number).max().unwrap_or_default();
        assert_eq!(known.as_u64().unwrap_or_default(), u64::from(newest), "{what}: {text} of {}", listed(snapshots));
    };

    let started_at = snapshots.iter().map(|it| it.started_at.map(At::time)).max().flatten();
    same_time("the start of the newest lineage", time(&facts["startedAt"]), started_at);
    let lineage: Vec<_> = snapshots.iter().filter(|it| it.started_at.map(At::time) == started_at).collect();

    let key = |access: &Access| (access.issued_at.time(), access.token());
    let accesses = || lineage.iter().filter_map(|it| it.access.as_ref());
    let dead = lineage.iter().filter_map(|it| it.dead_issued_at).map(At::time).max();
    let newest = accesses().map(key).max().filter(|(issued_at, _)| Some(*issued_at) > dead);
    let access = &facts["access"];
    same("the access token", time(&access["issuedAt"]).zip(access["token"].as_str()), newest);
    let alive = accesses().filter(|access| Some(access.issued_at.time()) > dead);
    let market_data = alive.filter(|it| Some(key(it)) == newest).filter_map(Access::market_data);
    let newest = market_data.map(|(token, expires_at)| (expires_at, token)).max();
    let known = &access["marketData"];
    same("the market data token", time(&known["expiresAt"]).zip(known["token"].as_str()), newest);

    let refresh = lineage.iter().filter_map(|it| it.refresh.as_ref());
    let newest = refresh.map(|it| (it.issued_at.map(At::time), it.token())).max();
    let issued_at = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MIN);
    let known = facts["refresh"]["token"].as_str().map(|token| (time(&facts["refresh"]["issuedAt"]), token));
    let refresh = |it: Option<(Option<Timestamp>, &'static str)>| it.map(|(at, token)| (issued_at(at), token));
    same("the refresh token", known.map(|(at, token)| (issued_at(at), token)), refresh(newest));

    let ends = |read: fn(&Snapshot) -> Option<Gate>| snapshots.iter().filter_map(read).filter_map(Gate::end).max();
    same_time("the lock-out", gate_end(&facts["lockOut"]), ends(|it| it.lock_out));
    let closed = gate_end(&facts["closedEndpoints"]["accesstokenrequest"]);
    same_time("the closed endpoint", closed, ends(|it| it.closed_endpoint));
    let longest = NOW + DAY;
    for (index, name) in ["f-0", "f-1", "f-2"].into_iter().enumerate() {
        let waits = snapshots.iter().filter_map(|it| it.refused_refresh_tokens[index]).map(At::time);
        let newest = waits.max().filter(|until| *until > NOW).map(|until| until.min(longest));
        same_time(name, time(&facts["refusedRefreshTokens"][name]), newest);
    }

    let last = |read: fn(&Snapshot) -> Option<At>| snapshots.iter().filter_map(read).map(At::time).max();
    let last = |read| last(read).map(|at| at.min(NOW));
    same_time("the verifying renewal", time(&facts["verifiedAt"]), last(|it| it.verified_at));
    same_time("the configured host", time(&facts["configuredHostTriedAt"]), last(|it| it.configured_host_tried_at));
    same_count("the expiry of the password", &facts["passwordExpiresAt"]["count"], |it| {
        Some(it.password_expires_at?.0)
    });
    same_count("the postponed request", &facts["postponed"]["count"], |it| Some(it.postponed.as_ref()?.0));
    for (index, name) in ["credentials", "worked", "tries"].into_iter().enumerate() {
        let counts = snapshots.iter().map(|it| it.log_ins[index].number());
        let known = facts["logIns"][name].as_u64().unwrap_or_default();
        assert_eq!(Some(known), counts.max().map(Into::into), "{name}: {text} of {}", listed(snapshots));
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().map(|text| text.parse().expect("a time"))
}

/// When a stored lock-out or captcha ends.
fn gate_end(gate: &Value) -> Option<Timestamp> {
    let holds_for = SignedDuration::from_millis(gate["holdsForMs"].as_i64()?);
    Some(time(&gate["learntAt"])?.saturating_add(holds_for).expect("a time"))
}

fn text(snapshot: &StoredSession) -> String {
    serde_json::to_string(snapshot).expect("a snapshot can be written")
}

fn listed(snapshots: &[Snapshot; 3]) -> String {
    snapshots.each_ref().map(Snapshot::json).join("\n")
}
