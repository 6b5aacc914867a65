//! The Redis scripts. Each operation is one script, so it is atomic and takes one round trip. This module builds the
//! commands for both forms. [`settings`](crate::settings) reads the answers.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Script, ScriptInvocation};
use tradovate_auth_session::{Lease, Revision};
use tradovate_auth_store::SessionName;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(include_str!("scripts/common.lua"), include_str!(concat!("scripts/", $file))))
        })
    };
}

static LOAD: LazyLock<Script> = script!("load.lua");
static REVISION: LazyLock<Script> = script!("revision.lua");
static LEASE: LazyLock<Script> = script!("lease.lua");
#[cfg(feature = "blocking")]
static HELD: LazyLock<Script> = script!("held.lua");
static SAVE: LazyLock<Script> = script!("save.lua");
static RELEASE: LazyLock<Script> = script!("release.lua");

/// The longest lease. The scripts keep the data about a lease for a week.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest expiry of a record: ten years. Redis refuses expiries that are too far away.
const LONGEST_EXPIRY: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The commands of the connections and of the scripts. `docs/sharing.md` has them too.
const COMMANDS: &str = "+ping +subscribe +unsubscribe +punsubscribe +select +evalsha +script|load +time +type +hget \
    +hmget +hset +pexpire +persist +publish";

/// A script with its keys and arguments.
pub(crate) type Call = ScriptInvocation<'static>;

/// The keys of all sessions, and the channel, begin with the prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What a user of Redis must be allowed, as arguments of `ACL SETUSER`.
    pub(crate) fn rights(&self) -> String {
        format!("~{0}* &{0}* {COMMANDS}", self.prefix)
    }

    /// One channel for all names, so that a process subscribes once.
    pub(crate) fn channel(&self) -> String {
        format!("{}changes", self.prefix)
    }

    /// The answer: the revision, the record, and its age in µs, if there is a record.
    pub(crate) fn load(&self, name: &SessionName) -> Call {
        self.call(&LOAD, name)
    }

    /// The answer: the revision, if there is a record.
    pub(crate) fn revision(&self, name: &SessionName) -> Call {
        self.call(&REVISION, name)
    }

    /// The answer: the fence, or nothing if the last lease has not ended. See [`lease_of`].
    pub(crate) fn lease(&self, name: &SessionName, time: Duration) -> Call {
        let mut call = self.call(&LEASE, name);
        call.arg(micros(time.min(LONGEST_LEASE))).arg(self.channel()).arg(name.as_str());
        call
    }

    /// The answer: for how many µs the lease is still held, if it is held.
    #[cfg(feature = "blocking")]
    pub(crate) fn held(&self, name: &SessionName) -> Call {
        self.call(&HELD, name)
    }

    /// The answer: the new revision, or nothing if this is not the newest lease or the record has another revision.
    pub(crate) fn save(
        &self,
        name: &SessionName,
        record: &[u8],
        keep_for: Option<Duration>,
        known: Option<Revision>,
        lease: Lease,
    ) -> Call {
        let known = known.map_or_else(String::new, |revision| revision.0.to_string());
        let keep_for = keep_for.map_or_else(String::new, |time| expiry_millis(time).to_string());
        let mut call = self.call(&SAVE, name);
        call.arg(lease.fence).arg(known).arg(record).arg(keep_for).arg(self.channel()).arg(name.as_str());
        call
    }

    /// The answer is not used.
    pub(crate) fn release(&self, name: &SessionName, lease: Lease) -> Call {
        let mut call = self.call(&RELEASE, name);
        call.arg(lease.fence);
        call
    }

    /// The braces keep the keys of a name together in a cluster.
    fn call(&self, script: &'static Script, name: &SessionName) -> Call {
        let mut call = script.prepare_invoke();
        call.key(self.record(name)).key(format!("{}:lease", self.record(name)));
        call
    }

    /// The key of the record.
    pub(crate) fn record(&self, name: &SessionName) -> String {
        format!("{}{{{name}}}", self.prefix)
    }
}

/// The lease in the answer to [`Keys::lease`].
pub(crate) fn lease_of(fence: Option<u64>, time: Duration) -> Option<Lease> {
    fence.map(|fence| Lease { fence, time: time.min(LONGEST_LEASE) })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An expiry of zero would remove the record at once.
fn expiry_millis(time: Duration) -> u128 {
    time.min(LONGEST_EXPIRY).as_millis().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_a_day_at_most() {
        let day = Duration::from_secs(86_400);
        for (asked, given) in [(day / 2, day / 2), (day * 2, day)] {
            assert_eq!(lease_of(Some(1), asked), Some(Lease { fence: 1, time: given }));
        }
    }

    #[test]
    fn a_record_is_kept_for_a_millisecond_at_least_and_for_ten_years_at_most() {
        let year = Duration::from_secs(365 * 86_400);
        for (asked, kept) in [(Duration::ZERO, 1), (year, 31_536_000_000), (Duration::MAX, 315_360_000_000)] {
            assert_eq!(expiry_millis(asked), kept);
        }
    }
}
