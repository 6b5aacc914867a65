//! What a careful author writes with `http`, `serde_json` and `jiff` and without this library: the same requests, and
//! answers with parsed times and checked refusals and expiry, by the time of the server. Nothing is wiped, limits and
//! characters of fields are not checked, and only `serde` detects a repeated key.

use std::collections::BTreeMap;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::samples;

const LOGIN_URL: &str = "https://demo.tradovateapi.com/v1/auth/accesstokenrequest";
const RENEWAL_URL: &str = "https://demo.tradovateapi.com/v1/auth/renewaccesstoken";
const OAUTH_URL: &str = "https://live.tradovateapi.com/v1/auth/oauthtoken";

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The initial size of the buffer for a login body, which is enough for most.
const ENOUGH: usize = 512;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Login {
    name: String,
    password: String,
    app_id: String,
    app_version: String,
    device_id: String,
    cid: u64,
    sec: String,
    hibp_check: bool,
}

impl Login {
    pub(crate) fn sample() -> Self {
        Self {
            name: samples::NAME.into(),
            password: samples::PASSWORD.into(),
            app_id: samples::APP_ID.into(),
            app_version: samples::APP_VERSION.into(),
            device_id: samples::DEVICE_ID.into(),
            cid: samples::CID,
            sec: samples::SEC.into(),
            hibp_check: true,
        }
    }

    pub(crate) fn pre_sized(&self) -> Request<Vec<u8>> {
        post(LOGIN_URL, self.body())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(ENOUGH);
        serde_json::to_writer(&mut body, self).expect("a struct of strings is JSON");
        body
    }

    pub(crate) fn plain(&self) -> Request<Vec<u8>> {
        post(LOGIN_URL, serde_json::to_vec(self).expect("a struct of strings is JSON"))
    }

    pub(crate) fn value(&self) -> Request<Vec<u8>> {
        let body = json!({
            "name": self.name,
            "password": self.password,
            "appId": self.app_id,
            "appVersion": self.app_version,
            "deviceId": self.device_id,
            "cid": self.cid,
            "sec": self.sec,
            "hibpCheck": self.hibp_check,
        });
        post(LOGIN_URL, body.to_string().into_bytes())
    }
}

fn post(url: &'static str, body: Vec<u8>) -> Request<Vec<u8>> {
    Request::post(Uri::from_static(url))
        .header(ACCEPT, JSON)
        .header(CONTENT_TYPE, JSON)
        .body(body)
        .expect("a request of constants")
}

/// Builds a renewal. The program keeps the header beside the token, and all requests share it.
pub(crate) fn renewal(bearer: &HeaderValue) -> Request<()> {
    Request::get(Uri::from_static(RENEWAL_URL))
        .header(ACCEPT, JSON)
        .header(AUTHORIZATION, bearer.clone())
        .body(())
        .expect("a request of constants")
}

pub(crate) fn bearer() -> HeaderValue {
    let mut header = HeaderValue::from_str(&["Bearer ", &samples::access_token()].concat()).expect("a token");
    header.set_sensitive(true);
    header
}

/// The response of a login as most authors declare it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is not checked is for the caller")]
pub(crate) struct Answer {
    error_text: Option<String>,
    access_token: Option<String>,
    md_access_token: Option<String>,
    expiration_time: Option<Timestamp>,
    password_expiration_time: Option<Timestamp>,
    user_status: Option<String>,
    user_id: Option<i64>,
    name: Option<String>,
    has_live: Option<bool>,
    has_sim_plus: Option<bool>,
    #[serde(rename = "showKIDs")]
    show_kids: Option<bool>,
    #[serde(default)]
    api_hosts: BTreeMap<String, String>,
}

