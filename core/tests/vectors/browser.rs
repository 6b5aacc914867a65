//! The URL for the browser, and the redirect that comes back.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tradovate_auth_core::{
    AuthorizationRequest, AuthorizedCode, Endpoint, Entropy, Environment, OAuthApp, PendingAuthorization, RedirectError,
};

use crate::file::{Fields, Outcome, snake};
use crate::request::{environment, not_sent, pairs, pending, with};

pub(crate) fn begin(input: &mut Fields) -> Outcome {
    let (verifier, state) = (input.text("code_verifier"), input.text("state").unwrap());
    let octets = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let entropy = [octets(verifier.as_deref().unwrap_or(&state)), octets(&state)].concat();
    let entropy = Entropy::from(<[u8; Entropy::LENGTH]>::try_from(entropy).unwrap());
    let app = with(OAuthApp::new(input.text("client_id").unwrap()), input.text("resource"), OAuthApp::with_resource);
    let request = AuthorizationRequest::new(&app, input.text("redirect_uri").unwrap());
    let request = with(request, input.text("scope"), AuthorizationRequest::with_scope);
    let request = if verifier.is_some() { request } else { request.without_pkce() };
    let value = match environment(input).and_then(|environment| request.begin(&environment, entropy)) {
        Ok((url, _)) => {
            let url = String::from(url);
            let (page, query) = url.split_once('?').unwrap();
            let own = &query[..query.find("response_type=").unwrap()];
            json!({"meaning": "sent", "starts_with": format!("{page}?{own}"), "query": pairs(query)})
        }
        Err(error) => not_sent(&error, input),
    };
    value.into()
}

pub(crate) fn answer(input: &mut Fields) -> Outcome {
    let redirect_uri = input.text("redirect_uri").unwrap();
    let (state, issuer) = (input.text("state").unwrap(), input.text("issuer"));
    let is_required = input.take("issuer_is_required") == Some(true.into());
    let named = issuer.clone().map(|issuer| (if is_required { "requiredIssuer" } else { "issuer" }, issuer));
    let verifier = input.text("code_verifier").map(|verifier| ("codeVerifier", verifier));
    let mut pending = pending("client", &redirect_uri, &state, verifier.into_iter().chain(named));
    for redirect in input.list("after") {
        let _ = pending.redirected(redirect.as_str().unwrap());
    }
    let redirect = input.text("redirect").unwrap();
    let mut again = PendingAuthorization::from(pending.snapshot());
    let outcome = of_redirect(pending.redirected(&redirect));
    let iss = issuer.map_or(String::new(), |issuer| format!("&iss={issuer}"));
    assert_goes_on(&outcome.value, &mut pending, &redirect_uri, &format!("{state}{iss}"));
    // A server at the host and path of the redirect URI has only the query.
    let is_about_the_query = outcome.value["meaning"] != "other_address" && outcome.value["meaning"] != "too_long";
    if let (true, Some((_, query))) = (is_about_the_query, redirect.trim().split_once('?')) {
        let by_query = of_redirect(again.redirected_query(query.split('#').next().unwrap()));
        assert_eq!(by_query.value, outcome.value, "the query alone");
    }
    outcome
}

/// Asserts that the login still accepts its answer, unless the login has ended.
fn assert_goes_on(outcome: &Value, pending: &mut PendingAuthorization, redirect_uri: &str, state_and_issuer: &str) {
    let and = if redirect_uri.contains('?') { '&' } else { '?' };
    let good = pending.redirected(&format!("{redirect_uri}{and}code=good&state={state_and_issuer}"));
    let has_ended = outcome["meaning"] == "already_answered" || outcome["ends_login"] != false;
    assert_eq!(good.is_err_and(|error| error == RedirectError::AlreadyAnswered), has_ended, "{outcome}");
}

fn of_redirect(outcome: Result<AuthorizedCode, RedirectError>) -> Outcome {
    let printed = format!("{outcome:?}");
    let error = match outcome {
        Ok(code) => {
            let request = OAuthApp::new("client").exchange(code).request(&Environment::live()).unwrap();
            let exchange: Value = serde_json::from_slice(request.body().as_ref()).unwrap();
            return json!({"meaning": "code", "code": exchange["code"], "exchange": exchange}).into();
        }
        Err(error) => error,
    };
    let mut value = json!({"meaning": snake(&error), "ends_login": error.ends_login()});
    match &error {
        RedirectError::Repeated { parameter } => value["parameter"] = json!(parameter),
        RedirectError::Denied(denial) => {
            value["reason"] = snake(&denial.kind).into();
            value["says"] = json!(denial.text);
        }
        _ => {}
    }
    Outcome { value, printed: format!("{printed} {error}") }
}
