//! What Redis does, as scripts: each operation is one of them, so that nothing comes in between, and takes one round
//! trip. Requests leave from here, ready to be sent by either form; answers are read in [`settings`](crate::settings).

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
static HELD: LazyLock<Script> = script!("held.lua");
static SAVE: LazyLock<Script> = script!("save.lua");
static RELEASE: LazyLock<Script> = script!("release.lua");

/// A longer lease would outlive what the scripts remember of it.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Ten years: Redis refuses an expiry that is too far away to be counted.
const LONGEST_EXPIRY: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A script with all it needs.
pub(crate) type Call = ScriptInvocation<'static>;

/// The keys of all sessions begin with the prefix, and so does the channel.
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

    /// One for all names: so a process subscribes once, whatever it watches.
    pub(crate) fn channel(&self) -> String {
        format!("{}changes", self.prefix)
    }

    /// The answer: the revision, the record, and its age in µs, where there is one.
    pub(crate) fn load(&self, name: &SessionName) -> Call {
        self.call(&LOAD, name)
    }

    /// The answer: the revision, where there is a record.
    pub(crate) fn revision(&self, name: &SessionName) -> Call {
        self.call(&REVISION, name)
    }

    /// The answer: the fence, unless there is another holder; see [`lease_of`].
    pub(crate) fn lease(&self, name: &SessionName, time: Duration) -> Call {
        let mut call = self.call(&LEASE, name);
        call.arg(micros(time.min(LONGEST_LEASE))).arg(self.channel()).arg(name.as_str());
        call
    }

    /// The answer: for how many µs the lease is held, if it is.
    pub(crate) fn held(&self, name: &SessionName) -> Call {
        self.call(&HELD, name)
    }

    /// The answer: the new revision, unless the lease or the record is another one.
    pub(crate) fn save(
        &self,
        name: &SessionName,
        record: &[u8],
        keep_for: Option<Duration>,
        known: Option<Revision>,
        lease: Lease,
    ) -> Call {
        let known = known.map_or_else(String::new, |revision| revision.0.to_string());
        // An expiry of nothing would remove the record at once.
        let millis = |time: Duration| time.min(LONGEST_EXPIRY).as_millis().max(1).to_string();
        let keep_for = keep_for.map_or_else(String::new, millis);
        let mut call = self.call(&SAVE, name);
        call.arg(lease.fence).arg(known).arg(record).arg(keep_for).arg(self.channel()).arg(name.as_str());
        call
    }

    /// The answer: nothing of interest.
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

/// The lease that [`Keys::lease`] has brought.
pub(crate) fn lease_of(fence: Option<u64>, time: Duration) -> Option<Lease> {
    fence.map(|fence| Lease { fence, time: time.min(LONGEST_LEASE) })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
