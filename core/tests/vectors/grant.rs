//! Whether a token may be used.

use http::Response;
use serde_json::{Value, json};
use tradovate_auth_core::jiff::Timestamp;
use tradovate_auth_core::{AccessTokenRequest, Endpoint, Error, Grant, OAuthToken, RenewAccessToken};

use crate::file::{Fields, Outcome};
use crate::response::{hosts, of_error};

pub(crate) fn run(input: &mut Fields) -> Outcome {
    let held = input.object("held").map(|mut held| read(&mut held, None).unwrap());
    read(input, held.as_ref()).map_or_else(|error| of_error(&error, ""), |grant| usable(&grant).into())
}

fn read(input: &mut Fields, held: Option<&Grant>) -> Result<Grant, Error> {
    let [sent, received] = ["sent", "received"].map(|name| input.text(name).unwrap().parse::<Timestamp>().unwrap());
    let mut response = Response::new(input.take("json").unwrap().to_string());
    if let Some(date) = input.text("date") {
        response.headers_mut().insert("date", date.parse().unwrap());
    }
    let access_token = |reply| Grant::from_access_token(reply, sent, received, held);
    match input.text("operation").unwrap().as_str() {
        "login" => AccessTokenRequest::parse(response).and_then(access_token),
        "renewal" => RenewAccessToken::parse(response).and_then(access_token),
        _ => OAuthToken::parse(response).and_then(|reply| Grant::from_oauth(reply, sent, received, held)),
    }
}

fn usable(grant: &Grant) -> Value {
    let market_data = grant.market_data.as_ref().map(|it| (it.token.expose(), Some(it.expires_at)));
    let refresh = grant.refresh.as_ref().map(|it| (it.token.expose(), it.expires_at));
    let [market_data, refresh] = [market_data, refresh]
        .map(|token| token.map(|(token, end)| json!({"token": token, "expires_at": end.map(|end| end.to_string())})));
    json!({
        "meaning": "usable",
        "access_token": grant.access_token.expose(),
        "expires_at": grant.expires_at.to_string(),
        "market_data": market_data,
        "refresh": refresh,
        "user_id": grant.user_id,
        "user_name": grant.user_name,
        "hosts": hosts(&grant.hosts),
        "refused_hosts": grant.hosts.refused(),
    })
}
