//! TLS by rustls with the cryptography of `ring`. `ureq` uses `ring` too, so a program builds only one provider.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use tradovate_auth_core::{CallError, Failure};

/// The longest time for connecting. If this time is over, nothing was sent. A server that is connected but silent may
/// have handled the request.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// Creates a builder of an HTTP client with the TLS that [`Client::new`](crate::Client::new) uses: `ring`, the root
/// certificates of `webpki-roots`, HTTP/1.1, and at most ten seconds for connecting.
///
/// Use it for the client of your own API calls. Or add a proxy, a resolver or headers, and give it to
/// [`Client::with_builder`](crate::Client::with_builder).
///
/// reqwest ignores all of its TLS settings on this builder, among them `tls_certs_only`, `tls_certs_merge`, `identity`
/// and TLS versions. To use these settings, start with `ClientBuilder::new()`: see
/// [`Client::with_builder`](crate::Client::with_builder).
///
/// # Errors
/// [`CallError::Io`] if TLS can't be set up.
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

/// Makes `ring` the default provider of this process if it has none. For a builder without a rustls configuration,
/// reqwest uses the default provider, and panics if there is none.
pub(crate) fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have installed a provider in the meantime. Then that one is used.
        let _ = ring::default_provider().install_default();
    }
}
