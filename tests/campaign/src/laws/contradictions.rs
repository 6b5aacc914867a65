//! Law 6: contradiction installs nothing: token beside an error, another user's id, an expiry in the past, a malformed
//! token.

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;

/// No token is handed out, presented or stored that no good answer has brought, or only one that was superseded (law 1).
/// Of a fleet, an answer to another of its programs may have brought it, which has stored it.
pub(super) struct ContradictionInstallsNothing;

impl Law for ContradictionInstallsNothing {
    fn number(&self) -> u8 {
        6
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let used = match &record.what {
            What::Handed(Some(seen)) => [Some(seen.token), None],
            What::Sent(_, asked) => [asked.bearer, asked.refresh],
            What::Offered(_, kept) => [kept.access.map(|(name, _)| name), kept.refresh],
            _ => return None,
        };
        let known = ledger.of(record);
        let name = used.into_iter().flatten().find(|name| !known.granted.contains_key(name))?;
        Some(format!("{name} is used, which no good answer has brought"))
    }
}
