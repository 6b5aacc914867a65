//! Law 7: a secret goes only to the configured base or to a trusted host over https (http: loopback only, never by a
//! proxy).

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;

const TRUSTED: [&str; 4] = ["tradovateapi.com", "tradovate.com", "ninjatrader.com", "ninjatrader.dev"];

/// Every request has a secret in it. The programs of a campaign are configured for the vendor's own hosts, so https and
/// the four domains are all there is.
pub(super) struct OnlyToTrustedHosts;

impl Law for OnlyToTrustedHosts {
    fn number(&self) -> u8 {
        7
    }

    fn judge(&mut self, record: &Record, _: &Ledger) -> Option<String> {
        let What::Sent(_, asked) = &record.what else { return None };
        let host = asked.host.to_ascii_lowercase();
        let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let is_trusted = asked.is_secure && TRUSTED.iter().any(|domain| is_of(domain));
        (!is_trusted).then(|| format!("a secret goes to {host}"))
    }
}
