//! What a client needs to log in to the server. Only this file uses types of the client crates.

use std::{io, net::SocketAddr};

use tradovate_auth_core::{BaseUrl, ClientId, Credentials, DeviceId, Environment, SecureUrl};

use super::{Server, authorize_url, base_url};
use crate::{registration::App, user::User};

/// The environment of a server, and credentials that it accepts.
pub(super) struct Client {
    environment: Environment,
    credentials: Credentials,
}

impl Client {
    pub(super) fn new(address: SocketAddr, users: &[User], apps: &[App]) -> io::Result<Self> {
        let base = BaseUrl::parse(&base_url(address)).map_err(io::Error::other)?;
        let authorize = SecureUrl::parse(&authorize_url(address)).map_err(io::Error::other)?;
        let (Some(user), Some(app)) = (users.first(), apps.first()) else {
            return Err(io::Error::other("no user or no API key is registered"));
        };
        let credentials = Credentials::new(&user.name, user.password.expose())
            .with_app(&app.app_id, "1.0")
            .with_api_key(ClientId::parse(&app.cid), app.sec.expose())
            .with_device_id(DeviceId::new("synthetic-device"));
        Ok(Self { environment: Environment::custom(base).with_authorize_url(authorize), credentials })
    }
}

/// For a client in the same program.
impl Server {
    /// The environment of this server: a custom one with [`base_url`](Self::base_url) and
    /// [`authorize_url`](Self::authorize_url).
    pub fn environment(&self) -> Environment {
        self.client.environment.clone()
    }

    /// Credentials that the server accepts: the first registered user and the first registered API key.
    pub fn credentials(&self) -> Credentials {
        self.client.credentials.clone()
    }
}
