//! Law 14: at most one lineage of tokens lives: to the server, programs that share a session through a store are one
//! client.

use jiff::SignedDuration;

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::{DEADLINE, Ledger};
use crate::names::Name;
use crate::wire::{Kept, Operation};

/// When the server has given a token in answer to an exchange that took longer is not known that well.
const LONG: SignedDuration = SignedDuration::from_secs(10);

/// Of a fleet,
///
/// - one program at a time has a request in flight, up to its deadline;
/// - none logs in while the token that the store holds can still be renewed: it has not expired, nobody was told that it
///   is dead, and the program has no reason of its own to give it up;
/// - none presents a refresh token in whose place the store holds a newer one;
/// - none saves that a token is lost without a reason to take it for lost;
/// - none saves a token over one that came with a later request, or a refresh token likewise; a token may be older that
///   comes with a newer refresh token, as in an answer that is late, and it may come by an exchange that took long.
///
/// Exceptions. A store that has lost what it had acknowledged, or holds what can't be read, holds nothing for this law
/// until something is saved in it again: where nobody lives who has what was lost, and watches the store, a login follows.
/// If the lease was lost with it, nothing is said for seventy seconds of who sends. A program that was given an earlier
/// record may act on that. A holder that is paused between its check and its sending needs no exception: the lease
/// outlasts the request, so nobody else has sent by then; what it brings is not saved if somebody has since. An owner's
/// new consent, and the answer to a change of password, begin another lineage.
pub(super) struct OneLineage {
    /// Whether the program was given an earlier record last.
    is_misled: Vec<bool>,
}

impl OneLineage {
    pub(super) fn new(programs: usize) -> Self {
        Self { is_misled: vec![false; programs] }
    }
}

impl Law for OneLineage {
    fn number(&self) -> u8 {
        14
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let fleet = ledger.fleet_of(record)?;
        let is_misled = &mut self.is_misled[record.program];
        match &record.what {
            What::Sent(_, asked) => {
                let other = ledger.pending_of_mate(record);
                let is_in_flight = |other: &usize| ledger.exchanges[*other].at + DEADLINE > record.at;
                if let Some(other) = other.filter(is_in_flight).filter(|_| !fleet.is_unsettled(record)) {
                    return Some(format!("sends while {other} of another program of its fleet is in flight"));
                }
                if *is_misled {
                    return None;
                }
                if let Some(refresh) = asked.refresh.filter(|refresh| fleet.replaced.contains(refresh)) {
                    return Some(format!("presents {refresh}, in whose place a newer one is stored"));
                }
                let (token, end) = fleet.access.filter(|_| asked.operation == Operation::LogIn)?;
                let is_over = fleet.lost.contains(&token)
                    || end <= ledger.latest_server_now(record)
                    || ledger.may_be_given_up(record);
                (!is_over).then(|| format!("logs in, although {token} is stored and can be renewed"))
            }
            What::Saved(_, Kept { access, refresh }) => {
                let is_older = |new: Name, old: Name| match (fleet.brought_by.get(&new), fleet.brought_by.get(&old)) {
                    (Some(new), Some(old)) => new.exchange < old.exchange && new.served < old.served && new.took < LONG,
                    _ => false,
                };
                let held =
                    fleet.access.filter(|(name, end)| !fleet.lost.contains(name) && *end > ledger.server_now(record));
                if let (Some((new, _)), Some((old, _))) = (access, held)
                    && is_older(*new, old)
                    && *refresh == fleet.refresh
                {
                    return Some(format!("saves {new} in the place of {old}, which is newer"));
                }
                if let (None, Some((old, end))) = (access, held) {
                    let is_over = ledger.is_lost(record)
                        || end <= ledger.latest_server_now(record)
                        || ledger.may_be_given_up(record)
                        || ledger.of(record).holds.is_none_or(|(holds, _)| holds != old);
                    if !is_over {
                        return Some(format!("saves nothing in the place of {old}, which can be renewed"));
                    }
                }
                let (new, old) = (*refresh, fleet.refresh);
                let (new, old) = new.zip(old).filter(|(new, old)| is_older(*new, *old))?;
                Some(format!("saves {new} in the place of {old}, which is newer"))
            }
            What::Synchronized { is_stale, .. } => {
                *is_misled = *is_stale;
                None
            }
            _ => None,
        }
    }
}
