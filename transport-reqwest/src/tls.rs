//! TLS: rustls with the cryptography of `ring`, the same as that of `ureq`, so that a program builds only one provider.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use tradovate_auth_core::{CallError, Failure};

/// Connecting takes no longer than this. A host that can't be reached in this time got nothing, so the call can be told
/// from one that a silent server may have handled.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// A builder of an HTTP client with the TLS that [`Client::new`](crate::Client::new) uses: `ring`, the root certificates
/// of `webpki-roots`, HTTP/1.1, and ten seconds for connecting. Use it for the client of your own API calls, or add a proxy, a resolver or headers
/// to it and give it to [`Client::with_builder`](crate::Client::with_builder).
///
/// reqwest ignores all its TLS settings on this builder: `tls_certs_only`, `tls_certs_merge`, `identity` and versions of
/// TLS among them. To set these, begin with `ClientBuilder::new()`; see
/// [`Client::with_builder`](crate::Client::with_builder).
///
/// # Errors
/// [`CallError::Io`] when TLS can't be set up.
///
/// ```
/// let http = tradovate_auth_reqwest::http_client_builder()?.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn http_client_builder() -> Result<ClientBuilder, CallError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| CallError::io(Failure::NotSent, "any host", error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(ClientBuilder::new().connect_timeout(LONGEST_CONNECT).tls_backend_preconfigured(config))
}

/// Makes `ring` the provider of this process if it has none. reqwest asks for the one of the process when a builder
/// brings no configuration of rustls, and panics if there is none.
pub(crate) fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have installed one since. Then there is one.
        let _ = ring::default_provider().install_default();
    }
}
