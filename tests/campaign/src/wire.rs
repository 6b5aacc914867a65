//! What travels, read independently of the session: the facts of a request and of an answer that the laws speak of.
//! Requests, responses and snapshots enter; facts leave, with names in place of tokens.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::{Request, Response, Uri, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::names::{Kind, Name, Names};

/// The longest wait that a server can ask for.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `accesstokenrequest`
    LogIn,
    /// `renewaccesstoken`
    Renew,
    /// `oauthtoken`
    Refresh,
}

/// The facts of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What for.
    pub operation: Operation,
    /// Whether it goes by https.
    pub is_secure: bool,
    /// Where it goes.
    pub host: String,
    /// The token it is authorized by.
    pub bearer: Option<Name>,
    /// The refresh token in it.
    pub refresh: Option<Name>,
    /// The code in it.
    pub code: Option<Name>,
    /// The ticket in it.
    pub ticket: Option<Name>,
    /// Stands for the body without its ticket.
    pub body: u64,
}

impl Asked {
    /// Reads a request.
    pub(crate) fn read<B: AsRef<[u8]>>(request: &Request<B>, names: &mut Names) -> Self {
        let operation = match request.uri().path() {
            "/v1/auth/accesstokenrequest" => Operation::LogIn,
            "/v1/auth/renewaccesstoken" => Operation::Renew,
            _ => Operation::Refresh,
        };
        let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let mut body: Value = serde_json::from_slice(request.body().as_ref()).unwrap_or_default();
        let ticket = body.as_object_mut().and_then(|body| body.remove("p-ticket"));
        let mut hasher = DefaultHasher::new();
        body.to_string().hash(&mut hasher);
        Self {
            operation,
            is_secure: request.uri().scheme_str() == Some("https"),
            host: request.uri().host().unwrap_or_default().to_owned(),
            bearer: bearer.map(|text| names.of(Kind::Access, text)),
            refresh: text(&body, "refresh_token").map(|text| names.of(Kind::Refresh, text)),
            code: text(&body, "code").map(|text| names.of(Kind::Code, text)),
            ticket: ticket.as_ref().and_then(Value::as_str).map(|text| names.of(Kind::Ticket, text)),
            body: hasher.finish(),
        }
    }
}

/// The facts of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its status.
    pub status: u16,
    /// The server's time when it was given, where it has a `Date`.
    pub server_time: Option<Timestamp>,
    /// What it says.
    pub says: Says,
    /// Whether it contradicts itself, or what is known of the user.
    pub contradicts: bool,
    /// Whether its token is none, so that it can't be read.
    pub is_malformed: bool,
    /// The hosts it names for Live and for Demo.
    pub hosts: [Option<String>; 2],
    /// Where it sends a request on to.
    pub location: Option<String>,
    /// Whether it blames the settings of the app.
    pub blames_app: bool,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Says {
    /// A token, perhaps a refresh token, and their ends in server time.
    Grant(Granted),
    /// Wait, then come back with the ticket.
    Penalty(Name, SignedDuration),
    /// No program can answer it.
    Captcha,
    /// 423 or 429, and how long to be silent.
    LockedOut(SignedDuration),
    /// 401 with one of the two texts that say so.
    Dead,
    /// Any other 401.
    Forbidden,
    /// No, in a 200.
    Refused,
    /// 307, 308 or 421.
    Moved,
    /// 408 or 5xx.
    Fault,
    /// Another status.
    Status,
    /// A 200 that can't be read, or has nothing that helps.
    Garbage,
}

/// What a grant brings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Granted {
    /// The access token.
    pub access: Name,
    /// Its end.
    pub expires: Option<Timestamp>,
    /// Its life, counted from the answer.
    pub life: SignedDuration,
    /// The refresh token.
    pub refresh: Option<Name>,
    /// The end of the refresh token.
    pub refresh_ends: Option<Timestamp>,
    /// Whether a market data token came with it.
    pub has_market_data: bool,
    /// The user it is for.
    pub user: Option<i64>,
}

