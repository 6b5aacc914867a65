//! The simulator as a program, for clients in any language. It prints what a client needs as lines for a shell, and
//! then serves until it gets a signal to stop. It is a module of the library, so that other programs can have it as a
//! subcommand.

use std::{
    future::Future,
    io::{self, Write},
    net::IpAddr,
    time::Duration,
};

use clap::{ArgMatches, Args, Command, FromArgMatches as _, ValueEnum, builder::NonEmptyStringValueParser};

use crate::{ApiHosts, App, Endpoint, LockOut, LogEntry, Maintenance, OAuthClient, Server, Side, Simulator, User};

const APP_ID: &str = "Synthetic App";
const APP_VERSION: &str = "1.0";
const CID: &str = "8";
const SEC: &str = "synthetic-api-secret";
const DEVICE_ID: &str = "synthetic-device";
/// The name of the organization of `--organization-hosts`.
const ORGANIZATION: &str = "Example Evaluation";

const ABOUT: &str = "A server on 127.0.0.1 that answers Tradovate logins as the real server does";
const LONG_ABOUT: &str = "A server on 127.0.0.1 that answers Tradovate logins as the real server does.\n\n\
    Prints the base URL and the credentials it accepts as lines that a shell can evaluate, logs one line per request to \
    stderr, and serves until Ctrl-C.";

#[derive(Args)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Address to listen at in place of 127.0.0.1: 0.0.0.0 or :: in containers. Everybody who can reach this machine
    /// can then use and control the simulator
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,

    /// Lifetime of an access token: 90s, 80m, 2h, or a number of seconds
    #[arg(long, default_value = "80m", value_parser = duration)]
    lifetime: Duration,

    /// User name to accept, at most 64 characters
    #[arg(long, default_value = "synthetic-user", value_parser = up_to_64_characters)]
    user: String,

    /// Password to accept, at most 64 characters
    #[arg(long, default_value = "synthetic-password", value_parser = up_to_64_characters)]
    password: String,

    /// `client_id` of the OAuth client
    #[arg(long, default_value = "synthetic-client", value_parser = NonEmptyStringValueParser::new())]
    client_id: String,

    /// `client_secret` of the OAuth client; without it, the client is a public one
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    client_secret: Option<String>,

    /// Redirect URI of the OAuth client, compared exactly; can be given several times
    #[arg(
        long = "redirect-uri",
        value_name = "URI",
        value_parser = redirect_uri,
        default_values = ["http://127.0.0.1:8765/callback", "http://127.0.0.1:8080/callback"]
    )]
    redirect_uris: Vec<String>,

    /// Environment to simulate; Demo does not answer /auth/me
    #[arg(long, value_enum, default_value_t = Environment::Live)]
    environment: Environment,

    /// Serve an organization with dedicated hosts: answer with these `apiHosts` in place of the shared ones
    #[arg(
        long,
        value_name = "KEY=HOST,…",
        value_delimiter = ',',
        value_parser = host,
        num_args = 0..=1,
        default_missing_values = ["demo=acme-demo.eval.ninjatrader.com", "mdDemo=acme-md-demo.eval.ninjatrader.com"]
    )]
    organization_hosts: Vec<(String, String)>,

    /// Problem to start with
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Environment {
    Live,
    Demo,
}

