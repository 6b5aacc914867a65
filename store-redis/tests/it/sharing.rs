//! Two who share a session.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use tradovate_auth_store::Revision;
use tradovate_auth_store_redis::RedisStore;

use crate::party::{Form, LONG, name};
use crate::server::Server;

pub(crate) fn nothing_is_stored_at_first(form: Form) {
    let server = Server::start();
    assert!(form.party(&server.url()).load().unwrap().is_none());
}

pub(crate) fn what_one_saves_the_other_loads(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let first = one.saved(1, None);
    assert_eq!(other.found(), Some((first, 1)));
    let second = other.saved(2, Some(first));
    assert_eq!(one.found(), Some((second, 2)));
}

pub(crate) fn its_age_is_told_by_the_server(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    party.saved(1, None);
    thread::sleep(Duration::from_millis(300));
    let age = party.load().unwrap().unwrap().age.unwrap();
    assert!(age > Duration::from_millis(290) && age < Duration::from_secs(5), "{age:?}");
}

pub(crate) fn a_save_over_an_unknown_record_changes_nothing(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    let lease = party.leased();
    assert_eq!(party.save(2, None, &lease).unwrap(), None);
    assert_eq!(party.save(2, Some(Revision(revision.0 + 1)), &lease).unwrap(), None);
    assert_eq!(party.found(), Some((revision, 1)));
    assert!(party.save(2, Some(revision), &lease).unwrap().is_some());
}

pub(crate) fn only_one_holds_the_lease(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let _lease = one.leased();
    assert!(other.lease(LONG).unwrap().is_none());
    assert!(one.lease(LONG).unwrap().is_none());
}

pub(crate) fn a_lease_that_is_over_can_be_taken_by_another(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let _lease = one.lease(Duration::from_millis(200)).unwrap().unwrap();
    assert!(other.lease(LONG).unwrap().is_none());
    thread::sleep(Duration::from_millis(250));
    assert!(other.lease(LONG).unwrap().is_some());
}

pub(crate) fn who_lost_the_lease_to_another_can_not_save(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let lost = one.lease(Duration::ZERO).unwrap().unwrap();
    let lease = other.leased();
    assert_eq!(one.save(1, None, &lost).unwrap(), None);
    assert_eq!(one.found(), None);
    assert!(other.save(2, None, &lease).unwrap().is_some());
    other.release(lease).unwrap();
    assert_eq!(one.save(1, other.found().map(|(revision, _)| revision), &lost).unwrap(), None);
}

pub(crate) fn who_lost_the_lease_to_nobody_can_save(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let lease = party.lease(Duration::ZERO).unwrap().unwrap();
    assert!(party.save(1, None, &lease).unwrap().is_some());
}

pub(crate) fn a_lease_that_is_given_back_can_be_taken_at_once(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    one.release(one.leased()).unwrap();
    assert!(other.lease(LONG).unwrap().is_some());
}

pub(crate) fn only_the_holder_can_give_a_lease_back(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let lost = one.lease(Duration::ZERO).unwrap().unwrap();
    let _lease = other.leased();
    one.release(lost).unwrap();
    assert!(one.lease(LONG).unwrap().is_none());
}

pub(crate) fn no_number_comes_twice(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let mut seen = HashSet::new();
    let mut known = None;
    for user in 0..50 {
        let revision = party.saved(user, known);
        assert!(seen.insert(revision));
        known = Some(revision);
    }
}

pub(crate) fn of_many_at_once_one_gets_the_lease(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let got = thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| party.lease(LONG).unwrap().is_some())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|got| *got).count()
    });
    assert_eq!(got, 1);
}

pub(crate) fn many_who_count_together_lose_no_step(form: Form) {
    let server = Server::start();
    let steps = AtomicI64::new(0);
    thread::scope(|scope| {
        for number in 0..6 {
            let (steps, url) = (&steps, server.url());
            scope.spawn(move || {
                let party = form.party(&url);
                for turn in 0..100 {
                    // Some leases are over as soon as they are taken, and others take them.
                    let time = if (number + turn) % 3 == 0 { Duration::ZERO } else { LONG };
                    let Some(lease) = party.lease(time).unwrap() else { continue };
                    let (known, count) = party.found().map_or((None, 0), |(revision, count)| (Some(revision), count));
                    if party.save(count + 1, known, &lease).unwrap().is_some() {
                        steps.fetch_add(1, Ordering::Relaxed);
                    }
                    party.release(lease).unwrap();
                }
            });
        }
    });
    let count = form.party(&server.url()).found().unwrap().1;
    assert_eq!(count, steps.into_inner());
}

pub(crate) fn prefixes_keep_sessions_apart(form: Form) {
    let server = Server::start();
    let one = form.party(&server.url());
    let other = form.party_of(RedisStore::new(&server.url()).unwrap().prefix("other:"));
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

pub(crate) fn a_record_expires_and_a_lease_is_forgotten(form: Form) {
    let server = Server::start();
    form.party(&server.url()).saved(1, None);
    let left = |key: String| -> i64 { redis::cmd("TTL").arg(key).query(&mut server.raw()).unwrap() };
    let name = name();
    assert!(left(format!("tradovate-auth:{{{name}}}")) > 0);
    assert!((604_790..=604_800).contains(&left(format!("tradovate-auth:{{{name}}}:lease"))));
}
