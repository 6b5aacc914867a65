//! [`SessionName`]: the name under which a session is stored.

use std::fmt::{self, Write as _};

use hmac_sha256::Hash as Sha256;
use tradovate_auth_core::{Credentials, Environment, Purpose};

/// The name of a session in a store. All processes that use the same name share a login.
///
/// It is not secret. It consists of letters, digits, `.`, `-` and `_`, so that it can be part of a file name or a key.
///
/// ```
/// use tradovate_auth_core::{Credentials, Environment};
/// use tradovate_auth_store::SessionName;
///
/// let name = SessionName::of_user(&Environment::demo(), &Credentials::new("trader@example", "password"));
/// assert!(name.as_str().starts_with("demo.tradovateapi.com-trader_example-"));
/// assert_eq!(SessionName::new("my app", "user 7").as_str().split('-').next(), Some("my_app"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionName(String);

/// How many characters of each part are visible in the name.
const SHOWN: usize = 40;

impl SessionName {
    /// Creates a name from two parts: what the login is for (`realm`), such as an app, and who logs in (`user`), such
    /// as your own key of a user.
    #[must_use]
    pub fn new(realm: &str, user: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [realm, user] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut name = format!("{}-{}-", shown(realm), shown(user));
        for byte in hash.finalize().iter().take(16) {
            let _ = write!(name, "{byte:02x}");
        }
        Self(name)
    }

    /// Creates the name of a user's session from the login host and the user name.
    #[must_use]
    pub fn of_user(environment: &Environment, credentials: &Credentials) -> Self {
        let base = environment.base_url(Purpose::Login).and_then(|base| base.as_uri().authority());
        Self::new(base.map_or("", |authority| authority.as_str()), credentials.name())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn shown(part: &str) -> String {
    let safe =
        |character: char| if character.is_ascii_alphanumeric() || ".-".contains(character) { character } else { '_' };
    part.chars().take(SHOWN).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_with_different_parts_differ() {
        let names = [("a", "b"), ("ab", ""), ("", "ab"), ("a", "c"), ("a", "B"), ("a b", "c"), ("a_b", "c")];
        for (index, (realm, user)) in names.iter().enumerate() {
            for (other_realm, other_user) in &names[..index] {
                assert_ne!(SessionName::new(realm, user), SessionName::new(other_realm, other_user));
            }
        }
    }

    #[test]
    fn a_session_name_is_safe_in_a_path_whatever_its_parts_contain() {
        let name = SessionName::new("../../etc", &"ö/\\\0\n".repeat(100));
        assert!(name.as_str().chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character)));
        assert!(name.as_str().len() < 120);
    }
}
