use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const HISTORY: &str = r#"{
    "writtenAt": "2026-11-24T14:00:01Z",
    "logIns": { "notBefore": "2026-11-24T15:00:00Z", "counted": ["2026-11-24T14:00:00Z"], "kicks": 1 },
    "sent": { "renewaccesstoken": ["2026-11-24T13:50:00Z", "2026-11-24T13:55:00Z"] },
    "pause": { "faults": 2, "until": "2026-11-24T14:01:00Z" },
    "verifiedAt": "2026-11-24T13:50:00Z",
    "lostIssuedAt": "2026-11-24T12:00:00Z"
}"#;

fn full() -> StoredSession {
    StoredSession(Box::new(Content {
        owner: Some(Owner {
            login: "https://demo.tradovateapi.com/v1".into(),
            user: Some("trader".into()),
            ..Owner::default()
        }),
        grant: Some(StoredGrant {
            access_token: AccessToken::parse("canary-access").unwrap(),
            issued_at: at("2026-11-24T14:00:00Z"),
            expires_at: at("2026-11-24T15:20:00Z"),
            market_data: Some(MarketDataGrant::new(
                MarketDataToken::parse("canary-market-data").unwrap(),
                at("2026-11-24T15:20:00Z"),
            )),
        }),
        refresh: Some(RefreshGrant::new(
            RefreshToken::new("canary-refresh"),
            Some(at("2026-11-25T16:00:00Z")),
            Some(at("2026-11-24T14:00:00Z")),
        )),
        user_id: Some(15460),
        hosts: ApiHosts::from_iter([("demo", "acme.ninjatrader.com"), ("unheardOf", "x.tradovate.com")]),
        clock_offset: Some(SignedDuration::from_millis(-599_500)),
        worked_before: true,
        locked: Some(Gate::new(at("2026-11-24T14:00:00Z"), Duration::from_secs(7200))),
        closed: vec![(Operation::Renew, Gate::new(at("2026-11-24T14:00:00Z"), Duration::from_secs(3636)))],
        postponed: Some(Postponed {
            operation: Operation::LogIn,
            ticket: PenaltyTicket::new("canary-ticket", Duration::ZERO),
            until: at("2026-11-24T14:00:15Z"),
            host: None,
        }),
        refused: vec![RefusedToken { fingerprint: "0f".into(), until: at("2026-11-24T20:00:00Z") }],
        password_expires_at: Some(at("2026-12-24T00:00:00Z")),
        history: serde_json::from_str(HISTORY).unwrap(),
    }))
}

fn json(stored: &StoredSession) -> String {
    serde_json::to_string_pretty(stored).unwrap()
}

