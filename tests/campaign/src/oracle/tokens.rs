//! Compares the tokens that callers hold with the server's own list (laws 2, 10, 12 and 15).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::memory::{Brought, Held, UNSURE};
use super::{Found, Subject};
use crate::journal::{Minute, Record, Seen};

/// The margin is 30 s, or a tenth of the token's life if that is less.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

impl Subject {
    /// Checks the time until which a token is handed out.
    pub(super) fn hand_out(
        &mut self,
        record: &Record,
        seen: Seen,
        is_another: bool,
        server_now: Timestamp,
    ) -> Option<Found> {
        let Brought { grant, order, .. } = self.memory.granted.get(&seen.token)?.clone();
        // An answer that was overtaken by another request has brought it, or it was stored.
        if is_another && self.memory.held.is_none_or(|held| held.grant.access != seen.token) {
            self.memory.hold(seen.token);
            self.generation += 1;
        }
        let promised = seen.usable_until.duration_since(record.local).max(SignedDuration::ZERO);
        let last = server_now + promised;
        let end = grant.expires?;
        // Of a long exchange it takes the middle, or the bounds.
        let margin = MARGIN.min(grant.life / 10) - UNSURE - order.trip;
        let margin = margin.max(SignedDuration::ZERO) - self.memory.misled;
        let knows_time = self.memory.knows_time() || self.memory.is_time_hinted;
        (knows_time && last + margin > end)
            .then(|| (2, format!("hands out {} until {last:.3}, but it ends at {end:.3}", seen.token)))
    }

    /// Checks, once a minute, the token that callers hold.
    pub(super) fn minute(
        &mut self,
        minute: &Minute,
        now: Timestamp,
        server_now: Timestamp,
        excused: &mut BTreeMap<&'static str, u64>,
    ) -> Option<Found> {
        if !minute.is_current {
            return Some((
                15,
                "hands out another token than at the last input, and did not name the time of the change".to_owned(),
            ));
        }
        if !minute.has_good_settings {
            self.allowances.open(Cause::WrongSettings, now);
        }
        if minute.is_accepted {
            self.allowances.has_token();
            return None;
        }
        if let Some(token) = minute.token {
            let end = self.memory.granted.get(&token).and_then(|brought| brought.grant.expires);
            if end.is_some_and(|end| end + self.memory.misled <= server_now) && self.memory.knows_time() {
                return Some((2, format!("has callers that use {token} after its end")));
            }
            if self.ended.replace(token) != Some(token) {
                self.allowances.open(Cause::TokenEnded, now);
            }
        }
        if self.memory.verifies_at.take_if(|at| *at <= now).is_some() {
            self.allowances.open(Cause::ReportedDead, now);
        }
        let is_over = |held: &Held| self.memory.may_be_over(held, now, server_now);
        if self.memory.is_app_refused && self.memory.held.as_ref().is_none_or(is_over) {
            self.memory.is_app_refused = false;
            // The session may give the token up later than this, and then it stops.
            self.memory.blamed = self.memory.blamed.max(1);
            self.allowances.open(Cause::RefusedAgain, now);
        }
        match self.allowances.has_none(now) {
            Ok(cause) => {
                *excused.entry(cause.row().name).or_default() += 1;
                None
            }
            Err(what) => Some((10, what)),
        }
    }
}
