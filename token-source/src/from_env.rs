//! Settings from environment variables with the vendor's names, and secrets from files that such variables name.

use std::fs::File;
use std::io::Read as _;

use tradovate_auth_core::{Credentials, Environment, OAuthApp, VariableError};
use zeroize::Zeroizing;

/// The variables with a secret, and the variables that name a file with the secret. Container systems provide such
/// files.
const PASSWORD: (&str, &str) = ("TRADOVATE_PASSWORD", "TRADOVATE_PASSWORD_FILE");
const API_SECRET: (&str, &str) = ("TRADOVATE_SEC", "TRADOVATE_SEC_FILE");
const CLIENT_SECRET: (&str, &str) = ("TRADOVATE_CLIENT_SECRET", "TRADOVATE_CLIENT_SECRET_FILE");

/// The longest secret, in bytes. The limit also ends the reading of a device such as `/dev/zero`.
const LONGEST: u64 = 64 * 1024;

/// Reads credentials and environment from the variables of the process: see [`Environment::from_variables`] and
/// [`Credentials::from_variables`].
///
/// `TRADOVATE_PASSWORD_FILE` and `TRADOVATE_SEC_FILE` name files with the secret. Use each of them instead of the
/// variable without `_FILE`, not together with it. One newline at the end of the file is not part of the secret.
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
/// [`VariableError`] names the missing variables, or the variable that can't be used.
pub fn from_env() -> Result<(Environment, Credentials), VariableError> {
    read(variable)
}

/// Reads an OAuth app and its environment from the variables of the process: see [`OAuthApp::from_variables`] and
/// [`Environment::from_variables_or`].
///
/// The default environment is Live, because most apps are registered there. `TRADOVATE_CLIENT_SECRET_FILE` names a file
/// with the secret. Use it instead of `TRADOVATE_CLIENT_SECRET`.
///
/// # Errors
/// [`VariableError`] names the variable that is missing or can't be used.
pub fn app_from_env() -> Result<(Environment, OAuthApp), VariableError> {
    read_app(variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<(Environment, Credentials), VariableError> {
    let (password, secret) = (secret(PASSWORD, &lookup)?, secret(API_SECRET, &lookup)?);
    let credentials = Credentials::from_variables(|name| match name {
        "TRADOVATE_PASSWORD" => password.as_deref().cloned(),
        "TRADOVATE_SEC" => secret.as_deref().cloned(),
        _ => lookup(name),
    })?;
    Ok((Environment::from_variables(&lookup)?, credentials))
}

fn read_app(lookup: impl Fn(&str) -> Option<String>) -> Result<(Environment, OAuthApp), VariableError> {
    let secret = secret(CLIENT_SECRET, &lookup)?;
    let app = OAuthApp::from_variables(|name| match name {
        "TRADOVATE_CLIENT_SECRET" => secret.as_deref().cloned(),
        _ => lookup(name),
    })?;
    Ok((Environment::from_variables_or(Environment::live(), &lookup)?, app))
}

/// The value of a variable, or the content of the file that the other variable names. An empty value counts as not set
/// if the other variable is set.
fn secret(
    (name, file_name): (&'static str, &'static str),
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Zeroizing<String>>, VariableError> {
    let value = lookup(name).map(Zeroizing::new);
    let Some(path) = lookup(file_name).filter(|path| !path.is_empty()) else { return Ok(value) };
    if value.is_some_and(|value| !value.is_empty()) {
        return Err(VariableError::Both { name, file_name });
    }
    let unusable = |reason: String| VariableError::File { name: file_name, path: path.clone(), reason };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    file.map_err(|error| unusable(error.to_string()))?;
    if let Some(line) = text.strip_suffix('\n') {
        let end = line.strip_suffix('\r').unwrap_or(line).len();
        text.truncate(end);
    }
    if text.is_empty() { Err(unusable("it is empty".into())) } else { Ok(Some(text)) }
}

#[cfg(test)]
mod tests;
