//! The fuzz target for stored records, plain and sealed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hmac_sha256::Hash as Sha256;
use tradovate_auth_session::{StoredSession, Unreadable};
use tradovate_auth_store::{Codec, SealingKey, SessionName};

use crate::{CANARY, assert_hidden, head};

/// A record under [`name`]. It contains a refresh token, which is [`CANARY`].
const PLAIN: &str = "tradovate-auth session 1 plain 0123456789abcdef \
    50c6e52f39ac6b1d415680c549caeacc27a00b3b7100884cdffcfd17c613984f\n\
    {\"version\":1,\"userId\":7,\"refresh\":{\"token\":\"c4nary-d0-n0t-pr1nt-1t-3v3r\"}}";

/// The same, sealed with [`key`].
const SEALED: &str = "tradovate-auth session 1 sealed\n\
    p0qsp45qcoS9fY/fayTaBdEmnpwyBkmyKoW8s0gNxXZD267iDdGBEDui2FYNtjE1xU1j7TfBzNUlS88AhtWVLZ6ygPu4j+jY69TH0V+wXchYgISy\
    U4MFObFXjYPHsfWX0CaOAjHdq//6cQGKrJY7fn9q";

/// Checks both records once.
static VALID: LazyLock<()> = LazyLock::new(|| {
    for (codec, record, other, why) in [
        (Codec::plain(), PLAIN, SEALED, Unreadable::Sealed),
        (Codec::sealed(key()), SEALED, PLAIN, Unreadable::Unsealed),
    ] {
        let session = codec.decode(&name(), record.as_bytes()).expect("a valid record");
        assert!(session.user_id() == Some(7) && text(&session).contains(CANARY));
        assert_eq!(codec.decode(&name(), other.as_bytes()).expect_err("a record of the other kind"), why);
    }
});

/// Reads the input as a record, as the session in a record with a correct checksum, and as changes of a valid record.
pub fn records(input: &[u8]) {
    LazyLock::force(&VALID);
    for (codec, record) in [(Codec::plain(), PLAIN), (Codec::sealed(key()), SEALED)] {
        match codec.decode(&name(), input) {
            Ok(session) => check_round_trip(&codec, &session),
            Err(unreadable) => assert_hidden(&format!("{unreadable} {unreadable:?}")),
        }
        let changed = changed(record.as_bytes(), input);
        if changed != record.as_bytes() {
            match codec.decode(&name(), &changed) {
                Ok(_) => panic!("a changed record is read: {}", String::from_utf8_lossy(&changed)),
                Err(unreadable) => assert_hidden(&format!("{unreadable} {unreadable:?}")),
            }
        }
    }
    check_session(input);
    check_session(&[br#"{"version":1,"refresh":{"token":""#, CANARY.as_bytes(), b"\"},", input, b"}"].concat());
}

/// Checks that a record with this JSON is read as the JSON itself is.
fn check_session(json: &[u8]) {
    let record = plain_record(json);
    let expected = serde_json::from_slice::<StoredSession>(json).ok().filter(|_| record.len() <= Codec::LIMIT);
    match (Codec::plain().decode(&name(), &record), expected) {
        (Ok(read), Some(expected)) => {
            assert_eq!(text(&read), text(&expected));
            for codec in [Codec::plain(), Codec::sealed(key())] {
                check_round_trip(&codec, &read);
            }
        }
        (Err(unreadable), None) => {
            assert!(matches!(unreadable, Unreadable::Damaged | Unreadable::Newer), "{unreadable}");
            assert_hidden(&format!("{unreadable} {unreadable:?}"));
        }
        (read, expected) => panic!("the record gives {read:?}, its JSON {expected:?}"),
    }
}

/// Checks that a session is read as it was written, and only under its name and with its key.
fn check_round_trip(codec: &Codec, session: &StoredSession) {
    let Ok(record) = codec.encode(&name(), session) else {
        assert!(text(session).len() > Codec::LIMIT / 2, "a session that is not too long can be written");
        return;
    };
    let read = codec.decode(&name(), &record).expect("what was written can be read");
    assert_eq!(text(&read), text(session));
    assert!(codec.decode(&SessionName::new("app", "other"), &record).is_err());
    let other = Codec::sealed(SealingKey::from_bytes([8; 32]));
    assert!(other.decode(&name(), &record).is_err());
    assert_hidden(&format!("{read:?}"));
}

/// Applies the input to a record: four bytes for each change, namely its kind, its place and its value.
fn changed(record: &[u8], mut input: &[u8]) -> Vec<u8> {
    let mut changed = record.to_vec();
    while !input.is_empty() && changed.len() < 2 * record.len() {
        let [kind, high, low, value] = head(&mut input);
        let place = usize::from(u16::from_be_bytes([high, low])) % (changed.len() + 1);
        match kind % 5 {
            0 => changed.insert(place, value),
            1 => changed.truncate(place),
            2 => changed.extend_from_within(place..),
            _ if place == changed.len() => {}
            3 => drop(changed.remove(place)),
            _ => changed[place] = value,
        }
    }
    changed
}

/// A plain record with a correct checksum, in the documented form.
fn plain_record(json: &[u8]) -> Vec<u8> {
    let salt = "0123456789abcdef";
    let mut hash = Sha256::new();
    for part in [name().as_str().as_bytes(), b"\n", salt.as_bytes(), json] {
        hash.update(part);
    }
    let mut sum = String::new();
    for byte in hash.finalize() {
        write!(sum, "{byte:02x}").expect("a string can be written to");
    }
    [format!("tradovate-auth session 1 plain {salt} {sum}\n").as_bytes(), json].concat()
}

fn text(session: &StoredSession) -> String {
    serde_json::to_string(session).expect("a session can be written")
}

fn name() -> SessionName {
    SessionName::new("app", "user")
}

fn key() -> SealingKey {
    SealingKey::from_bytes([7; 32])
}
