//! Settings from the variables of the process, by the vendor's names.

use tradovate_auth_core::{Credentials, Environment, OAuthApp, VariableError};

/// Reads who logs in, and on which hosts, from the variables of the process: see [`Environment::from_variables`] and
/// [`Credentials::from_variables`].
///
/// ```
/// use tradovate_auth_core::VariableError;
/// use tradovate_auth_token_source::from_env;
///
/// match from_env() {
///     Ok((_environment, credentials)) => println!("{} logs in", credentials.name()),
///     Err(VariableError::Missing { names }) => println!("not set: {names:?}"),
///     Err(other) => println!("{other}"),
/// }
/// ```
///
/// # Errors
/// [`VariableError`] names the variables that are missing, or the one that can't be used.
pub fn from_env() -> Result<(Environment, Credentials), VariableError> {
    Ok((Environment::from_variables(variable)?, Credentials::from_variables(variable)?))
}

/// Reads an OAuth app and its hosts from the variables of the process: see [`OAuthApp::from_variables`] and
/// [`Environment::from_variables_or`]. The default is Live, since most apps are registered there.
///
/// # Errors
/// [`VariableError`] names the variable that is missing or can't be used.
pub fn app_from_env() -> Result<(Environment, OAuthApp), VariableError> {
    Ok((Environment::from_variables_or(Environment::live(), variable)?, OAuthApp::from_variables(variable)?))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
