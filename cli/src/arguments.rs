//! The command line. No argument is a secret, because other users of the machine can see arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tradovate_auth::http::StatusCode;

pub(crate) const NAME: &str = "tradovate-auth";
pub(crate) const SIMULATE: &str = "simulate";

/// Logs in to Tradovate, stays logged in, and prints valid tokens.
///
/// All programs and shells that use the same store share one login. A token is valid for 80 minutes. `token` and `keep`
/// renew it; a token that has expired can't be renewed. The password is not stored. So without a password in a variable,
/// run `token` at least once an hour, or leave `keep` running. Otherwise you have to use `login` again.
///
/// After `login --oauth`, `token` and `keep` also replace an expired token. They need the refresh token, which expires
/// about 26 hours after the last refresh. So run `token` at least every 12 hours, or leave `keep` running. Otherwise you
/// have to use `login --oauth` again.
#[derive(Parser)]
#[command(name = NAME, version, arg_required_else_help = true, after_long_help = VARIABLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const VARIABLES: &str = "\
Variables (NAME_FILE can be set in place of NAME, to the path of a file that contains the value):
  TRADOVATE_USERNAME, TRADOVATE_PASSWORD     the user who logs in
  TRADOVATE_APP_ID, _APP_VERSION, _CID, _SEC, _DEVICE_ID
                                             the API key; variables that are not set are not sent
  TRADOVATE_ENVIRONMENT                      demo, live, evaluation, staging-demo or staging-live. Default: demo, and
                                             live for an OAuth app
  TRADOVATE_API_URL                          a base URL in place of an environment, such as a simulator's
  TRADOVATE_CLIENT_ID, TRADOVATE_CLIENT_SECRET
                                             the OAuth app
  TRADOVATE_AUTHORIZE_URL, TRADOVATE_TOKEN_URL
                                             OAuth endpoints in place of those of the environment
  TRADOVATE_REDIRECT_HOST, TRADOVATE_REDIRECT_PORT
                                             where the browser returns to after an OAuth login: 127.0.0.1 and 8765, or
                                             as the app is registered
  TRADOVATE_STORE, TRADOVATE_SEALING_KEY     where the session is stored, and the key that seals it

Exit codes:
  0 success, 1 failure, 2 the session has stopped; only `status`: 3 expired, 4 locked out, 5 nothing stored";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Logs in, with a password or in the browser, and stores the session
    ///
    /// It asks on the terminal for everything that no variable sets. If the stored session still works, it uses that
    /// session and sends no password. With `--oauth`, you always log in in the browser.
    Login(LoginArguments),
    /// Prints a valid token, and nothing else
    ///
    /// It renews the stored token, at most once per 15 minutes. If the token has expired, it logs in with the password
    /// from the variable, or refreshes with OAuth. If another process is already doing so, it waits for the result.
    Token(TokenArguments),
    /// Keeps the token valid until it is stopped, and prints one line for each event
    ///
    /// Ctrl-C or SIGTERM stops it. It then finishes the request in flight and releases the lease.
    Keep(SourceArguments),
    /// Reports the answer to a call that the server refused: reads its body from stdin and prints a verdict
    ///
    /// The verdicts are dead, forbidden, being-checked, moved, already-replaced, locked-out, postponed, captcha-asked
    /// and not-about-the-token. After dead and already-replaced, ask for a token again.
    Rejected(RejectedArguments),
    /// Shows who is logged in, where, until when, and which requests are postponed. Sends nothing
    ///
    /// Exit codes: 0 good, 1 failure, 2 stopped, 3 expired, 4 locked out, 5 nothing stored.
    Status(StatusArguments),
    /// Forgets the session, and stops all processes that share it
    ///
    /// The server has no log-out: a copy of the token works until it expires.
    Forget(StoreArguments),
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which session to use, and where it is stored.
#[derive(Args)]
pub(crate) struct StoreArguments {
    /// Where the session is stored: `file` (a directory of the user, the default), `file:DIRECTORY`, or
    /// `redis://HOST:PORT/`. Put a URL with a password into `TRADOVATE_STORE` instead
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<String>,

    /// A file with a key of 64 hexadecimal digits, which encrypts the stored session. Make one with: openssl rand -hex
    /// 32
    #[arg(long, value_name = "PATH")]
    pub(crate) key_file: Option<PathBuf>,

    /// Use the OAuth app of `TRADOVATE_CLIENT_ID` even if `TRADOVATE_USERNAME` is set
    #[arg(long)]
    pub(crate) oauth: bool,
}

#[derive(Args)]
pub(crate) struct SourceArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// Never log in with a password. Only renew the stored session, or refresh it with OAuth
    #[arg(long)]
    pub(crate) no_login: bool,
}

#[derive(Args)]
pub(crate) struct WaitArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,

    /// How long to wait for a token
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// Try credentials again that the server has refused. Correct them first: after five failed logins in an hour, the
    /// server postpones all logins of the network address
    #[arg(long)]
    pub(crate) another_try: bool,

    /// Print the URL for the browser and don't open a browser
    #[arg(long, requires = "oauth")]
    pub(crate) no_browser: bool,

    /// How long to wait for the login
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    pub(crate) wait: WaitArguments,

    /// Print the whole header line, as in `curl -H @<(tradovate-auth token --header)`
    #[arg(long)]
    pub(crate) header: bool,

    /// Print the market data token
    #[arg(long, conflicts_with = "header")]
    pub(crate) market_data: bool,

    /// Print JSON with both tokens, the expiry, the user, and the URLs for each purpose
    #[arg(long, conflicts_with_all = ["header", "market_data"])]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RejectedArguments {
    #[command(flatten)]
    pub(crate) wait: WaitArguments,

    /// The HTTP status of the server's answer
    #[arg(long, value_name = "N")]
    pub(crate) status: StatusCode,
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| "expected a number of seconds".into())
}

pub(crate) fn command() -> clap::Command {
    Arguments::command().subcommand(tradovate_auth_simulator::program::command(SIMULATE))
}
