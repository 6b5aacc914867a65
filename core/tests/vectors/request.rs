//! The request that must be sent.

use std::time::Duration;

use http::Request;
use serde_json::{Map, Value, json};
use tradovate_auth_core::{
    AccessToken, AccessTokenRequest, Assertion, BaseUrl, BodyFormat, BuildError, CaptchaAnswer, ClientId, ClientSecret,
    Credentials, DeviceId, Endpoint, Environment, FieldValue, HttpAuth, Me, OAuthApp, OAuthGrant, OAuthToken,
    PenaltyTicket, PendingAuthorization, RefreshToken, RenewAccessToken, RequestBody, SecureUrl, StoredAuthorization,
};

use crate::file::{Fields, Outcome, snake};
use crate::places::learn;

type Built = Result<Request<RequestBody>, BuildError>;

pub(crate) fn run(input: &mut Fields) -> Outcome {
    let request = environment(input).and_then(|mut environment| {
        if let Some(hosts) = input.take("hosts") {
            learn(&mut environment, &hosts);
        }
        build(input, &environment)
    });
    let printed = format!("{request:?} {:?}", request.as_ref().err().map(ToString::to_string));
    let value = request.map_or_else(|error| not_sent(&error, input), sent);
    Outcome { value, printed }
}

/// The outcome if a request was not built. The fields that were not read are dropped.
pub(crate) fn not_sent(error: &BuildError, input: &mut Fields) -> Value {
    input.rest();
    let field = match error {
        BuildError::Empty { field }
        | BuildError::TooLong { field, .. }
        | BuildError::ControlCharacter { field }
        | BuildError::ReservedField { field } => Some(field),
        _ => None,
    };
    json!({"meaning": "not_sent", "fault": snake(error), "field": field})
}

fn sent(request: Request<RequestBody>) -> Value {
    let (parts, body) = request.into_parts();
    let bearer = parts.headers.get("authorization");
    assert!(bearer.is_none_or(http::HeaderValue::is_sensitive), "the bearer is not marked as sensitive");
    let headers = parts.headers.iter().filter(|(name, _)| *name != "accept");
    let headers: Map<_, _> = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
    let body = std::str::from_utf8(body.as_ref()).unwrap();
    let (name, body) = match headers.get("content-type").and_then(Value::as_str) {
        Some("application/json") => ("json", serde_json::from_str(body).unwrap()),
        Some(_) => ("form", pairs(body)),
        None => ("body", body.into()),
    };
    let (method, url) = (parts.method.as_str(), parts.uri.to_string());
    json!({"meaning": "sent", "method": method, "url": url, "headers": headers, name: body})
}

/// The pairs of a form or a query. Asserts that no name occurs twice.
pub(crate) fn pairs(text: &str) -> Value {
    let pairs = form_urlencoded::parse(text.as_bytes());
    let map: Map<_, _> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
    assert_eq!(map.len(), form_urlencoded::parse(text.as_bytes()).count(), "a name comes twice in {text}");
    map.into()
}

/// Sets a value if it is given.
pub(crate) fn with<T, V>(target: T, value: Option<V>, set: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => set(target, value),
        None => target,
    }
}

/// Creates the environment from the fields `environment`, `token_url` and `authorize_url`.
pub(crate) fn environment(input: &mut Fields) -> Result<Environment, BuildError> {
    let name = input.take("environment").unwrap_or("live".into());
    let environment = match name.as_str() {
        None => Environment::custom(BaseUrl::parse(name["base_url"].as_str().unwrap())?),
        Some("live") => Environment::live(),
        Some("demo") => Environment::demo(),
        Some("evaluation") => Environment::evaluation(),
        Some("staging_live") => Environment::staging_live(),
        Some(_) => Environment::staging_demo(),
    };
    let mut url = |name| input.text(name).map(|url| SecureUrl::parse(&url)).transpose();
    let environment = with(environment, url("token_url")?, Environment::with_token_url);
    Ok(with(environment, url("authorize_url")?, Environment::with_authorize_url))
}