impl Answer {
    /// Reads an answer that was given at a time of the server's.
    pub(crate) fn read(response: &Response<Vec<u8>>, server_now: Timestamp, names: &mut Names) -> Self {
        let status = response.status().as_u16();
        let body: Result<Value, _> = serde_json::from_slice(response.body());
        let raw = || String::from_utf8_lossy(response.body()).to_lowercase();
        let error = body.as_ref().ok().and_then(|body| text(body, "errorText").or(text(body, "error")));
        let refuses = error.is_some_and(|text| !text.is_empty());
        let grant = body.as_ref().ok().and_then(|body| granted(body, server_now, names));
        let is_expired = grant.is_some_and(|grant| grant.expires.is_some_and(|end| end <= server_now));
        let is_malformed = body.as_ref().is_ok_and(has_malformed_token);
        let contradicts = (200..300).contains(&status) && grant.is_some() && (refuses || is_expired || is_malformed);
        let says = match (status, &body) {
            (401, _) if raw().contains("invalid access token") || raw().contains("expired access token") => Says::Dead,
            (401, _) => Says::Forbidden,
            (423 | 429, _) => {
                let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let asked =
                    asked.and_then(|text| text.parse().ok()).map_or(SignedDuration::ZERO, SignedDuration::from_secs);
                Says::LockedOut(asked.clamp(SignedDuration::from_hours(1), DAY))
            }
            (307 | 308 | 421, _) => Says::Moved,
            (408 | 500.., _) => Says::Fault,
            (200..300, Err(_)) => Says::Garbage,
            (200..300, Ok(body)) => {
                match (body.get("p-captcha").and_then(Value::as_bool), text(body, "p-ticket"), grant) {
                    (Some(true), _, _) => Says::Captcha,
                    // A wait that is no number of seconds is nothing that helps.
                    (_, Some(_), _) if body.get("p-time").and_then(Value::as_f64).is_some_and(|wait| wait < 0.0) => {
                        Says::Garbage
                    }
                    (_, Some(ticket), _) => {
                        let wait = body.get("p-time").and_then(Value::as_f64).unwrap_or_default();
                        let wait = SignedDuration::from_secs_f64(wait.clamp(0.0, DAY.as_secs_f64()));
                        Says::Penalty(names.of(Kind::Ticket, ticket), wait)
                    }
                    (_, _, Some(grant)) => Says::Grant(grant),
                    _ if refuses => Says::Refused,
                    _ => Says::Garbage,
                }
            }
            _ => Says::Status,
        };
        Self {
            status,
            server_time: response.headers().contains_key(header::DATE).then_some(server_now),
            says,
            contradicts,
            is_malformed,
            hosts: ["live", "demo"].map(|key| {
                let hosts = body.as_ref().ok()?.get("apiHosts")?;
                text(hosts, key).map(str::to_owned)
            }),
            location: location(response),
            blames_app: error.is_some_and(|error| matches!(error, "invalid_client" | "unauthorized_client")),
        }
    }

    /// Whether it is a no to a login.
    #[must_use]
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.says, Says::Refused | Says::Dead | Says::Forbidden)
    }

    /// The grant, where there is one that may be used.
    #[must_use]
    pub(crate) fn good_grant(&self) -> Option<Granted> {
        match self.says {
            Says::Grant(grant) if !self.contradicts => Some(grant),
            _ => None,
        }
    }
}

fn granted(body: &Value, server_now: Timestamp, names: &mut Names) -> Option<Granted> {
    let access = text(body, "accessToken").or(text(body, "access_token"))?;
    let seconds = |name: &str| body.get(name).and_then(Value::as_i64).map(SignedDuration::from_secs);
    let expires = match text(body, "expirationTime") {
        Some(text) => text.parse().ok(),
        None => seconds("expires_in").map(|life| server_now + life),
    };
    Some(Granted {
        access: names.of(Kind::Access, access),
        expires,
        life: expires.map_or(SignedDuration::ZERO, |end| end.duration_since(server_now)),
        refresh: text(body, "refresh_token").map(|text| names.of(Kind::Refresh, text)),
        refresh_ends: seconds("refresh_token_expires_in").map(|life| server_now + life),
        has_market_data: text(body, "mdAccessToken").is_some_and(|text| !text.is_empty()),
        user: body.get("userId").and_then(Value::as_i64),
    })
}

/// The host that a redirect names.
fn location(response: &Response<Vec<u8>>) -> Option<String> {
    let location: Uri = response.headers().get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    location.host().map(str::to_owned)
}

fn has_malformed_token(body: &Value) -> bool {
    let access = text(body, "accessToken").or(text(body, "access_token")).unwrap_or_default();
    !access.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a snapshot holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// The access token and its end.
    pub access: Option<(Name, Timestamp)>,
    /// The refresh token.
    pub refresh: Option<Name>,
}

impl Kept {
    /// Reads a snapshot as it is stored.
    pub(crate) fn read(snapshot: &Value, names: &mut Names) -> Self {
        let access = snapshot.get("access").and_then(|access| {
            let end = text(access, "expiresAt").and_then(|text| text.parse().ok())?;
            Some((names.of(Kind::Access, text(access, "token")?), end))
        });
        let refresh = snapshot.get("refresh").and_then(|refresh| text(refresh, "token"));
        Self { access, refresh: refresh.map(|text| names.of(Kind::Refresh, text)) }
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}
