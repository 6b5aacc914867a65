//! The Redis keys of a session.

use crate::helpers::{self, LONG, name, session};
use crate::party::{Form, patient_store};
use crate::server::Server;

pub(crate) fn prefixes_keep_sessions_apart(form: Form) {
    let server = Server::start();
    let one = form.party(&server.url());
    let other = form.party_of(patient_store(&server.url()).prefix("other:"));
    one.saved(1, None);
    assert_eq!(other.found(), None);
    other.saved(2, None);
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut server.raw()).unwrap();
    keys.sort();
    let name = name();
    assert_eq!(
        keys,
        [
            format!("other:{{{name}}}"),
            format!("other:{{{name}}}:lease"),
            format!("tradovate-auth:{{{name}}}"),
            format!("tradovate-auth:{{{name}}}:lease"),
        ]
    );
}

pub(crate) fn a_lease_of_another_name_has_another_fence(form: Form) {
    helpers::a_lease_of_another_name_has_another_fence(&*form.party(&Server::start().url()).used);
}

pub(crate) fn a_record_expires_and_a_lease_is_forgotten(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    // A refresh token has no known end, so its record would never expire.
    let mut session = serde_json::to_value(session(1)).unwrap();
    session.as_object_mut().unwrap().remove("refresh");
    let session = serde_json::from_value(session).unwrap();
    party.used.save(&name(), &session, None, party.leased()).unwrap().unwrap();
    let left = |key: String| -> i64 { redis::cmd("TTL").arg(key).query(&mut server.raw()).unwrap() };
    let name = name();
    assert!(left(format!("tradovate-auth:{{{name}}}")) > 0);
    assert!((604_790..=604_800).contains(&left(format!("tradovate-auth:{{{name}}}:lease"))));
}

pub(crate) fn held_lease_returns_the_time_left_and_changes_nothing(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let held = || party.store.held_lease(&name()).unwrap();
    assert_eq!(held(), None);
    let lease = party.leased();
    let held_lease = held().unwrap();
    assert!(held_lease.time_left <= LONG && held_lease.process.is_none(), "{held_lease:?}");
    assert!(party.save(1, None, lease).unwrap().is_some());
    party.release(lease).unwrap();
    assert_eq!(held(), None);
}
