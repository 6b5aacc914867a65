//! Tests API calls with reqwest and two additional lines: the token before, and the report after. No call is sent
//! twice.

use tradovate_auth::Verdict;
use tradovate_auth::reqwest::TokenSource;
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::RUNTIME;

#[test]
fn an_api_call_with_token_and_report_is_sent_once() {
    let server = Simulator::builder().serve().unwrap();
    let tokens = TokenSource::new(server.environment(), server.credentials()).unwrap();
    let http = reqwest::Client::new();
    let call = async || {
        let token = tokens.token().await.unwrap();
        let url = tokens.url("/account/list").unwrap().to_string();
        let response = http.get(url).header("Authorization", token.header()).send().await.unwrap();
        let (status, body) = (response.status(), response.bytes().await.unwrap());
        (status, tokens.rejected(&token, status, &body))
    };
    RUNTIME.block_on(async {
        assert_eq!(call().await, (http::StatusCode::OK, Verdict::NotAboutTheToken));
        server.with(|simulator| simulator.expire_sessions(server.credentials().name()));
        assert_eq!(call().await, (http::StatusCode::UNAUTHORIZED, Verdict::Dead));
        assert_eq!(server.statistics().requests(Endpoint::AccountList), 2);
        assert_eq!(call().await.0, http::StatusCode::OK);
    });
}
