//! The setup of the web server: command line, logs, and the simulator that runs if no client is configured.

use std::path::PathBuf;
use std::{env, io};

use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tradovate_auth::{BodyFormat, ClientSecret, OAuthApp};
use tradovate_auth_simulator::{OAuthClient, Server, Simulator, User};

const CLIENT_ID: &str = "synthetic-web-app";
const CLIENT_SECRET: &str = "synthetic-client-secret";

/// Starts a simulator for users who have no credentials yet.
pub(crate) fn simulate(redirect_uri: &str) -> io::Result<(Server, OAuthApp)> {
    let client = OAuthClient::confidential(CLIENT_ID, CLIENT_SECRET, redirect_uri).named("Synthetic Web App");
    let mut second = User::new("second-user", "second-password");
    second.full_name = "Second User".into();
    let simulator = Simulator::builder().user(User::default()).user(second).oauth_client(client).serve()?;
    println!("TRADOVATE_CLIENT_ID is not set, so the server is a simulator at {};", simulator.base_url());
    println!("sign in there as synthetic-user with synthetic-password, or as second-user with second-password");
    Ok((simulator, OAuthApp::new(CLIENT_ID).with_client_secret(ClientSecret::new(CLIENT_SECRET))))
}

/// Reads the body format (`--form`) and the database file (`--store`).
pub(crate) fn arguments() -> Result<(BodyFormat, Option<PathBuf>), String> {
    let wrong = |what: &str| format!("{what}; usage: oauth-web-server [--form] [--store FILE]");
    let (mut format, mut store) = (BodyFormat::Json, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--form" => format = BodyFormat::Form,
            "--store" => store = Some(arguments.next().ok_or_else(|| wrong("--store needs a file"))?.into()),
            unknown => return Err(wrong(&format!("unknown option {unknown:?}"))),
        }
    }
    Ok((format, store))
}

/// Logs the targets of `tradovate_auth` as `RUST_LOG` says, and no others: at trace level, HTTP clients log bearer
/// tokens.
pub(crate) fn show_own_logs() {
    let levels = env::var("RUST_LOG").unwrap_or_default().parse::<Targets>().unwrap_or_default();
    let own = filter_fn(|metadata| metadata.target().starts_with("tradovate_auth"));
    let format = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(format.with_filter(levels.and(own))).init();
}
