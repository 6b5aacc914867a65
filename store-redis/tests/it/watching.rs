//! Waiting for another record.

use std::thread;
use std::time::Duration;

use tradovate_auth_store::{AsyncStore, Revision, SessionName, Store};
use tradovate_auth_store_redis::RedisStoreError;

use crate::party::{Form, LONG, Party, session, timed};
use crate::server::Server;

/// Within a second, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(2);

/// Until somebody who began to wait surely does.
const A_MOMENT: Duration = Duration::from_millis(300);

/// What a party waits for while something else happens, and how long.
fn waiting(
    party: &Party,
    known: Option<Revision>,
    meanwhile: impl FnOnce(),
) -> (Result<(), RedisStoreError>, Duration) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(|| party.changed(known, LONG)));
        thread::sleep(A_MOMENT);
        assert!(!waiting.is_finished());
        meanwhile();
        waiting.join().unwrap()
    })
}

pub(crate) fn another_record_than_the_known_one_is_told_at_once(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    for known in [None, Some(Revision(revision.0 - 1))] {
        let (told, time) = timed(|| party.changed(known, LONG));
        told.unwrap();
        assert!(time < SOON, "{time:?}");
    }
}

pub(crate) fn a_save_by_another_is_told(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let mut known = None;
    for user in 1..4 {
        let mut revision = None;
        let (told, time) = waiting(&one, known, || revision = Some(other.saved(user, known)));
        told.unwrap();
        assert!(time < A_MOMENT + SOON, "{time:?}");
        assert_eq!(one.found(), revision.map(|revision| (revision, user)));
        known = revision;
    }
}

pub(crate) fn a_save_of_another_session_is_not_told(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(|| one.changed(None, A_MOMENT * 3)));
        thread::sleep(A_MOMENT);
        let name = SessionName::new("demo", "another");
        let lease = Store::lease(&other.store, &name, LONG).unwrap().unwrap();
        assert!(Store::save(&other.store, &name, &session(2), None, &lease).unwrap().is_some());
        let (told, time) = waiting.join().unwrap();
        told.unwrap();
        assert!(time >= A_MOMENT * 3, "{time:?}");
    });
}

pub(crate) fn the_same_record_is_waited_for_until_the_time_is_over(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    // Longer than the connection is left in peace.
    let long = Duration::from_millis(2500);
    let (told, time) = timed(|| party.changed(Some(revision), long));
    told.unwrap();
    assert!(time >= long && time < long + SOON, "{time:?}");
    party.changed(Some(revision), Duration::ZERO).unwrap();
}

pub(crate) fn a_lease_by_another_shows_that_the_record_is_gone(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let revision = one.saved(1, None);
    let (told, time) = waiting(&one, Some(revision), || {
        server.flush();
        let _lease = other.leased();
    });
    told.unwrap();
    assert!(time < A_MOMENT + SOON, "{time:?}");
    assert_eq!(one.found(), None);
}

pub(crate) fn a_server_that_goes_down_is_told_to_who_waits(form: Form) {
    let mut server = Server::start();
    let party = form.party(&server.url());
    let (told, time) = waiting(&party, None, || server.stop());
    assert!(matches!(told, Err(RedisStoreError::Unreachable { .. })), "{told:?}");
    assert!(time < A_MOMENT + SOON, "{time:?}");
    server.start_again();
    let other = form.party(&server.url());
    let (told, _) = waiting(&party, None, || _ = other.saved(1, None));
    told.unwrap();
}

pub(crate) fn a_server_that_freezes_is_told_to_who_waits(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let (told, time) = waiting(&party, None, || server.freeze());
    told.unwrap_err();
    assert!(time < Duration::from_secs(6), "{time:?}");
    server.thaw();
    party.changed(None, A_MOMENT).unwrap();
}

pub(crate) fn many_wait_on_one_connection(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let names: Vec<_> = (0..100).map(|number| SessionName::new("demo", &format!("trader {number}"))).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = names
            .iter()
            .map(|name| {
                let (store, runtime) = (&party.store, &runtime);
                scope.spawn(move || match form {
                    Form::Blocking => Store::changed(store, name, None, LONG).unwrap(),
                    Form::Async => runtime.block_on(AsyncStore::changed(store, name, None, LONG)).unwrap(),
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut server.raw()).unwrap();
        let watching = clients.lines().filter(|line| line.contains(" sub=1")).count();
        // All that asked at once for the record kept no more than a few.
        assert!(watching == 1 && clients.lines().count() < 15, "{clients}");
        for name in &names {
            let lease = Store::lease(&party.store, name, LONG).unwrap().unwrap();
            assert!(Store::save(&party.store, name, &session(1), None, &lease).unwrap().is_some());
        }
        for waiting in waiting {
            waiting.join().unwrap();
        }
    });
}

pub(crate) fn after_a_long_rest_all_is_as_before(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    party.changed(Some(revision), Duration::ZERO).unwrap();
    thread::sleep(Duration::from_secs(13));
    if matches!(form, Form::Blocking) {
        // Nobody listens to a channel that nobody waits for.
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut server.raw()).unwrap();
        assert!(!clients.contains(" sub=1"), "{clients}");
    }
    let (told, _) = waiting(&party, Some(revision), || _ = form.party(&server.url()).saved(2, Some(revision)));
    told.unwrap();
    assert_eq!(party.found().unwrap().1, 2);
}
