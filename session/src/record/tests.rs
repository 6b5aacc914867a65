//! The laws of merging, checked with random snapshots of one owner. Names and times come from small sets, so that they
//! often meet.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tradovate_auth_core::{ApiHosts, PenaltyTicket, RefreshToken};

use super::*;
use crate::network_budget::Operation;
use crate::stored_session::StoredSession;
use crate::time_arithmetic::later;
use core::time::Duration;

/// The time at which the facts of a test are corrected.
fn now() -> Timestamp {
    second(0)
}

fn second(second: i64) -> Timestamp {
    "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// The same time by both clocks.
fn moment(at: i64) -> Moment {
    Moment { local: second(at), server: second(at) }
}

/// How times are chosen.
#[derive(Clone, Copy)]
enum Times {
    /// Within seconds before and after [`now`].
    Close,
    /// Any time that JSON can express.
    Any,
}

impl Times {
    fn one(self) -> BoxedStrategy<Value> {
        match self {
            Self::Close => (-1_i64..3).prop_map(|it| json!(second(it))).boxed(),
            Self::Any => {
                let ends = [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH];
                let far = (-377_705_023_201_i64..=253_402_207_200).prop_map(|it| Timestamp::from_second(it).unwrap());
                prop_oneof![prop::sample::select(ends.to_vec()), far].prop_map(|it| json!(it)).boxed()
            }
        }
    }

    fn count(self) -> BoxedStrategy<Value> {
        match self {
            Self::Close => (0_u32..4).prop_map(Value::from).boxed(),
            Self::Any => {
                prop::sample::select([0_u32, 1, u32::MAX - 1, u32::MAX].to_vec()).prop_map(Value::from).boxed()
            }
        }
    }
}

fn one_of(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(values).prop_map(Value::from).boxed()
}

/// A JSON object. A field whose name ends in `?` may be missing.
fn object<const N: usize>(fields: [(&'static str, BoxedStrategy<Value>); N]) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .map(|(name, value)| match name.strip_suffix('?') {
            Some(name) => (name, prop::option::of(value).boxed()),
            None => (name, value.prop_map(Some).boxed()),
        })
        .unzip();
    let with_names = move |values: Vec<Option<Value>>| {
        let fields = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).into(), value?)));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    values.prop_map(with_names).boxed()
}

/// Up to three values under names from a small set.
fn by_name(names: &'static [&'static str], value: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let all = prop::collection::btree_map(prop::sample::select(names), value, 0..4);
    all.prop_map(|all| all.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map<_, _>>().into()).boxed()
}

/// A list of logins without duplicates, in the order of their ids.
fn with_own_ids(mut attempts: Vec<Value>) -> Value {
    attempts.sort_by_key(|attempt| attempt["id"].as_u64());
    attempts.dedup_by_key(|attempt| attempt["id"].as_u64());
    attempts.into()
}

/// The tries and credentials that the program counts are the latest ones.
fn plausible(mut log_ins: Value) -> Value {
    let [worked, of_try] = [&log_ins["worked"], &log_ins["refused"]["ofTry"]].map(|it| it.as_u64().unwrap_or_default());
    for (name, least) in [("credentials", worked), ("tries", of_try)] {
        log_ins[name] = log_ins[name].as_u64().unwrap_or_default().max(least).into();
    }
    log_ins
}

