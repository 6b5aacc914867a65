//! [`Record`]: every fact of a session that outlives the process. The record is the snapshot. A session adopts a stored
//! record with [`Fact::merge`], so the order of processes, lost writes and stale reads do not matter.
//!
//! The table below has one line for each fact: its name in the snapshot, its field and its type. The type defines how
//! the fact is merged, which of its times are local, how it is corrected after a wrong clock, and when it ends. To add
//! a fact, add a line to the table and set it in the place that learns it. The tokens and hosts are in `tokens.rs`.
//!
//! The facts of the network address are in the [`RateBudget`](crate::RateBudget), not here.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use tradovate_auth_core::workspace_only::{Damage, Fields};

mod backoff;
mod logins;
mod market_data_wish;
mod merge;
mod owner;
mod penalty_ticket;
mod tokens;

pub(crate) use backoff::{Jitter, LAST_RESORT_PAUSE, Moment, Pause};
pub(crate) use logins::{AttemptId, LogIns};
pub(crate) use market_data_wish::{IssuedToken, MarketDataWish};
pub(crate) use merge::{Fact, Flag, Latest, is_default};
pub(crate) use owner::Owner;
pub use owner::OwnerMismatch;
pub(crate) use penalty_ticket::Ticket;
pub(crate) use tokens::{Access, MarketData, Refresh, Tokens, newer};

macro_rules! record {
    ($($(#[$doc:meta])* $name:literal $field:ident: $fact:ty,)*) => {
        /// The facts of one owner that outlive the process.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub(crate) struct Record {
            /// Tokens and hosts. The snapshot contains their fields beside the other facts.
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
            fn merge(&mut self, other: Self) {
                self.tokens.merge(other.tokens);
                // The call names the trait, because `BTreeMap` will get a method of the same name.
                $(Fact::merge(&mut self.$field, other.$field);)*
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
    /// The user's id. Records of one owner never differ in it: see [`Session::adopt`](crate::Session::adopt).
    "userId" user_id: Option<i64>,
    /// Refresh tokens that were refused twice, by fingerprint, and until when they are not sent again. The longest wait
    /// wins.
    "refusedRefreshTokens" refused_refresh_tokens: BTreeMap<String, Timestamp>,
    /// Logins, refusals and kicks.
    "logIns" log_ins: LogIns,
    /// A request that a penalty postponed. The last one counts. Once it is answered, it is spent.
    "postponed" postponed: Latest<Box<Ticket>>,
    /// The pauses after faults. A later success ends them.
    "pause" pause: Pause,
    /// When the last verifying renewal was planned.
    "verifiedAt" verified_at: Option<Timestamp>,
    /// Whether an OAuth session wants a renewal only to get a market data token.
    "marketData" market_data: MarketDataWish,
    /// Whether the followed host answered as if it were the wrong one. A later good answer clears it.
    "followedHostIsWrong" followed_host_is_wrong: Flag,
    /// When the configured host was last tried while another host is followed.
    "configuredHostTriedAt" configured_host_tried_at: Option<Timestamp>,
    /// When the password expires, by the server's clock. The last answer counts.
    "passwordExpiresAt" password_expires_at: Latest<Timestamp>,
}

#[cfg(test)]
mod tests;
