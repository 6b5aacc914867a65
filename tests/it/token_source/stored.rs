//! Tests that tokens are stored before they are used, and that a source resumes from what was stored.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use tradovate_auth::store::SessionName;
use tradovate_auth::ureq::TokenError;
use tradovate_auth::{Credentials, Event, EventKind, Login, OAuthApp, RefreshToken, StopReason, StoredSession};
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{Builder, Gate, Kind, MemoryStore, await_one, await_that};

/// A database with a single text row.
#[derive(Clone, Default)]
struct Row(Arc<Mutex<Option<String>>>);

impl Row {
    fn write(&self, snapshot: &StoredSession) {
        *self.0.lock().unwrap() = Some(serde_json::to_string(snapshot).unwrap());
    }

    fn read(&self) -> Option<StoredSession> {
        self.0.lock().unwrap().as_ref().map(|text| serde_json::from_str(text).unwrap())
    }
}

#[test]
fn a_token_is_returned_only_after_it_is_stored() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let gate = Gate::closed();
        let held = gate.clone();
        let source = kind
            .of(&server)
            .store(move |snapshot| {
                if snapshot.expires_at().is_some() {
                    held.pass();
                }
                Ok(())
            })
            .build();
        let asked = source.request_token();
        gate.await_arrival();
        assert_eq!(server.statistics().logins, 1);
        assert!(asked.try_recv().is_err(), "{kind:?}");
        gate.open();
        assert!(await_one(&asked).is_ok());
    }
}

#[test]
fn a_failed_store_call_is_repeated_before_the_token_is_returned() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let stores = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&stores);
        let (sender, events) = mpsc::channel();
        let source = kind
            .of(&server)
            .store(move |snapshot| match snapshot.expires_at().map(|_| counted.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => Err("no connection".to_owned()),
                _ => Ok(()),
            })
            .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
            .build();
        source.token().unwrap();
        assert_eq!(stores.load(Ordering::SeqCst), 2, "{kind:?}");
        assert!(matches!(await_one(&events), EventKind::StoreFailed { .. }));
        assert!(matches!(await_one(&events), EventKind::LoggedIn { .. }));
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    }
}

#[test]
fn a_stored_session_continues_in_another_process() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let row = Row::default();
        let writes = row.clone();
        let build = || {
            let writes = writes.clone();
            kind.of(&server).store(move |snapshot| {
                writes.write(snapshot);
                Ok(())
            })
        };
        let token = build().build().token().unwrap();
        let resumed = build().resume(&row.read().unwrap()).build();
        // The renewal that verifies the stored token may already be done.
        let held = resumed.token().unwrap();
        assert!(held.expose() == token.expose() || server.statistics().renewals == 1, "{kind:?}");
        assert_eq!(server.statistics().logins, 1, "{kind:?}");

        // The session continues: it renews, and stores the result.
        let _ = resumed.rejected(&resumed.token().unwrap(), 401, "Expired Access Token");
        let renewed = resumed.token().unwrap();
        let again = build().resume(&row.read().unwrap()).build();
        assert_eq!(again.token().unwrap().expose(), renewed.expose());
        assert_eq!(server.statistics().logins, 1, "{kind:?}");
    }
}

#[test]
fn a_source_without_a_store_can_be_resumed_from_its_snapshot() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let token = source.token().unwrap();
        let text = serde_json::to_string(&source.snapshot()).unwrap();
        let resumed = kind.of(&server).resume(&serde_json::from_str(&text).unwrap()).build();
        // The renewal that verifies the stored token may already be done.
        let held = resumed.token().unwrap();
        assert!(held.expose() == token.expose() || server.statistics().renewals == 1, "{kind:?}");
        assert_eq!(server.statistics().logins, 1, "{kind:?}");
    }
}

