use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A snapshot with every fact.
const FULL: &str = r#"{
  "version": 1,
  "owner": {
    "login": "https://demo.tradovateapi.com/v1",
    "user": "trader"
  },
  "writtenAt": "2026-11-24T14:00:01Z",
  "clockOffsetMs": -599500,
  "assumedOffsetMs": 0,
  "startedAt": "2026-11-24T12:40:00Z",
  "deadIssuedAt": "2026-11-24T12:00:00Z",
  "hostsAt": "2026-11-24T12:40:00Z",
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
    "issuedAt": "2026-11-24T14:00:00Z",
    "expiresAt": "2026-11-25T16:00:00Z",
    "refusedOnce": 1
  },
  "hosts": {
    "demo": "acme.ninjatrader.com",
    "unheardOf": "x.tradovate.com"
  },
  "userId": 15460,
  "refusedRefreshTokens": {
    "0f": "2026-11-24T20:00:00Z"
  },
  "logIns": {
    "attempts": [
      {
        "id": 7,
        "status": "unknown",
        "sent": "2026-11-24T13:30:00Z",
        "until": "2026-11-24T13:31:00Z"
      }
    ],
    "answeredAt": "2026-11-24T12:40:00Z",
    "worked": 0,
    "tries": 1,
    "refused": {
      "ofTry": 1,
      "at": "2026-11-24T13:50:00Z",
      "retryAt": "2026-11-24T14:50:00Z",
      "text": "no"
    },
    "loss": {
      "at": "2026-11-24T13:50:00Z",
      "kicks": 1,
      "pauseUntil": "2026-11-24T15:00:00Z"
    }
  },
  "postponed": {
    "count": 1,
    "value": {
      "until": "2026-11-24T14:00:15Z",
      "operation": "accesstokenrequest",
      "request": "hash",
      "ticket": "canary-ticket"
    }
  },
  "pause": {
    "endedAt": "2026-11-24T12:40:00Z",
    "row": {
      "2026-11-24T14:00:00Z": "2026-11-24T14:01:00Z"
    }
  },
  "verifiedAt": "2026-11-24T13:50:00Z",
  "followedHostIsWrong": 1,
  "configuredHostTriedAt": "2026-11-24T13:50:00Z",
  "passwordExpiresAt": {
    "count": 1,
    "value": "2026-12-24T00:00:00Z"
  },
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
  "sent": {
    "accesstokenrequest": [
      "2026-11-24T13:50:00Z"
    ]
  }
}"#;

fn full() -> StoredSession {
    read(FULL).unwrap()
}

fn json(stored: &StoredSession) -> String {
    serde_json::to_string_pretty(stored).unwrap()
}

fn read(text: &str) -> Result<StoredSession, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn a_full_snapshot_is_written_as_it_was_read() {
    assert_eq!(json(&full()), FULL);
}

