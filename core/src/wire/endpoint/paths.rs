//! The paths of the operations. They follow the base URL.

//= R-ENV-4
pub(crate) const ACCESS_TOKEN_REQUEST: &str = "/auth/accesstokenrequest";
pub(crate) const RENEW_ACCESS_TOKEN: &str = "/auth/renewaccesstoken";
pub(crate) const OAUTH_TOKEN: &str = "/auth/oauthtoken";
pub(crate) const ME: &str = "/auth/me";

/// All paths.
pub(crate) const ALL: [&str; 4] = [ACCESS_TOKEN_REQUEST, RENEW_ACCESS_TOKEN, OAUTH_TOKEN, ME];