fn read(text: &str) -> Result<StoredSession, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn its_form_is_this() {
    insta::assert_snapshot!(json(&full()), @r#"
    {
      "version": 1,
      "owner": {
        "login": "https://demo.tradovateapi.com/v1",
        "user": "trader"
      },
      "access": {
        "token": "canary-access",
        "issuedAt": "2026-11-24T14:00:00Z",
        "expiresAt": "2026-11-24T15:20:00Z",
        "marketData": {
          "token": "canary-market-data",
          "expiresAt": "2026-11-24T15:20:00Z"
        }
      },
      "refresh": {
        "token": "canary-refresh",
        "expiresAt": "2026-11-25T16:00:00Z",
        "issuedAt": "2026-11-24T14:00:00Z"
      },
      "userId": 15460,
      "hosts": {
        "demo": "acme.ninjatrader.com",
        "unheardOf": "x.tradovate.com"
      },
      "clockOffsetMs": -599500,
      "workedBefore": true,
      "lockOut": {
        "learntAt": "2026-11-24T14:00:00Z",
        "holdsForMs": 7200000
      },
      "closedEndpoints": {
        "renewaccesstoken": {
          "learntAt": "2026-11-24T14:00:00Z",
          "holdsForMs": 3636000
        }
      },
      "postponed": {
        "operation": "accesstokenrequest",
        "ticket": "canary-ticket",
        "until": "2026-11-24T14:00:15Z"
      },
      "refusedRefreshTokens": {
        "0f": "2026-11-24T20:00:00Z"
      },
      "passwordExpiresAt": "2026-12-24T00:00:00Z",
      "history": {
        "writtenAt": "2026-11-24T14:00:01Z",
        "logIns": {
          "notBefore": "2026-11-24T15:00:00Z",
          "counted": [
            "2026-11-24T14:00:00Z"
          ],
          "kicks": 1
        },
        "sent": {
          "renewaccesstoken": [
            "2026-11-24T13:50:00Z",
            "2026-11-24T13:55:00Z"
          ]
        },
        "pause": {
          "faults": 2,
          "until": "2026-11-24T14:01:00Z"
        },
        "verifiedAt": "2026-11-24T13:50:00Z",
        "lostIssuedAt": "2026-11-24T12:00:00Z"
      }
    }
    "#);
}

#[test]
fn it_comes_back_as_it_was() {
    let text = json(&full());
    assert_eq!(json(&read(&text).unwrap()), text);
}

#[test]
fn the_least_there_is_can_be_read() {
    let stored = read(r#"{"version":1}"#).unwrap();
    assert_eq!((stored.expires_at(), stored.user_id()), (None, None));
    assert_eq!(serde_json::to_string(&stored).unwrap(), r#"{"version":1,"workedBefore":false}"#);
}

#[test]
fn fields_that_are_missing_null_or_unknown_do_no_harm() {
    let text = r#"{"version":1,"refresh":{"token":"t"},"userId":null,"hosts":null,"invented":{"by":"nobody"}}"#;
    assert_eq!(read(text).unwrap().0.refresh.unwrap().expires_at, None);
}

#[test]
fn a_newer_version_is_refused_whatever_it_looks_like() {
    for text in [
        r#"{"version":2}"#,
        r#"{"access":"sealed-canary","version":2}"#,
        r#"{"version":4294967296,"workedBefore":"canary"}"#,
    ] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(read(text).unwrap_err().split(" at line").next().unwrap(), @"
            a newer version of this library has written the session: update the program, the session is intact
            ");
        }
    }
}

#[test]
fn damage_is_named_and_nothing_is_quoted() {
    for (text, said) in [
        ("", "it can't be read"),
        ("\"canary\"", "it can't be read"),
        (r#"{"version":1,"access":{"token":"canary"#, "it can't be read"),
        ("{}", "in `version`"),
        (r#"{"version":"canary"}"#, "in `version`"),
        (r#"{"version":-1}"#, "in `version`"),
        (r#"{"version":1,"access":"canary"}"#, "in `access`"),
        (r#"{"version":1,"access":{"token":"canary","issuedAt":"canary","expiresAt":"canary"}}"#, "in `access`"),
        (
            r#"{"version":1,"access":{"token":"canary\n","issuedAt":"2026-11-24T14:00:00Z","expiresAt":"2026-11-24T14:00:00Z"}}"#,
            "in `access`",
        ),
        (r#"{"version":1,"refresh":{"token":["canary"]}}"#, "in `refresh`"),
        (r#"{"version":1,"lockOut":"canary"}"#, "in `lockOut`"),
        (r#"{"version":1,"closedEndpoints":{"canary":{}}}"#, "in `closedEndpoints`"),
        (
            r#"{"version":1,"postponed":{"operation":"canary","ticket":"t","until":"2026-11-24T14:00:00Z"}}"#,
            "in `postponed`",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with("the stored session is damaged") && error.contains(said), "{text}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn hosts_that_are_none_are_not_taken_from_a_store() {
    let stored = read(r#"{"version":1,"hosts":{"live":"https://evil.com/","demo":"a.tradovate.com"}}"#).unwrap();
    assert_eq!(stored.0.hosts.iter().collect::<Vec<_>>(), [("demo", "a.tradovate.com")]);
}

#[test]
fn it_prints_no_secret() {
    let printed = format!("{:?} {:?}", full(), full().0);
    assert!(!printed.contains("canary"), "{printed}");
    insta::assert_snapshot!(format!("{:?}", full()), @"
    StoredSession { user_id: Some(15460), expires_at: Some(2026-11-24T15:20:00Z), .. }
    ");
}

#[test]
fn another_machines_times_are_translated_by_the_age_of_the_snapshot() {
    // Written by a clock that is ten minutes ahead, and read a minute later.
    let read = full().seen_at(at("2026-11-24T13:51:01Z"), Duration::from_secs(60));
    assert_eq!(read.0.locked.map(|gate| gate.end()), Some(at("2026-11-24T15:50:00Z")));
    assert_eq!(read.0.closed, [(Operation::Renew, Gate::new(at("2026-11-24T13:50:00Z"), Duration::from_secs(3636)))]);
    assert_eq!(read.0.postponed.as_ref().unwrap().until, at("2026-11-24T13:50:15Z"));
    assert_eq!(read.0.refused[0].until, at("2026-11-24T19:50:00Z"));
    assert_eq!(read.0.clock_offset, Some(SignedDuration::from_millis(500)));
    assert_eq!(read.expires_at(), full().expires_at(), "that is the server's");
    insta::assert_snapshot!(serde_json::to_string(&read.0.history).unwrap(), @r#"{"writtenAt":"2026-11-24T13:50:01Z","logIns":{"notBefore":"2026-11-24T14:50:00Z","counted":["2026-11-24T13:50:00Z"],"kicks":1},"sent":{"renewaccesstoken":["2026-11-24T13:40:00Z","2026-11-24T13:45:00Z"]},"pause":{"faults":2,"until":"2026-11-24T13:51:00Z"},"verifiedAt":"2026-11-24T13:40:00Z","lostIssuedAt":"2026-11-24T12:00:00Z"}"#);
}

#[test]
fn it_is_worth_keeping_as_long_as_anything_in_it_is() {
    let hours = |stored: &StoredSession| stored.keep_for().map(|time| time.as_secs() / 3600);
    assert_eq!(hours(&full()), Some(26 + 24 - 1), "the refresh token, and a day for clocks that are wrong");
    let mut stored = full();
    stored.0.refresh = None;
    assert_eq!(hours(&stored), Some(6 + 24 - 1), "the memory of a refused one");
    stored.0.refused.clear();
    assert_eq!(hours(&stored), Some(2 + 24 - 1), "the lock-out");
    stored.0.refresh = Some(RefreshGrant::new(RefreshToken::new("t"), None, None));
    assert_eq!(stored.keep_for(), None, "nobody knows the end of a refresh token");
}
