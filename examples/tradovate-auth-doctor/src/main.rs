//! Logs in once at the real server, and reports what its answers look like, for `docs/contract`.
//!
//! It says what it will do and asks first; `--yes` skips the question. It writes the report to
//! `tradovate-auth-report.json` or to the file after `--output`. The report contains only shapes. Read it before you
//! share it.
//!
//! Without `TRADOVATE_USERNAME` and `TRADOVATE_CLIENT_ID`, it starts a simulator inside the process. With the first, it
//! reads the variables of `quickstart`; with the second, those of `oauth-login`. For an app it prints the URL at which
//! the user logs in. The browser is then redirected to an address at which nothing listens, and the user pastes this
//! address.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use tradovate_auth::http::{Request, Response};
use tradovate_auth::jiff::civil::Date;
use tradovate_auth::jiff::tz::TimeZone;
use tradovate_auth::ureq::{app_from_env, entropy, from_env, now};
use tradovate_auth::{AuthorizationRequest, AuthorizedCode, Environment, Failure, OAuthApp, RequestBody};
use tradovate_auth_doctor::{Account, EnvironmentKind, Outside, Report, ServerKind, Verdict, examine};
use tradovate_auth_simulator::Simulator;
use ureq::{Agent, SendBody};

const USAGE: &str = "usage: tradovate-auth-doctor [--yes] [--output FILE]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut is_agreed, mut output) = (false, "tradovate-auth-report.json".to_owned());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--yes" => is_agreed = true,
            "--output" => output = arguments.next().ok_or(USAGE)?,
            _ => return Err(USAGE.into()),
        }
    }

    let mut simulator = None; // runs until it is dropped
    let account = if let Some(account) = account()? {
        account
    } else {
        let server = simulator.insert(Simulator::builder().serve()?);
        println!(
            "TRADOVATE_USERNAME and TRADOVATE_CLIENT_ID are not set, so the server is a simulator at {}",
            server.base_url()
        );
        Account {
            day: today(),
            server: ServerKind::Simulator,
            environment_kind: EnvironmentKind::Custom,
            environment: server.environment(),
            credentials: Some(server.credentials()),
            app: None,
        }
    };
    println!("{}", plan(&account, &output));
    if !is_agreed && ask("Continue? Type yes: ")? != "yes" {
        return Err("you did not type yes, so nothing was sent".into());
    }

    let report = examine(&account, &mut Machine { environment: account.app.as_ref().map(|(it, _)| it.clone()) });
    fs::write(&output, serde_json::to_string_pretty(&report)? + "\n")?;
    print!("{}", summary(&report));
    println!("the report is in {output}: read it before you share it");
    Ok(())
}

/// The account from the variables; `None` if none are set.
fn account() -> Result<Option<Account>, Box<dyn Error>> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let (has_user, has_app) = (is_set("TRADOVATE_USERNAME"), is_set("TRADOVATE_CLIENT_ID"));
    let app = if has_app { Some(app_from_env()?) } else { None };
    let (environment, credentials) = match &app {
        _ if has_user => from_env().map(|(environment, credentials)| (environment, Some(credentials)))?,
        Some((environment, _)) => (environment.clone(), None),
        None => return Ok(None),
    };
    let is_custom = is_set("TRADOVATE_API_URL");
    let environment_kind = match env::var("TRADOVATE_ENVIRONMENT").unwrap_or_default().as_str() {
        _ if is_custom => EnvironmentKind::Custom,
        "live" => EnvironmentKind::Live,
        "evaluation" => EnvironmentKind::Evaluation,
        "staging-live" => EnvironmentKind::StagingLive,
        "staging-demo" => EnvironmentKind::StagingDemo,
        "" if !has_user => EnvironmentKind::Live,
        _ => EnvironmentKind::Demo,
    };
    let server = if is_custom { ServerKind::Custom } else { ServerKind::Vendor };
    Ok(Some(Account { day: today(), server, environment_kind, environment, credentials, app }))
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(now()).date()
}

fn plan(account: &Account, output: &str) -> String {
    let mut plan = "This program will\n".to_owned();
    if account.credentials.is_some() {
        plan += "- log in once with your password. This opens a session; if you already have two, the server closes \
                 the oldest\n\
            - ask who you are (/auth/me), and renew the token once\n";
    }
    if account.app.is_some() {
        plan += "- ask you to authorize the app in a browser, exchange the code, and renew that token once\n";
    }
    plan + "- wait up to two minutes if the server asks for it, and send nothing more if it locks you out\n\
        - write the shapes of the answers, without secret or personal values, to "
        + output
}

fn summary(report: &Report) -> String {
    let rules = |wanted: Verdict| {
        let rules = report.rules.iter().filter(|judgement| judgement.verdict == wanted);
        rules.map(|judgement| judgement.rule.as_str()).collect::<Vec<_>>().join(" ")
    };
    let (confirmed, refuted) = (rules(Verdict::Confirmed), rules(Verdict::Refuted));
    let refuted = if refuted.is_empty() { "none" } else { &refuted };
    format!("{} requests were sent\nconfirmed: {confirmed}\nrefuted: {refuted}\n", report.steps.len())
}

fn ask(question: &str) -> io::Result<String> {
    print!("{question}");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// The network, the clock and the user of this machine.
struct Machine {
    /// The environment of the app.
    environment: Option<Environment>,
}

impl Outside for Machine {
    fn send(&mut self, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
        let is_local = request.uri().scheme_str() == Some("http");
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(!is_local)
            .timeout_global(Some(Duration::from_secs(30)));
        let agent = if is_local { config.proxy(None) } else { config }.build().new_agent();
        let (parts, body) = request.clone().into_parts();
        let response = if body.is_empty() {
            agent.run(Request::from_parts(parts, ()))
        } else {
            agent.run(Request::from_parts(parts, SendBody::from_reader(&mut body.as_ref())))
        };
        let (parts, mut body) = response.map_err(|error| failure(&error))?.into_parts();
        let body = body.with_config().limit(256 * 1024).read_to_vec().map_err(|_| Failure::Truncated)?;
        Ok(Response::from_parts(parts, body))
    }

    fn wait(&mut self, time: Duration) {
        println!("the server demands a wait of {} s: waiting", time.as_secs());
        thread::sleep(time);
    }

    fn authorize(&mut self, app: &OAuthApp) -> Option<AuthorizedCode> {
        let host = env::var("TRADOVATE_REDIRECT_HOST").unwrap_or_else(|_| "127.0.0.1".into());
        let port = env::var("TRADOVATE_REDIRECT_PORT").unwrap_or_else(|_| "8765".into());
        let request = AuthorizationRequest::new(app, format!("http://{host}:{port}/callback"));
        let (url, mut pending) = request.begin(self.environment.as_ref()?, entropy().ok()?).ok()?;
        println!("log in at {}", url.as_str());
        println!("then paste the address from the browser's address bar; the page itself will not load");
        while let Ok(address) = ask("address (press Enter to skip): ") {
            if address.is_empty() {
                return None;
            }
            match pending.redirected(&address) {
                Ok(code) => return Some(code),
                Err(error) => println!("{error}"),
            }
        }
        None
    }
}

fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Failure::NotSent,
        _ => Failure::MaybeSent,
    }
}
