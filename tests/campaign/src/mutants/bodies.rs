//! How mutants change requests and answers.

use http::{Request, Response, StatusCode, Uri};
use serde_json::{Map, Value};
use tradovate_auth_core::RequestBody;

/// Adds a field to a body that has a ticket.
pub(super) fn change_ticketed(request: &mut Request<RequestBody>) {
    let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(request.body().as_ref()) else { return };
    if body.contains_key("p-ticket") {
        body.insert("appVersion".into(), "another".into());
        *request.body_mut() = RequestBody::new(Value::Object(body).to_string().into_bytes());
    }
}

pub(super) fn send_elsewhere(request: &mut Request<RequestBody>) {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("https://evil.example{path}").parse::<Uri>().unwrap_or_default();
}

pub(super) fn set_number(response: &mut Response<Vec<u8>>, field: &str, number: u64) {
    change(response, |body| {
        if let Some(value) = body.get_mut(field) {
            *value = number.into();
        }
    });
}

/// Turns an answer with one of these statuses into a fault.
pub(super) fn soften(response: &mut Response<Vec<u8>>, statuses: &[u16]) {
    if statuses.contains(&response.status().as_u16()) {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
}

pub(super) fn forget_captcha(response: &mut Response<Vec<u8>>) {
    if response.body().windows(9).any(|window| window == b"p-captcha") {
        change(response, |body| {
            if body.get("p-captcha") == Some(&Value::Bool(true)) {
                body.clear();
            }
        });
    }
}

pub(super) fn forget_error(response: &mut Response<Vec<u8>>) {
    change(response, |body| {
        if body.contains_key("accessToken") || body.contains_key("access_token") {
            body.remove("error");
            body.remove("errorText");
        }
    });
}

/// Turns a refusal of the app into a refusal of the refresh token.
pub(super) fn blame_token(response: &mut Response<Vec<u8>>) {
    change(response, |body| {
        let blames = |error: &str| matches!(error, "invalid_client" | "unauthorized_client");
        if body.get("error").and_then(Value::as_str).is_some_and(blames) {
            body.clear();
            body.insert("error".into(), "invalid_token".into());
        }
    });
}

fn change(response: &mut Response<Vec<u8>>, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(response.body()) {
        change(&mut body);
        *response.body_mut() = Value::Object(body).to_string().into_bytes();
    }
}