#[test]
fn a_crash_between_the_answer_and_its_storage_keeps_the_previous_snapshot() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let (row, gate) = (Row::default(), Gate::closed());
        gate.open();
        let (writes, held) = (row.clone(), gate.clone());
        let source = kind
            .of(&server)
            .store(move |snapshot| {
                if snapshot.expires_at().is_some() {
                    held.pass();
                }
                writes.write(snapshot);
                Ok(())
            })
            .build();
        let token = source.token().unwrap();
        gate.await_arrival();
        gate.close();
        let _ = source.rejected(&token, 401, "Access is denied");
        let _keeper = source.keep_alive();
        gate.await_arrival();
        assert_eq!(server.statistics().renewals, 1);

        // The process ends here: what waits at the gate is never stored.
        let resumed = kind.of(&server).resume(&row.read().unwrap()).build();
        assert_eq!(resumed.token().unwrap().expose(), token.expose());
        assert_eq!(server.statistics().logins, 1, "{kind:?}");
        gate.open();
    }
}

#[test]
fn a_snapshot_of_another_owner_is_ignored() {
    for kind in Kind::ALL {
        let (server, other) = (Simulator::builder().serve().unwrap(), Simulator::builder().serve().unwrap());
        let source = kind.of(&server).build();
        source.token().unwrap();
        let resumed = kind.of(&other).resume(&source.snapshot()).build();
        resumed.token().unwrap();
        assert_eq!(other.statistics().logins, 1, "{kind:?}: the snapshot is of another login host");
    }
}

#[test]
fn a_refused_password_is_not_sent_again_until_another_try() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let wrong = Credentials::new(server.credentials().name(), "mistyped");
        let row = Row::default();
        let writes = row.clone();
        let first = kind.builder(server.environment(), wrong.clone()).store(move |snapshot| {
            writes.write(snapshot);
            Ok(())
        });
        assert!(matches!(first.build().token(), Err(TokenError::Stopped(StopReason::Refused(_)))), "{kind:?}");
        for _ in 0..3 {
            let again = kind.builder(server.environment(), wrong.clone()).resume(&row.read().unwrap()).build();
            let stopped = again.token().unwrap_err();
            assert!(matches!(stopped, TokenError::Stopped(StopReason::RefusedBefore { .. })), "{kind:?}: {stopped}");
        }
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1, "{kind:?}");
        let corrected = kind.of(&server).resume(&row.read().unwrap()).another_try().build();
        assert!(corrected.token().is_ok(), "{kind:?}");
    }
}

//= R-OAUTH-10
#[test]
fn user_keys_distinguish_the_users_of_an_app() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let of = |key: &str| {
            let (app, token) = (OAuthApp::new("client"), RefreshToken::new("rt"));
            kind.builder(server.environment(), Login::refresh_token(app, token)).user_key(key)
        };
        let owner =
            |builder: Builder| serde_json::to_value(builder.build().snapshot()).unwrap()["owner"]["key"].clone();
        assert_eq!(owner(of("user 7")), "user 7");
        let store = MemoryStore::default();
        assert_eq!(owner(of("user 7").shared(&store)), "user 7", "{kind:?}");
        let app = kind.builder(server.environment(), Login::app(OAuthApp::new("client")));
        let name = SessionName::new("test", "trader");
        assert_eq!(owner(app.shared(&store)), name.as_str(), "{kind:?}: the session's name, unless set");
    }
}

/// The clock may have been changed since the snapshot was taken, so the token may be dead.
#[test]
fn a_token_from_a_snapshot_is_verified_without_a_keeper() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let first = kind.of(&server).build();
        first.token().unwrap();
        let source = kind.of(&server).resume(&first.snapshot()).build();
        let resumed = source.token().unwrap();
        await_that(|| source.token().unwrap().generation() > resumed.generation());
        let statistics = server.statistics();
        assert_eq!((statistics.logins, statistics.requests(Endpoint::RenewAccessToken)), (1, 1), "{kind:?}");
    }
}
