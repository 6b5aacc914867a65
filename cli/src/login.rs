//! The subcommand `login`: by a password, or by OAuth in the browser.

use tradovate_auth::ureq::TokenSourceBuilder;
use tradovate_auth::{Credentials, Login};

use crate::arguments::LoginArguments;
use crate::browser::Browser;
use crate::place::Place;
use crate::session::{SLICE, SharedSession, Who, finish, wait};
use crate::variables::{PASSWORD, Variables};
use crate::{Failure, print, prompt, say};

pub(crate) fn run(arguments: &LoginArguments) -> Result<(), Failure> {
    let mut variables = Variables::read()?;
    let is_app = arguments.place.oauth;
    let place = Place::open(&arguments.place, &variables)?;
    let has_asked = prompt::complete(&mut variables, is_app)?;
    if !is_app && variables.get(PASSWORD).is_none() {
        // The error names all that are missing.
        drop(Credentials::from_variables(|name| variables.get(name))?);
    }
    let session = SharedSession::of(place, is_app, &variables)?;
    let (mut browser, login) = match &session.who {
        Who::User(_) => (None, session.login()),
        Who::App(app) => {
            let (browser, code) = Browser::authorize(&session.environment, app, &variables, arguments)?;
            (Some(browser), Login::code(app.clone(), code))
        }
    };
    let result = log_in(&session, session.builder(login, false), arguments, has_asked);
    if let Some(browser) = &mut browser {
        browser.answer(result.as_ref().err().map(ToString::to_string));
    }
    print(&result?)?;
    if let Some(directory) = session.place.directory() {
        variables
            .store_login(directory, is_app)
            .map_err(|error| format!("can't write to {}: {error}", directory.display()))?;
    }
    say(
        "a token lives 80 minutes: ask for one within this time, or let `tradovate-auth keep` run; without a password in a \
         variable, only a new login helps afterwards",
    );
    Ok(())
}

/// Gets a token by this login, and says for whom and until when.
fn log_in(
    session: &SharedSession,
    builder: TokenSourceBuilder,
    arguments: &LoginArguments,
    has_asked: bool,
) -> Result<String, Failure> {
    // What was typed just now is another try.
    let builder = if arguments.another_try || has_asked { builder.another_try() } else { builder };
    let tokens = builder.token_timeout(SLICE).build();
    let token = wait(&tokens, arguments.timeout, || false);
    finish(&tokens)?;
    let token = token?;
    let who = match (session.user(), tokens.user_id()) {
        (Some(name), Some(id)) => format!(" as {name} (user {id})"),
        (Some(name), None) => format!(" as {name}"),
        (None, Some(id)) => format!(" as user {id}"),
        (None, None) => String::new(),
    };
    Ok(format!("logged in{who}, good until {:.0}", token.expires_at()))
}
