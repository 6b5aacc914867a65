//! The texts that users read: each kind of error says what happened and what to do next.

use crate::support::{ok, response};
use tradovate_auth_core::{AccessTokenRequest, Endpoint, Error, Grant, Me, OAuthToken, RenewAccessToken};

fn login(response: http::Response<Vec<u8>>) -> String {
    AccessTokenRequest::parse(response).unwrap_err().to_string()
}

fn renewal(response: http::Response<Vec<u8>>) -> String {
    RenewAccessToken::parse(response).unwrap_err().to_string()
}

fn status(status: u16, body: &str) -> http::Response<Vec<u8>> {
    response(status, &[], body.as_bytes())
}

fn refusal(text: &str) -> String {
    login(ok(&format!(r#"{{"errorText":"{text}"}}"#)))
}

fn exchange(body: &str) -> String {
    OAuthToken::parse(ok(body)).unwrap_err().to_string()
}

//= R-LOGIN-12
#[test]
fn the_message_of_a_refusal_says_what_to_check() {
    insta::assert_snapshot!([
        refusal("Incorrect username or password. Please try again, noting that passwords are case-sensitive."),
        refusal("The app is not registered"),
        refusal("Access is denied"),
        exchange(r#"{"error":"invalid_grant","error_description":"  Wrong or used\n already authorization code ","errorText":""}"#),
        exchange(r#"{"error":"invalid_token"}"#),
        exchange(r#"{"error":"client_id, redirect_uri and client_secret do not match existing setup"}"#),
        exchange(r#"{"error":"Wrong client_id"}"#),
        refusal("Something new"),
        login(status(401, "")),
        refusal("This endpoint should be called on live.tradovateapi.com"),
        Me::parse(ok(r#"{"errorText":"This endpoint should be called on live.tradovateapi.com"}"#)).unwrap_err().to_string(),
    ].join("\n"), @r#"
    refused by the server with "Incorrect username or password. Please try again, noting that passwords are case-sensitive.": check name, password, cid, sec and the environment before the next try, because after five failed logins in an hour the server postpones all logins of this network address; it gives the same text to callers that are rate limited
    refused by the server with "The app is not registered": the password is right; check appId, cid and sec against the API key
    refused by the server with "Access is denied": check the permissions of the API key and that API access is enabled for the user
    refused by the server with "Wrong or used already authorization code": the code was used or is too old, or there is a newer refresh token: send a refresh once more; if the server refuses it again, or if it was a code, let the user authorize the app again
    refused by the server with "invalid_token": send the refresh once more; if the server refuses it again, let the user authorize the app again
    refused by the server with "client_id, redirect_uri and client_secret do not match existing setup": check client_id, client_secret and redirect_uri against the app's registration
    refused by the server with "Wrong client_id": most apps are registered on Live; send the request there
    refused by the server with "Something new": read the server's text; the server will refuse the same request again
    refused by the server without a text: check the credentials and the permissions of the API key, and whether the device has to be approved by e-mail
    wrong environment: the server says "This endpoint should be called on live.tradovateapi.com"; use the environment of the host in the server's text
    wrong environment: the server says "This endpoint should be called on live.tradovateapi.com"; use the environment of the host in the server's text
    "#);
}

#[test]
fn the_message_of_a_penalty_captcha_or_lock_out_names_the_wait() {
    let date: &[u8] = b"Tue, 24 Nov 2026 16:20:30 GMT";
    insta::assert_snapshot!([
        login(ok(r#"{"p-ticket":"t","p-time":15}"#)),
        login(ok(r#"{"p-ticket":"t","p-time":15,"p-message":"Too fast"}"#)),
        login(ok(r#"{"p-captcha":true}"#)),
        login(ok(r#"{"p-captcha":true,"p-message":"Are you human?"}"#)),
        login(status(423, "")),
        login(status(429, "")),
        login(response(429, &[("retry-after", b"5000")], b"")),
        login(response(429, &[("retry-after", date)], b"")),
    ].join("\n"), @r#"
    the server postponed the request: wait 15 s, then send the same request with the ticket it gave
    the server postponed the request: wait 15 s, then send the same request with the ticket it gave (it says "Too fast")
    the server asks for a captcha: a person can solve it; otherwise nobody at this network address may use this endpoint for one hour
    the server asks for a captcha (it says "Are you human?"): a person can solve it; otherwise nobody at this network address may use this endpoint for one hour
    the server locked out this network address (423): send nothing for one hour; a request in this time starts the wait again
    the server locked out this network address (429): send nothing for one hour; a request in this time starts the wait again
    the server locked out this network address (429): send nothing for 84 minutes; a request in this time starts the wait again
    the server locked out this network address (429): send nothing for one hour, and until 2026-11-24T16:20:30Z if that is later; a request in this time starts the wait again
    "#);
}

#[test]
fn the_message_of_a_401_says_whether_the_token_is_dead() {
    insta::assert_snapshot!([
        renewal(status(401, "Expired Access Token")),
        renewal(status(401, "\"Invalid access token\"")),
        renewal(status(401, "")),
        renewal(status(401, "Access is denied")),
    ].join("\n"), @r#"
    the access token is dead: it has expired and can't be renewed; log in again, or refresh it if it is an OAuth token
    the access token is dead: the server doesn't know it, perhaps because other logins closed its server session; log in again, but only once
    the server forbids this call: the token may be fine; check the permissions of the app and the account, and whether the device has to be approved by e-mail
    the server forbids this call (it says "Access is denied"): the token may be fine; check the permissions of the app and the account, and whether the device has to be approved by e-mail
    "#);
}

#[test]
fn the_message_of_a_redirect_names_the_host() {
    let moved = |location: &'static str| renewal(response(307, &[("location", location.as_bytes())], b""));
    insta::assert_snapshot!([
        moved("https://acme.ninjatrader.com/v1/auth/me"),
        moved("https://acme.ninjatrader.com:8443/v1/auth/me"),
        moved("http://acme.ninjatrader.com/v1/auth/me"),
        moved("https://evil.com/v1/auth/me"),
        moved("/v1/auth/me"),
        renewal(status(308, "")),
        renewal(status(421, "")),
    ].join("\n"), @r"
    moved (307): the user's organization is served by acme.ninjatrader.com; log in there, or with an environment that follows the vendor's hosts
    moved (307): the user's organization is served by acme.ninjatrader.com:8443; log in there, or with an environment that follows the vendor's hosts
    moved (307): the server names acme.ninjatrader.com, but not with a usable https address, so nothing was sent there; check the base URL and the proxy
    moved (307): the server names evil.com, which is not a host of the vendor, so nothing was sent there; check the base URL and the proxy
    moved (307): the user's organization is served by another host, which the answer doesn't name; log in again at the vendor's default host to get the names of the hosts
    moved (308): the user's organization is served by another host, which the answer doesn't name; log in again at the vendor's default host to get the names of the hosts
    moved (421): the user's organization is served by another host, which the answer doesn't name; log in again at the vendor's default host to get the names of the hosts
    ");
}

//= R-STATUS-6
#[test]
fn the_message_of_an_unexpected_status_explains_the_status() {
    let fault: &[u8] = b"Internal Server Error, error id: 0b5f3f0e-70b6-4d5c-9a7e-1c1f6a3b2d4e";
    insta::assert_snapshot!([
        login(status(204, "")),
        login(status(302, "")),
        login(status(400, "Bad Request")),
        login(status(403, "<h1>Forbidden</h1>")),
        login(status(404, "Cannot POST /auth/accesstokenrequest")),
        login(status(408, "")),
        login(status(418, r#"{"errorText":"I'm a teapot"}"#)),
        login(response(500, &[], fault)),
        login(response(503, &[("retry-after", b"120")], b"<html><body>\n<h1>503 Service Unavailable</h1>\n</body></html>")),
    ].join("\n"), @r#"
    the server answered 204: the vendor does not document this status; check the base URL
    the server answered 302: this redirect is not followed; check the base URL
    the server answered 400 with "Bad Request": the request is malformed; don't send it again unchanged
    the server answered 403 with "Forbidden": the call is not allowed; check the permissions of the app and the account
    the server answered 404 with "Cannot POST /auth/accesstokenrequest": this host has no such endpoint, or does not accept the token; check the base URL, which ends in /v1
    the server answered 408: the server timed out, or another login closed the server session; try again with growing pauses
    the server answered 418 with "I'm a teapot": the vendor does not document this status; check the base URL
    the server answered 500 with "Internal Server Error, error id: 0b5f3f0e-70b6-4d5c-9a7e-1c1f6a3b2d4e": the server has a fault or is in maintenance; try again with growing pauses
    the server answered 503 with "503 Service Unavailable": the server has a fault or is in maintenance; try again with growing pauses, after 120 s at the earliest
    "#);
}

#[test]
fn the_message_of_an_unusable_answer_says_why() {
    let grant = |body: &str| {
        let now = crate::support::now();
        let reply = AccessTokenRequest::parse(ok(body)).unwrap();
        Grant::from_access_token(reply, now, now, None).unwrap_err().to_string()
    };
    let grant_oauth = |body: &str| {
        let now = crate::support::now();
        Grant::from_oauth(OAuthToken::parse(ok(body)).unwrap(), now, now, None).unwrap_err().to_string()
    };
    insta::assert_snapshot!([
        login(ok("")),
        login(ok("<html>")),
        login(ok("Service Unavailable")),
        login(ok(r#"{"accessToken":"#)),
        login(ok(r#"{"accessToken":7}"#)),
        login(ok("[]")),
        login(ok("{}")),
        login(ok(r#"{"errorText":"","userId":7,"multiFactorRequired":true}"#)),
        exchange("{}"),
        exchange(r#"{"token_type":"bearer"}"#),
        grant(r#"{"accessToken":"t"}"#),
        grant_oauth(r#"{"access_token":"t"}"#),
        login(ok(r#"{"errorText":"x","accessToken":"t"}"#)),
        exchange(r#"{"access_token":"t","accessToken":"u"}"#),
        exchange(r#"{"access_token":"t","token_type":"mac"}"#),
        grant(r#"{"accessToken":"t","expirationTime":"2020-01-01T00:00:00Z"}"#),
        grant_oauth(r#"{"access_token":"t","expires_in":1e300}"#),
        Error::Contradiction(tradovate_auth_core::Contradiction::OtherUser).to_string(),
    ].join("\n"), @r#"
    the answer is empty: check the base URL, or try again later
    the answer is an HTML page, perhaps of a proxy or for maintenance: try again later
    the answer is not JSON (line 1, column 1): check the base URL, or try again later
    the value of `accessToken` in the answer ends too early (line 1, column 15): try again later
    the value of `accessToken` in the answer is not what the vendor documents (line 1, column 17): it is not used; if this happens again, report it to the authors of this library
    the answer is not what the vendor documents (line 1, column 0): it is not used; if this happens again, report it to the authors of this library
    the answer has no `accessToken`: the device may have to be approved; look for an e-mail of the vendor, and log in again with the same deviceId
    the answer has no `accessToken`, only errorText, userId, multiFactorRequired: the device may have to be approved; look for an e-mail of the vendor, and log in again with the same deviceId
    the answer has no `access_token`: it is not used; if this happens again, report it to the authors of this library
    the answer has no `access_token`, only token_type: it is not used; if this happens again, report it to the authors of this library
    the answer has no `expirationTime`: it is not used; if this happens again, report it to the authors of this library
    the answer has no `expires_in`: it is not used; if this happens again, report it to the authors of this library
    the answer has a token beside a refusal (it says "x"), so it is not used; if this happens again, report it to the authors of this library
    the answer gives `access_token` twice with different values, so it is not used; if this happens again, report it to the authors of this library
    the answer has a token of another type than bearer, so it is not used; if this happens again, report it to the authors of this library
    the answer has a token that has already expired, or the clock of this machine is wrong, so it is not used; if this happens again, report it to the authors of this library
    the answer has a lifetime that can't be represented, so it is not used; if this happens again, report it to the authors of this library
    the answer is for another user, so it is not used; if this happens again, report it to the authors of this library
    "#);
}

#[test]
fn a_refusal_with_an_unprintable_description_gives_the_advice_of_its_code() {
    let odd = ["\\u0000\\u0001", "QmFzZTY0IGlzIG5vdCBwcm9zZSBhdCBhbGwgYW5kIGlzIG5vdCBzaG93bg=="];
    for description in odd {
        let said = exchange(&format!(r#"{{"error":"invalid_grant","error_description":"{description}"}}"#));
        assert!(!said.contains("API key"), "{said}");
        assert!(said.starts_with(r#"refused by the server with "invalid_grant": the code was used"#), "{said}");
    }
    let said =
        exchange(r#"{"error_description":"QmFzZTY0IGlzIG5vdCBwcm9zZSBhdCBhbGwgaW52YWxpZF9ncmFudA invalid_grant"}"#);
    assert!(said.starts_with("refused by the server: the code was used"), "{said}");
}
