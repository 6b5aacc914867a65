//! Settings from the variables of the process: the vendor's own names, for programs that are configured that way.

use tradovate_auth_core::{Credentials, Environment, OAuthApp, VariableError};

/// What can be read from the variables of the process.
///
/// ```
/// use tradovate_auth_core::{Credentials, VariableError};
/// use tradovate_auth_token_source::FromEnv;
///
/// match Credentials::from_env() {
///     Ok(credentials) => println!("{} logs in", credentials.name()),
///     Err(VariableError::Missing { names }) => println!("not set: {names:?}"),
///     Err(other) => println!("{other}"),
/// }
/// ```
pub trait FromEnv: Sized {
    /// Reads it. Which variables, see [`Credentials::from_variables`], [`OAuthApp::from_variables`] and
    /// [`Environment::from_variables`].
    ///
    /// # Errors
    /// [`VariableError`] names what is missing or can't be used.
    fn from_env() -> Result<Self, VariableError>;
}

impl FromEnv for Credentials {
    fn from_env() -> Result<Self, VariableError> {
        Self::from_variables(variable)
    }
}

impl FromEnv for Environment {
    fn from_env() -> Result<Self, VariableError> {
        Self::from_variables(variable)
    }
}

impl FromEnv for OAuthApp {
    fn from_env() -> Result<Self, VariableError> {
        Self::from_variables(variable)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
