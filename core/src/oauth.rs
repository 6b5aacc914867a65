//! The login in the user's browser (page *OAuth*; RFC 6749, 7636 and 8252): the URL to open, the state to keep
//! meanwhile, and the redirect that contains a code.
//!
//! Random bytes come in as [`Entropy`], and the browser's answer as text. Only the [`PendingAuthorization`] of the same
//! login can read the code from the answer. The code is bound to its redirect URI and its PKCE verifier.
//!
//! ```text
//!   OAuthApp ──► AuthorizationRequest ──► begin ──┬──► AuthorizationUrl ────► the user's browser
//!                                                 └──► PendingAuthorization        │ allows, denies
//!                                                         │ ▲                      ▼
//!                      StoredAuthorization ◄── snapshot ──┘ └── redirected ◄── redirect URI
//!                                                                   │
//!   Login::code, or OAuthApp::exchange        ◄── AuthorizedCode ◄──┘
//! ```

mod app;
mod authorization_request;
mod entropy;
mod pending_authorization;
mod pkce;
mod redirect;
mod redirect_uri;
mod stored_authorization;

pub use app::OAuthApp;
pub use authorization_request::{AuthorizationRequest, AuthorizationUrl};
pub use entropy::Entropy;
pub use pending_authorization::PendingAuthorization;
pub use redirect::{Denial, DenialKind, RedirectError};
pub use stored_authorization::StoredAuthorization;
