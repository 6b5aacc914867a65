//! Computes the shapes of requests and responses.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use tradovate_auth::http::{HeaderMap, Response, Uri, header};
use tradovate_auth::is_trusted_host;
use tradovate_auth::jiff::Timestamp;
use tradovate_auth::jiff::fmt::rfc2822::DateTimeParser;

use crate::name::{Name, Private};
use crate::report::{Body, Came, Field, HostKind, HostShape, Kind, Length, Says, Target};

/// What the doctor has sent and received: for comparisons, and to keep it out of the report.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) private: Private,
    user_id: Option<String>,
    access_token: Option<String>,
}

/// Texts that the contract knows, in lower case, and their meanings.
const TEXTS: [(&str, Says); 12] = [
    ("incorrect username or password", Says::IncorrectCredentials),
    ("the app is not registered", Says::AppNotRegistered),
    ("access is denied", Says::AccessDenied),
    ("endpoint should be called on", Says::OtherEnvironment),
    ("expired access token", Says::ExpiredToken),
    ("invalid access token", Says::UnknownToken),
    ("invalid_grant", Says::InvalidGrant),
    ("invalid_token", Says::InvalidToken),
    ("invalid_client", Says::InvalidClient),
    ("do not match existing setup", Says::InvalidClient),
    ("wrong client_id", Says::WrongClient),
    ("internal server error, error id", Says::ErrorId),
];

const DOCUMENTED: [&str; 7] = [
    "Active",
    "Closed",
    "Initiated",
    "TemporaryLocked",
    "UnconfirmedEmail",
    "EmailAndPasswordCompromised",
    "PasswordCompromised",
];

/// The hosts that the vendor has published.
const PUBLISHED: [&str; 8] = [
    "live.tradovateapi.com",
    "demo.tradovateapi.com",
    "md.tradovateapi.com",
    "md-demo.tradovateapi.com",
    "replay.tradovateapi.com",
    "live-api.staging.ninjatrader.dev",
    "demo-api.staging.ninjatrader.dev",
    "md-api.staging.ninjatrader.dev",
];

impl Seen {
    /// Forgets the user and the token, because the next login may be another user's.
    pub(crate) fn forget_user(&mut self) {
        (self.user_id, self.access_token) = (None, None);
    }

    /// The shapes of the fields of a request.
    pub(crate) fn sent(&mut self, body: &[u8]) -> Vec<Field> {
        let fields = Fields::of(body).unwrap_or_default();
        fields.0.iter().for_each(|(_, value)| self.private.learn(value));
        let mut shapes: Vec<_> = fields.0.iter().map(|(name, value)| self.field(name, value, None)).collect();
        // Of the user's own settings, the report shows only the types.
        for shape in &mut shapes {
            (shape.length, shape.says, shape.same, shape.seconds) = (None, None, None, None);
        }
        shapes
    }

    /// The shape of a response.
    pub(crate) fn came(&mut self, response: &Response<Vec<u8>>) -> Came {
        let headers = response.headers();
        let date = date(headers);
        let body = self.body(response.body(), date);
        let names = headers.keys().map(|name| Name::new(name.as_str(), &self.private)).collect();
        let location = headers.get(header::LOCATION).map(|location| target(location.as_bytes()));
        Came { status: response.status().as_u16(), headers: names, dated: date.is_some(), location, body }
    }