impl From<Environment> for Side {
    fn from(environment: Environment) -> Self {
        match environment {
            Environment::Live => Self::Live,
            Environment::Demo => Self::Demo,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Scenario {
    /// The first request to each authentication endpoint gets a penalty ticket and has to wait 3 seconds
    Penalty,
    /// The first login gets a captcha. Logins are closed for one hour, other endpoints are not
    Captcha,
    /// Every request gets 429 until no request came for one hour
    LockOut,
    /// Every request gets 503 with an HTML page
    Maintenance,
}

/// The command line of the simulator, for a program or subcommand with this name.
#[must_use]
pub fn command(name: &'static str) -> Command {
    Arguments::augment_args(Command::new(name)).version(env!("CARGO_PKG_VERSION")).about(ABOUT).long_about(LONG_ABOUT)
}

/// Serves until Ctrl-C or SIGTERM. `matches` must come from [`command`].
///
/// # Errors
/// If the server can't listen at the address, or if `matches` comes from another command line.
pub fn run(matches: &ArgMatches) -> io::Result<()> {
    let arguments = &Arguments::from_arg_matches(matches).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let stop_requested = {
        let _context = runtime.enter();
        stop_signal()?
    };
    let server = start(arguments).map_err(|error| explain(arguments.port, &error))?;
    if let Some(address) = arguments.listen.filter(|address| !address.is_loopback()) {
        let _ = writeln!(
            io::stderr(),
            "warning: the simulator listens at {address}: everybody who can reach this machine can use and control it. \
             Never enter a real password"
        );
    }
    write_exports(&(login_exports(&server, arguments) + &oauth_exports(&server, arguments)))?;
    runtime.block_on(stop_requested);
    Ok(())
}

fn start(arguments: &Arguments) -> io::Result<Server> {
    let mut hosts = ApiHosts::standard();
    for (key, host) in &arguments.organization_hosts {
        hosts = hosts.with(key, host);
    }
    let builder = Simulator::builder()
        .user(User::new(&arguments.user, &arguments.password).of_organization(ORGANIZATION))
        .app(App::new(APP_ID, CID, SEC))
        .oauth_client(oauth_client(arguments))
        .organization(ORGANIZATION, hosts)
        .lifetime(arguments.lifetime)
        .side(arguments.environment.into())
        .port(arguments.port)
        .on_request(log);
    let server = match arguments.listen {
        Some(address) => builder.listen(address),
        None => builder,
    };
    let server = server.serve()?;
    if let Some(scenario) = arguments.scenario {
        server.with(|simulator| apply_scenario(scenario, simulator));
    }
    Ok(server)
}

/// The OAuth client, registered on the side that is simulated, so that the printed values work.
fn oauth_client(arguments: &Arguments) -> OAuthClient {
    let mut client = OAuthClient::public(&arguments.client_id, "").named(APP_ID);
    client.client_secret = arguments.client_secret.as_deref().map(Into::into);
    client.redirect_uris.clone_from(&arguments.redirect_uris);
    client.side = arguments.environment.into();
    client
}

fn apply_scenario(scenario: Scenario, simulator: &mut Simulator) {
    match scenario {
        Scenario::Penalty => {
            for endpoint in
                [Endpoint::AccessTokenRequest, Endpoint::RenewAccessToken, Endpoint::Me, Endpoint::OauthToken]
            {
                simulator.penalize_next(endpoint, Duration::from_secs(3));
            }
        }
        Scenario::Captcha => simulator.captcha_next(Endpoint::AccessTokenRequest),
        Scenario::LockOut => simulator.lock_out(LockOut::too_many_requests()),
        Scenario::Maintenance => simulator.set_maintenance(Some(Maintenance::Html)),
    }
}

fn explain(port: u16, error: &io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {port} is in use; --port 0 takes a free one"),
        io::ErrorKind::PermissionDenied => format!("port {port} is not permitted; --port 0 takes a free one"),
        _ => format!("the server can't be started: {error}"),
    };
    io::Error::new(error.kind(), why)
}

/// Logs a request as one line. A closed stderr does not stop the server.
fn log(entry: &LogEntry) {
    let _ = writeln!(io::stderr(), "{} {} {}", entry.method, entry.path.escape_debug(), entry.status.as_u16());
}

fn login_exports(server: &Server, arguments: &Arguments) -> String {
    let lines = [
        ("TRADOVATE_API_URL", server.base_url().as_str()),
        ("TRADOVATE_USERNAME", &arguments.user),
        ("TRADOVATE_PASSWORD", &arguments.password),
        ("TRADOVATE_APP_ID", APP_ID),
        ("TRADOVATE_APP_VERSION", APP_VERSION),
        ("TRADOVATE_CID", CID),
        ("TRADOVATE_SEC", SEC),
        ("TRADOVATE_DEVICE_ID", DEVICE_ID),
    ]
    .map(export);
    let control = server.base_url().replace("/v1", "/simulator");
    format!(
        "# The simulator is listening. Ctrl-C stops it, and {control} controls it. Log in with:\n{}",
        lines.concat()
    )
}

/// The lines for OAuth. They are separate, because a password login needs none of them.
fn oauth_exports(server: &Server, arguments: &Arguments) -> String {
    let token_url = server.base_url() + "/auth/oauthtoken";
    let lines = [
        ("TRADOVATE_AUTHORIZE_URL", server.authorize_url().as_str()),
        ("TRADOVATE_TOKEN_URL", &token_url),
        ("TRADOVATE_CLIENT_ID", &arguments.client_id),
    ]
    .map(export);
    let secret = arguments.client_secret.as_deref().map(|secret| export(("TRADOVATE_CLIENT_SECRET", secret)));
    format!(
        "# Or log in with OAuth in a browser. The redirect URI is {}:\n{}{}",
        arguments.redirect_uris.join(" or "),
        lines.concat(),
        secret.unwrap_or_default()
    )
}

fn export((name, value): (&str, &str)) -> String {
    format!("export {name}={}\n", quoted(value))
}

/// Quotes a text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn write_exports(exports: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(exports.as_bytes())?;
    stdout.flush()
}

/// Starts listening for signals now. The future ends when a signal asks the program to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(std::future::poll_fn(move |context| {
        if interrupt.poll_recv(context).is_ready() || terminate.poll_recv(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}

/// Starts listening for signals now. The future ends when a signal asks the program to stop.
#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

fn up_to_64_characters(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=64 => Ok(text.to_owned()),
        0 => Err("must not be empty".to_owned()),
        _ => Err("is longer than 64 characters".to_owned()),
    }
}

