//! Servers that lose data, restart, do not answer, or refuse requests.

use std::thread;
use std::time::Duration;

use tradovate_auth_session::StoreErrorKind::{NotReadable, NotWritable, Unreachable};
use tradovate_auth_session::Unreadable;

use crate::helpers::{LONG, name, timed};
use crate::party::{Form, assert_says};
use crate::server::Server;

/// The longest time of all operations with time-outs of 250 ms.
const SOON: Duration = Duration::from_secs(5);

fn record() -> String {
    format!("tradovate-auth:{{{}}}", name())
}

pub(crate) fn after_a_flush_an_old_lease_can_not_save_and_a_new_one_can(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    let lease = party.leased();
    server.flush();
    assert_eq!(party.save(2, Some(revision), lease).unwrap(), None);
    assert_eq!(party.save(2, None, lease).unwrap(), None);
    party.release(lease).unwrap();
    party.saved(2, None);
    assert_eq!(party.found().unwrap().1, 2);
}

pub(crate) fn no_revision_or_fence_is_used_again_after_a_flush(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let before = one.saved(1, None);
    let lost = one.lease(Duration::ZERO).unwrap().unwrap();
    server.flush();
    // The same operations in the same order. A store that only counted would give the same numbers again.
    let after = other.saved(2, None);
    let _lease = other.lease(Duration::ZERO).unwrap().unwrap();
    assert!(after.0 > before.0);
    assert_eq!(one.save(1, Some(after), lost).unwrap(), None);
}

pub(crate) fn no_revision_or_fence_is_used_again_after_the_clock_was_set_back(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    // The stored numbers are later than the time of the server, as after its clock was set back. Lua stores 2^52
    // exactly.
    let later = 1_u64 << 52;
    let set = |field: &str, key: String| {
        redis::cmd("HSET").arg(key).arg(field).arg(later).exec(&mut server.raw()).unwrap();
    };
    set("last", format!("{}:lease", record()));
    let lease = party.leased();
    let next = party.save(2, Some(revision), lease).unwrap().unwrap();
    assert_eq!(next.0, later + 2);
    set("saved", record());
    assert_eq!(party.load().unwrap().unwrap().age, None);
}

pub(crate) fn the_store_connects_again_after_a_restart_of_the_server(form: Form) {
    let mut server = Server::start();
    let party = form.party(&server.url());
    party.saved(1, None);
    server.stop();
    assert!(party.load().is_err());
    server.start_again();
    assert_eq!(party.found(), None);
    party.saved(2, None);
    assert_eq!(party.found().unwrap().1, 2);
}

pub(crate) fn scripts_that_were_flushed_are_loaded_again(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.raw()).unwrap();
    party.saved(2, Some(revision));
}

pub(crate) fn a_server_that_is_down_is_an_error_within_the_time_outs(form: Form) {
    // No program listens on this port.
    let party = form.party("redis://127.0.0.1:1/");
    let (errors, time) = timed(|| party.errors());
    for error in errors {
        assert_says(&error, Unreachable, "can't be reached at 127.0.0.1:1");
    }
    assert!(time < Duration::from_secs(1), "{time:?}");
}

pub(crate) fn a_server_that_does_not_answer_is_an_error_for_all_callers_within_the_time_outs(form: Form) {
    let server = Server::start();
    form.party(&server.url()).saved(1, None);
    let party = form.impatient_party(&server.url(), Duration::from_millis(250));
    server.freeze();
    let ((), time) = timed(|| {
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    assert_says(&party.load().unwrap_err(), Unreachable, "did not answer in time");
                });
                scope.spawn(|| party.changed(None, LONG).unwrap_err());
            }
        });
    });
    assert!(time < SOON, "{time:?}");
    server.thaw();
    assert!((0..100).any(|_| party.load().is_ok_and(|stored| stored.is_some())));
}

pub(crate) fn a_key_that_holds_no_session_is_an_error(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let lease = party.leased();
    let mut raw = server.raw();
    let record = record();
    for (command, arguments) in [("SET", &["other"][..]), ("HSET", &["field", "other"])] {
        redis::cmd("DEL").arg(&record).exec(&mut raw).unwrap();
        redis::cmd(command).arg(&record).arg(arguments).exec(&mut raw).unwrap();
        let save = party.save(1, None, lease).unwrap_err();
        for error in party.errors().into_iter().chain([save]) {
            assert_says(&error, NotReadable, &format!("the key {record} has data of another program"));
        }
    }
}

pub(crate) fn an_incomplete_record_is_an_error(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    for field in ["revision", "session", "saved"] {
        server.flush();
        party.saved(1, None);
        redis::cmd("HDEL").arg(record()).arg(field).exec(&mut server.raw()).unwrap();
        assert_says(
            &party.load().unwrap_err(),
            NotReadable,
            &format!("the key {} has data of another program", record()),
        );
    }
}

pub(crate) fn a_damaged_record_is_unreadable(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    let mut damaged: Vec<u8> = redis::cmd("HGET").arg(record()).arg("session").query(&mut server.raw()).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    redis::cmd("HSET").arg(record()).arg("session").arg(damaged).exec(&mut server.raw()).unwrap();
    let stored = party.load().unwrap().unwrap();
    assert_eq!(stored.revision, revision);
    assert_eq!(stored.session.unwrap_err(), Unreadable::Damaged);
}

pub(crate) fn a_replica_is_an_error(form: Form) {
    let server = Server::start();
    let primary = Server::start();
    let party = form.party(&server.url());
    party.load().unwrap();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(primary.port()).exec(&mut server.raw()).unwrap();
    assert_says(&party.lease(LONG).unwrap_err(), NotWritable, "read-only replica");
}

pub(crate) fn a_server_without_memory_is_an_error(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let lease = party.leased();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut server.raw()).unwrap();
    assert_says(&party.save(1, None, lease).unwrap_err(), NotWritable, "out of memory");
    assert_eq!(party.found(), None);
}

pub(crate) fn a_server_that_lacks_its_replicas_is_an_error(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let lease = party.leased();
    redis::cmd("CONFIG").arg("SET").arg("min-replicas-to-write").arg(1).exec(&mut server.raw()).unwrap();
    assert_says(&party.save(1, None, lease).unwrap_err(), NotWritable, "too few replicas");
    assert_eq!(party.found(), None);
}

pub(crate) fn connections_that_the_server_closes_are_replaced(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    party.changed(Some(revision), Duration::ZERO).unwrap();
    for kind in ["normal", "pubsub"] {
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg(kind).exec(&mut server.raw()).unwrap();
    }
    thread::sleep(Duration::from_millis(100));
    assert_eq!(party.found(), Some((revision, 1)));
    party.changed(Some(revision), Duration::ZERO).unwrap();
    party.saved(2, Some(revision));
}
