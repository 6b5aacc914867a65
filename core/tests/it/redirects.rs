//! For any text of a redirect, nothing panics, and only the answer to this login brings a code.

use proptest::prelude::*;
use tradovate_auth_core::{
    AuthorizationRequest, AuthorizedCode, BaseUrl, BuildError, Endpoint, Entropy, Environment, OAuthApp,
    PendingAuthorization, RedirectError, SecureUrl, StoredAuthorization,
};

const REDIRECT_URI: &str = "http://127.0.0.1:8765/callback?tenant=1";

/// A login and its state.
fn begin() -> (PendingAuthorization, String) {
    let request = AuthorizationRequest::new(&OAuthApp::new("app"), REDIRECT_URI);
    let (url, pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).unwrap();
    let state = form_urlencoded::parse(url.as_str().as_bytes()).find(|(name, _)| name == "state").unwrap().1.into();
    (pending, state)
}

/// The code in the body of the token request.
fn sent(code: AuthorizedCode) -> String {
    let request = OAuthApp::new("app").exchange(code).request(&Environment::live()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(request.body().as_ref()).unwrap();
    assert!(!body["code_verifier"].as_str().unwrap().is_empty());
    assert_eq!(body["redirect_uri"], REDIRECT_URI);
    body["code"].as_str().unwrap().into()
}

#[test]
fn a_code_is_exchanged_only_by_its_app_and_in_its_environment() {
    let code = || {
        let (mut pending, state) = begin();
        pending.redirected_query(&format!("tenant=1&code=good&state={state}")).unwrap()
    };
    let page = SecureUrl::parse("https://web.ninjatrader.com/oauth").unwrap();
    let elsewhere = Environment::live().with_authorize_url(page);
    let pinned = Environment::custom(BaseUrl::parse("https://other.example/v1").unwrap());
    for (client_id, environment) in [("another", Environment::live()), ("app", elsewhere), ("app", pinned)] {
        let exchange = OAuthApp::new(client_id).exchange(code());
        assert_eq!(exchange.request(&environment).unwrap_err(), BuildError::ForeignCode, "{client_id}");
    }
    let on_demo = OAuthApp::new("app").exchange(code()).request(&Environment::demo());
    assert!(on_demo.is_ok(), "one page serves Live and Demo");
}

/// Checks an outcome against the query, which this function reads itself.
fn assert_earned(query: &str, state: &str, outcome: Result<AuthorizedCode, RedirectError>) {
    let all = |parameter: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(name, _)| name == parameter).map(|(_, value)| value.into_owned()).collect()
    };
    match outcome {
        Ok(code) => {
            assert_eq!(all("state"), [state], "{query}");
            assert_eq!(all("code"), [sent(code)], "{query}");
            assert!(all("error").concat().is_empty() && all("error").len() <= 1, "{query}");
            assert!(all("tenant").contains(&"1".into()), "{query}");
        }
        Err(error) if error.ends_login() => assert_eq!(all("state"), [state], "{query}: {error}"),
        Err(_) => {}
    }
}

fn assert_all_earned(url: &str) {
    let query = url.split_once('?').map_or(url, |(_, query)| query);
    let visible = query.split('#').next().unwrap();
    let (mut pending, state) = begin();
    assert_earned(visible, &state, pending.redirected(url));
    let (mut pending, state) = begin();
    assert_earned(query.strip_prefix('?').unwrap_or(query), &state, pending.redirected_query(query));
}

/// Parts of texts that have a meaning for a parser of queries.
fn piece() -> impl Strategy<Value = String> {
    let known = "code state error error_description tenant=1 = & ? # % + ; %63ode %00 %C3 %zz [] / // : @ \
                 http://127.0.0.1:8765/callback";
    prop_oneof![
        4 => prop::sample::select(known.split(' ').collect::<Vec<_>>()).prop_map(String::from),
        2 => Just(begin().1),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_redirect_text_causes_no_panic(text in any::<String>()) {
        assert_all_earned(&text);
        assert_all_earned(&format!("{REDIRECT_URI}&{text}"));
    }

    #[test]
    fn any_order_of_redirect_parts_causes_no_panic(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        assert_all_earned(&text);
        assert_all_earned(&format!("{REDIRECT_URI}&{text}"));
        assert_all_earned(&format!("{REDIRECT_URI}&{text}&code=good&state={}", begin().1));
    }

    #[test]
    fn a_changed_redirect_brings_no_code_that_it_does_not_prove(
        at in any::<prop::sample::Index>(),
        with in any::<String>(),
        length in 0_usize..4,
    ) {
        let good = format!("{REDIRECT_URI}&code=good&state={}", begin().1);
        let at = at.index(good.len());
        let end = (at + length).min(good.len());
        assert_all_earned(&[&good[..at], &with, &good[end..]].concat());
    }

    #[test]
    fn a_changed_stored_authorization_is_refused_or_keeps_its_state_and_verifier(
        at in any::<prop::sample::Index>(),
        with in "[ -~]{0,3}",
    ) {
        let (pending, state) = begin();
        let good = serde_json::to_string(&pending.snapshot()).unwrap();
        let at = at.index(good.len());
        let changed = [&good[..at], &with, &good[at + 1..]].concat();
        if let Ok(stored) = serde_json::from_str::<StoredAuthorization>(&changed) {
            let mut pending = PendingAuthorization::from(stored);
            for guess in ["", "x"] {
                let guessed = format!("tenant=1&code=x&state={guess}");
                prop_assert!(pending.redirected_query(&guessed).is_err(), "{changed}");
            }
            // A changed snapshot may accept another answer, but the token request must still prove who has asked.
            if let Ok(code) = pending.redirected_query(&format!("tenant=1&code=x&state={state}")) {
                let Ok(request) = OAuthApp::new("app").exchange(code).request(&Environment::live()) else {
                    return Ok(()); // for another app
                };
                prop_assert!(String::from_utf8_lossy(request.body().as_ref()).contains("code_verifier"), "{changed}");
            }
        }
    }
}
