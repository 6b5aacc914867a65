//! The measured work: the cases, and their budgets.

use std::hint::black_box;

use http::header::DATE;
use http::{HeaderValue, Response};
use jiff::Timestamp;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId as OAuthClientId, RedirectUrl, TokenResponse as _, TokenUrl,
};
use tradovate_auth::{
    AccessToken, AccessTokenRequest, AuthorizationRequest, AuthorizedCode, ClientId, ClientSecret, Credentials,
    DeviceId, Endpoint, Entropy, Environment, Grant, OAuthApp, OAuthToken, RenewAccessToken,
};

use crate::hand_written::{self, Login};
use crate::samples;

/// A table: the same work, done in several ways.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// The index of the case with which the others are compared.
    pub(crate) reference: usize,
    /// The budget of the first case, which is ours, as a multiple of the reference; `None` if it has no budget.
    pub(crate) budget: Option<f64>,
    pub(crate) cases: Vec<Case>,
}

/// One way to do the work.
pub(crate) struct Case {
    pub(crate) who: &'static str,
    /// Whether buffers that contained secrets are wiped.
    pub(crate) wipes: bool,
    pub(crate) work: Box<dyn FnMut()>,
}

/// How often a case may run: some warm-up runs, and the counted runs.
pub(crate) const RUNS: usize = 64;

impl Case {
    pub(crate) fn ours<T>(work: impl FnMut() -> T + 'static) -> Self {
        Self { who: "tradovate-auth", wipes: true, ..Self::of("", work) }
    }

    pub(crate) fn of<T>(who: &'static str, mut work: impl FnMut() -> T + 'static) -> Self {
        Self { who, wipes: false, work: Box::new(move || drop(black_box(work()))) }
    }
}

/// The cases of the protocol itself.
pub(crate) fn all() -> Vec<Table> {
    vec![
        login(),
        renewal(),
        checked_grant("Login answer, 600 bytes, to a checked grant", 1.05, samples::login()),
        checked_grant(
            "Login answer with ten hosts, 1,000 bytes, to a checked grant",
            1.10,
            samples::login_with_hosts(),
        ),
        oauth_exchange(),
    ]
}

fn login() -> Table {
    let credentials = Credentials::new(samples::NAME, samples::PASSWORD)
        .with_app(samples::APP_ID, samples::APP_VERSION)
        .with_device_id(DeviceId::new(samples::DEVICE_ID))
        .with_api_key(ClientId::Number(samples::CID), samples::SEC)
        .with_hibp_check(true);
    let environment = Environment::demo();
    let ours = AccessTokenRequest::new(&credentials).request(&environment).expect("the sample can be sent");
    let theirs = Login::sample().pre_sized();
    assert_eq!(ours.uri(), theirs.uri(), "both build the same request");
    assert_eq!(ours.headers(), theirs.headers(), "both build the same request");
    assert_eq!(ours.body().as_ref(), theirs.body(), "both build the same request");
    Table {
        title: "Build a login of 8 fields",
        reference: 1,
        budget: Some(0.90),
        cases: vec![
            Case::ours(move || AccessTokenRequest::new(black_box(&credentials)).request(black_box(&environment))),
            Case::of("by hand, pre-sized", with(Login::sample(), Login::pre_sized)),
            Case::of("by hand, plain", with(Login::sample(), Login::plain)),
            Case::of("`serde_json::Value`", with(Login::sample(), Login::value)),
        ],
    }
}

fn with<T, R>(held: T, work: fn(&T) -> R) -> impl FnMut() -> R {
    move || work(black_box(&held))
}

fn renewal() -> Table {
    let token = AccessToken::parse(&samples::access_token()).expect("the sample is a token");
    let renewal = RenewAccessToken::new(token);
    let environment = Environment::demo();
    let (ours, theirs) =
        (renewal.request(&environment).expect("it can be sent"), hand_written::renewal(&hand_written::bearer()));
    assert_eq!(ours.uri(), theirs.uri(), "both build the same request");
    assert_eq!(ours.headers(), theirs.headers(), "both build the same request");
    Table {
        title: "Build a renewal",
        reference: 1,
        budget: Some(0.55),
        cases: vec![
            Case::ours(move || black_box(&renewal).request(black_box(&environment))),
            Case::of("by hand", with(hand_written::bearer(), hand_written::renewal)),
        ],
    }
}

