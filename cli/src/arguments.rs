//! The command line. No secret is an argument: other users of the machine can see arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tradovate_auth::http::StatusCode;

pub(crate) const NAME: &str = "tradovate-auth";
pub(crate) const SIMULATE: &str = "simulate";

/// Logs in to Tradovate, stays logged in, and prints valid tokens.
///
/// All programs and shells that use the same store share one login. A token lives 80 minutes. Without a password in a
/// variable, somebody has to ask for a token within that time, or `keep` has to run; otherwise the session ends and only
/// `login` helps.
#[derive(Parser)]
#[command(name = NAME, version, arg_required_else_help = true, after_long_help = VARIABLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const VARIABLES: &str = "\
Variables (each can also be given as NAME_FILE, the path of a file that contains the value):
  TRADOVATE_USERNAME, TRADOVATE_PASSWORD     who logs in
  TRADOVATE_APP_ID, _APP_VERSION, _CID, _SEC, _DEVICE_ID
                                             the API key; what is not set is not sent
  TRADOVATE_ENVIRONMENT                      demo, live, evaluation, staging-demo or staging-live
  TRADOVATE_API_URL                          a base URL instead, such as that of a simulator
  TRADOVATE_CLIENT_ID, TRADOVATE_CLIENT_SECRET
                                             the OAuth app
  TRADOVATE_STORE, TRADOVATE_SEALING_KEY     where the session is stored, and the key that seals it

Exit codes:
  0 success, 1 failure, 2 the session has stopped for good; of `status` also 3 expired, 4 locked out, 5 nothing stored";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Logs in, with a password or in the browser, and stores the session
    ///
    /// What no variable says is asked for on the terminal. If a session is stored that still works, it is used, and nothing
    /// is sent.
    Login(LoginArguments),
    /// Prints a valid token, and nothing else
    ///
    /// It renews the token if that is due. It logs in if no session is stored or the stored one has ended, and a password is
    /// in a variable. It waits while another process does so.
    Token(TokenArguments),
    /// Keeps running and renews, and prints one line for each event
    ///
    /// Ctrl-C or SIGTERM ends it in good order.
    Keep(SourceArguments),
    /// Reports what the server answered to a call with the token: reads the body from stdin, prints the verdict
    ///
    /// The verdicts are dead, forbidden, being-checked, moved, already-replaced, locked-out, postponed, captcha-asked and
    /// not-about-the-token. After dead and already-replaced, ask for a token again.
    Rejected(RejectedArguments),
    /// Says who is logged in, where, until when, and what is postponed. Sends nothing
    ///
    /// Exit codes: 0 good, 1 failure, 2 stopped for good, 3 expired, 4 locked out, 5 nothing stored.
    Status(StatusArguments),
    /// Forgets the session, and stops all processes that share it
    ///
    /// The server has no log-out: a token that somebody has kept works until it expires.
    Forget(PlaceArguments),
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Where the session is stored, and whose it is.
#[derive(Args)]
pub(crate) struct PlaceArguments {
    /// Where the session is stored: `file` (the user's own directory), `file:DIRECTORY`, or `redis://HOST:PORT/`. A URL with
    /// a password belongs in `TRADOVATE_STORE`
    #[arg(long, value_name = "PLACE")]
    pub(crate) store: Option<String>,

    /// A file with 64 hexadecimal digits, which seal what is stored: `openssl rand -hex 32` makes them
    #[arg(long, value_name = "PATH")]
    pub(crate) key_file: Option<PathBuf>,

    /// Use the OAuth app of `TRADOVATE_CLIENT_ID`, also if `TRADOVATE_USERNAME` is set
    #[arg(long)]
    pub(crate) oauth: bool,
}

#[derive(Args)]
pub(crate) struct SourceArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,

    /// Never log in, only renew what is stored
    #[arg(long)]
    pub(crate) no_login: bool,

    /// How long to wait for a token
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,

    /// Try credentials again that the server has refused. Correct them first: five failed logins an hour lock the address out
    #[arg(long)]
    pub(crate) another_try: bool,

    /// Print the URL for the browser, and open none
    #[arg(long, requires = "oauth")]
    pub(crate) no_browser: bool,

    /// How long to wait for the login
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,

    /// Print the whole header line, for `curl -H @<(tradovate-auth token --header)`
    #[arg(long)]
    pub(crate) header: bool,

    /// Print the token for market data sockets
    #[arg(long, conflicts_with = "header")]
    pub(crate) market_data: bool,

    /// Print both tokens, the expiry, the user, and the URLs by purpose as JSON
    #[arg(long, conflicts_with_all = ["header", "market_data"])]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RejectedArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,

    /// The HTTP status of the answer
    #[arg(long, value_name = "N")]
    pub(crate) status: StatusCode,
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| "expected a number of seconds".into())
}

pub(crate) fn command() -> clap::Command {
    Arguments::command().subcommand(tradovate_auth_simulator::program::command(SIMULATE))
}
