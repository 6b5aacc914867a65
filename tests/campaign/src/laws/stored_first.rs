//! Law 11: stored before used: where a store is configured, a new token or refresh token is handed out or presented only
//! after its snapshot is stored. A crash or a cancelled call loses nothing that had been received and stored.

use jiff::{SignedDuration, Timestamp};

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;
use crate::names::Name;
use crate::wire::Operation;

/// Stored is what was in a snapshot that the session was told is stored. A program that comes back with a token in its
/// store that has more than a minute left hands that out first, or renews it; it does not ask for another one. For a
/// fleet, stored is what the shared store has ever held, whoever has saved it.
///
/// Exception: an access token that a shared store could not take is used by the program that has it, once it has no other.
pub(super) struct StoredBeforeUsed {
    /// The access token of the last snapshot of each program that could not be stored.
    not_stored: Vec<Option<Name>>,
    offered: Vec<Option<Name>>,
    /// What the program has come back with, and has not used yet.
    found: Vec<Option<(Name, Timestamp)>>,
}

impl StoredBeforeUsed {
    pub(super) fn new(programs: usize) -> Self {
        Self { not_stored: vec![None; programs], offered: vec![None; programs], found: vec![None; programs] }
    }
}

impl Law for StoredBeforeUsed {
    fn number(&self) -> u8 {
        11
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        let found = &mut self.found[record.program];
        let (used, is_presented) = match &record.what {
            What::Started(snapshot) => {
                *found = snapshot.and_then(|(_, kept)| kept.access);
                return None;
            }
            // A fleet's program that has come back finds what the others have stored.
            What::Synchronized { kept, is_stale } if known.holds.is_none() && known.last_sent.is_none() => {
                *found = kept.filter(|_| !is_stale).and_then(|(_, kept)| kept.access);
                return None;
            }
            What::Consented => {
                *found = None;
                return None;
            }
            What::Offered(_, kept) => {
                self.offered[record.program] = kept.access.map(|(name, _)| name);
                return None;
            }
            What::NotStored(_) => {
                self.not_stored[record.program] = self.offered[record.program];
                return None;
            }
            What::Handed(Some(seen)) => ([Some(seen.token), None], false),
            What::Sent(_, asked) => ([asked.bearer, asked.refresh], true),
            _ => return None,
        };
        if let Some((token, end)) = found.take() {
            let has_time = ledger.latest_server_now(record) + SignedDuration::from_secs(60) < end;
            let is_forgotten = match &record.what {
                What::Sent(_, asked) => asked.operation == Operation::LogIn,
                _ => used[0] != Some(token),
            };
            if has_time && is_forgotten {
                return Some(format!("{token} was stored, and is forgotten"));
            }
        }
        if !known.has_store {
            return None;
        }
        let stored = ledger.fleet_of(record).map_or(&known.stored, |fleet| &fleet.stored);
        let name = used.into_iter().flatten().find(|name| !stored.contains(name))?;
        let is_all = known.seen.is_none_or(|seen| seen.token == name || seen.usable_until <= record.local);
        if known.fleet.is_some() && self.not_stored[record.program] == Some(name) && is_all {
            return None;
        }
        let verb = if is_presented { "presented" } else { "handed out" };
        Some(format!("{name} is {verb} before it is stored"))
    }
}
