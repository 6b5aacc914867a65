//! Law 3: no new login while the session can still be renewed.

use super::Law;
use crate::journal::{Record, What};
use crate::ledger::Ledger;
use crate::wire::Operation;

/// It can't be renewed after a 401 on a renewal, after expiry, and after three failed renewals over two minutes when
/// callers have reported the token rejected. A renewal that a penalty has postponed has not failed.
///
/// Expiry is judged by the latest time at which the program may take the server's clock to be: a clock that was set
/// forward since the last answer makes a token look older than it is.
pub(super) struct NoLoginWhileRenewable;

impl Law for NoLoginWhileRenewable {
    fn number(&self) -> u8 {
        3
    }

    fn judge(&mut self, record: &Record, ledger: &Ledger) -> Option<String> {
        let What::Sent(_, asked) = &record.what else { return None };
        let known = ledger.of(record);
        let (token, _) = known.holds.filter(|_| asked.operation == Operation::LogIn && !ledger.is_lost(record))?;
        let is_over = ledger.may_be_expired(record, token) || ledger.may_be_given_up(record);
        (!is_over).then(|| format!("logs in, although {token} can be renewed"))
    }
}