#[test]
fn the_smallest_snapshot_can_be_read() {
    let stored = read(r#"{"version":1}"#).unwrap();
    assert_eq!((stored.expires_at(), stored.user_id()), (None, None));
    assert_eq!(serde_json::to_string(&stored).unwrap(), r#"{"version":1}"#);
}

#[test]
fn missing_null_and_unknown_fields_are_accepted() {
    let text = r#"{"version":1,"refresh":{"token":"t"},"userId":null,"hosts":null,"invented":{"by":"nobody"}}"#;
    assert_eq!(read(text).unwrap().0.record.tokens.refresh.unwrap().expires_at, None);
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused_whatever_its_content() {
    for text in [
        r#"{"version":2}"#,
        r#"{"access":"sealed-canary","version":2}"#,
        r#"{"version":4294967296,"workedBefore":"canary"}"#,
    ] {
        let said = read(text).unwrap_err();
        let said = said.split(" at line").next().unwrap();
        assert_eq!(
            said,
            "a newer version of this library has written the session: update the program, the session is intact"
        );
    }
}

#[test]
fn the_error_of_a_damaged_snapshot_names_the_field_and_quotes_nothing() {
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
        (r#"{"version":1,"postponed":{"value":{"operation":"canary"}}}"#, "in `postponed`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with("the stored session is damaged") && error.contains(said), "{text}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn invalid_hosts_are_not_taken_over_from_a_store() {
    let stored = read(r#"{"version":1,"hosts":{"live":"https://evil.com/","demo":"a.tradovate.com"}}"#).unwrap();
    assert!(stored.0.record.tokens.hosts.iter().eq([("demo", "a.tradovate.com")]));
}

#[test]
fn debug_output_of_a_stored_session_contains_no_secret() {
    let printed = format!("{:?} {:?}", full(), full().0);
    assert!(!printed.contains("canary"), "{printed}");
    insta::assert_snapshot!(format!("{:?}", full()), @"
    StoredSession { user_id: Some(15460), expires_at: Some(2026-11-24T15:20:00Z), .. }
    ");
}

#[test]
fn another_machines_times_are_translated_by_the_age_of_the_snapshot() {
    let read = json(&full().seen_at(at("2026-11-24T13:51:01Z"), Duration::from_secs(60)));
    let changed: String = FULL
        .lines()
        .zip(read.lines())
        .filter(|(before, after)| before != after)
        .map(|(_, after)| after.trim().trim_end_matches(','))
        .collect::<Vec<_>>()
        .join("\n");
    // Everything that is missing here is by the server's clock.
    insta::assert_snapshot!(changed, @r#"
    "writtenAt": "2026-11-24T13:50:01Z"
    "clockOffsetMs": 500
    "assumedOffsetMs": 600000
    "0f": "2026-11-24T19:50:00Z"
    "sent": "2026-11-24T13:20:00Z"
    "until": "2026-11-24T13:21:00Z"
    "answeredAt": "2026-11-24T12:30:00Z"
    "at": "2026-11-24T13:40:00Z"
    "retryAt": "2026-11-24T14:40:00Z"
    "at": "2026-11-24T13:40:00Z"
    "pauseUntil": "2026-11-24T14:50:00Z"
    "until": "2026-11-24T13:50:15Z"
    "2026-11-24T14:00:00Z": "2026-11-24T13:51:00Z"
    "verifiedAt": "2026-11-24T13:40:00Z"
    "configuredHostTriedAt": "2026-11-24T13:40:00Z"
    "learntAt": "2026-11-24T13:50:00Z"
    "learntAt": "2026-11-24T13:50:00Z"
    "2026-11-24T13:40:00Z"
    "#);
}

#[test]
fn a_snapshot_written_at_the_current_time_implies_no_clock_offset() {
    let written = r#"{"version":1,"writtenAt":"2026-11-24T14:00:00Z"}"#;
    let offset = |now| read(written).unwrap().read_at(at(now), true).0.clock_offset;
    assert_eq!(offset("2026-11-24T14:00:00Z"), None);
    assert_eq!(offset("2026-11-24T13:59:59Z"), Some(SignedDuration::from_secs(1)));
}

#[test]
fn a_snapshot_is_kept_until_a_day_after_its_last_fact_ends() {
    let hours = |stored: &StoredSession| stored.keep_for().map(|time| time.as_secs() / 3600);
    assert_eq!(hours(&full()), Some(26 + 24 - 1), "the refresh token, and a day for clocks that are wrong");
    let mut stored = full();
    stored.0.record.tokens.refresh = None;
    assert_eq!(hours(&stored), Some(6 + 24 - 1), "the memory of a refused one");
    stored.0.record.refused_refresh_tokens.clear();
    assert_eq!(hours(&stored), Some(2 + 24 - 1), "the lock-out");
    let locked = r#"{"version":1,"writtenAt":"2026-11-24T14:00:00Z","lockOut":{"learntAt":"2026-11-24T14:00:00Z","holdsForMs":7200000}}"#;
    assert_eq!(hours(&read(locked).unwrap()), Some(2 + 24), "that of the address");
    let endless = read(r#"{"version":1,"writtenAt":"2026-11-24T14:00:01Z","refresh":{"token":"t"}}"#).unwrap();
    assert_eq!(endless.keep_for(), None, "nobody knows the end of a refresh token");
    let refused =
        r#"{"version":1,"writtenAt":"2026-11-24T14:00:01Z","logIns":{"refused":{"at":"2026-11-24T14:00:00Z"}}}"#;
    assert_eq!(read(refused).unwrap().keep_for(), None, "credentials that are not tried again");
}

#[test]
fn a_snapshot_has_a_token_if_it_has_an_access_token_or_a_refresh_token() {
    for (removed, has_token) in
        [(&[][..], true), (&["refresh"], true), (&["access"], true), (&["access", "refresh"], false)]
    {
        let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(FULL).unwrap();
        fields.retain(|name, _| !removed.contains(&name.as_str()));
        let stored: StoredSession = serde_json::from_value(fields.into()).unwrap();
        assert_eq!(stored.has_token(), has_token, "without {removed:?}");
    }
}
