use super::super::{AuthorizationRequest, Entropy, OAuthApp, PendingAuthorization};
use super::*;
use crate::place::environment::Environment;
use crate::wire::endpoint::{AuthorizedCode, Endpoint};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

const REDIRECT_URI: &str = "http://127.0.0.1:8765/callback";
const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn pending_at(redirect_uri: &str) -> PendingAuthorization {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), redirect_uri);
    let (url, pending) = request.begin(&Environment::live(), Entropy::from([7; 64])).unwrap();
    assert!(url.as_str().contains(&["&state=", STATE, "&"].concat()));
    pending
}

fn pending() -> PendingAuthorization {
    pending_at(REDIRECT_URI)
}

/// What becomes of a query, and that a login goes on unless it is over.
fn answer(query: &str) -> Result<AuthorizedCode, RedirectError> {
    let mut pending = pending();
    let result = pending.redirected_query(query);
    let good = pending.redirected_query(&["code=good&state=", STATE].concat());
    match &result {
        Err(error) if !error.ends_login() => assert!(good.is_ok(), "{error}: {good:?}"),
        _ => {
            let again = good.unwrap_err();
            assert_eq!(again, RedirectError::AlreadyAnswered);
            assert!(!again.ends_login(), "it has ended before");
        }
    }
    result
}

fn refused(query: &str) -> RedirectError {
    answer(query).unwrap_err()
}

fn with_state(query: &str) -> String {
    [query, "&state=", STATE].concat()
}

fn body(code: AuthorizedCode) -> String {
    let request = OAuthApp::new("client").exchange(code).request(&Environment::live()).unwrap();
    String::from_utf8(request.body().as_ref().to_vec()).unwrap()
}

#[test]
fn a_code_is_exchanged_with_what_it_is_bound_to() {
    let code = answer(&with_state("code=the-code")).unwrap();
    insta::assert_snapshot!(body(code), @r#"{"grant_type":"authorization_code","code":"the-code","redirect_uri":"http://127.0.0.1:8765/callback","code_verifier":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","client_id":"client"}"#);
}

#[test]
fn without_pkce_a_code_is_exchanged_without_a_verifier() {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), REDIRECT_URI).without_pkce();
    let (_, mut pending) = request.begin(&Environment::live(), Entropy::from([7; 64])).unwrap();
    let code = pending.redirected_query(&with_state("code=the-code")).unwrap();
    assert!(!body(code).contains("code_verifier"));
}

