//! Reads settings from variables with the vendor's names, through a function of the caller.
//!
//! This crate does not read the environment of the process. The transports pass a function that does. Tests pass a
//! table.

use alloc::string::String;
use alloc::vec::Vec;

use crate::credentials::{ClientId, Credentials, DeviceId};
use crate::environment::Environment;
use crate::environment::url::{BaseUrl, SecureUrl};
use crate::oauth::OAuthApp;
use crate::wire::error::BuildError;
use crate::wire::secret::{ApiSecret, ClientSecret};

/// Why settings can't be read from variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// Variables are not set.
    #[error("not set: {}; set {}", names.join(", "), advice(names))]
    Missing {
        /// The names of all missing variables.
        names: Vec<&'static str>,
    },
    /// `TRADOVATE_ENVIRONMENT` contains an unknown name.
    #[error("TRADOVATE_ENVIRONMENT must be demo, live, evaluation, staging-demo or staging-live")]
    UnknownEnvironment,
    /// A variable contains a URL that can't be used.
    #[error("{name}: {error}")]
    Url {
        /// The name of the variable.
        name: &'static str,
        /// The problem.
        error: BuildError,
    },
    /// A secret can't be read from the file that a variable names.
    #[error("{name}: {path} can't be used: {reason}")]
    File {
        /// The name of the variable, such as `TRADOVATE_PASSWORD_FILE`.
        name: &'static str,
        /// The path of the file.
        path: String,
        /// The problem, without any content of the file.
        reason: String,
    },
    /// A secret is given twice: in a variable and in a file that another variable names.
    #[error("{name} and {file_name} are both set: unset one of them")]
    Both {
        /// The variable with the secret.
        name: &'static str,
        /// The variable that names a file.
        file_name: &'static str,
    },
}

impl Credentials {
    /// Reads `TRADOVATE_USERNAME`, `TRADOVATE_PASSWORD`, `TRADOVATE_APP_ID`, `TRADOVATE_APP_VERSION`,
    /// `TRADOVATE_CID`, `TRADOVATE_SEC` and `TRADOVATE_DEVICE_ID` through `lookup`.
    ///
    /// User name and password must be set. If another variable is missing or empty, its field is not sent.
    /// `TRADOVATE_CID` and `TRADOVATE_SEC` belong together: if only one is set, this is an error, because the server's
    /// refusal would blame the password. To send only one of them on purpose, set the other variable to an empty value.
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
    /// [`VariableError::Missing`] names all missing variables.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let read = |name| lookup(name).filter(|value| !value.is_empty());
        let mut names = Vec::new();
        let mut required = |name| {
            read(name).unwrap_or_else(|| {
                names.push(name);
                String::new()
            })
        };
        let mut credentials = Self::new(required("TRADOVATE_USERNAME"), required("TRADOVATE_PASSWORD"));
        credentials.app_id = read("TRADOVATE_APP_ID");
        credentials.app_version = read("TRADOVATE_APP_VERSION");
        credentials.client_id = read("TRADOVATE_CID").map(|text| ClientId::parse(&text));
        credentials.secret = read("TRADOVATE_SEC").map(ApiSecret::new);
        credentials.device_id = read("TRADOVATE_DEVICE_ID").map(DeviceId::new);
        match (&credentials.client_id, &credentials.secret) {
            (None, Some(_)) if lookup("TRADOVATE_CID").is_none() => names.push("TRADOVATE_CID"),
            (Some(_), None) if lookup("TRADOVATE_SEC").is_none() => names.push("TRADOVATE_SEC"),
            _ => {}
        }
        if names.is_empty() { Ok(credentials) } else { Err(VariableError::Missing { names }) }
    }
}

impl OAuthApp {
    /// Reads `TRADOVATE_CLIENT_ID` and `TRADOVATE_CLIENT_SECRET` through `lookup`. Without a secret, or with an empty
    /// one, the app is a public client.
    ///
    /// # Errors
    /// [`VariableError::Missing`] if `TRADOVATE_CLIENT_ID` is not set.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let read = |name| lookup(name).filter(|value| !value.is_empty());
        let missing = || VariableError::Missing { names: alloc::vec!["TRADOVATE_CLIENT_ID"] };
        let app = Self::new(read("TRADOVATE_CLIENT_ID").ok_or_else(missing)?);
        let secret = read("TRADOVATE_CLIENT_SECRET").map(ClientSecret::new);
        Ok(secret.into_iter().fold(app, Self::with_client_secret))
    }
}

