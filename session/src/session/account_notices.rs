//! What an answer says about the user's account and password, whether or not it brings a token.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, UserStatus};

use super::{EventKind, Session};
use crate::time_arithmetic::earlier;

/// How many days before the password's expiry the session reports a reminder. Zero is the expiry itself.
const REMINDERS: [i64; 4] = [14, 7, 1, 0];

impl Session {
    pub(super) fn learn_of_account(&mut self, now: Timestamp, response: AccessTokenResponse) {
        //= R-LOGIN-19
        if let Some(status) = response.user_status.filter(|status| *status != UserStatus::Active) {
            self.report(now, EventKind::AccountNeedsAttention { status });
        }
        //= R-LOGIN-20
        if let Some(hint) = response.hibp_hint {
            self.report(now, EventKind::PasswordCompromised { hint });
        }
        if let Some(end) = response.password_expiration_time
            && self.record.password_expires_at.get() != Some(&end)
        {
            self.record.password_expires_at.set(end);
            self.reminded_within_days = None;
        }
    }

    /// Reports a reminder 14, 7 and 1 days before the password expires, and when it has expired.
    //= R-TIME-3
    pub(super) fn remind(&mut self, now: Timestamp) {
        let due = self.next_reminder(now).filter(|(at, _)| *at <= now);
        if let (Some((_, within_days)), Some(at)) = (due, self.record.password_expires_at.get().copied()) {
            self.reminded_within_days = u8::try_from(within_days).ok();
            let kind = match within_days {
                0 => EventKind::PasswordExpired { at },
                _ => EventKind::PasswordExpires { at, within_days },
            };
            self.report(now, kind);
        }
    }

    /// The next open reminder: its time, and its number of days.
    pub(super) fn next_reminder(&self, now: Timestamp) -> Option<(Timestamp, i64)> {
        let end = self.clock.local_time(*self.record.password_expires_at.get()?);
        let given = self.reminded_within_days.map_or(i64::MAX, i64::from);
        let at = |days: i64| earlier(end, Duration::from_secs(days.unsigned_abs().saturating_mul(24 * 3600)));
        let open = || REMINDERS.into_iter().filter(|days| *days < given).map(|days| (at(days), days));
        // If several reminders are due, only the last one is given.
        let due = open().filter(|(at, _)| *at <= now).min_by_key(|(_, days)| *days);
        due.or_else(|| open().min_by_key(|(at, _)| *at))
    }
}
