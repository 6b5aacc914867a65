//! [`fixed`]: the login of a source with one token that never changes, for tests of programs that use a source.

use jiff::Timestamp;
use tradovate_auth_core::{AccessToken, Exchange, Grant, OAuthApp};
use tradovate_auth_session::Login;

use crate::settings::Settings;

/// Returns the login of a source that hands out only `token`, and changes the settings so that the source sends
/// nothing.
pub fn fixed(token: AccessToken, settings: &mut Settings) -> Login {
    let now = settings.clock.now();
    let times = Exchange { sent: now, received: now, server_time: None };
    let grant = Grant::new(token, Timestamp::MAX, times);
    settings.is_fixed = true;
    Login::grant(OAuthApp::new("fixed"), grant)
}
