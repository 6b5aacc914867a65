//! Settings by the vendor's own variable names, looked up by a function of the caller's.
//!
//! The protocol has no environment of its own: the transports pass the process's, tests pass a table.

use alloc::string::String;
use alloc::vec::Vec;

use crate::credentials::{ClientId, Credentials, DeviceId};
use crate::environment::Environment;
use crate::error::BuildError;
use crate::url::BaseUrl;

/// Settings that are missing or can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// Variables that are not set.
    #[error("not set: {}; set {}", names.join(", "), advice(names))]
    Missing {
        /// All that are missing.
        names: Vec<&'static str>,
    },
    /// `TRADOVATE_ENVIRONMENT` names no environment.
    #[error("TRADOVATE_ENVIRONMENT must be demo, live, evaluation, staging-demo or staging-live")]
    UnknownEnvironment,
    /// `TRADOVATE_API_URL` can't be used.
    #[error("TRADOVATE_API_URL: {0}")]
    ApiUrl(BuildError),
}

impl Credentials {
    /// Reads `TRADOVATE_USERNAME`, `TRADOVATE_PASSWORD`, `TRADOVATE_APP_ID`, `TRADOVATE_APP_VERSION`,
    /// `TRADOVATE_CID`, `TRADOVATE_SEC` and `TRADOVATE_DEVICE_ID` through `lookup`.
    ///
    /// All must be set, since the server answers a forgotten one with a refusal that blames the password. An empty
    /// value says that the field is left out on purpose; user name and password can't be.
    ///
    /// ```
    /// use tradovate_auth_core::{Credentials, VariableError};
    ///
    /// let missing = Credentials::from_variables(|name| (name == "TRADOVATE_USERNAME").then(|| "trader".into()));
    /// let Err(VariableError::Missing { names }) = missing else { panic!() };
    /// assert_eq!(names[0], "TRADOVATE_PASSWORD");
    /// ```
    ///
    /// # Errors
    /// [`VariableError::Missing`] names all that are missing.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let mut names = Vec::new();
        let mut read = |name: &'static str, required: bool| {
            let value = lookup(name).filter(|value| !(required && value.is_empty()));
            if value.is_none() {
                names.push(name);
            }
            value.unwrap_or_default()
        };
        let mut credentials = Self::new(read("TRADOVATE_USERNAME", true), read("TRADOVATE_PASSWORD", true));
        let optional = |text: String| Some(text).filter(|text| !text.is_empty());
        credentials.app_id = optional(read("TRADOVATE_APP_ID", false));
        credentials.app_version = optional(read("TRADOVATE_APP_VERSION", false));
        credentials.client_id = optional(read("TRADOVATE_CID", false)).map(|text| ClientId::parse(&text));
        credentials.secret = optional(read("TRADOVATE_SEC", false)).map(crate::secret::ApiSecret::new);
        credentials.device_id = optional(read("TRADOVATE_DEVICE_ID", false)).map(DeviceId::new);
        if names.is_empty() { Ok(credentials) } else { Err(VariableError::Missing { names }) }
    }
}

impl Environment {
    /// Reads `TRADOVATE_API_URL` (a base URL with `/v1`, pinned), or else `TRADOVATE_ENVIRONMENT` (`demo`, `live`,
    /// `evaluation`, `staging-demo`, `staging-live`), or else takes Demo. An empty value counts as not set.
    ///
    /// # Errors
    /// [`VariableError::UnknownEnvironment`] and [`VariableError::ApiUrl`].
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let read = |name| lookup(name).filter(|value| !value.is_empty());
        if let Some(url) = read("TRADOVATE_API_URL") {
            return BaseUrl::parse(&url).map(Self::custom).map_err(VariableError::ApiUrl);
        }
        match read("TRADOVATE_ENVIRONMENT").as_deref() {
            None | Some("demo") => Ok(Self::demo()),
            Some("live") => Ok(Self::live()),
            Some("evaluation") => Ok(Self::evaluation()),
            Some("staging-demo") => Ok(Self::staging_demo()),
            Some("staging-live") => Ok(Self::staging_live()),
            Some(_) => Err(VariableError::UnknownEnvironment),
        }
    }
}

