//! What a user must hear of the account and its password, whatever becomes of the token.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, UserStatus};

use super::{EventKind, Session};
use crate::moments::earlier;

/// The days before a password's expiry at which the user is reminded; zero is the expiry itself.
const REMINDERS: [i64; 4] = [14, 7, 1, 0];

impl Session {
    /// What a user must hear, whatever becomes of the token.
    pub(super) fn notice(&mut self, now: Timestamp, response: &AccessTokenResponse) {
        if let Some(status) = response.user_status.clone().filter(|status| *status != UserStatus::Active) {
            self.tell(now, EventKind::AccountNeedsAttention { status });
        }
        if let Some(hint) = response.hibp_hint.clone() {
            self.tell(now, EventKind::PasswordCompromised { hint });
        }
        if let Some(end) = response.password_expiration_time
            && self.password_expires_at != Some(end)
        {
            self.password_expires_at = Some(end);
            self.reminded_within_days = None;
        }
    }

    /// Reminds of the password's expiry when 14, 7 and 1 days are left, and when it has expired.
    pub(super) fn remind(&mut self, now: Timestamp) {
        let due = self.next_reminder(now).filter(|(at, _)| *at <= now);
        if let (Some((_, within_days)), Some(at)) = (due, self.password_expires_at) {
            self.reminded_within_days = Some(within_days);
            self.tell(
                now,
                if within_days == 0 {
                    EventKind::PasswordExpired { at }
                } else {
                    EventKind::PasswordExpires { at, within_days }
                },
            );
        }
    }

    /// The next reminder of the password's expiry that has not been given: when, and within how many days.
    pub(super) fn next_reminder(&self, now: Timestamp) -> Option<(Timestamp, i64)> {
        let end = self.clock.local_time(self.password_expires_at?);
        let given = self.reminded_within_days.unwrap_or(i64::MAX);
        let at = |days: i64| earlier(end, Duration::from_secs(days.unsigned_abs().saturating_mul(24 * 3600)));
        let open = REMINDERS.into_iter().filter(|days| *days < given).map(|days| (at(days), days));
        // Of those that are due, the last one says it all; else the first to come.
        open.clone()
            .filter(|(at, _)| *at <= now)
            .min_by_key(|(_, days)| *days)
            .or_else(|| open.min_by_key(|(at, _)| *at))
    }
}