/// The response of a login without copies of texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is not checked is for the caller")]
pub(crate) struct BorrowedAnswer<'a> {
    error_text: Option<&'a str>,
    access_token: Option<&'a str>,
    md_access_token: Option<&'a str>,
    expiration_time: Option<Timestamp>,
    password_expiration_time: Option<Timestamp>,
    user_status: Option<&'a str>,
    user_id: Option<i64>,
    name: Option<&'a str>,
    has_live: Option<bool>,
    has_sim_plus: Option<bool>,
    #[serde(rename = "showKIDs")]
    show_kids: Option<bool>,
    #[serde(default, borrow)]
    api_hosts: BTreeMap<&'a str, &'a str>,
}

/// The fields that are read from a [`Value`].
#[expect(dead_code, reason = "what is not checked is for the caller")]
pub(crate) struct FromValue {
    access_token: String,
    md_access_token: Option<String>,
    expiration_time: Timestamp,
    user_id: Option<i64>,
}

/// The time of the server: the `Date` of the answer, or the local time `received`. Expiries are in server time, and local
/// clocks can be wrong by minutes (rules R-TIME-4 and R-TIME-7 in `docs/contract/times.md`).
pub(crate) fn time_of<T>(response: &Response<T>, received: Timestamp) -> Timestamp {
    const PARSER: DateTimeParser = DateTimeParser::new();
    let date = response.headers().get(DATE).and_then(|date| PARSER.parse_timestamp(date.as_bytes()).ok());
    date.unwrap_or(received)
}

pub(crate) fn typed(response: &Response<&[u8]>, now: Timestamp) -> Option<Answer> {
    let answer: Answer = ok(response)?;
    let refused = answer.error_text.as_deref().is_some_and(|text| !text.is_empty());
    let usable = answer.access_token.is_some() && answer.expiration_time.is_some_and(|end| end > now);
    (usable && !refused).then_some(answer)
}

pub(crate) fn borrowed<'b>(response: &Response<&'b [u8]>, now: Timestamp) -> Option<BorrowedAnswer<'b>> {
    let answer: BorrowedAnswer<'b> = ok(response)?;
    let refused = answer.error_text.is_some_and(|text| !text.is_empty());
    let usable = answer.access_token.is_some() && answer.expiration_time.is_some_and(|end| end > now);
    (usable && !refused).then_some(answer)
}

pub(crate) fn untyped(response: &Response<&[u8]>, now: Timestamp) -> Option<FromValue> {
    let answer: Value = ok(response)?;
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    if text("errorText").is_some_and(|text| !text.is_empty()) {
        return None;
    }
    let expiration_time: Timestamp = answer["expirationTime"].as_str()?.parse().ok()?;
    (expiration_time > now).then_some(FromValue {
        access_token: text("accessToken")?,
        md_access_token: text("mdAccessToken"),
        expiration_time,
        user_id: answer["userId"].as_i64(),
    })
}

fn ok<'b, T: Deserialize<'b>>(response: &Response<&'b [u8]>) -> Option<T> {
    if response.status() != StatusCode::OK {
        return None;
    }
    serde_json::from_slice(response.body()).ok()
}

#[derive(Serialize)]
struct Exchange<'a> {
    grant_type: &'a str,
    code: &'a str,
    redirect_uri: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is not checked is for the caller")]
pub(crate) struct Tokens {
    error: Option<String>,
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    refresh_token_expires_in: Option<u64>,
    id_token: Option<String>,
}

pub(crate) fn exchange(code: &str) -> Request<Vec<u8>> {
    let body = Exchange {
        grant_type: "authorization_code",
        code,
        redirect_uri: samples::REDIRECT_URI,
        client_id: samples::CLIENT_ID,
        client_secret: samples::CLIENT_SECRET,
    };
    let mut bytes = Vec::with_capacity(ENOUGH);
    serde_json::to_writer(&mut bytes, &body).expect("a struct of strings is JSON");
    post(OAUTH_URL, bytes)
}

pub(crate) fn tokens(response: &Response<&[u8]>) -> Option<Tokens> {
    let tokens: Tokens = ok(response)?;
    (tokens.error.is_none() && tokens.access_token.is_some() && tokens.expires_in.is_some()).then_some(tokens)
}
