//! The protocol carried by a client that the project knows nothing of: hyper.
//!
//! Reads the same variables as `quickstart`; without `TRADOVATE_USERNAME` it starts a simulator inside the process.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::time::timeout;
use tradovate_auth::http::Response;
use tradovate_auth::{AccessTokenRequest, Credentials, Endpoint, Environment, Grant, RenewAccessToken, ResponseBody};
use tradovate_auth_simulator::Simulator;

/// The longest a whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The innermost error says what happened, those around it where.
            let mut cause: &dyn Error = error.as_ref();
            while let Some(source) = cause.source() {
                cause = source;
            }
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let simulator = match env::var_os("TRADOVATE_USERNAME") {
        Some(_) => None,
        None => Some(Simulator::builder().serve()?),
    };
    let variable = |name: &str| env::var(name).ok();
    let (mut environment, credentials) = match &simulator {
        Some(simulator) => {
            println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", simulator.base_url());
            (simulator.environment(), simulator.credentials())
        }
        None => (Environment::from_variables(variable)?, Credentials::from_variables(variable)?),
    };

    // Neither follows redirects nor makes errors of statuses. A time-out and a limit are `exchange`'s, below.
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    let http: Http = Client::builder(TokioExecutor::new()).build(tls);

    let grant = exchange(&http, &environment, &AccessTokenRequest::new(&credentials), None).await?;
    for key in environment.follow(&grant.hosts) {
        println!("not followed: the host for `{key}`, which is not one of the vendor's own");
    }
    println!("logged in as {}", credentials.name());
    let renewal = RenewAccessToken::new(grant.access_token.clone());
    let renewed = exchange(&http, &environment, &renewal, Some(&grant)).await?;
    println!("renewed: the token expires at {}", renewed.expires_at);
    Ok(())
}

/// One exchange: the core builds the request, hyper carries it, the core parses the response and checks the grant.
async fn exchange<E: Endpoint<Response = tradovate_auth::AccessTokenResponse>>(
    http: &Http,
    environment: &Environment,
    endpoint: &E,
    held: Option<&Grant>,
) -> Result<Grant, Box<dyn Error + Send + Sync>> {
    let request = endpoint.request(environment)?.map(|body| Full::new(body.into_bytes()));
    let sent = Timestamp::now();
    let response = timeout(TIMEOUT, async {
        let (parts, body) = http.request(request).await?.into_parts();
        let body = Limited::new(body, ResponseBody::DEFAULT_LIMIT).collect().await?.to_bytes();
        Ok::<_, Box<dyn Error + Send + Sync>>(Response::from_parts(parts, body))
    });
    let response =
        response.await.map_err(|_| "no answer within 30 seconds; the server may have handled the request")??;
    let received = Timestamp::now();
    let reply = E::parse(response)?;
    Ok(Grant::from_access_token(reply, sent, received, held)?)
}