impl Environment {
    /// Reads the environment's settings through `lookup`. `TRADOVATE_API_URL` is a base URL that ends in `/v1`, and is
    /// pinned. If it is not set, `TRADOVATE_ENVIRONMENT` names a preset: `demo`, `live`, `evaluation`, `staging-demo`
    /// or `staging-live`. If neither is set, the environment is Demo. `TRADOVATE_AUTHORIZE_URL` and
    /// `TRADOVATE_TOKEN_URL` set the OAuth URLs. An empty value counts as not set. OAuth apps need another default than
    /// Demo: see [`from_variables_or`](Self::from_variables_or).
    ///
    /// # Errors
    /// [`VariableError::UnknownEnvironment`] if the preset is unknown. [`VariableError::Url`] if a URL can't be used.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        Self::from_variables_or(Self::demo(), lookup)
    }

    /// Reads the environment's settings like [`from_variables`](Self::from_variables), but with `default` instead of
    /// Demo. An OAuth app is usually registered on Live.
    ///
    /// # Errors
    /// The same as [`from_variables`](Self::from_variables).
    pub fn from_variables_or(default: Self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let read = |name| lookup(name).filter(|value| !value.is_empty());
        let mut environment = match (read("TRADOVATE_API_URL"), read("TRADOVATE_ENVIRONMENT").as_deref()) {
            (Some(url), _) => Self::custom(BaseUrl::parse(&url).map_err(because_of("TRADOVATE_API_URL"))?),
            (None, None) => default,
            (None, Some("demo")) => Self::demo(),
            (None, Some("live")) => Self::live(),
            (None, Some("evaluation")) => Self::evaluation(),
            (None, Some("staging-demo")) => Self::staging_demo(),
            (None, Some("staging-live")) => Self::staging_live(),
            (None, Some(_)) => return Err(VariableError::UnknownEnvironment),
        };
        let url = |name| read(name).map(|url| SecureUrl::parse(&url).map_err(because_of(name))).transpose();
        if let Some(url) = url("TRADOVATE_AUTHORIZE_URL")? {
            environment = environment.with_authorize_url(url);
        }
        if let Some(url) = url("TRADOVATE_TOKEN_URL")? {
            environment = environment.with_token_url(url);
        }
        Ok(environment)
    }
}

fn because_of(name: &'static str) -> impl Fn(BuildError) -> VariableError {
    move |error| VariableError::Url { name, error }
}

