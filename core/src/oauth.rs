//! The login in the user's browser (page *OAuth*; RFC 6749, 7636 and 8252): the page to send it to, what is kept
//! meanwhile, and the redirect that brings a code.
//!
//! Randomness comes in as [`Entropy`], the browser's answer as text. A code leaves only through the
//! [`PendingAuthorization`] that has asked for it, bound to its redirect URI and its PKCE verifier.
//!
//! ```text
//!   OAuthApp ──► AuthorizationRequest ──► begin ──┬──► AuthorizationUrl ────► the user's browser
//!                                                 └──► PendingAuthorization        │ allows, denies
//!                                                         │ ▲                      ▼
//!                      StoredAuthorization ◄── snapshot ──┘ └── redirected ◄── redirect URI
//!                                                                   │
//!   Login::code, or OAuthApp::exchange        ◄── AuthorizedCode ◄──┘
//! ```

mod address;
mod app;
mod authorization_request;
mod entropy;
mod pending;
mod pkce;
mod redirect;
mod stored_authorization;

pub use app::OAuthApp;
pub use authorization_request::{AuthorizationRequest, AuthorizationUrl};
pub use entropy::Entropy;
pub use pending::PendingAuthorization;
pub use redirect::{Denial, DenialKind, RedirectError};
pub use stored_authorization::StoredAuthorization;