    fn body(&mut self, body: &[u8], date: Option<Timestamp>) -> Body {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Body::Empty;
        }
        let Some(fields) = Fields::of(text.as_bytes()) else {
            self.private.learn_text(text);
            return if text.starts_with('<') { Body::Html } else { Body::Text(known(text)) };
        };
        // Adds all values first, so that no name can show a value that follows it.
        fields.0.iter().for_each(|(_, value)| self.private.learn(value));
        let shapes = fields.0.iter().map(|(name, value)| self.field(name, value, date)).collect();
        self.remember(&fields);
        let has_name_twice =
            fields.0.iter().enumerate().any(|(at, (name, _))| fields.0[..at].iter().any(|it| it.0 == *name));
        if has_name_twice { Body::Repeats(shapes) } else { Body::Object(shapes) }
    }

    fn field(&self, name: &str, value: &Value, date: Option<Timestamp>) -> Field {
        let (kind, text) = match value {
            Value::Null => (Kind::Null, None),
            Value::Bool(_) => (Kind::Boolean, None),
            Value::Number(number) if number.is_f64() => (Kind::Number, None),
            Value::Number(_) => (Kind::Integer, None),
            Value::String(text) => (Kind::String, Some(text.as_str())),
            Value::Array(_) => (Kind::List, None),
            Value::Object(_) => (Kind::Object, None),
        };
        let hosts = value.as_object().filter(|_| name == "apiHosts");
        let host = |(key, host): (&String, &Value)| HostShape {
            key: Name::of_key(key),
            bare: host.as_str().is_some_and(is_bare),
            host: host.as_str().map_or(HostKind::Other, host_kind),
        };
        let before = match name {
            "userId" => self.user_id.as_deref(),
            "accessToken" | "access_token" => self.access_token.as_deref(),
            _ => None,
        };
        Field {
            name: Name::new(name, &self.private),
            kind,
            length: text.map(Length::of),
            says: text.and_then(|text| says(name, text)),
            seconds: seconds(name, value, date),
            same: before.map(|before| before == plain(value)),
            hosts: hosts.into_iter().flatten().map(host).collect(),
        }
    }

    fn remember(&mut self, fields: &Fields) {
        for (name, value) in &fields.0 {
            match name.as_str() {
                "userId" if !value.is_null() => self.user_id = Some(plain(value)),
                "accessToken" | "access_token" if value.is_string() => self.access_token = Some(plain(value)),
                _ => {}
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn known(text: &str) -> Option<Says> {
    let text = text.to_lowercase();
    TEXTS.iter().find(|(known, _)| text.contains(known)).map(|(_, says)| *says)
}

/// The meaning of a field's text, if the contract knows it.
fn says(name: &str, text: &str) -> Option<Says> {
    match name {
        "errorText" | "error" | "error_description" => known(text),
        "userStatus" | "hibpHint" => DOCUMENTED.contains(&text).then_some(Says::Documented),
        "token_type" => text.eq_ignore_ascii_case("bearer").then_some(Says::Bearer),
        "expirationTime" | "passwordExpirationTime" => {
            time(text).map(|_| if text.contains('.') { Says::TimeWithFraction } else { Says::Time })
        }
        "accessToken" | "access_token" | "mdAccessToken" | "refresh_token" => {
            let is_token = (1..=8192).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            is_token.then_some(Says::Token)
        }
        _ => None,
    }
}

/// Parses an RFC 3339 time.
fn time(text: &str) -> Option<Timestamp> {
    let has_t = text.as_bytes().get(10) == Some(&b'T');
    let has_offset = text.ends_with('Z') || text.get(text.len().checked_sub(6)?..)?.starts_with(['+', '-']);
    text.parse().ok().filter(|_| has_t && has_offset)
}

/// A lifetime or a wait in seconds. For a time it is rounded to minutes, because it depends on the moment of the run.
fn seconds(name: &str, value: &Value, date: Option<Timestamp>) -> Option<i64> {
    match name {
        "expires_in" | "refresh_token_expires_in" | "p-time" => {
            let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
            // More than a year is not a lifetime, and could be anything.
            #[expect(clippy::cast_possible_truncation, reason = "it is within a year")]
            (seconds.abs() < 31_536_000.0).then_some(seconds as i64)
        }
        "expirationTime" => {
            let life = time(value.as_str()?)?.duration_since(date?).as_secs();
            (life.abs() < 31_536_000).then_some((life + 30).div_euclid(60) * 60)
        }
        _ => None,
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(headers.get(header::DATE)?.as_bytes()).ok()
}

fn is_bare(host: &str) -> bool {
    let is_label = |label: &str| {
        let fits = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        fits && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= 64 && host.split('.').all(is_label)
}

pub(crate) fn host_kind(host: &str) -> HostKind {
    match host {
        published if PUBLISHED.contains(&published) => HostKind::Published,
        trusted if is_trusted_host(trusted) => HostKind::Trusted,
        _ => HostKind::Other,
    }
}

fn target(location: &[u8]) -> Target {
    let uri = Uri::try_from(location).ok();
    let is_https = uri.as_ref().is_some_and(|uri| uri.scheme_str() == Some("https"));
    let is_trusted = uri.as_ref().and_then(Uri::host).is_some_and(is_trusted_host);
    if is_https && is_trusted { Target::Trusted } else { Target::Other }
}

/// The fields of an object in order, including repeated ones.
#[derive(Default)]
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
