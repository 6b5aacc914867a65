//! [`Credentials`]: name, password, API key and device for a login (page *Access*).
//!
//! Values are stored as given. They are checked when a request is built. `Debug` does not print the secrets.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use hmac_sha256::Hash as Sha256;

use crate::wire::secret::{ApiSecret, Password, redacted};

/// The fields of a login: user name, password, app, API key and device.
///
/// ```
/// use tradovate_auth_core::{ClientId, Credentials, DeviceId};
///
/// let credentials = Credentials::new("trader", "password")
///     .with_app("Sample App", "1.0")
///     .with_api_key(ClientId::Number(8), "api-secret")
///     .with_device_id(DeviceId::derive(["machine-id", "sample-app"]));
/// assert!(!format!("{credentials:?}").contains("password\""));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Credentials {
    pub(crate) name: String,
    pub(crate) password: Password,
    pub(crate) app_id: Option<String>,
    pub(crate) app_version: Option<String>,
    pub(crate) device_id: Option<DeviceId>,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) secret: Option<ApiSecret>,
    pub(crate) hibp_check: Option<bool>,
    pub(crate) extra: Vec<(String, FieldValue)>,
}

impl Credentials {
    /// Creates credentials from a user name (`name`) and a password, each of at most 64 characters.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: Password::new(password),
            app_id: None,
            app_version: None,
            device_id: None,
            client_id: None,
            secret: None,
            hibp_check: None,
            extra: Vec::new(),
        }
    }

    /// Sets the name of the API key or app (`appId`) and its version (`appVersion`), each of at most 64 characters.
    pub fn with_app(mut self, app_id: impl Into<String>, app_version: impl Into<String>) -> Self {
        self.app_id = Some(app_id.into());
        self.app_version = Some(app_version.into());
        self
    }

    /// Sets the API key: its id (`cid`) and its secret (`sec`, at most 8192 characters).
    pub fn with_api_key(mut self, client_id: ClientId, secret: impl Into<String>) -> Self {
        self.client_id = Some(client_id);
        self.secret = Some(ApiSecret::new(secret));
        self
    }

    /// Sets the device id (`deviceId`). Use the same one for every login: if it changes, Live answers API calls with
    /// 401.
    pub fn with_device_id(mut self, device_id: DeviceId) -> Self {
        self.device_id = Some(device_id);
        self
    }

    /// Sets whether the server checks the password for known breaches (`hibpCheck`). The result is in
    /// [`hibp_hint`](crate::AccessTokenResponse::hibp_hint).
    pub fn with_hibp_check(mut self, check: bool) -> Self {
        self.hibp_check = Some(check);
        self
    }

    /// Adds a field of your own to the login, such as `organization`, which the vendor's web client sends empty. A
    /// field that has a setting here can't be added: the request is then not built
    /// ([`BuildError::ReservedField`](crate::BuildError::ReservedField)).
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<FieldValue>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// The user name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The id of an API key (`cid`). The vendor's examples send a number, some integrators send text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
//= R-LOGIN-4
pub enum ClientId {
    /// Sent as a JSON number.
    Number(u64),
    /// Sent as a JSON string of at most 64 characters.
    Text(String),
}

impl ClientId {
    /// Parses an id: a [`Number`](Self::Number) if the text is a `u64` in its usual decimal form, otherwise a
    /// [`Text`](Self::Text).
    ///
    /// ```
    /// use tradovate_auth_core::ClientId;
    ///
    /// assert_eq!(ClientId::parse("8"), ClientId::Number(8));
    /// assert_eq!(ClientId::parse("008"), ClientId::Text("008".into()));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }
}

impl From<u64> for ClientId {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// The id of a device (`deviceId`): unique to the device, always the same, at most 64 characters.
///
/// ```
/// use tradovate_auth_core::DeviceId;
///
/// let id = DeviceId::derive(["machine-id", "sample-app"]);
/// assert_eq!(id, DeviceId::derive(["machine-id", "sample-app"]));
/// assert_eq!(id.as_str().len(), 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Creates an id from a text that you have stored.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Derives an id from parts that do not change, such as a machine id and the program's name. The id is the SHA-256
    /// of the parts in 64 hexadecimal characters, so it does not show the parts. The boundaries between the parts
    /// count: `["ab", "c"]` and `["a", "bc"]` give different ids.
    #[must_use]
    //= R-LOGIN-5
    pub fn derive<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        Self(hash_of(parts))
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of parts and their boundaries, in 64 hexadecimal characters.
pub fn hash_of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    alloc::format!("{:x}", Bytes::copy_from_slice(&hash.finalize()))
}

/// A hash of the fields of a login, without the values that could be secrets. A stored hash of a secret would help to
/// guess it.
#[must_use]
pub fn login_hash(credentials: &Credentials) -> String {
    let device_id = credentials.device_id.as_ref().map(DeviceId::as_str);
    let client_id = credentials.client_id.as_ref().map(|id| alloc::format!("{id:?}"));
    let hibp_check = credentials.hibp_check.map(|check| alloc::format!("{check}"));
    let texts = [
        Some(credentials.name.as_str()),
        credentials.app_id.as_deref(),
        credentials.app_version.as_deref(),
        device_id,
        client_id.as_deref(),
        hibp_check.as_deref(),
    ];
    let fields = credentials.extra.iter().map(|(name, _)| name.as_str());
    hash_of(texts.into_iter().map(Option::unwrap_or_default).chain(fields))
}

/// The value of a field that the caller adds to a login. It may be a secret, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A JSON string of at most 8192 characters.
    Text(String),
    /// A JSON number.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
}

redacted!(FieldValue);

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for FieldValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for FieldValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R-LOGIN-5
    #[test]
    fn a_derived_device_id_is_the_sha_256_of_its_delimited_parts() {
        assert_eq!(
            DeviceId::derive([] as [&str; 0]).as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(DeviceId::derive(["ab", "c"]), DeviceId::derive(["a", "bc"]));
    }

    #[test]
    fn the_hash_of_a_login_depends_on_the_user_and_not_on_the_password() {
        let hash = |user, password| login_hash(&Credentials::new(user, password));
        let plain = hash("trader", "password");
        assert_eq!(plain.len(), 64);
        assert_eq!(plain, hash("trader", "another"));
        assert_ne!(plain, hash("another", "password"));
    }
}
