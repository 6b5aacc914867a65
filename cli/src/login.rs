//! The subcommand `login`: with a password, or with OAuth in the browser.

use tradovate_auth::ureq::TokenSourceBuilder;
use tradovate_auth::{Credentials, Login};

use crate::arguments::LoginArguments;
use crate::browser::Browser;
use crate::session::{Owner, POLL_INTERVAL, SharedSession, finish, wait};
use crate::store::SelectedStore;
use crate::variables::{PASSWORD, Variables};
use crate::{Failure, print, prompt, say};

/// Each process that starts renews the stored token, at most once per 15 minutes. A token lives 80 minutes. So one
/// process per hour keeps it valid.
const AFTER_PASSWORD: &str = "\
    to stay logged in, run `tradovate-auth token` at least once an hour, or leave `tradovate-auth keep` running; \
    otherwise the token expires after 80 minutes, and you have to run `tradovate-auth login` again, unless a variable has \
    the password";

/// A session refreshes if its last refresh is 12 hours old or if its token has expired. So one process every 12 hours
/// refreshes before the refresh token is 24 hours old.
const AFTER_OAUTH: &str = "\
    to stay logged in, run `tradovate-auth token` at least every 12 hours, or leave `tradovate-auth keep` running; \
    otherwise the refresh token expires about 26 hours after the last refresh, and you have to run `tradovate-auth login \
    --oauth` again";

pub(crate) fn run(arguments: &LoginArguments) -> Result<(), Failure> {
    let mut variables = Variables::read()?;
    let is_app = arguments.store.oauth;
    let store = SelectedStore::open(&arguments.store, &variables)?;
    let has_asked = prompt::complete(&mut variables, is_app)?;
    if !is_app && variables.get(PASSWORD).is_none() {
        // Returns the error that names all missing variables.
        drop(Credentials::from_variables(|name| variables.get(name))?);
    }
    let session = SharedSession::of(store, is_app, &variables)?;
    let (mut browser, login) = match &session.owner {
        Owner::User(_) => (None, session.login()),
        Owner::App(app) => {
            let (browser, code) = Browser::authorize(&session.environment, app, &variables, arguments)?;
            (Some(browser), Login::code(app.clone(), code))
        }
    };
    let result = log_in(&session, session.builder(login, false), arguments, has_asked);
    if let Some(browser) = &mut browser {
        browser.answer(result.as_ref().err().map(ToString::to_string));
    }
    print(&result?)?;
    if let Some(directory) = session.store.directory() {
        variables
            .store_login(directory, is_app)
            .map_err(|error| format!("can't write to {}: {error}", directory.display()))?;
    }
    say(if is_app { AFTER_OAUTH } else { AFTER_PASSWORD });
    Ok(())
}

/// Logs in and returns the message for the user: who is logged in, and until when.
fn log_in(
    session: &SharedSession,
    builder: TokenSourceBuilder,
    arguments: &LoginArguments,
    has_asked: bool,
) -> Result<String, Failure> {
    // Credentials that were just typed may be tried again.
    let builder = if arguments.another_try || has_asked { builder.another_try() } else { builder };
    let tokens = builder.token_timeout(POLL_INTERVAL).build();
    let token = wait(&tokens, arguments.timeout, || false);
    finish(&tokens)?;
    let token = token?;
    let who = match (session.user(), tokens.user_id()) {
        (Some(name), Some(id)) => format!(" as {name} (user {id})"),
        (Some(name), None) => format!(" as {name}"),
        (None, Some(id)) => format!(" as user {id}"),
        (None, None) => String::new(),
    };
    Ok(format!("logged in{who}, token valid until {:.0}", token.expires_at()))
}
