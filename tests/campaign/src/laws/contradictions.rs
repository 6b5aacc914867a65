//! Law 6: contradiction installs nothing: token beside an error, another user's id, an expiry in the past, a malformed
//! token.

use std::collections::BTreeSet;

use super::Law;
use crate::journal::{Outcome, Record, What};
use crate::ledger::Ledger;
use crate::names::Name;

/// No token of such an answer is ever handed out, presented or stored, unless another answer has brought it too.
pub(super) struct ContradictionInstallsNothing {
    refused: Vec<BTreeSet<Name>>,
}

impl ContradictionInstallsNothing {
    pub(super) fn new(programs: usize) -> Self {
        Self { refused: vec![BTreeSet::new(); programs] }
    }
}

impl Law for ContradictionInstallsNothing {
    fn number(&self) -> u8 {
        6
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let known = ledger.of(record);
        let refused = &mut self.refused[record.program];
        let used: [Option<Name>; 2] = match &record.what {
            What::Delivered { outcome: Outcome::Answer(answer), .. } if answer.contradicts => {
                if let crate::wire::Says::Grant(grant) = answer.says {
                    let names = [Some(grant.access), grant.refresh].into_iter().flatten();
                    refused.extend(names.filter(|name| !known.was_granted(*name)));
                }
                return None;
            }
            What::Handed(Some(seen)) => [Some(seen.token), None],
            What::Sent(_, asked) => [asked.bearer, asked.refresh],
            What::Offered(_, kept) => [kept.access.map(|(name, _)| name), kept.refresh],
            _ => return None,
        };
        if refused.is_empty() {
            return None;
        }
        let name = used.into_iter().flatten().find(|name| refused.contains(name) && !known.was_granted(*name))?;
        Some(format!("{name} is used, but came with an answer that contradicts itself"))
    }
}
