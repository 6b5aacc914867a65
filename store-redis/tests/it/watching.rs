//! Callers that wait for a change of the record.

use std::thread;
use std::time::Duration;

use tradovate_auth_session::StoreErrorKind::Unreachable;
use tradovate_auth_store::SessionName;

use crate::helpers::{self, A_MOMENT, LONG, SOON, session, timed, waiting};
use crate::party::{Form, assert_says};
use crate::server::Server;

pub(crate) fn a_wait_longer_than_the_idle_limit_of_the_connection_ends_in_time(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let revision = party.saved(1, None);
    // Longer than the interval after which an idle connection is tested.
    let long = Duration::from_millis(2500);
    let (told, time) = timed(|| party.changed(Some(revision), long));
    told.unwrap();
    assert!(time >= long && time < long + SOON, "{time:?}");
    party.changed(Some(revision), Duration::ZERO).unwrap();
}

pub(crate) fn changed_waits_until_its_time_is_over_if_the_record_stays_the_same(form: Form) {
    helpers::changed_waits_until_its_time_is_over_if_the_record_stays_the_same(
        &*form.party(&Server::start().url()).used,
    );
}

pub(crate) fn a_save_of_another_session_does_not_end_the_wait(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    helpers::a_save_of_another_session_does_not_end_the_wait(&*one.used, &*other.used);
}

pub(crate) fn a_lease_of_another_process_ends_the_wait_for_a_lost_record(form: Form) {
    let server = Server::start();
    let (one, other) = (form.party(&server.url()), form.party(&server.url()));
    let revision = one.saved(1, None);
    let (told, time) = waiting(&*one.used, Some(revision), || {
        server.flush();
        let _lease = other.leased();
    });
    told.unwrap();
    assert!(time < A_MOMENT + SOON, "{time:?}");
    assert_eq!(one.found(), None);
}

pub(crate) fn a_waiting_caller_gets_an_error_if_the_server_goes_down(form: Form) {
    let mut server = Server::start();
    let party = form.party(&server.url());
    let (told, time) = waiting(&*party.used, None, || server.stop());
    assert_says(&told.unwrap_err(), Unreachable, "can't be reached");
    assert!(time < A_MOMENT + SOON, "{time:?}");
    server.start_again();
    let other = form.party(&server.url());
    let (told, _) = waiting(&*party.used, None, || _ = other.saved(1, None));
    told.unwrap();
}

pub(crate) fn a_waiting_caller_gets_an_error_if_the_server_freezes(form: Form) {
    let server = Server::start();
    let party = form.impatient_party(&server.url(), Duration::from_secs(1));
    let (told, time) = waiting(&*party.used, None, || server.freeze());
    told.unwrap_err();
    assert!(time < Duration::from_secs(6), "{time:?}");
    server.thaw();
    assert!((0..10).any(|_| party.changed(None, A_MOMENT).is_ok()));
}

pub(crate) fn many_waiting_callers_share_one_connection(form: Form) {
    let server = Server::start();
    let party = form.party(&server.url());
    let names: Vec<_> = (0..100).map(|number| SessionName::new("demo", &format!("trader {number}"))).collect();
    thread::scope(|scope| {
        let wait = |name| party.used.changed(name, None, LONG).unwrap();
        let waiting: Vec<_> = names.iter().map(|name| scope.spawn(move || wait(name))).collect();
        thread::sleep(Duration::from_secs(1));
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut server.raw()).unwrap();
        let watching = clients.lines().filter(|line| line.contains(" sub=1")).count();
        // All callers have loaded the revision at the same time. The store kept only a few of their connections.
        assert!(watching == 1 && clients.lines().count() < 15, "{clients}");
        for name in &names {
            let lease = party.used.lease(name, LONG).unwrap().unwrap();
            assert!(party.used.save(name, &session(1), None, lease).unwrap().is_some());
        }
        for waiting in waiting {
            waiting.join().unwrap();
        }
    });
}