/// Builds the request of `operation`. Placeholders replace the fields that are not given.
pub(crate) fn build(input: &mut Fields, environment: &Environment) -> Built {
    let ticket = input.text("ticket").map(|ticket| PenaltyTicket::new(ticket, Duration::ZERO));
    let ticket = match input.text("captcha_answer").map(CaptchaAnswer::new) {
        Some(answer) => ticket.map(|ticket| ticket.with_captcha_answer(answer)),
        None => ticket,
    };
    let operation = input.text("operation").unwrap();
    if operation == "login" {
        let credentials = input.object("credentials").map_or_else(|| Credentials::new("trader", "x"), credentials);
        return AccessTokenRequest::new(&credentials).with_ticket(ticket).request(environment);
    }
    if operation == "renewal" || operation == "me" {
        let token = AccessToken::parse(&input.text("access_token").unwrap_or("token".into())).unwrap();
        let is_renewal = operation == "renewal";
        let renewal = RenewAccessToken::new(token.clone());
        return if is_renewal { renewal.request(environment) } else { Me::new(token).request(environment) };
    }
    let mut given = input.object("app").unwrap_or_else(|| Fields::of(json!({"client_id": "app"})));
    let app = OAuthApp::new(given.text("client_id").unwrap());
    let app = with(app, given.text("client_secret").map(ClientSecret::new), OAuthApp::with_client_secret);
    let app = with(app, given.text("resource"), OAuthApp::with_resource);
    let app = with(app, given.text("format").filter(|format| format == "form"), |app, _| {
        app.with_body_format(BodyFormat::Form)
    });
    let grant: OAuthGrant = if operation == "refresh" {
        RefreshToken::new(input.text("refresh_token").unwrap_or("refresh".into())).into()
    } else {
        let code: String = form_urlencoded::byte_serialize(input.text("code").unwrap().as_bytes()).collect();
        let redirect_uri = input.text("redirect_uri").unwrap();
        let own = redirect_uri.split_once('?').map_or("", |(_, query)| query);
        let verifier = input.text("code_verifier").map(|verifier| ("codeVerifier", verifier));
        let mut pending = pending(app.client_id(), &redirect_uri, STATE, verifier);
        pending.redirected_query(&format!("{own}&code={code}&state={STATE}")).unwrap().into()
    };
    let exchange = app.exchange(grant).with_ticket(ticket);
    let exchange = with(exchange, given.text("http_auth").map(HttpAuth::new), OAuthToken::with_http_auth);
    let assertion = given.text("assertion").map(Assertion::new);
    with(exchange, assertion, OAuthToken::with_assertion).request(environment)
}

fn credentials(mut given: Fields) -> Credentials {
    let mut text = |name| given.text(name);
    let credentials = Credentials::new(text("name").unwrap(), text("password").unwrap());
    let app = (text("appId"), text("appVersion"));
    let app = (app != (None, None)).then(|| (app.0.unwrap_or("app".into()), app.1.unwrap_or("1.0".into())));
    let credentials = with(credentials, app, |it, (id, version)| it.with_app(id, version));
    let key = (text("cid"), text("sec"));
    let key = (key != (None, None)).then(|| (key.0.unwrap_or("8".into()), key.1.unwrap_or("s".into())));
    let credentials = with(credentials, key, |it, (id, secret)| it.with_api_key(ClientId::parse(&id), secret));
    let credentials = with(credentials, text("deviceId").map(DeviceId::new), Credentials::with_device_id);
    let check = given.take("hibpCheck").and_then(|check| check.as_bool());
    let credentials = with(credentials, check, Credentials::with_hibp_check);
    given.object("extra").iter_mut().flat_map(Fields::rest).fold(credentials, |credentials, (name, value)| {
        credentials.with_field(
            name,
            match value {
                Value::String(text) => FieldValue::Text(text),
                Value::Bool(flag) => FieldValue::Flag(flag),
                number => FieldValue::Number(number.as_i64().unwrap()),
            },
        )
    })
}

const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// A pending login in the browser on Live. `awaited` has the awaited values besides the state.
pub(crate) fn pending(
    id: &str,
    redirect_uri: &str,
    state: &str,
    awaited: impl IntoIterator<Item = (&'static str, String)>,
) -> PendingAuthorization {
    let awaited: Map<_, _> = awaited.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let awaited: Map<_, _> = [("state".into(), state.into())].into_iter().chain(awaited).collect();
    let page = "https://trader.tradovate.com/oauth";
    let stored =
        json!({"version": 1, "clientId": id, "redirectUri": redirect_uri, "authorizeUrl": page, "awaited": awaited});
    serde_json::from_value::<StoredAuthorization>(stored).unwrap().into()
}