fn records_of(times: Times) -> BoxedStrategy<Value> {
    let (at, count) = (|| times.one(), || times.count());
    let market_data = object([("token", one_of(&["md-1", "md-2"])), ("expiresAt", at())]);
    let access = object([
        ("token", one_of(&["at-1", "at-2"])),
        ("issuedAt", at()),
        ("expiresAt", at()),
        ("marketData?", market_data),
    ]);
    let refresh = object([
        ("token", one_of(&["rt-1", "rt-2"])),
        ("issuedAt?", at()),
        ("expiresAt?", at()),
        ("refusedOnce?", count()),
        ("announced?", count()),
        ("outcomeUnknown?", count()),
    ]);
    let attempt = object([
        ("id", prop::sample::select(&[1_u64, 2, 3][..]).prop_map(Value::from).boxed()),
        ("status", one_of(&["announced", "unknown", "openedNone", "opened"])),
        ("sent", at()),
        ("until?", at()),
    ]);
    let refused =
        object([("ofTry?", count()), ("at", at()), ("retryAt?", at()), ("text", one_of(&["no", "wrong password"]))]);
    let loss = object([("at", at()), ("kicks", count()), ("pauseUntil?", at())]);
    let log_ins = object([
        ("attempts?", prop::collection::vec(attempt, 0..4).prop_map(with_own_ids).boxed()),
        ("answeredAt?", at()),
        ("credentials?", count()),
        ("worked?", count()),
        ("tries?", count()),
        ("refused?", refused),
        ("loss?", loss),
    ])
    .prop_map(plausible);
    let ticket = object([
        ("until", at()),
        ("operation", one_of(&["accesstokenrequest", "oauthtoken"])),
        ("request", one_of(&["hash-1", "hash-2"])),
        ("ticket", one_of(&["t-1", "t-2"])),
    ]);
    let faults = prop::collection::vec((at(), prop::option::of(at())), 0..4);
    let pause = (prop::option::of(at()), faults).prop_map(|(ended_at, faults)| {
        let since = |(at, _): &(Value, _)| ended_at.as_ref().is_none_or(|end| time(end) <= time(at));
        let row = faults.into_iter().filter(since).map(|(at, until)| (at.as_str().unwrap().into(), json!(until)));
        let row = row.collect::<Map<_, _>>();
        json!({"endedAt": ended_at, "row": row})
    });
    let market_data_wish = object([
        ("of?", object([("startedAt?", at()), ("issuedAt?", at())])),
        ("changes", count()),
        ("isOpen?", any::<bool>().prop_map(Value::from).boxed()),
        ("unfulfilled?", (0_u8..3).prop_map(Value::from).boxed()),
    ]);
    object([
        ("startedAt?", Just(json!(second(0))).boxed()),
        ("deadIssuedAt?", at()),
        ("hostsAt?", at()),
        ("hosts?", by_name(&["demo", "live"], one_of(&["a.tradovateapi.com", "b.tradovateapi.com"]))),
        ("access?", access),
        ("refresh?", refresh),
        ("userId?", Just(json!(7)).boxed()),
        ("refusedRefreshTokens?", by_name(&["f-1", "f-2"], at())),
        ("logIns?", log_ins.boxed()),
        ("postponed?", object([("count", count()), ("value?", ticket)])),
        ("pause?", pause.boxed()),
        ("verifiedAt?", at()),
        ("marketData?", market_data_wish),
        ("followedHostIsWrong?", count()),
        ("configuredHostTriedAt?", at()),
        ("passwordExpiresAt?", object([("count", count()), ("value?", at())])),
    ])
}

fn time(value: &Value) -> Timestamp {
    serde_json::from_value(value.clone()).unwrap()
}

fn read(mut snapshot: Value) -> StoredSession {
    snapshot["version"] = json!(1);
    serde_json::from_value(snapshot).unwrap()
}

/// A record whose times are close to each other.
fn records() -> BoxedStrategy<Record> {
    records_of(Times::Close).prop_map(|snapshot| read(snapshot).0.record).boxed()
}

fn merged(one: &Record, other: &Record) -> Record {
    let mut merged = one.clone();
    merged.merge(other.clone());
    merged
}

/// The stored form of a record.
fn json_of(record: &Record) -> Value {
    let mut empty = read(json!({}));
    empty.0.record = record.clone();
    serde_json::to_value(empty).unwrap()
}

fn assert_same(one: &Record, other: &Record) {
    assert_eq!(json_of(one), json_of(other));
    assert_eq!(one, other);
}

/// A fact that a session learns.
#[derive(Debug, Clone, Copy)]
enum Learn {
    LogIn(fn(&mut LogIns, AttemptId)),
    LogIns(fn(&mut LogIns)),
    Record(fn(&mut Record)),
}

fn jitter() -> Jitter {
    Jitter::new(7)
}

