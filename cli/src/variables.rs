//! The environment variables, and the stored variables of the last login.
//!
//! The name of each variable with `_FILE` can name a file that contains the value. A login stores the variables that it
//! used in the directory of the store, except for secrets. A process without such variables uses the stored ones, so
//! `tradovate-auth token` needs no variables afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::{env, fs, io};

use zeroize::Zeroizing;

use crate::Failure;

pub(crate) const USERNAME: &str = "TRADOVATE_USERNAME";
pub(crate) const PASSWORD: &str = "TRADOVATE_PASSWORD";
pub(crate) const SEC: &str = "TRADOVATE_SEC";
pub(crate) const CLIENT_ID: &str = "TRADOVATE_CLIENT_ID";
pub(crate) const CLIENT_SECRET: &str = "TRADOVATE_CLIENT_SECRET";
pub(crate) const STORE: &str = "TRADOVATE_STORE";
pub(crate) const SEALING_KEY: &str = "TRADOVATE_SEALING_KEY";
pub(crate) const REDIRECT_HOST: &str = "TRADOVATE_REDIRECT_HOST";
pub(crate) const REDIRECT_PORT: &str = "TRADOVATE_REDIRECT_PORT";

/// Variables that say who logs in and where. If one of them is set, the last login is not used.
const IDENTITY: [&str; 6] = [
    USERNAME,
    CLIENT_ID,
    "TRADOVATE_ENVIRONMENT",
    "TRADOVATE_API_URL",
    "TRADOVATE_AUTHORIZE_URL",
    "TRADOVATE_TOKEN_URL",
];

/// Variables of the API key, which a login also stores.
const API_KEY: [&str; 4] = ["TRADOVATE_APP_ID", "TRADOVATE_APP_VERSION", "TRADOVATE_CID", "TRADOVATE_DEVICE_ID"];

const OTHERS: [&str; 7] = [PASSWORD, SEC, CLIENT_SECRET, STORE, SEALING_KEY, REDIRECT_HOST, REDIRECT_PORT];

/// The name of the file with the variables of the last login, in the directory of the store.
const LAST_LOGIN: &str = "last-login.json";

#[derive(Default)]
pub(crate) struct Variables(BTreeMap<&'static str, Zeroizing<String>>);

impl Variables {
    /// Reads the environment variables, and the files that they name.
    pub(crate) fn read() -> Result<Self, Failure> {
        Self::read_from(|name| env::var_os(name))
    }

    fn read_from(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let mut variables = Self::default();
        for name in IDENTITY.into_iter().chain(API_KEY).chain(OTHERS) {
            let file = format!("{name}_FILE");
            let path = lookup(&file).filter(|path| !path.is_empty());
            match (lookup(name).and_then(|value| value.into_string().ok()), path) {
                (Some(value), Some(_)) if !value.is_empty() => {
                    return Err(format!("{name} and {file} are both set: unset one of them").into());
                }
                (_, Some(path)) => {
                    let value = read_file(Path::new(&path)).map_err(|error| format!("{file}: {error}"))?;
                    variables.set(name, value);
                }
                (Some(value), None) => variables.set(name, value),
                (None, None) => {}
            }
        }
        Ok(variables)
    }

    /// Adds the variables of the last login, unless the environment says who logs in or where.
    pub(crate) fn add_last_login(&mut self, directory: &Path) -> Result<(), Failure> {
        if IDENTITY.iter().any(|name| self.is_given(name)) {
            return Ok(());
        }
        let path = directory.join(LAST_LOGIN);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("can't read {}: {error}", path.display()).into()),
        };
        let stored: BTreeMap<String, String> = serde_json::from_str(&text)
            .map_err(|_| format!("{} is damaged: remove it and log in again", path.display()))?;
        for name in IDENTITY.into_iter().chain(API_KEY).chain([SEC, CLIENT_SECRET]) {
            if let (None, Some(value)) = (self.0.get(name), stored.get(name)) {
                self.set(name, value.clone());
            }
        }
        Ok(())
    }

    /// Stores the variables that a login used. Of a secret, it stores only that it was not set.
    pub(crate) fn store_login(&self, directory: &Path, is_app: bool) -> io::Result<()> {
        let (unused, secret) = if is_app { (USERNAME, CLIENT_SECRET) } else { (CLIENT_ID, SEC) };
        let names = IDENTITY.into_iter().filter(|name| *name != unused);
        let mut used: BTreeMap<_, _> =
            names.chain(API_KEY).map(|name| (name, self.get(name).unwrap_or_default())).collect();
        if !self.is_given(secret) {
            used.insert(secret, String::new());
        }
        let text = serde_json::to_vec_pretty(&used)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?; // only this user can read it
        file.write_all(&text)?;
        file.persist(directory.join(LAST_LOGIN))?;
        Ok(())
    }

    pub(crate) fn remove_login(directory: &Path) -> io::Result<()> {
        fs::remove_file(directory.join(LAST_LOGIN)).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// The value of a variable; it may be empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.as_str().to_owned())
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.0.insert(name, Zeroizing::new(value));
    }
}

/// The text of a file without the newline at its end.
fn read_file(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let text = Zeroizing::new(text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Variables, String> {
        let lookup = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Variables::read_from(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_names_the_value_of_a_variable_that_is_not_set_or_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        fs::write(&path, "from the file\r\n").unwrap();
        let file = ("TRADOVATE_PASSWORD_FILE", path.to_str().unwrap());
        let password = |environment: &[_]| read(environment).map(|variables| variables.get(PASSWORD));
        for environment in [&[file][..], &[file, (PASSWORD, "")]] {
            assert_eq!(password(environment), Ok(Some("from the file".into())));
        }
        for environment in [&[(PASSWORD, "direct")][..], &[(PASSWORD, "direct"), ("TRADOVATE_PASSWORD_FILE", "")]] {
            assert_eq!(password(environment), Ok(Some("direct".into())));
        }
        let error = password(&[file, (PASSWORD, "direct")]).unwrap_err();
        assert_eq!(error, "TRADOVATE_PASSWORD and TRADOVATE_PASSWORD_FILE are both set: unset one of them");
    }

    #[test]
    fn the_last_login_is_used_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let last_user = || {
            let mut variables = Variables::default();
            variables.add_last_login(directory.path()).map_err(|error| error.to_string())?;
            Ok::<_, String>(variables.given(USERNAME))
        };
        assert_eq!(last_user(), Ok(None));
        read(&[(USERNAME, "trader")]).unwrap().store_login(directory.path(), false).unwrap();
        assert_eq!(last_user(), Ok(Some("trader".into())));
        Variables::remove_login(directory.path()).unwrap();
        Variables::remove_login(directory.path()).unwrap();
        assert_eq!(last_user(), Ok(None));
    }

    #[test]
    fn a_last_login_that_can_not_be_read_or_removed_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LAST_LOGIN);
        let error = || Variables::default().add_last_login(directory.path()).unwrap_err().to_string();
        fs::write(&path, "damaged").unwrap();
        assert!(error().ends_with("is damaged: remove it and log in again"), "{}", error());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(error().starts_with("can't read "), "{}", error());
        Variables::remove_login(directory.path()).unwrap_err();
    }
}
