//! What has happened, for tests to look at: counters, and a log without secrets.

use std::collections::{BTreeMap, VecDeque};

use http::{Method, StatusCode};
use jiff::Timestamp;

use crate::endpoint::Endpoint;

/// Entries the log keeps; older ones are dropped.
const LOG_LENGTH: usize = 10_000;
/// Characters of a path that no endpoint has.
const PATH_LENGTH: usize = 100;

/// One request and the status it got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// When, in the caller's time.
    pub at: Timestamp,
    /// Its method; `SOCKET` for a request on a socket.
    pub method: Method,
    /// Its path without the query; of an unknown one the first 100 characters. On a socket, the name of the call.
    pub path: String,
    /// The host that it was sent to, without the port.
    pub host: String,
    /// Whether it had a token: in `Authorization`, or in the `authorize` of a socket.
    pub has_token: bool,
    /// The fields of its body in their order by name, with `[redacted]` in place of each value that is or may be a secret.
    pub fields: BTreeMap<String, String>,
    /// The status of the answer.
    pub status: StatusCode,
}

/// Counters since the simulator was built, and the latest 10 000 requests.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Successful logins by password; each opened a session.
    pub logins: u64,
    /// Authorization codes exchanged; each opened a session.
    pub code_exchanges: u64,
    /// Successful renewals.
    pub renewals: u64,
    /// Successful refreshes.
    pub refreshes: u64,
    /// Sessions that a later one closed.
    pub sessions_closed: u64,
    /// Penalties answered, captchas included.
    pub penalties: u64,
    /// Sockets authorized with an access token.
    pub trading_sockets: u64,
    /// Sockets authorized with a market data token.
    pub market_data_sockets: u64,
    requests: BTreeMap<Endpoint, u64>,
    log: VecDeque<LogEntry>,
}

impl Statistics {
    /// Requests to an endpoint, whatever their answer; preflights are not counted.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// The latest requests, oldest first.
    #[must_use]
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &LogEntry> + ExactSizeIterator {
        self.log.iter()
    }

    pub(crate) fn record(&mut self, mut entry: LogEntry) {
        if let Some(endpoint) = Endpoint::at(&entry.path)
            && entry.method != Method::OPTIONS
        {
            *self.requests.entry(endpoint).or_default() += 1;
        }
        if self.log.len() >= LOG_LENGTH {
            self.log.pop_front();
        }
        entry.path = entry.path.chars().take(PATH_LENGTH).collect();
        self.log.push_back(entry);
    }
}
