//! The forms that a response can have, and whether the limits count the request as failed.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::fields::Malformed;

/// Texts that the real server is known to send.
pub(crate) mod texts {
    pub(crate) const WRONG_PASSWORD: &str =
        "Incorrect username or password. Please try again, noting that passwords are case-sensitive.";
    pub(crate) const APP_NOT_REGISTERED: &str = "The app is not registered";
    pub(crate) const LIVE_ONLY: &str = "This endpoint should be called on live.tradovateapi.com";
    pub(crate) const ACCESS_DENIED: &str = "Access is denied";
    pub(crate) const EXPIRED_TOKEN: &str = "Expired Access Token";
    pub(crate) const INVALID_TOKEN: &str = "Invalid access token";
    pub(crate) const WRONG_CODE: &str = "Wrong or used already authorization code";
    pub(crate) const WRONG_CLIENT_ID: &str = "Wrong client_id";
    pub(crate) const SETUP_MISMATCH: &str = "client_id, redirect_uri and client_secret do not match existing setup";
}

/// How the limits count a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    /// The request was redirected to another host. It was not handled, so it is not counted.
    Redirected,
}

/// A response, and how the request counts.
pub(crate) struct Reply {
    /// Boxed to keep `Result`s small, because a reply is also used as an error.
    pub(crate) response: Box<Response<Vec<u8>>>,
    pub(crate) outcome: Outcome,
}

impl From<Malformed> for Reply {
    fn from(Malformed(why): Malformed) -> Self {
        Self::bad_request(&why)
    }
}

impl Reply {
    fn new(status: StatusCode, content_type: Option<&'static str>, body: Vec<u8>) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Self {
            response: Box::new(response),
            outcome: if status.is_success() { Outcome::Success } else { Outcome::Failure },
        }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, Some("application/json"), body.to_string().into_bytes())
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn text(status: StatusCode, body: &str) -> Self {
        Self::new(status, Some("text/plain; charset=utf-8"), body.into())
    }

    pub(crate) fn html(status: StatusCode, body: &str) -> Self {
        Self::new(status, Some("text/html"), body.into())
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, None, Vec::new())
    }

    pub(crate) fn unauthorized(text: &str) -> Self {
        Self::text(StatusCode::UNAUTHORIZED, text)
    }

    pub(crate) fn bad_request(why: &str) -> Self {
        Self::text(StatusCode::BAD_REQUEST, why)
    }

    pub(crate) fn method_not_allowed(allowed: &Method) -> Self {
        Self::empty(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, allowed.as_str())
    }

    pub(crate) fn internal_error(error_id: &str) -> Self {
        Self::text(StatusCode::INTERNAL_SERVER_ERROR, &format!("Internal Server Error, error id: {error_id}"))
    }

    /// A refusal in the vendor's form: a body with `errorText` and no result.
    pub(crate) fn error_text(status: StatusCode, text: &str) -> Self {
        Self::json(status, &json!({ "errorText": text })).failed()
    }

    /// A refusal in the form of OAuth, with status 200.
    pub(crate) fn oauth_error(error: &str, description: Option<&str>) -> Self {
        let mut body = json!({ "error": error });
        if let (Some(description), Some(fields)) = (description, body.as_object_mut()) {
            fields.insert("error_description".to_owned(), Value::from(description));
        }
        Self::ok(&body).failed()
    }

    pub(crate) fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    pub(crate) fn redirected(mut self) -> Self {
        self.outcome = Outcome::Redirected;
        self
    }

    /// Adds a header. A value that no header can carry is left out.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    pub(crate) fn with_retry_after(self, wait: Option<Duration>) -> Self {
        match wait {
            Some(wait) => self.with_header(header::RETRY_AFTER, &wait.as_secs().to_string()),
            None => self,
        }
    }
}
