//! The program `tradovate-auth`: gives shells and programs in any language a valid Tradovate token. All share one
//! login.
//!
//! `arguments` defines the command line. `variables` and `store` decide who logs in and where the session is stored.
//! Each subcommand has a file, or a function in `commands`. Tokens are printed on stdout and nowhere else.

#![forbid(unsafe_code)]

mod arguments;
mod browser;
mod commands;
mod log;
mod login;
mod prompt;
mod session;
mod signals;
mod status;
mod store;
mod variables;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::FromArgMatches as _;
use tradovate_auth::StopReason;
use tradovate_auth::ureq::TokenError;

use arguments::{Arguments, Command};

/// An error whose text is a sentence for the user.
type Failure = Box<dyn Error>;

/// The exit codes of a failure, and of a session that has stopped.
const FAILED: u8 = 1;
const STOPPED: u8 = 2;

fn main() -> ExitCode {
    log::start();
    let matches = match arguments::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { FAILED.into() } else { ExitCode::SUCCESS };
        }
    };
    let result = match matches.subcommand() {
        Some((arguments::SIMULATE, matches)) => {
            tradovate_auth_simulator::program::run(matches).map_err(Into::into).map(|()| ExitCode::SUCCESS)
        }
        _ => Arguments::from_arg_matches(&matches).map_err(Into::into).and_then(|arguments| run(arguments.command)),
    };
    result.unwrap_or_else(|error| {
        let (code, advice) = match error.downcast_ref::<TokenError>() {
            Some(TokenError::Stopped(reason)) => (STOPPED, advice(reason)),
            _ => (FAILED, None),
        };
        say(&error.to_string());
        if let Some(advice) = advice {
            say(advice);
        }
        code.into()
    })
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Login(arguments) => login::run(&arguments)?,
        Command::Token(arguments) => commands::token(&arguments)?,
        Command::Keep(arguments) => commands::keep(&arguments)?,
        Command::Rejected(arguments) => commands::rejected(&arguments)?,
        Command::Status(arguments) => return status::run(&arguments),
        Command::Forget(arguments) => commands::forget(&arguments)?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut arguments::command(), arguments::NAME, &mut io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the user can do with this program after a stop. The reason itself names only the library's functions.
fn advice(reason: &StopReason) -> Option<&'static str> {
    match reason {
        StopReason::RefusedBefore { .. } => {
            Some("correct the credentials, then run `tradovate-auth login --another-try`")
        }
        StopReason::ConsentRequired | StopReason::CodeLost => Some("log in with `tradovate-auth login --oauth`"),
        _ => None,
    }
}

/// Prints a line for the user on stderr. A closed stderr does not stop the program.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a line on stdout and flushes it.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}
