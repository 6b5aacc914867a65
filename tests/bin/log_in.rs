//! Logs in with both transports and the settings of the environment, and prints the results.

use tradovate_auth::CallError;
use tradovate_auth::ureq::from_env;

fn main() {
    let (environment, credentials) = from_env().expect("the caller sets the variables");

    let blocking = tradovate_auth::ureq::Client::new(environment.clone()).access_token_request(&credentials);
    println!("ureq: {}", outcome(blocking.map(drop)));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asynchronous = runtime.block_on(async {
        tradovate_auth::reqwest::Client::new(environment)?.access_token_request(&credentials).await.map(drop)
    });
    println!("reqwest: {}", outcome(asynchronous));
}

fn outcome(result: Result<(), CallError>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "logged in".into())
}