fn advice(names: &[&str]) -> &'static str {
    if names.contains(&"TRADOVATE_CLIENT_ID") {
        "it as the page of the app's registration shows it"
    } else if names.iter().any(|name| name.ends_with("USERNAME") || name.ends_with("PASSWORD")) {
        "what the user logs in with"
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
    fn every_variable_of_the_vendor_is_read() {
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
    fn each_missing_variable_is_named_or_its_field_is_not_sent() {
        for (missing, _) in ALL {
            let lookup = |name: &str| table(&ALL)(name).filter(|_| name != missing);
            let error = match Credentials::from_variables(lookup) {
                Err(error) => error,
                Ok(credentials) => {
                    assert!(["APP_ID", "APP_VERSION", "DEVICE_ID"].iter().any(|name| missing.ends_with(name)));
                    let sent = [credentials.app_id, credentials.app_version];
                    let device = credentials.device_id.map(|device| device.as_str().into());
                    assert_eq!(sent.into_iter().chain([device]).flatten().count(), 2, "{missing}");
                    continue;
                }
            };
            assert_eq!(error, VariableError::Missing { names: alloc::vec![missing] });
            assert!(error.to_string().starts_with(&format!("not set: {missing}; set ")));
            let is_the_users = ["TRADOVATE_USERNAME", "TRADOVATE_PASSWORD"].contains(&missing);
            assert_eq!(error.to_string().ends_with("; set what the user logs in with"), is_the_users, "{error}");
            assert_eq!(error.to_string().ends_with("or to an empty value to send none"), !is_the_users, "{error}");
        }
    }

    #[test]
    fn credentials_need_only_the_variables_of_name_and_password() {
        let pairs = &[("TRADOVATE_USERNAME", "trader"), ("TRADOVATE_PASSWORD", "canary")];
        let credentials = Credentials::from_variables(table(pairs)).unwrap();
        assert!(credentials.app_id.is_none() && credentials.app_version.is_none() && credentials.device_id.is_none());
        assert!(credentials.client_id.is_none() && credentials.secret.is_none());
        for (half, other) in [("TRADOVATE_CID", "TRADOVATE_SEC"), ("TRADOVATE_SEC", "TRADOVATE_CID")] {
            let set = |name: &str| table(pairs)(name).or((name == half).then(|| "8".into()));
            let error = Credentials::from_variables(set).unwrap_err();
            assert_eq!(error, VariableError::Missing { names: alloc::vec![other] });
            // An empty value says that the field is omitted on purpose.
            let empty = |name: &str| set(name).or((name == other).then(String::new));
            assert!(Credentials::from_variables(empty).is_ok(), "{half}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set_except_name_and_password() {
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
        for (name, environment) in [
            ("", Ok(Environment::demo())),
            ("demo", Ok(Environment::demo())),
            ("live", Ok(Environment::live())),
            ("evaluation", Ok(Environment::evaluation())),
            ("staging-demo", Ok(Environment::staging_demo())),
            ("staging-live", Ok(Environment::staging_live())),
            ("prod", Err(VariableError::UnknownEnvironment)),
        ] {
            let lookup = |variable: &str| (variable == "TRADOVATE_ENVIRONMENT").then(|| name.into());
            assert_eq!(Environment::from_variables(lookup), environment, "{name}");
        }
        let custom =
            read(&[("TRADOVATE_API_URL", "http://127.0.0.1:1/v1"), ("TRADOVATE_ENVIRONMENT", "live")]).unwrap();
        assert_eq!(custom.base_url(Purpose::Login).unwrap().to_string(), "http://127.0.0.1:1/v1");
        let error = read(&[("TRADOVATE_API_URL", "http://evil.com/v1")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TRADOVATE_API_URL: http is allowed only to this machine, and evil.com is another one: use https"
        );
        let default = |pairs| Environment::from_variables_or(Environment::live(), table(pairs));
        assert_eq!(default(&[]), Ok(Environment::live()));
        assert_eq!(default(&[("TRADOVATE_ENVIRONMENT", "demo")]), Ok(Environment::demo()));
    }

    #[test]
    fn the_oauth_urls_can_be_set_separately() {
        const URL: &str = "https://web.ninjatrader.com/oauth?env=demo";
        let read = |pairs| Environment::from_variables(table(pairs));
        let url = SecureUrl::parse(URL).unwrap();
        let authorized = Environment::demo().with_authorize_url(url.clone());
        assert_eq!(read(&[("TRADOVATE_AUTHORIZE_URL", URL)]), Ok(authorized));
        let table = &[("TRADOVATE_ENVIRONMENT", "live"), ("TRADOVATE_TOKEN_URL", URL), ("TRADOVATE_AUTHORIZE_URL", "")];
        assert_eq!(read(table), Ok(Environment::live().with_token_url(url)));
        for (name, pairs) in [
            ("TRADOVATE_AUTHORIZE_URL", &[("TRADOVATE_AUTHORIZE_URL", "http://evil.com/")]),
            ("TRADOVATE_TOKEN_URL", &[("TRADOVATE_TOKEN_URL", "http://evil.com/")]),
        ] {
            assert!(matches!(read(pairs), Err(VariableError::Url { name: named, .. }) if named == name), "{name}");
        }
    }

    #[test]
    fn an_app_is_public_unless_it_has_a_secret() {
        let read = |pairs| OAuthApp::from_variables(table(pairs));
        let public = read(&[("TRADOVATE_CLIENT_ID", "app"), ("TRADOVATE_CLIENT_SECRET", "")]).unwrap();
        assert_eq!((public.client_id(), public.0.client_secret.is_none()), ("app", true));
        let confidential = read(&[("TRADOVATE_CLIENT_ID", "app"), ("TRADOVATE_CLIENT_SECRET", "canary")]).unwrap();
        assert_eq!(confidential.0.client_secret.as_ref().unwrap().expose(), "canary");
        assert_eq!(
            read(&[("TRADOVATE_CLIENT_ID", "")]).unwrap_err().to_string(),
            "not set: TRADOVATE_CLIENT_ID; set it as the page of the app's registration shows it"
        );
    }
}
