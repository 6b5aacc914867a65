//! Checks that a used token came in a good answer (law 6) and was stored before (law 11).

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::causes::Cause;
use super::{Found, Oracle};
use crate::journal::{Record, Seen, What};
use crate::names::Name;
use crate::wire::Kept;

/// The time in which a program saves a token that it uses, once the store can save again. Callers of a program without
/// a keeper poll once a minute.
const SAVED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The known content of a session's store, or of the store that a fleet shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Storage {
    /// All tokens that the store has ever held.
    names: BTreeSet<Name>,
}

impl Storage {
    pub(super) fn holds(&mut self, kept: &Kept) {
        self.names.extend(kept.access.map(|(name, _)| name).into_iter().chain(kept.refresh));
    }
}

impl Oracle {
    /// Checks the tokens that a record shows in use.
    ///
    /// Exception: while a shared store is unreachable or cannot save, the program that has an access token may use it
    /// once it has no other. After the store has recovered, the program has [`SAVED_WITHIN`] to save the token.
    pub(super) fn judge_use(&self, record: &Record) -> Option<Found> {
        let subject = self.subjects.get(record.program)?;
        let (used, is_stored_first, verb) = match &record.what {
            What::Handed(Some(seen)) => ([Some(seen.token), None], true, "hands out"),
            What::Sent(_, asked) => ([asked.bearer, asked.refresh], true, "presents"),
            What::Offered(_, kept) => ([kept.access.map(|(name, _)| name), kept.refresh], false, "offers to the store"),
            _ => return None,
        };
        let memory = &subject.memory;
        let is_granted = |name: &Name| memory.granted.contains_key(name) || memory.refresh_tokens.contains_key(name);
        if let Some(name) = used.into_iter().flatten().find(|name| !is_granted(name)) {
            return Some((6, format!("{verb} {name}, which came in no good answer")));
        }
        if !subject.has_store || !is_stored_first {
            return None;
        }
        let is_stored = |name: &Name| self.storage(record.program).names.contains(name);
        let name = used.into_iter().flatten().find(|name| !is_stored(name))?;
        let is_in_use = subject.seen.as_ref().is_some_and(|seen| seen.token == name);
        let since = if is_in_use { record.at - SAVED_WITHIN } else { record.at };
        let is_away = subject.allowances.lasts(Cause::StoreAway, since);
        let has_failed = is_away || subject.is_store_failing || subject.is_store_overdue(record.local);
        let is_failing = subject.fleet.is_some() && has_failed;
        // A token that is reported as dead is not handed out until a renewal has verified it.
        let has_other =
            |seen: &Seen| seen.token != name && record.local < seen.usable_until && subject.memory.dead_since.is_none();
        if is_failing && !subject.seen.as_ref().is_some_and(has_other) {
            return None;
        }
        Some((11, format!("{verb} {name} before it is stored")))
    }
}
