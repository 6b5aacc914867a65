//! The domains of the vendor. An answer can redirect a request only to hosts of these domains.

/// The domains of the vendor. Each includes all its subdomains.
//= R-HOST-6
const TRUSTED_DOMAINS: [&str; 4] = ["tradovateapi.com", "tradovate.com", "ninjatrader.com", "ninjatrader.dev"];

/// Whether `host` belongs to the vendor: one of four domains or a subdomain of one. Requests are redirected only to
/// such hosts.
///
/// ```
/// use tradovate_auth_core::is_trusted_host;
///
/// assert!(is_trusted_host("acme-demo.eval.ninjatrader.com"));
/// assert!(!is_trusted_host("ninjatrader.com.example.org"));
/// ```
#[must_use]
pub fn is_trusted_host(host: &str) -> bool {
    TRUSTED_DOMAINS.iter().any(|domain| {
        let Some((prefix, suffix)) = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at))
        else {
            return false;
        };
        suffix.eq_ignore_ascii_case(domain) && (prefix.is_empty() || prefix.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R-HOST-6
    #[test]
    fn only_the_vendors_domains_and_their_subdomains_are_trusted() {
        for host in ["tradovateapi.com", "live.tradovateapi.com", "Acme.NinjaTrader.COM", "a.b.ninjatrader.dev"] {
            assert!(is_trusted_host(host), "{host}");
        }
        for host in
            ["", "com", "evil.com", "xtradovateapi.com", "tradovateapi.com.evil.com", "tradovateapi.com.", "ä.com"]
        {
            assert!(!is_trusted_host(host), "{host}");
        }
    }
}
