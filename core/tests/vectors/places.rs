//! The hosts that are used, and the hosts to which a request may be redirected.

use http::{HeaderValue, Response};
use serde_json::{Value, json};
use tradovate_auth_core::{AccessTokenRequest, ApiHosts, BaseUrl, Endpoint, Environment, Error, Me, Purpose};

use crate::file::{Fields, Outcome};
use crate::request;
use crate::response::hosts;

/// Reads `apiHosts` from an answer and follows them. Returns the hosts and the keys to report.
pub(crate) fn learn(environment: &mut Environment, named: &Value) -> (ApiHosts, Vec<String>) {
    let body = json!({"accessToken": "t", "apiHosts": named}).to_string();
    let hosts = AccessTokenRequest::parse(Response::new(body)).unwrap().value.api_hosts;
    let reported = environment.follow(&hosts);
    (hosts, reported)
}

pub(crate) fn run(input: &mut Fields) -> Outcome {
    let mut environment = request::environment(input).unwrap();
    let (mut kept, mut reported) = (ApiHosts::default(), Vec::new());
    for answer in input.list("learnt") {
        let (named, not_followed) = learn(&mut environment, &answer);
        kept.update(&named);
        reported = not_followed;
    }
    let rest = |purpose| environment.base_url(purpose).map(BaseUrl::to_string);
    let socket = |purpose| environment.websocket_url(purpose);
    let value = json!({
        "login": rest(Purpose::Login),
        "identity": rest(Purpose::Identity),
        "trading": rest(Purpose::Trading),
        "reporting": rest(Purpose::Reporting),
        "trading_socket": socket(Purpose::Trading),
        "market_data_socket": socket(Purpose::MarketData),
        "replay_socket": socket(Purpose::Replay),
        "kept": hosts(&kept),
        "reported": reported,
    });
    value.into()
}

pub(crate) fn redirect(input: &mut Fields) -> Outcome {
    let environment = request::environment(input).unwrap();
    let operation = json!({"operation": input.take("operation")});
    let request = request::build(&mut Fields::of(operation), &environment).unwrap();
    let status = input.status();
    let mut response = Response::builder().status(status);
    if let Some(location) = input.text("location") {
        response = response.header("location", HeaderValue::from_bytes(location.as_bytes()).unwrap());
    }
    let error = Me::parse(response.body([]).unwrap()).unwrap_err();
    let Error::Moved(moved) = &error else { panic!("{error:?}") };
    assert_eq!(moved.status(), status);
    let to = environment.redirect(&request, moved).map(|redirected| {
        assert_eq!((redirected.method(), redirected.headers()), (request.method(), request.headers()));
        assert_eq!(redirected.body().as_ref(), request.body().as_ref());
        redirected.uri().to_string()
    });
    Outcome { value: json!({"to": to, "host": moved.host()}), printed: format!("{error} {error:?}") }
}
