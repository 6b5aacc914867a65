//! What has happened to a session and still counts, so that the next process, or another one beside it, doesn't do it all
//! over again: the logins and requests of the hour, kicks, pauses, what was verified, and which token is lost.
//!
//! Times are those of the clock of whoever wrote it, but for one.

use alloc::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth_core::internal::{ONE_HOUR, later, moved};

use super::OperationForm;
use crate::session::hosts::FollowedHost;
use crate::session::log_ins::LogIns;
use crate::session::pause::Pause;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct History {
    /// When the snapshot was taken.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) written_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) log_ins: LogIns,
    /// What the network address has sent that the server still counts.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) sent: BTreeMap<OperationForm, VecDeque<Timestamp>>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) pause: Pause,
    /// When the last verifying renewal was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) verified_at: Option<Timestamp>,
    /// Whether the refresh token has been refused, which a second refusal has to confirm.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) refused_once: bool,
    /// Whether the answer to a refresh was lost: a renewal comes first.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) refresh_outcome_unknown: bool,
    /// What was about to be sent.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) announced: Option<OperationForm>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) followed_host: FollowedHost,
    /// When the newest token was issued that the server has said to be dead, in server time.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) lost_issued_at: Option<Timestamp>,
}

impl History {
    pub(super) fn is_empty(&self) -> bool {
        is_default(self)
    }

    /// The same by a clock that is ahead by so much.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.log_ins.shift(by);
        self.pause.shift(by);
        self.followed_host.shift(by);
        let sent = self.sent.values_mut().flatten();
        for moment in sent.chain(&mut self.written_at).chain(&mut self.verified_at) {
            *moment = moved(*moment, by);
        }
    }

    /// What is past was before `now`, and no wait ends later than `longest`.
    pub(super) fn limit_waits(&mut self, now: Timestamp, longest: Timestamp) {
        self.verified_at = self.verified_at.map(|verified_at| verified_at.min(now));
        self.pause.end_by(longest);
        self.log_ins.limit_waits(now, longest);
    }

    /// The last moment at which something of this still counts.
    pub(super) fn counts_until(&self) -> Option<Timestamp> {
        let sent = self.sent.values().flatten().map(|sent| later(*sent, ONE_HOUR)).max();
        sent.max(self.log_ins.counts_until()).max(self.pause.until())
    }
}

/// What says nothing is left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
