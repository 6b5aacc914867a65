//! A server that evicts keys because its memory is full.

use std::time::Duration;

use crate::helpers::name;
use crate::party::Form;
use crate::server::Server;

fn record() -> String {
    format!("tradovate-auth:{{{}}}", name())
}

fn set(server: &Server, setting: &str, value: &str) {
    redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).exec(&mut server.raw()).unwrap();
}

fn exists(server: &Server, key: &str) -> bool {
    redis::cmd("EXISTS").arg(key).query(&mut server.raw()).unwrap()
}

/// Writes other keys until the server has evicted both keys of the session.
fn evict_session(server: &Server) {
    let info: String = redis::cmd("INFO").arg("memory").query(&mut server.raw()).unwrap();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    set(server, "maxmemory-policy", "allkeys-lru");
    set(server, "maxmemory", &(used.parse::<u64>().unwrap() + (1 << 20)).to_string());
    let (mut raw, lease) = (server.raw(), format!("{}:lease", record()));
    for number in 0..10_000 {
        redis::cmd("SET").arg(number).arg(vec![0_u8; 10_000]).exec(&mut raw).unwrap();
        if number % 10 == 0 && !exists(server, &record()) && !exists(server, &lease) {
            return;
        }
    }
    panic!("nothing was evicted");
}

/// The fleet tests show what a session does after its record was evicted.
pub(crate) fn an_evicted_record_can_be_saved_again_under_a_new_revision(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let before = one.saved(1, None);
    let lease = one.lease(Duration::ZERO).unwrap().unwrap();
    evict_session(&server);
    assert_eq!(other.found(), None);
    assert_eq!(one.save(1, Some(before), lease).unwrap(), None);
    assert_eq!(one.save(1, None, lease).unwrap(), None);
    let next = one.leased();
    assert!(next.fence > lease.fence);
    let after = one.save(1, None, next).unwrap().unwrap();
    assert!(after.0 > before.0);
    assert_eq!(other.found(), Some((after, 1)));
}

pub(crate) fn the_holder_of_an_evicted_lease_can_not_save(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let revision = one.saved(1, None);
    let evicted = one.leased();
    // The lease has an expiry and this record has none, so Redis evicts only the lease.
    set(&server, "maxmemory-policy", "volatile-ttl");
    set(&server, "maxmemory", "1");
    set(&server, "maxmemory", "0");
    assert!(exists(&server, &record()) && !exists(&server, &format!("{}:lease", record())));
    assert_eq!(one.save(2, Some(revision), evicted).unwrap(), None);
    let lease = other.leased();
    assert!(lease.fence > evicted.fence);
    assert_eq!(one.save(2, Some(revision), evicted).unwrap(), None);
    one.release(evicted).unwrap();
    assert!(one.lease(Duration::ZERO).unwrap().is_none());
    assert!(other.save(3, Some(revision), lease).unwrap().is_some());
}