//= R-AUTHORIZE-3
#[test]
fn the_answer_of_rfc_6749_section_4_1_2_is_understood() {
    let (_, mut pending) = AuthorizationRequest::new(&OAuthApp::new("s6BhdRkqt3"), "https://client.example.com/cb")
        .begin(&Environment::live(), Entropy::from([7; 64]))
        .unwrap();
    pending.0.awaited.as_mut().unwrap().state = State::new("xyz");
    let code = pending.redirected("https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz").unwrap();
    let request = OAuthApp::new("s6BhdRkqt3").exchange(code).request(&Environment::live()).unwrap();
    let body = String::from_utf8_lossy(request.body().as_ref()).into_owned();
    assert!(body.contains(r#""code":"SplxlOBeZQQYbYS6WxSbIA","redirect_uri":"https://client.example.com/cb""#));
}

#[test]
fn a_whole_url_a_query_and_a_query_with_its_question_mark_are_the_same() {
    let query = with_state("code=the-code");
    // A URL that was pasted may have blanks around it.
    let by_url = pending().redirected(&["  ", REDIRECT_URI, "?", &query, "#_=_\n"].concat());
    let by_query = pending().redirected_query(&query);
    let by_suffix = pending().redirected_query(&["?", &query].concat());
    let bodies = [by_url, by_query, by_suffix].map(|code| body(code.unwrap()));
    assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
}

#[test]
fn a_parameter_of_the_redirect_uri_must_come_back() {
    let at = "https://app.example/cb?tenant=a+b";
    for (query, is_good) in [
        ("tenant=a+b&code=x", true),
        ("code=x&tenant=a%20b", true),
        ("code=x&tenant=other", false),
        ("code=x", false),
        ("tenant=&code=x", false),
    ] {
        let query = with_state(query);
        let by_url = pending_at(at).redirected(&["https://app.example/cb?", &query].concat());
        let by_query = pending_at(at).redirected_query(&query);
        for result in [by_url, by_query] {
            assert_eq!(result.err(), (!is_good).then_some(RedirectError::OtherAddress), "{query}");
        }
    }
}

//= R-AUTHORIZE-2
#[test]
fn a_state_is_good_once() {
    let mut pending = pending();
    pending.redirected_query(&with_state("code=one")).unwrap();
    for query in [with_state("code=one"), with_state("code=two"), with_state("error=access_denied"), String::new()] {
        assert_eq!(pending.redirected_query(&query).unwrap_err(), RedirectError::AlreadyAnswered, "{query}");
    }
}

//= R-AUTHORIZE-2
//= R-AUTHORIZE-3
#[test]
fn what_is_not_a_good_answer_says_why() {
    use RedirectError::{CodeBesideError, MalformedQuery, MissingCode, MissingState, UnusableCode, WrongState};
    for query in ["code=x", "code=x&state=", "code=x&State=y", "", "error=access_denied"] {
        assert_eq!(refused(query), MissingState, "{query}");
    }
    let (other_case, longer, blank) = (STATE.to_ascii_lowercase(), [STATE, "x"].concat(), [STATE, "+"].concat());
    for state in ["x", &STATE[1..], &STATE[..42], &other_case, &longer, "%00", &blank] {
        for query in ["code=x&state=", "error=access_denied&state="] {
            assert_eq!(refused(&[query, state].concat()), WrongState, "{query}{state}");
        }
    }
    let too_long = ["code=", &"x".repeat(8193)].concat();
    for (error, queries) in [
        (MissingCode, &["x=1", "code=", "error=", "code=&error=", "error_description=why"][..]),
        (CodeBesideError, &["code=x&error=access_denied"]),
        (UnusableCode, &["code=%00", "code=a%0D%0Ab", "code=%C3%A4", "code=%FF", "code=\u{e4}", "code=%7F", &too_long]),
        (MalformedQuery, &["code=%", "code=%4", "code=%zz", "code=%4&x", "x=%", "%=x", "code=%%41", "code=%\u{e4}"]),
        (RedirectError::Repeated { parameter: "code" }, &["code=x&code=x", "code=&code=x", "code=x&c%6Fde=y"]),
        (RedirectError::Repeated { parameter: "state" }, &["code=x&state=y", "code=x&state="]),
        (RedirectError::Repeated { parameter: "error" }, &["error=a&error=b"]),
        (RedirectError::Repeated { parameter: "error_description" }, &["error_description=b&error_description=c"]),
    ] {
        for query in queries {
            assert_eq!(refused(&with_state(query)), error, "{query}");
        }
    }
    assert!(answer(&with_state(&["code=", &"x".repeat(8192)].concat())).is_ok());
}

#[test]
fn another_address_is_not_the_answer() {
    for base in ["http://127.0.0.1:8766/callback", "http://127.0.0.1:8765/other", "/callback", "", "%"] {
        let mut pending = pending();
        let error = pending.redirected(&[base, "?", &with_state("code=x")].concat()).unwrap_err();
        assert_eq!(error, RedirectError::OtherAddress, "{base}");
        assert!(pending.redirected_query(&with_state("code=x")).is_ok(), "the login goes on");
    }
}

#[test]
fn other_parameters_are_ignored_however_often_they_come() {
    assert!(
        answer(&with_state("code=x&iss=https%3A%2F%2Fa&session_state=1&session_state=2&=&&Code=y&code[]=z")).is_ok()
    );
}

#[test]
fn percent_encoding_is_undone_once_and_must_be_whole() {
    for (encoded, code) in
        [("a%2Fb%3D%3d", "a/b=="), ("a+b", "a b"), ("a%2Bb", "a+b"), ("a%252F", "a%2F"), ("%41", "A")]
    {
        let body = body(answer(&with_state(&["code=", encoded].concat())).unwrap());
        assert!(body.contains(&format!(r#""code":"{code}""#)), "{body}");
    }
}

#[test]
fn an_answer_may_be_as_long_as_the_limit() {
    let filled = |length: usize, before: &str| {
        let query = with_state("code=x&rest=");
        [before, &query, &"x".repeat(length - before.len() - query.len())].concat()
    };
    // What fills it up belongs to the state, which is looked at only within the limit.
    assert_eq!(refused(&filled(65536, "")), RedirectError::WrongState);
    assert_eq!(refused(&filled(65537, "")), RedirectError::TooLong { limit: 65536 });
    let at = [REDIRECT_URI, "?"].concat();
    assert_eq!(pending().redirected(&filled(65536, &at)).unwrap_err(), RedirectError::WrongState);
    assert_eq!(pending().redirected(&filled(65537, &at)).unwrap_err(), RedirectError::TooLong { limit: 65536 });
}

#[test]
fn each_reason_of_the_rfc_has_its_advice() {
    let said: Vec<String> = [
        "access_denied&error_description=The+user+said+no.",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "interaction_required",
        "%1b[31m&error_description=a%0Ab",
        "x&error_description=no+for+code%3Dcanary+and+state%3Dcanary",
    ]
    .map(|error| refused(&with_state(&["error=", error].concat())).to_string())
    .into();
    insta::assert_snapshot!(said.join("\n"), @r#"
    the login was not authorized ("access_denied: The user said no."): the user has to allow it; ask again when they want to
    the login was not authorized ("invalid_request"): check client_id, redirect_uri and scope against the app's registration, and whether it takes PKCE
    the login was not authorized ("unauthorized_client"): the app's registration does not allow this way to log in
    the login was not authorized ("unsupported_response_type"): check the authorize URL
    the login was not authorized ("invalid_scope"): leave the scope away: permissions belong to the app's registration
    the login was not authorized ("server_error"): try again later
    the login was not authorized ("temporarily_unavailable"): try again later
    the login was not authorized ("interaction_required"): see what it says, and begin the login again
    the login was not authorized ("a b"): see what it says, and begin the login again
    the login was not authorized ("x: no for […]"): see what it says, and begin the login again
    "#);
}

#[test]
fn no_error_quotes_what_has_come() {
    for query in ["code=canary", "code=canary&state=canary", "code=%canary", "state=canary&state=canary&code=canary"] {
        let error = refused(query);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    let error = refused(&with_state("code=canary%00"));
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    let code = answer(&with_state("code=canary")).unwrap();
    assert!(!format!("{code:?}").contains("canary"));
}