/// Checks that a URI can be sent in a `Location` header and printed in one comment line.
fn redirect_uri(text: &str) -> Result<String, String> {
    let is_clean = text.chars().all(|c| c.is_ascii_graphic() && c != '#');
    match text.split_once(':') {
        Some((scheme, rest)) if is_clean && !scheme.is_empty() && !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("expected a URL without spaces and fragment, such as http://127.0.0.1:8765/callback".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((end, 's')) => (text.get(..end), 1),
        Some((end, 'm')) => (text.get(..end), 60),
        Some((end, 'h')) => (text.get(..end), 60 * 60),
        _ => (Some(text), 1),
    };
    let number: Option<u64> = number.and_then(|number| number.parse().ok());
    match number.and_then(|number| number.checked_mul(unit)) {
        Some(0) => Err("must not be zero".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("expected a time such as 90s, 80m, 2h, or plain seconds".to_owned()),
    }
}

fn host(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, host)) if !key.is_empty() && !host.is_empty() => Ok((key.to_owned(), host.to_owned())),
        _ => Err("expected KEY=HOST, such as demo=acme-demo.example".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_has_a_unit_or_is_a_number_of_seconds() {
        for (text, seconds) in [("80m", 4800), ("90s", 90), ("2h", 7200), ("45", 45)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "0s", "1.5h", "-1s", "80 m", "99999999999999999999", "18446744073709551615h", "1ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_redirect_uri_has_no_spaces_and_no_fragment() {
        for text in ["http://127.0.0.1:8765/callback", "http://localhost/?a=b", "com.example.app:/back"] {
            assert_eq!(redirect_uri(text), Ok(text.to_owned()));
        }
        for text in ["", "callback", ":", "http:", "http://localhost/#a", "http://localhost/a b", "http://localhost/\n"]
        {
            assert!(redirect_uri(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_organization_host_needs_a_key_and_a_host() {
        assert_eq!(host("demo=acme.example"), Ok(("demo".to_owned(), "acme.example".to_owned())));
        assert!(["acme.example", "=x", "demo="].iter().all(|text| host(text).is_err()));
    }
}
