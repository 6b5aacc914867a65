//! Tests with a canary in every secret of a source: none appears in its output, its events, or its logs.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tradovate_auth::{ClientSecret, Event, Login, OAuthApp, RefreshToken};

use crate::support::{Kind, Peer, at, credentials, response};

#[derive(Clone, Default)]
struct Text(Arc<Mutex<String>>);

impl Text {
    fn add(&self, text: impl AsRef<str>) {
        self.0.lock().unwrap().push_str(text.as_ref());
    }

    /// The text without whitespace and escapes, which could split a canary.
    fn joined(&self) -> String {
        self.0.lock().unwrap().chars().filter(|letter| !letter.is_whitespace() && *letter != '\\').collect()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Text {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const LOGGED_IN: &str = r#"{"accessToken":"canary-issued-token","mdAccessToken":"canary-market-data-token",
    "expirationTime":"2099-12-31T00:00:00Z","userId":15460}"#;

const REFRESHED: &str = r#"{"access_token":"canary-issued-token","refresh_token":"canary-rotated-token",
    "token_type":"bearer","expires_in":4800,"refresh_token_expires_in":93600}"#;

fn answers() -> Vec<Vec<u8>> {
    let ok = |body: &str| response("200 OK", &[], body);
    vec![
        ok(LOGGED_IN),
        ok(REFRESHED),
        ok(r#"{"errorText":"no","accessToken":"canary-issued-token"}"#),
        ok(r#"{"p-ticket":"canary-ticket","p-time":900}"#),
        ok(r#"{"p-ticket":"canary-ticket","p-captcha":true}"#),
        ok(r#"{"error":"invalid_grant","refresh_token":"canary-refresh-token"}"#),
        response("401 Unauthorized", &[], "Bearer canary-issued-token"),
        response("423 Locked", &[], r#"{"password":"canary-password"}"#),
        response("307 Temporary Redirect", &["location: https://evil.example/?token=canary"], ""),
        response("500 Oops", &["x-canary: canary-password"], r#"cannot parse {"sec":"canary-api-secret"}"#),
        b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"accessToken\":\"canary".to_vec(),
        Vec::new(),
    ]
}

#[test]
fn events_errors_and_logs_of_a_source_contain_no_secret() {
    let (text, log) = (Text::default(), Text::default());
    let own = filter_fn(|metadata| metadata.target().starts_with("tradovate_auth"));
    let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone()).with_filter(own);
    // A global subscriber, because sources have threads of their own. Other tests may log too, with canaries of their
    // own.
    tracing_subscriber::registry().with(format).with(LevelFilter::TRACE).try_init().unwrap();

    for answer in answers() {
        let peer = Peer::answering(answer);
        for kind in Kind::ALL {
            let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("canary-client-secret"));
            let environment = at(&peer.base_url());
            let builders = [
                kind.builder(environment.clone(), credentials()),
                kind.builder(environment, Login::refresh_token(app, RefreshToken::new("canary-refresh-token"))),
            ];
            for builder in builders {
                let events = text.clone();
                let source = builder
                    .token_timeout(std::time::Duration::from_millis(300))
                    .store(|_| Ok(()))
                    .on_event(move |event: &Event| events.add(format!("{event} {event:?} {event:#?}")))
                    .build();
                let mut said = format!("{source:?} {source:#?}");
                match source.token() {
                    Ok(token) => {
                        let verdict = source.rejected(&token, 401, "canary-issued-token");
                        write!(said, "{token:?} {token:#?} {:?} {verdict:?}", token.header()).unwrap();
                    }
                    Err(error) => write!(said, "{error} {error:?} {error:#?}").unwrap(),
                }
                write!(said, "{:?} {:#?}", source.snapshot(), source.keep_alive()).unwrap();
                text.add(said);
            }
        }
    }
    let (text, log) = (text.joined(), log.joined());
    assert!(text.contains("validuntil"), "{text}");
    assert!(log.contains("accesstokenrequest") && log.contains("oauthtoken"), "{log}");
    for said in [&text, &log] {
        let found =
            said.find("canary").map(|at| said.chars().skip(at.saturating_sub(80)).take(160).collect::<String>());
        assert_eq!(found, None);
    }
}
