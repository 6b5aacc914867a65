//! [`Record`]: every fact of a session that outlives the process. The record is the snapshot: it is stored as it is. A session
//! adopts a stored record by [`Fact::join`], so the order of processes, lost writes and stale reads do not matter.
//!
//! The table below has a line for each fact: its name in the snapshot, its field and its type. The type says how the fact is
//! joined, which times in it are local, what a wrong clock can't do to it, and when it ends. A new fact is a line of the table
//! and the place that learns it. The tokens and hosts are in `tokens.rs`.
//!
//! The facts of the network address are not here: the [`RateBudget`](crate::RateBudget) owns them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use tradovate_auth_core::internal::{Damage, Fields};

mod fact;
mod log_ins;
mod owner;
mod pause;
mod ticket;
mod tokens;

pub(crate) use fact::{Fact, Flag, Latest, is_default};
pub(crate) use log_ins::{AttemptId, LogIns};
pub(crate) use owner::Owner;
pub use owner::OwnerMismatch;
pub(crate) use pause::{Jitter, Pause};
pub(crate) use ticket::Ticket;
pub(crate) use tokens::{Access, MarketData, Refresh, Tokens, newer};

macro_rules! record {
    ($($(#[$doc:meta])* $name:literal $field:ident: $fact:ty,)*) => {
        /// What outlives the process, of one owner.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub(crate) struct Record {
            /// Tokens and hosts, which are stored beside the other facts.
            pub(crate) tokens: Tokens,
            $($(#[$doc])* pub(crate) $field: $fact,)*
        }

        impl Record {
            pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                self.tokens.write(map)?;
                $(if !is_default(&self.$field) {
                    map.serialize_entry($name, &self.$field)?;
                })*
                Ok(())
            }

            pub(crate) fn read(fields: &mut Fields) -> Result<Self, Damage> {
                Ok(Self { tokens: Tokens::read(fields)?, $($field: fields.take($name)?,)* })
            }
        }

        impl Fact for Record {
            fn join(&mut self, other: Self) {
                self.tokens.join(other.tokens);
                $(self.$field.join(other.$field);)*
            }

            fn shift(&mut self, by: SignedDuration) {
                self.tokens.shift(by);
                $(self.$field.shift(by);)*
            }

            fn correct(&mut self, now: Timestamp) {
                self.tokens.correct(now);
                $(self.$field.correct(now);)*
            }

            fn ends(&self) -> Option<Timestamp> {
                self.tokens.ends()$(.max(self.$field.ends()))*
            }
        }
    };
}

record! {
    /// Who the user is. Records of one owner never differ in it: see [`Session::adopt`](crate::Session::adopt).
    "userId" user_id: Option<i64>,
    /// Refresh tokens that were refused twice, by fingerprint, and until when they are not presented again. The longest ban wins.
    "refusedRefreshTokens" refused_refresh_tokens: BTreeMap<String, Timestamp>,
    /// Logins, refusals and kicks.
    "logIns" log_ins: LogIns,
    /// A request that the server has postponed. The last one counts; one that was answered is spent.
    "postponed" postponed: Latest<Box<Ticket>>,
    /// The pause after faults. A later success ends it.
    "pause" pause: Pause,
    /// When the last verifying renewal was asked for.
    "verifiedAt" verified_at: Option<Timestamp>,
    /// Whether the followed host has answered as if it were the wrong one. A later good answer clears it.
    "followedHostIsWrong" followed_host_is_wrong: Flag,
    /// When the configured host was last tried while another one is followed.
    "configuredHostTriedAt" configured_host_tried_at: Option<Timestamp>,
    /// When the password expires, in server time. The last answer counts.
    "passwordExpiresAt" password_expires_at: Latest<Timestamp>,
}

#[cfg(test)]
mod tests;
