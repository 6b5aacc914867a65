//! The fields of a command. The command's example lists them. Every field is optional.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::Mistake;
use crate::{endpoint::Endpoint, simulator::Simulator};

/// The parsed body of a command.
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn read(body: &[u8], example: &str) -> Result<Self, Mistake> {
        if body.trim_ascii().is_empty() {
            return Ok(Self(Map::new()));
        }
        let known: Map<String, Value> = serde_json::from_str(example).unwrap_or_default();
        let given: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| Mistake(format!("the body must be JSON such as {example}")))?;
        match given.keys().find(|name| !known.contains_key(*name)) {
            Some(name) => {
                Err(Mistake(format!("there is no field {}; the body is like {example}", Value::from(&**name))))
            }
            None => Ok(Self(given)),
        }
    }

    fn get<T>(&self, name: &str, wanted: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, Mistake> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Mistake(format!("{name} must be {wanted}"))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Mistake> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| Mistake(format!("{name} must be a text"))),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Mistake> {
        self.get(name, "true or false", Value::as_bool)
    }

    /// A duration in seconds; fractions are allowed.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, Mistake> {
        let read = |value: &Value| Duration::try_from_secs_f64(value.as_f64()?).ok();
        self.get(name, "a number of seconds", read)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, Mistake> {
        self.get(name, "a whole number", |value| value.as_u64()?.try_into().ok())
    }

    pub(super) fn status(&self, name: &str) -> Result<Option<StatusCode>, Mistake> {
        // A status below 200 would not end a request.
        let read = |value: &Value| StatusCode::from_u16(value.as_u64()?.try_into().ok()?).ok();
        self.get(name, "a status from 200 to 999", |value| read(value).filter(|status| status.as_u16() >= 200))
    }

    /// An endpoint by its path, with or without `/v1`, or by the last part of its path.
    pub(super) fn endpoint(&self) -> Result<Option<Endpoint>, Mistake> {
        let read = |value: &Value| {
            let name = value.as_str()?.trim_start_matches("/v1").trim_start_matches('/');
            Endpoint::at(&format!("/v1/{name}")).or_else(|| Endpoint::at(&format!("/v1/auth/{name}")))
        };
        self.get("endpoint", "a path such as auth/accesstokenrequest, account/list or websocket", read)
    }

    /// The named user, or the first user if none is named.
    pub(super) fn user(&self, simulator: &Simulator) -> Result<String, Mistake> {
        let name = self.text("user")?;
        let user = simulator.users.iter().find(|user| name.is_none_or(|name| user.name == name));
        user.map(|user| user.name.clone()).ok_or_else(|| Mistake("there is no user of this name".to_owned()))
    }

    /// Pairs of an `apiHosts` key and a hostname.
    pub(super) fn hosts(&self) -> Result<Vec<(String, String)>, Mistake> {
        let read = |value: &Value| {
            let hosts = value.as_object()?.iter();
            hosts.map(|(key, host)| Some((key.clone(), host.as_str()?.to_owned()))).collect::<Option<Vec<_>>>()
        };
        let wanted = "an object of texts, such as {\"demo\":\"acme-demo.example\"}";
        Ok(self.get("hosts", wanted, read)?.unwrap_or_default())
    }
}
