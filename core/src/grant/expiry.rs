//! When a token expires by the server's clock, and whether this time may have passed.

use jiff::{SignedDuration, Timestamp};

use crate::grant::server_clock::Exchange;
use crate::wire::error::{Contradiction, Error};

/// The end of a lifetime, by the server's clock. Lifetimes count from the time at which the request was sent.
//= R-OAUTH-5
//= R-TIME-1
pub(super) fn end_of(lifetime: u64, exchange: &Exchange) -> Result<Timestamp, Error> {
    let end = i64::try_from(lifetime).ok().and_then(|seconds| {
        //= R-TIME-6
        let start = exchange.sent.checked_add(exchange.measured_offset()).ok()?;
        start.checked_add(SignedDuration::from_secs(seconds)).ok()
    });
    end.ok_or(Error::Contradiction(Contradiction::LifetimeOutOfRange))
}

/// Fails if a new token may have expired already.
//= R-TIME-7
pub(super) fn check(expires_at: Timestamp, exchange: &Exchange) -> Result<(), Error> {
    if exchange.may_have_passed(expires_at) {
        return Err(Error::Contradiction(Contradiction::ExpiredAlready));
    }
    Ok(())
}

impl Exchange {
    /// Whether this server time may have passed when the answer was complete. The answer was complete half of the
    /// exchange after its `Date`, which has whole seconds and can be one second behind.
    pub(super) fn may_have_passed(&self, end: Timestamp) -> bool {
        let Some(date) = self.server_time else { return end <= self.received };
        let way_back = self.received.duration_since(self.sent).checked_div(2).unwrap_or_default();
        end.duration_since(date) <= way_back.saturating_add(SignedDuration::from_secs(1))
    }
}