fn advice(names: &[&str]) -> &'static str {
    if names.iter().any(|name| name.ends_with("USERNAME") || name.ends_with("PASSWORD")) {
        "what the user logs in with, and leave a variable of the API key empty to send none"
    } else {
        "it as the API key's page shows it, or to an empty value to send none"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Purpose;
    use alloc::format;
    use alloc::string::ToString;

    fn table(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
    }

    const ALL: [(&str, &str); 7] = [
        ("TRADOVATE_USERNAME", "trader"),
        ("TRADOVATE_PASSWORD", "canary"),
        ("TRADOVATE_APP_ID", "Sample App"),
        ("TRADOVATE_APP_VERSION", "1.0"),
        ("TRADOVATE_CID", "8"),
        ("TRADOVATE_SEC", "canary"),
        ("TRADOVATE_DEVICE_ID", "device"),
    ];

    #[test]
    fn all_of_the_vendors_names_are_read() {
        let credentials = Credentials::from_variables(table(&ALL)).unwrap();
        assert_eq!(credentials.name(), "trader");
        assert_eq!(credentials.password.expose(), "canary");
        assert_eq!(credentials.app_id.as_deref(), Some("Sample App"));
        assert_eq!(credentials.app_version.as_deref(), Some("1.0"));
        assert_eq!(credentials.client_id, Some(ClientId::Number(8)));
        assert_eq!(credentials.secret.unwrap().expose(), "canary");
        assert_eq!(credentials.device_id, Some(DeviceId::new("device")));
    }

    #[test]
    fn each_missing_one_is_named() {
        for (missing, _) in ALL {
            let lookup = |name: &str| table(&ALL)(name).filter(|_| name != missing);
            let error = Credentials::from_variables(lookup).unwrap_err();
            assert_eq!(error, VariableError::Missing { names: alloc::vec![missing] });
            assert!(error.to_string().starts_with(&format!("not set: {missing}; set ")));
        }
    }

    #[test]
    fn an_empty_one_is_left_out_but_for_name_and_password() {
        let error = Credentials::from_variables(|_| Some(String::new())).unwrap_err();
        assert_eq!(error, VariableError::Missing { names: alloc::vec!["TRADOVATE_USERNAME", "TRADOVATE_PASSWORD"] });
        let filled = |name: &str| Some(if name.contains("RNAME") || name.contains("PASS") { "x" } else { "" }.into());
        let credentials = Credentials::from_variables(filled).unwrap();
        assert!(credentials.client_id.is_none() && credentials.secret.is_none() && credentials.device_id.is_none());
    }

    #[test]
    fn the_environment_is_a_url_or_a_name_or_demo() {
        let read = |pairs| Environment::from_variables(table(pairs));
        assert_eq!(read(&[]), Ok(Environment::demo()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "")]), Ok(Environment::demo()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "demo")]), Ok(Environment::demo()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "live")]), Ok(Environment::live()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "evaluation")]), Ok(Environment::evaluation()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "staging-demo")]), Ok(Environment::staging_demo()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "staging-live")]), Ok(Environment::staging_live()));
        assert_eq!(read(&[("TRADOVATE_ENVIRONMENT", "prod")]), Err(VariableError::UnknownEnvironment));
        let custom =
            read(&[("TRADOVATE_API_URL", "http://127.0.0.1:1/v1"), ("TRADOVATE_ENVIRONMENT", "live")]).unwrap();
        assert_eq!(custom.base_url(Purpose::Login).unwrap().to_string(), "http://127.0.0.1:1/v1");
        let error = read(&[("TRADOVATE_API_URL", "http://evil.com/v1")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TRADOVATE_API_URL: http is for this machine only, and evil.com is another: use https"
        );
    }
}