fn checked_grant(title: &'static str, budget: f64, body: String) -> Table {
    let body: &'static [u8] = body.leak().as_bytes();
    let [sent, received] = samples::times();
    Table {
        title,
        reference: 1,
        budget: Some(budget),
        cases: vec![
            Case::ours(move || {
                let reply = AccessTokenRequest::parse(answer(body)).expect("the sample is a login");
                Grant::from_access_token(reply, sent, received, None).expect("its token lives")
            }),
            Case::of("by hand, typed", by_hand(body, received, hand_written::typed)),
            Case::of("by hand, typed, by the local clock", move || {
                hand_written::typed(&answer(body), received).expect("a login")
            }),
            Case::of("by hand, borrowed", by_hand(body, received, hand_written::borrowed)),
            Case::of("`serde_json::Value`", by_hand(body, received, hand_written::untyped)),
        ],
    }
}

/// Checks the answer by the time of the server.
fn by_hand<T>(
    body: &'static [u8],
    received: Timestamp,
    check: fn(&Response<&'static [u8]>, Timestamp) -> Option<T>,
) -> impl FnMut() -> T {
    move || {
        let answer = answer(body);
        check(&answer, hand_written::time_of(&answer, received)).expect("a login")
    }
}

/// A response as an HTTP client returns it.
fn answer(body: &'static [u8]) -> Response<&'static [u8]> {
    let mut response = Response::new(black_box(body));
    response.headers_mut().insert(DATE, HeaderValue::from_static(samples::DATE));
    response
}

fn oauth_exchange() -> Table {
    let body: &'static [u8] = samples::oauth_token().leak().as_bytes();
    let app = OAuthApp::new(samples::CLIENT_ID).with_client_secret(ClientSecret::new(samples::CLIENT_SECRET));
    let environment = Environment::live();
    let mut codes: Vec<_> = (0..RUNS).map(|_| authorized(&app, &environment)).collect();

    let client = BasicClient::new(OAuthClientId::new(samples::CLIENT_ID.into()))
        .set_client_secret(oauth2::ClientSecret::new(samples::CLIENT_SECRET.into()))
        .set_auth_uri(AuthUrl::new("https://trader.tradovate.com/oauth".into()).expect("a URL"))
        .set_token_uri(TokenUrl::new("https://live.tradovateapi.com/v1/auth/oauthtoken".into()).expect("a URL"))
        .set_redirect_uri(RedirectUrl::new(samples::REDIRECT_URI.into()).expect("a URL"))
        .set_auth_type(AuthType::RequestBody);
    let mut other_codes: Vec<_> = (0..RUNS).map(|_| AuthorizationCode::new(samples::CODE.into())).collect();

    Table {
        title: "OAuth: build the exchange of a code, and parse the answer to it",
        reference: 2,
        // Handwritten code without our checks needs 0.53.
        budget: Some(0.60),
        cases: vec![
            Case::ours(move || {
                let exchange = app.exchange(codes.pop().expect("a code for each run"));
                let request = exchange.request(&environment).expect("it can be sent");
                (request, OAuthToken::parse(answer(body)).expect("the sample has tokens"))
            }),
            Case::of("by hand, pre-sized", move || {
                (hand_written::exchange(black_box(samples::CODE)), hand_written::tokens(&answer(body)).expect("tokens"))
            }),
            Case::of("`oauth2` 5.0", move || {
                let code = other_codes.pop().expect("a code for each run");
                let send = |request: oauth2::HttpRequest| {
                    black_box(request);
                    let response = answer(body);
                    Ok::<_, std::io::Error>(response.map(<[u8]>::to_vec))
                };
                let tokens = client.exchange_code(code).request(&send).expect("tokens");
                assert!(tokens.expires_in().is_some(), "the sample has a lifetime");
                tokens
            }),
        ],
    }
}

/// A code from a user's consent.
fn authorized(app: &OAuthApp, environment: &Environment) -> AuthorizedCode {
    let request = AuthorizationRequest::new(app, samples::REDIRECT_URI).without_pkce();
    let (url, mut pending) =
        request.begin(environment, Entropy::from([7; Entropy::LENGTH])).expect("the sample app can ask");
    let state = url.as_str().split(['?', '&']).find_map(|pair| pair.strip_prefix("state=")).expect("it has a state");
    pending.redirected_query(&format!("code={}&state={state}", samples::CODE)).expect("it is the answer")
}
