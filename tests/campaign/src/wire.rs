//! Reads requests, responses and snapshots independently of the session, and extracts the facts that the laws need.
//! Names replace all tokens.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::{Request, Response, Uri, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::names::{Kind, Name, Names};

/// The longest wait that a server can ask for.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The operation of a request.
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
    /// The operation.
    pub operation: Operation,
    /// Whether it uses https.
    pub is_secure: bool,
    /// The host.
    pub host: String,
    /// The access token in the `Authorization` header.
    pub bearer: Option<Name>,
    /// The refresh token in the body.
    pub refresh: Option<Name>,
    /// The authorization code in the body.
    pub code: Option<Name>,
    /// The penalty ticket in the body.
    pub ticket: Option<Name>,
    /// A hash of the body without its ticket.
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
    /// The status.
    pub status: u16,
    /// The server's time in `Date`, if the answer has one.
    pub server_time: Option<Timestamp>,
    /// The meaning of the answer.
    pub says: Says,
    /// Whether the answer contradicts itself or the known user.
    pub contradicts: bool,
    /// Whether its token is malformed, so that the answer cannot be read.
    pub is_malformed: bool,
    /// The hosts that it names for Live and for Demo.
    pub hosts: [Option<String>; 2],
    /// The target of a redirect.
    pub location: Option<String>,
    /// Whether it refuses the settings of the app.
    pub blames_app: bool,
}

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Says {
    /// A token, perhaps with a refresh token. Their expiries are in server time.
    Grant(Granted),
    /// A penalty: wait, then send the ticket.
    Penalty(Name, SignedDuration),
    /// A captcha, which no program can solve.
    Captcha,
    /// 423 or 429, and the time without requests.
    LockedOut(SignedDuration),
    /// 401 with one of the two texts that mean a dead token.
    Dead,
    /// Any other 401.
    Forbidden,
    /// A refusal with status 200.
    Refused,
    /// 307, 308 or 421.
    Moved,
    /// 408 or 5xx.
    Fault,
    /// Another status.
    Status,
    /// A 200 that cannot be read or has no useful content.
    Garbage,
}

/// The content of a grant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Granted {
    /// The access token.
    pub access: Name,
    /// The expiry of the access token.
    pub expires: Option<Timestamp>,
    /// Its life, counted from the answer.
    pub life: SignedDuration,
    /// The refresh token.
    pub refresh: Option<Name>,
    /// The expiry of the refresh token.
    pub refresh_ends: Option<Timestamp>,
    /// Whether a market data token came with it.
    pub has_market_data: bool,
    /// The user of the token.
    pub user: Option<i64>,
}

impl Answer {
    /// Reads an answer that the server gave at `server_now`.
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
                    // A penalty without a valid number of seconds has no useful content.
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

    /// Whether the answer refuses a login.
    #[must_use]
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.says, Says::Refused | Says::Dead | Says::Forbidden)
    }

    /// The grant, if the answer has a usable one.
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

/// What a snapshot contains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// The access token and its expiry.
    pub access: Option<(Name, Timestamp)>,
    /// The refresh token.
    pub refresh: Option<Name>,
    /// Whether a login is announced whose outcome is not known.
    pub announces_login: bool,
    /// Whether a refresh is announced that has no result.
    pub announces_refresh: bool,
}

impl Kept {
    /// Reads a stored snapshot.
    pub(crate) fn read(snapshot: &Value, names: &mut Names) -> Self {
        let access = snapshot.get("access").and_then(|access| {
            let end = text(access, "expiresAt").and_then(|text| text.parse().ok())?;
            Some((names.of(Kind::Access, text(access, "token")?), end))
        });
        let refresh = snapshot.get("refresh");
        let announced = refresh.and_then(|refresh| refresh.get("announced")?.as_u64());
        let refresh = refresh.and_then(|refresh| text(refresh, "token"));
        let attempts = snapshot.get("logIns").and_then(|logins| logins.get("attempts")?.as_array());
        let is_announced = |attempt: &Value| text(attempt, "status") == Some("announced");
        let announces_login = attempts.is_some_and(|attempts| attempts.iter().any(is_announced));
        Self {
            access,
            refresh: refresh.map(|text| names.of(Kind::Refresh, text)),
            announces_login,
            announces_refresh: announced.is_some_and(|changes| changes % 2 == 1),
        }
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}
