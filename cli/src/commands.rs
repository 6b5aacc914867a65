//! The subcommands that need a token source: `token`, `keep`, `rejected` and `forget`.

use std::io::{self, Read as _, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tradovate_auth::ureq::{TokenError, TokenSource};
use tradovate_auth::{Event, EventKind, MarketDataToken, StoredSession, Verdict};

use crate::arguments::{RejectedArguments, SourceArguments, StoreArguments, TokenArguments};
use crate::session::{SharedSession, finish, purposes};
use crate::variables::Variables;
use crate::{Failure, print, say, signals};

/// How many bytes of an answer's body are read.
const BODY_LIMIT: u64 = 1 << 20;

/// How long `forget` waits. With the default settings, another process can't hold the lease for this long.
const FORGET_TIMEOUT: Duration = Duration::from_secs(75);

pub(crate) fn token(arguments: &TokenArguments) -> Result<(), Failure> {
    let session = SharedSession::find(&arguments.wait.source.store)?;
    let (tokens, token) = session.token(&arguments.wait)?;
    let market_data = token.market_data_token().map(MarketDataToken::expose);
    let text = if arguments.json {
        Some(
            json!({
                "accessToken": token.expose(),
                "marketDataToken": market_data,
                "expiresAt": token.expires_at(),
                "userId": tokens.user_id(),
                "name": session.user(),
                "purposes": purposes(&tokens.environment()),
            })
            .to_string(),
        )
    } else if arguments.market_data {
        market_data.map(Into::into)
    } else if arguments.header {
        Some(format!("Authorization: Bearer {}", token.expose()))
    } else {
        Some(token.expose().into())
    };
    // Prints before `finish`, so that the caller does not wait for a request in flight.
    let printed = text.as_deref().map(print);
    finish(&tokens)?;
    Ok(printed.ok_or("the server did not issue a market data token to this user")??)
}

pub(crate) fn keep(arguments: &SourceArguments) -> Result<(), Failure> {
    let session = SharedSession::find(&arguments.store)?;
    let (sender, receiver) = mpsc::channel();
    let on_stop = sender.clone();
    signals::on_stop(move || drop(on_stop.send(None)))?;
    let tokens = session.builder(session.login(), arguments.no_login).on_event(move |event: &Event| {
        // A closed stdout does not stop the program.
        let _ = writeln!(io::stdout(), "{:.0} {}", event.at, event.kind);
        if let EventKind::Stopped(reason) = &event.kind {
            drop(sender.send(Some(reason.clone())));
        }
    });
    let tokens = tokens.build();
    let keeper = tokens.keep_alive()?;
    let stopped = receiver.recv().ok().flatten();
    keeper.stop();
    stopped.map_or(Ok(()), |reason| Err(TokenError::Stopped(reason).into()))
}

pub(crate) fn rejected(arguments: &RejectedArguments) -> Result<(), Failure> {
    let session = SharedSession::find(&arguments.wait.source.store)?;
    let mut body = Vec::new();
    io::stdin().take(BODY_LIMIT).read_to_end(&mut body)?;
    let (tokens, token) = session.token(&arguments.wait)?;
    let verdict = tokens.rejected(&token, arguments.status, &body);
    print(name(verdict))?;
    // Sends the verifying renewal and stores its result, so that the next process finds it.
    finish(&tokens)
}

/// The printed name of a verdict. These names never change.
fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Dead => "dead",
        Verdict::Forbidden => "forbidden",
        Verdict::BeingChecked => "being-checked",
        Verdict::Moved => "moved",
        Verdict::AlreadyReplaced => "already-replaced",
        Verdict::LockedOut => "locked-out",
        Verdict::Postponed => "postponed",
        Verdict::CaptchaAsked => "captcha-asked",
        _ => "not-about-the-token",
    }
}

pub(crate) fn forget(arguments: &StoreArguments) -> Result<(), Failure> {
    let Some(session) = SharedSession::find_if_any(arguments)? else {
        say("no session is stored");
        return Ok(());
    };
    forget_stored(&session)?;
    if let Some(directory) = session.store.directory() {
        Variables::remove_login(directory)?;
    }
    say("the session is forgotten; a copy of its token works until it expires");
    Ok(())
}

/// Removes the tokens from the store, if it has any.
fn forget_stored(session: &SharedSession) -> Result<(), Failure> {
    let stored = session.store.load(&session.name)?.filter(StoredSession::has_token);
    let Some(stored) = stored else { return Ok(()) };
    // The session adopts the stored one first, so that its "forgotten" mark is newer and overrides it for all processes.
    let tokens = session.builder(session.login(), true).resume(stored).build();
    tokens.forget();
    wait_until_forgotten(session, &tokens, FORGET_TIMEOUT)
}

/// Waits until the store contains no token.
fn wait_until_forgotten(session: &SharedSession, tokens: &TokenSource, timeout: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    let keeper = tokens.keep_alive()?;
    while session.store.load(&session.name)?.is_some_and(|stored| stored.has_token()) {
        if begun.elapsed() >= timeout {
            return Err("the session is still stored, because another process holds the lease or the store can't be \
                 written: try again"
                .into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    keeper.stop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn each_verdict_has_the_name_that_the_help_documents() {
        let names = [
            (Verdict::Dead, "dead"),
            (Verdict::Forbidden, "forbidden"),
            (Verdict::BeingChecked, "being-checked"),
            (Verdict::Moved, "moved"),
            (Verdict::AlreadyReplaced, "already-replaced"),
            (Verdict::LockedOut, "locked-out"),
            (Verdict::Postponed, "postponed"),
            (Verdict::CaptchaAsked, "captcha-asked"),
            (Verdict::NotAboutTheToken, "not-about-the-token"),
        ];
        let help = Arguments::command().find_subcommand("rejected").unwrap().get_long_about().unwrap().to_string();
        for (verdict, expected) in names {
            assert_eq!(name(verdict), expected);
            assert!(help.contains(expected), "{help}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn forget_removes_a_refresh_token_although_the_access_token_is_gone() {
        use crate::session::tests::{only_refresh_token, shared_app, store};

        let (session, _directory) = shared_app();
        store(&session, &only_refresh_token());
        assert!(session.store.load(&session.name).unwrap().unwrap().has_token());
        forget_stored(&session).unwrap();
        assert!(!session.store.load(&session.name).unwrap().unwrap().has_token());
    }

    #[test]
    #[cfg(unix)]
    fn forget_fails_if_another_process_holds_the_lease_for_too_long() {
        use tradovate_auth_simulator::Simulator;

        use crate::session::tests::{expiring_in, shared, store};

        let server = Simulator::builder().serve().unwrap();
        let (session, _directory) = shared(&server);
        store(&session, &expiring_in(60));
        let lease = session.store.boxed().lease(&session.name, Duration::from_secs(60)).unwrap();
        assert!(lease.is_some());
        let stored = session.store.load(&session.name).unwrap().unwrap();
        let tokens = session.builder(session.login(), true).resume(stored).build();
        tokens.forget();
        let error = wait_until_forgotten(&session, &tokens, Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with("the session is still stored"), "{error}");
    }
}