const LEARN: [(&str, Learn); 24] = [
    ("a login is announced", Learn::LogIn(|_, _| {})),
    ("a login is sent", Learn::LogIn(|it, id| it.send(now(), id))),
    ("its outcome is unknown", Learn::LogIn(|it, id| it.outcome_unknown(now(), id, &mut jitter()))),
    ("it opened none", Learn::LogIn(LogIns::opened_none)),
    ("it opened a session", Learn::LogIn(LogIns::opened)),
    ("it succeeded", Learn::LogIn(|it, id| it.succeeded(now(), id))),
    (
        "the credentials are refused",
        Learn::LogIns(|it| {
            it.refused(now(), Some("wrong password again"));
        }),
    ),
    (
        "a login is refused without a text",
        Learn::LogIns(|it| {
            it.refused(now(), None);
        }),
    ),
    (
        "the session is lost",
        Learn::LogIns(|it| {
            it.lost(now(), now());
        }),
    ),
    ("the program asks for another try", Learn::LogIns(LogIns::try_again)),
    ("the program gives other credentials", Learn::LogIns(LogIns::credentials_replaced)),
    ("the access token is dead", Learn::Record(|it| it.tokens.access_is_dead())),
    ("other hosts are named", Learn::Record(|it| it.tokens.name_hosts(now(), ApiHosts::default()))),
    ("the refresh token is used", Learn::Record(|it| it.tokens.refresh.iter_mut().for_each(Refresh::used))),
    (
        "a request is postponed",
        Learn::Record(|it| {
            let secret = PenaltyTicket::new("t-0", Duration::ZERO);
            it.postponed.set(Box::new(Ticket {
                until: now(),
                operation: Operation::LogIn,
                secret,
                host: None,
                request: "hash".into(),
            }));
        }),
    ),
    ("the ticket is spent", Learn::Record(|it| it.postponed.clear())),
    (
        "a fault",
        Learn::Record(|it| {
            it.pause.for_at_least(moment(0), Duration::ZERO);
        }),
    ),
    ("the pause ends", Learn::Record(|it| it.pause.end(moment(0)))),
    ("the pause is skipped", Learn::Record(|it| it.pause.skip())),
    ("the token is verified", Learn::Record(|it| it.verified_at = Some(now()))),
    ("the followed host is wrong", Learn::Record(|it| it.followed_host_is_wrong.set())),
    ("the followed host is good", Learn::Record(|it| it.followed_host_is_wrong.clear())),
    ("a renewal brings no market data token", Learn::Record(|it| it.market_data.not_renewed())),
    ("the password's expiry is told", Learn::Record(|it| it.password_expires_at.set(Timestamp::MIN))),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_merges_does_not_matter(a in records(), b in records(), c in records()) {
        assert_same(&merged(&a, &b), &merged(&b, &a));
        assert_same(&merged(&merged(&a, &b), &c), &merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merging_a_record_a_second_time_changes_nothing(a in records(), b in records()) {
        assert_same(&merged(&a, &a), &a);
        let both = merged(&a, &b);
        assert_same(&merged(&both, &a), &both);
        assert_same(&merged(&both, &b), &both);
    }

    #[test]
    fn a_record_is_read_as_it_was_written(a in records(), b in records()) {
        for record in [&a, &merged(&a, &b)] {
            assert_same(&read(json_of(record)).0.record, record);
        }
    }

    #[test]
    fn a_merge_never_mixes_access_and_market_data_tokens_of_two_lineages(a in records(), b in records()) {
        let both = merged(&a, &b).tokens;
        let Some(access) = both.access else { return Ok(()) };
        let own = |it: &&Record| {
            it.tokens.started_at == both.started_at
                && it.tokens.access.as_ref().is_some_and(|own| own.token.expose() == access.token.expose())
        };
        let market_data = |it: &Record| it.tokens.access.as_ref().unwrap().market_data.clone();
        let brought: Vec<_> = [&a, &b].into_iter().filter(own).map(market_data).collect();
        assert!(brought.contains(&access.market_data), "{brought:?}");
    }

    #[test]
    fn merging_older_records_does_not_restore_a_dead_token(a in records(), b in records(), by: bool) {
        let mut knows = a.clone();
        let dead = knows.tokens.access.as_ref().map(|access| access.issued_at);
        knows.tokens.access_is_dead();
        assert!(knows.tokens.access.is_none());
        let later = if by { merged(&merged(&knows, &b), &a) } else { merged(&merged(&a, &b), &knows) };
        if later.tokens.started_at == a.tokens.started_at {
            assert!(later.tokens.access.is_none_or(|access| Some(access.issued_at) > dead));
        }
    }

    #[test]
    fn merging_an_earlier_copy_keeps_every_fact_learnt_since(known in records(), index in 0..LEARN.len()) {
        let mut known = known;
        known.correct(now());
        let mut learnt = known.clone();
        let (what, learn) = LEARN[index];
        match learn {
            Learn::LogIn(learn) => {
                let id = learnt.log_ins.announce(now(), &mut jitter());
                learn(&mut learnt.log_ins, id);
            }
            Learn::LogIns(learn) => learn(&mut learnt.log_ins),
            Learn::Record(learn) => learn(&mut learnt),
        }
        assert_eq!(json_of(&merged(&known, &learnt)), json_of(&learnt), "{what}");
    }

    #[test]
    fn a_wait_from_a_clock_that_is_ahead_is_cut_to_a_day(snapshot in records_of(Times::Any)) {
        let mut record = read(snapshot).0.record;
        record.correct(now());
        let day = later(now(), Duration::from_secs(24 * 3600));
        assert!(record.log_ins.earliest(now(), None, Duration::ZERO) <= day);
        assert!(record.pause.until() <= Some(day));
        assert!(record.refused_refresh_tokens.values().all(|until| (now()..=day).contains(until)));
        assert!(record.postponed.get().is_none_or(|ticket| ticket.until <= day));
        for event in [record.verified_at, record.configured_host_tried_at] {
            assert!(event <= Some(now()));
        }
        let mut again = record.clone();
        again.correct(now());
        assert_same(&again, &record);
    }

    #[test]
    fn a_record_with_extreme_times_causes_no_panic(
        snapshot in records_of(Times::Any),
        at in Times::Any.one(),
        by in prop::sample::select([SignedDuration::MIN, SignedDuration::MAX, SignedDuration::ZERO].to_vec()),
    ) {
        let at: Timestamp = serde_json::from_value(at).unwrap();
        let mut record = read(snapshot).0.record;
        record.shift(by);
        record.correct(at);
        for (_, learn) in LEARN {
            if let Learn::Record(learn) = learn {
                learn(&mut record);
            }
        }
        let id = record.log_ins.announce(at, &mut jitter());
        record.log_ins.outcome_unknown(at, id, &mut jitter());
        record.log_ins.lost(at, at);
        record.log_ins.refused(at, None);
        record.log_ins.succeeded(at, id);
        record.log_ins.earliest(at, None, Duration::ZERO);
        record.pause.after_fault(Moment { local: at, server: at }, Duration::MAX, Duration::MAX, &mut jitter());
        record.ends();
        read(json_of(&record));
    }

    #[test]
    fn a_clock_shift_and_its_reverse_cancel_out_and_never_change_token_times(record in records(), hours in -99_i64..99) {
        let by = SignedDuration::from_hours(hours);
        let mut moved = record.clone();
        moved.shift(by);
        assert_eq!(moved.tokens, record.tokens);
        assert_eq!(moved.password_expires_at, record.password_expires_at);
        assert_eq!(moved.verified_at, record.verified_at.map(|at| at + by));
        assert_eq!(moved.log_ins.kick_pause_until(), record.log_ins.kick_pause_until().map(|at| at + by));
        assert_eq!(moved.pause.until(), record.pause.until().map(|at| at + by));
        let postponed = |it: &Record| it.postponed.get().map(|ticket| ticket.until);
        assert_eq!(postponed(&moved), postponed(&record).map(|at| at + by));
        for (name, until) in &record.refused_refresh_tokens {
            assert_eq!(moved.refused_refresh_tokens[name], *until + by);
        }
        moved.shift(-by);
        assert_same(&moved, &record);
    }
}

#[test]
fn a_register_holds_the_value_set_last_until_it_is_cleared() {
    let mut register = Latest::default();
    register.clear();
    assert_eq!(register, Latest::default(), "there was nothing to spend");
    register.set(second(2));
    let first = register.clone();
    register.set(second(1));
    register.merge(first.clone());
    assert_eq!(register.get(), Some(&second(1)), "the later one, though its value is less");
    register.clear();
    register.merge(first);
    assert_eq!(register.get(), None);
}

#[test]
fn a_merge_keeps_the_greater_of_two_concurrent_values() {
    let learnt = |at: i64| {
        let mut register = Latest::default();
        register.set(second(at));
        register
    };
    let mut register = learnt(1);
    register.merge(learnt(2));
    register.merge(learnt(1));
    assert_eq!(register.get(), Some(&second(2)));
    assert_ne!(learnt(1), learnt(2));
}

#[test]
fn two_tickets_that_differ_only_in_their_request_are_merged_in_any_order() {
    let [one, other] = ["hash-1", "hash-2"].map(|request| {
        let ticket = json!({"until": now(), "operation": "oauthtoken", "request": request, "ticket": "t"});
        read(json!({"postponed": {"count": 1, "value": ticket}})).0.record
    });
    assert_ne!(one, other);
    assert_same(&merged(&one, &other), &merged(&other, &one));
}

#[test]
fn a_restored_value_counts_as_if_it_had_never_been_cleared() {
    let mut register = Latest::default();
    register.set(second(1));
    let before = register.clone();
    register.clear();
    register.restore(None);
    assert_ne!(register, before, "there is nothing to restore");
    register.restore(Some(second(1)));
    assert_eq!(register, before);
    register.restore(Some(second(2)));
    assert_eq!(register, before, "it is not spent");
}

#[test]
fn a_flag_is_set_until_it_is_cleared() {
    let mut flag = Flag::default();
    assert!(!flag.is_set());
    for _ in 0..2 {
        flag.set();
        flag.set();
        assert!(flag.is_set());
        flag.clear();
        flag.clear();
        assert!(!flag.is_set());
    }
}

#[test]
fn a_flag_that_is_taken_back_stays_set_if_another_process_has_set_it() {
    let mut flag = Flag::default();
    flag.set();
    let of_another = flag;
    flag.unset();
    assert!(!flag.is_set());
    flag.merge(of_another);
    assert!(flag.is_set());
}

#[test]
fn the_ban_of_a_refresh_token_is_removed_at_its_end() {
    let refused = json!({"refusedRefreshTokens": {"a": second(-1), "b": now(), "c": second(1)}});
    let mut record = read(refused).0.record;
    record.correct(now());
    assert_eq!(record.refused_refresh_tokens.keys().collect::<Vec<_>>(), ["c"]);
}

/// Each fact of the table with the time at which it ends, if any.
#[test]
fn a_record_ends_with_the_last_of_its_facts() {
    let ends = |snapshot: Value| read(snapshot).0.record.ends().map(|end| end.duration_since(now()).as_secs());
    let at = |it: i64| json!(second(it));
    let access = json!({"token": "at", "issuedAt": at(0), "expiresAt": at(80)});
    let cases = [
        ("nothing", json!({})),
        ("an access token", json!({"access": access})),
        ("a refresh token with an end", json!({"access": access, "refresh": {"token": "rt", "expiresAt": at(90)}})),
        ("a refused refresh token", json!({"refusedRefreshTokens": {"a": at(5), "b": at(6)}})),
        ("a login", json!({"logIns": {"attempts": [{"id": 1, "status": "opened", "sent": at(0)}]}})),
        (
            "a long pause after a login",
            json!({"logIns": {"attempts": [{"id": 1, "status": "unknown", "sent": at(0), "until": at(9000)}]}}),
        ),
        ("a loss", json!({"logIns": {"loss": {"at": at(1), "kicks": 0}}})),
        ("a kick", json!({"logIns": {"loss": {"at": at(1), "kicks": 1, "pauseUntil": at(8000)}}})),
        ("a refusal with another try", json!({"logIns": {"refused": {"at": at(0), "retryAt": at(3600)}}})),
        (
            "a ticket",
            json!({"postponed": {"count": 1,
            "value": {"until": at(15), "operation": "oauthtoken", "request": "hash", "ticket": "t"}}}),
        ),
        ("a pause", json!({"pause": {"row": {second(0).to_string(): at(20)}}})),
        ("the password's expiry", json!({"passwordExpiresAt": {"count": 1, "value": at(100)}})),
    ];
    let lines: Vec<_> = cases.into_iter().map(|(what, snapshot)| format!("{what}: {:?}", ends(snapshot))).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    nothing: None
    an access token: Some(80)
    a refresh token with an end: Some(90)
    a refused refresh token: Some(6)
    a login: Some(7200)
    a long pause after a login: Some(9000)
    a loss: Some(7201)
    a kick: Some(8000)
    a refusal with another try: Some(3600)
    a ticket: Some(15)
    a pause: Some(20)
    the password's expiry: None
    ");
    for endless in [json!({"refresh": {"token": "rt"}}), json!({"logIns": {"refused": {"at": at(0), "text": "no"}}})] {
        assert_eq!(read(endless).0.record.ends(), Some(Timestamp::MAX));
    }
}

#[test]
fn empty_facts_are_not_written() {
    assert_eq!(json_of(&Record::default()), json!({"version": 1}));
    let access = json!({"token": "at", "issuedAt": now(), "expiresAt": now()});
    let least = json!({
        "version": 1, "access": access, "refresh": {"token": "rt"}, "logIns": {"attempts": [{"id": 1, "status": "opened", "sent": now()}]},
    });
    assert_eq!(json_of(&read(least.clone()).0.record), least);
}

#[test]
fn a_snapshot_with_a_malformed_token_is_refused() {
    for damaged in ["", " ", "a b"] {
        let access = json!({"token": damaged, "issuedAt": now(), "expiresAt": now()});
        let snapshot = json!({"version": 1, "access": access});
        assert!(serde_json::from_value::<Box<StoredSession>>(snapshot).is_err(), "{damaged:?}");
    }
}

#[test]
fn jitter_is_splitmix64() {
    let mut jitter = Jitter::new(1_234_567);
    assert_eq!([jitter.next(), jitter.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    let mut jitter = Jitter::new(7);
    let most = Duration::from_secs(1000);
    let all: Vec<_> = (0..2000).map(|_| jitter.up_to(most)).collect();
    assert!(all.iter().all(|it| *it <= most));
    assert!(all.iter().min().unwrap().as_secs() < 10 && all.iter().max().unwrap().as_secs() > 990);
}

#[test]
fn the_pauses_after_faults_double_and_are_jittered_down_to_half() {
    let (longest, none) = (Duration::from_secs(60), Duration::ZERO);
    let pauses = |seed: u64| {
        let (mut pause, mut jitter) = (Pause::default(), Jitter::new(seed));
        let all: Vec<_> = (0..8).map(|_| pause.after_fault(moment(0), none, longest, &mut jitter)).collect();
        assert_eq!(pause.until(), all.iter().copied().max());
        all.into_iter().map(|until| until.duration_since(now()).as_millis()).collect::<Vec<_>>()
    };
    let halves = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
    assert_eq!(pauses(0), halves);
    for seed in 1..50 {
        assert!(pauses(seed).iter().zip(halves).all(|(pause, half)| (half..=2 * half).contains(pause)));
    }
    assert!((1..50).any(|seed| pauses(seed)[7] > 55_000));
    let mut pause = Pause::default();
    let long = pause.after_fault(moment(0), Duration::from_secs(600), longest, &mut Jitter::new(0));
    assert_eq!(long, second(600));
    pause.after_fault(moment(0), none, longest, &mut Jitter::new(0));
    assert_eq!(pause.until(), Some(long), "a later fault does not shorten it");
}

#[test]
fn a_skipped_pause_keeps_the_count_of_faults_and_an_ended_pause_resets_it() {
    let fault = |pause: &mut Pause| {
        let until = pause.after_fault(moment(0), Duration::ZERO, Duration::from_secs(60), &mut Jitter::new(0));
        until.duration_since(now()).as_millis()
    };
    let mut pause = Pause::default();
    pause.skip();
    assert_eq!(pause, Pause::default(), "there was none");
    assert_eq!([fault(&mut pause), fault(&mut pause)], [500, 1000]);
    let before = pause.clone();
    pause.skip();
    assert_eq!(pause.until(), None);
    pause.merge(before.clone());
    assert_eq!(pause.until(), None, "the one before is over");
    assert_eq!(fault(&mut pause), 2000);
    pause.end(moment(0));
    assert_eq!(pause.until(), None);
    pause.merge(before);
    assert_eq!(fault(&mut pause), 500);
}

#[test]
fn a_pause_that_one_process_ended_alone_does_not_end_the_later_pauses_of_another() {
    let fault = |pause: &mut Pause, at| pause.for_at_least(moment(at), Duration::from_secs(60));
    let mut shared = Pause::default();
    for at in 0..3 {
        fault(&mut shared, at);
    }
    let mut alone = shared.clone();
    alone.end(moment(5));
    fault(&mut shared, 4);
    let until = fault(&mut shared, 6);
    for (mut one, other) in [(alone.clone(), shared.clone()), (shared, alone)] {
        one.merge(other);
        assert_eq!((one.faults(), one.until()), (1, Some(until)), "only the fault after the end counts");
    }
}

#[test]
fn faults_of_two_processes_in_one_outage_are_added() {
    let faults = |seconds: [i64; 3]| {
        let mut pause = Pause::default();
        for at in seconds {
            pause.for_at_least(moment(at), Duration::ZERO);
        }
        pause
    };
    let mut pause = faults([0, 2, 4]);
    pause.merge(faults([1, 3, 5]));
    assert_eq!((pause.faults(), pause.until()), (6, Some(second(5))));
}

#[test]
fn an_end_is_later_than_the_faults_before_it_even_if_the_clock_goes_back() {
    let mut pause = Pause::default();
    pause.for_at_least(moment(9), Duration::from_secs(60));
    let before = pause.clone();
    pause.end(moment(0));
    pause.merge(before);
    assert_eq!(pause.faults(), 0);
    pause.for_at_least(moment(0), Duration::from_secs(60));
    pause.merge(pause.clone());
    assert_eq!((pause.faults(), pause.until()), (1, Some(second(60))), "a fault is later than the end before it");
}

#[test]
fn a_snapshot_that_says_that_pauses_ended_in_the_far_future_does_not_prevent_later_pauses() {
    let mut pause: Pause = serde_json::from_value(json!({"endedAt": Timestamp::MAX})).unwrap();
    let until = pause.for_at_least(moment(0), Duration::from_secs(60));
    pause.merge(pause.clone());
    assert_eq!(pause.until(), Some(until));
}

#[test]
fn a_pause_in_an_earlier_format_is_not_read() {
    let earlier = json!({"of": second(0), "ends": 1, "until": second(60), "faults": 3});
    assert_eq!(serde_json::from_value::<Pause>(earlier).unwrap(), Pause::default());
}

#[test]
fn ten_faults_in_a_row_count() {
    let mut pause = Pause::default();
    let longest = Duration::from_secs(600);
    let pauses: Vec<_> = (0..12)
        .map(|at| pause.after_fault(moment(at), Duration::ZERO, longest, &mut Jitter::new(0)))
        .map(|until| until.duration_since(now()).as_secs())
        .collect();
    assert_eq!(pauses[8..], [8 + 128, 9 + 256, 10 + 300, 11 + 300]);
    let oldest = |pause: &Pause| json!(pause)["row"].as_object().unwrap().keys().next().cloned();
    assert_eq!((pause.faults(), oldest(&pause)), (10, Some(second(2).to_string())));
    let mut merged = pause.clone();
    merged.for_at_least(moment(99), Duration::ZERO);
    merged.merge(pause);
    assert_eq!((merged.faults(), oldest(&merged)), (10, Some(second(3).to_string())));
}

#[test]
fn two_records_can_be_compared_by_the_age_of_their_tokens() {
    let of = |access: Value, refresh: Value| read(json!({"access": access, "refresh": refresh})).0.record.tokens;
    let access = |issued| json!({"token": format!("at-{issued}"), "issuedAt": second(issued), "expiresAt": second(60)});
    let refresh = |issued| json!({"token": format!("rt-{issued}"), "issuedAt": second(issued)});
    let none = Tokens::default();
    let (old, renewed, refreshed) = (of(access(0), refresh(0)), of(access(1), refresh(0)), of(access(0), refresh(1)));
    for (one, other, has_newer) in [
        (&old, &none, true),
        (&none, &old, false),
        (&old, &old, false),
        (&renewed, &old, true),
        (&refreshed, &old, true),
    ] {
        assert_eq!(one.has_newer_token_than(other), has_newer);
        assert_eq!(one.is_superseded_by(other), !has_newer);
    }
    assert!(renewed.has_newer_token_than(&refreshed) && refreshed.has_newer_token_than(&renewed));
    assert_eq!(renewed.access_key(), Some((second(1), "at-1")));
    assert_eq!(refreshed.refresh_key(), Some((Some(second(1)), "rt-1")));
    assert_eq!((none.access_key(), none.refresh_key()), (None, None));
    assert!(
        old.refresh.as_ref().unwrap().is(&RefreshToken::new("rt-0"))
            && !old.refresh.unwrap().is(&RefreshToken::new("rt"))
    );
    assert_eq!(newer(second(5), Some(second(3))), second(5));
    assert!(newer(second(3), Some(second(3))) > second(3) && newer(second(3), None) == second(3));
}

#[test]
fn only_a_supplied_refresh_token_that_has_brought_no_token_continues_after_a_forgotten_lineage() {
    let forgotten = json!({"startedAt": second(5)});
    let dead = json!({"startedAt": second(5), "deadIssuedAt": second(1)});
    let access = json!({"token": "at", "issuedAt": second(0), "expiresAt": second(60)});
    let supplied = json!({"token": "rt"});
    let issued = json!({"token": "rt", "issuedAt": second(0)});
    for (own, other, continues) in [
        (json!({"refresh": supplied}), &forgotten, true),
        (json!({"startedAt": second(4), "refresh": supplied}), &forgotten, true),
        (json!({"startedAt": second(5), "refresh": supplied}), &forgotten, false),
        (json!({"startedAt": second(6), "refresh": supplied}), &forgotten, false),
        (json!({"refresh": supplied}), &dead, false),
        (json!({"refresh": issued}), &forgotten, false),
        (json!({"refresh": supplied, "access": access}), &forgotten, false),
        (json!({"refresh": supplied, "deadIssuedAt": second(1)}), &forgotten, false),
        (json!({}), &forgotten, false),
    ] {
        let [mut tokens, other] = [own.clone(), other.clone()].map(|it| read(it).0.record.tokens);
        let before = tokens.started_at;
        tokens.continue_after(&other);
        let expected = if continues { Some(newer(second(5), other.started_at)) } else { before };
        assert_eq!(tokens.started_at, expected, "{own}");
    }
}

#[test]
fn the_lifetime_of_a_token_counts_from_its_request() {
    let life = |issued, end| {
        let access = json!({"token": "at", "issuedAt": second(issued), "expiresAt": second(end)});
        read(json!({"access": access})).0.record.tokens.access.unwrap().life()
    };
    assert_eq!(life(1, 61), Duration::from_secs(60));
    assert_eq!((life(1, 1), life(2, 1)), (Duration::MAX, Duration::MAX), "the clock was wrong");
}

#[test]
fn a_successful_refresh_clears_the_flags_of_its_refresh_token() {
    let flags = json!({"token": "rt", "refusedOnce": 1, "announced": 1, "outcomeUnknown": 1});
    let mut refresh = read(json!({"refresh": flags})).0.record.tokens.refresh.unwrap();
    assert!([refresh.refused_once, refresh.announced, refresh.outcome_unknown].into_iter().all(Flag::is_set));
    refresh.used();
    assert!(![refresh.refused_once, refresh.announced, refresh.outcome_unknown].into_iter().any(Flag::is_set));
}

#[test]
fn newly_named_hosts_replace_earlier_hosts_even_with_an_earlier_time() {
    let hosts = |host: &'static str| -> ApiHosts { [("demo", host)].into_iter().collect() };
    let mut tokens = Tokens::default();
    tokens.name_hosts(second(5), hosts("a.tradovateapi.com"));
    let before = tokens.clone();
    tokens.name_hosts(second(1), hosts("b.tradovateapi.com"));
    tokens.merge(before);
    assert_eq!(tokens.hosts.get("demo"), Some("b.tradovateapi.com"));
    assert!(tokens.hosts_at > Some(second(5)));
}

#[test]
fn two_hosts_that_were_named_at_the_same_time_are_merged_in_any_order() {
    let of = |host: &str| read(json!({"hosts": {"demo": host}, "hostsAt": second(5)})).0.record;
    let (one, other) = (of("a.tradovateapi.com"), of("b.tradovateapi.com"));
    for merged in [merged(&one, &other), merged(&other, &one)] {
        assert_eq!(merged.tokens.hosts.get("demo"), Some("b.tradovateapi.com"));
    }
}

#[test]
fn a_merge_keeps_only_the_tokens_of_the_newer_lineage() {
    let access = |issued| json!({"token": "at", "issuedAt": second(issued), "expiresAt": second(60)});
    let refresh = json!({"token": "rt", "issuedAt": second(9)});
    let older = json!({"startedAt": second(1), "access": access(9), "refresh": refresh, "deadIssuedAt": second(8)});
    let newer = json!({"startedAt": second(2), "access": access(2)});
    let [none, older, newer] = [json!({"access": access(9)}), older, newer].map(|it| read(it).0.record);
    for (one, other, wins) in [(&older, &newer, &newer), (&none, &older, &older), (&none, &newer, &newer)] {
        assert_same(&merged(one, other), wins);
        assert_same(&merged(other, one), wins);
    }
}

#[test]
fn expiries_from_a_wrong_clock_are_corrected_and_issue_times_are_kept() {
    let tokens = |end: i64| {
        let market_data = json!({"token": "md", "expiresAt": second(end)});
        let access = json!({"token": "at", "issuedAt": second(0), "expiresAt": second(end), "marketData": market_data});
        let refresh = json!({"token": "rt", "issuedAt": second(0), "expiresAt": second(end)});
        read(json!({"access": access, "refresh": refresh})).0.record.tokens
    };
    let mut corrected = tokens(60);
    corrected.correct_ends(SignedDuration::from_secs(-20));
    assert_eq!(corrected, tokens(40));
}

#[test]
fn a_merge_keeps_the_market_data_token_that_expires_later() {
    let with = |market_data: Value| {
        let access = json!({"token": "at", "issuedAt": second(0), "expiresAt": second(60), "marketData": market_data});
        read(json!({"access": access})).0.record
    };
    let [none, early, late] =
        [json!(null), json!({"token": "md", "expiresAt": second(1)}), json!({"token": "md", "expiresAt": second(2)})]
            .map(with);
    assert!(early != late && none != early);
    for (one, other, kept) in [(&none, &early, &early), (&early, &late, &late)] {
        assert_same(&merged(one, other), kept);
        assert_same(&merged(other, one), kept);
    }
}

#[test]
fn faults_are_counted_after_times_in_the_far_future() {
    let mut pause: Pause = serde_json::from_value(json!({"endedAt": Timestamp::MAX})).unwrap();
    pause.correct(now());
    let known = pause.clone();
    for at in 0..4 {
        pause.for_at_least(moment(at), Duration::ZERO);
    }
    pause.merge(known);
    assert_eq!(pause.faults(), 4);
}
