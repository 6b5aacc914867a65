//! The fuzz target for the redirect of an OAuth login.

use tradovate_auth_core::{AuthorizationRequest, Endpoint, Entropy, Environment, OAuthApp, PendingAuthorization};

use crate::head;

const REDIRECT_URI: &str = "https://app.example/callback?tenant=1";
/// The `state` that results from the entropy of these logins.
const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn begin() -> PendingAuthorization {
    let request = AuthorizationRequest::new(&OAuthApp::new("app"), REDIRECT_URI);
    let (url, pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).expect("a login");
    debug_assert!(url.as_str().contains(STATE));
    pending
}

/// Reads a redirect. The first byte selects what surrounds the rest, so that some inputs pass the first checks.
pub fn redirect(mut input: &[u8]) {
    let [shape] = head(&mut input);
    let text = String::from_utf8_lossy(input);
    let url = match shape % 4 {
        0 => text.into_owned(),
        1 => format!("{REDIRECT_URI}&{text}"),
        2 => format!("{REDIRECT_URI}&state={STATE}&{text}"),
        _ => format!("{text}?tenant=1&code=a&state={STATE}"),
    };
    let query = url.split_once('?').map_or(url.as_str(), |(_, query)| query).to_owned();
    let outcomes = [begin().redirected(&url), begin().redirected_query(&query)];
    let of_url = url.trim().split('#').next().and_then(|seen| seen.split_once('?')).map_or("", |(_, query)| query);
    for (outcome, query) in outcomes.into_iter().zip([of_url, query.strip_prefix('?').unwrap_or(&query)]) {
        let all = |name: &str| -> Vec<String> {
            let pairs = form_urlencoded::parse(query.as_bytes());
            pairs.filter(|(known, _)| known == name).map(|(_, value)| value.into_owned()).collect()
        };
        match outcome {
            Ok(code) => {
                assert_eq!(all("state"), [STATE], "{url}");
                assert!(all("error").concat().is_empty(), "{url}");
                let request = OAuthApp::new("app").exchange(code).request(&Environment::live()).expect("a request");
                let body: serde_json::Value = serde_json::from_slice(request.body().as_ref()).expect("JSON");
                assert_eq!(all("code"), [body["code"].as_str().expect("a code")], "{url}");
            }
            Err(error) => {
                let printed = error.to_string();
                assert!(printed.chars().all(|c| !c.is_control()), "{printed:?}");
                assert!(!error.ends_login() || all("state") == [STATE], "{url}: {printed}");
            }
        }
    }
}
