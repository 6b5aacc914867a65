//! Refresh tokens that rotate: none is presented before it was stored, none is lost that was.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tradovate_auth::{
    AuthorizationCode, CodeVerifier, Event, EventKind, OAuthApp, OAuthGrant, RefreshToken, StoredSession,
};
use tradovate_auth_simulator::{Server, Simulator};

use crate::support::{Kind, Transport, await_one};

const REDIRECT_URI: &str = "http://localhost:8888/";

fn app() -> OAuthApp {
    OAuthApp::new("synthetic-client")
}

/// The refresh token that a user's consent brings. Verifier and challenge of RFC 7636, appendix B.
fn consent(server: &Server) -> RefreshToken {
    let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let code = server.issue_code(server.credentials().name(), "synthetic-client", REDIRECT_URI, challenge);
    let code = OAuthGrant::AuthorizationCode {
        code: AuthorizationCode::new(code),
        redirect_uri: REDIRECT_URI.into(),
        code_verifier: Some(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
    };
    let [transport, _] = Transport::both(&server.environment());
    transport.call(&app().exchange(code)).unwrap().grant().unwrap().refresh.unwrap().token
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Presented,
    Failed,
    Stored,
}

#[test]
fn a_rotated_refresh_token_is_not_presented_before_it_was_stored() {
    for kind in Kind::ALL {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let (seen, done) = (Arc::clone(&steps), Arc::clone(&steps));
        let server = Simulator::builder()
            .lifetime(Duration::from_secs(2))
            .on_request(move |entry| {
                if entry.path.ends_with("oauthtoken") {
                    seen.lock().unwrap().push(Step::Presented);
                }
            })
            .serve()
            .unwrap();
        let refresh = consent(&server);
        steps.lock().unwrap().clear();
        let stores = AtomicUsize::new(0);
        let (sender, events) = mpsc::channel();
        let source = kind
            .of_app(server.environment(), app(), refresh)
            .store(move |_| {
                let fails = stores.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
                done.lock().unwrap().push(if fails { Step::Failed } else { Step::Stored });
                if fails { Err("no connection".to_owned()) } else { Ok(()) }
            })
            .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
            .build();
        let keeper = source.keep_alive();
        let mut refreshes = 0;
        while refreshes < 3 {
            refreshes += usize::from(matches!(await_one(&events), EventKind::Refreshed { .. }));
        }
        drop(keeper);
        let steps = steps.lock().unwrap().clone();
        assert_eq!(steps[..9], [Step::Presented, Step::Failed, Step::Stored].repeat(3), "{kind:?}");
    }
}

#[test]
fn a_stored_refresh_token_outlives_its_process() {
    for kind in Kind::ALL {
        let server = Simulator::builder().lifetime(Duration::from_secs(1)).serve().unwrap();
        let refresh = consent(&server);
        let source = kind.of_app(server.environment(), app(), refresh.clone()).build();
        source.token().unwrap();
        let stored: StoredSession = serde_json::from_str(&serde_json::to_string(&source.snapshot()).unwrap()).unwrap();
        server.with(|simulator| simulator.options_mut().lifetime = Duration::from_secs(4800));
        // The configured token is used up; the stored one took its place.
        let resumed = kind.of_app(server.environment(), app(), refresh).resume(&stored).build();
        std::thread::sleep(Duration::from_secs(2));
        assert!(resumed.token().is_ok(), "{kind:?}");
        assert_eq!(server.statistics().refreshes, 2);
    }
}
