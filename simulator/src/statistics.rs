//! Counters, and a log of requests without secrets, for tests to read.

use std::collections::{BTreeMap, VecDeque};

use http::{Method, StatusCode};
use jiff::Timestamp;

use crate::endpoint::Endpoint;

/// How many entries the log keeps. Older ones are dropped.
const LOG_LENGTH: usize = 10_000;
/// How many characters of a path the log keeps.
const PATH_LENGTH: usize = 100;

/// A request and the status of its response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// When the request came, in the caller's time.
    pub at: Timestamp,
    /// The HTTP method; `SOCKET` for a request on a socket.
    pub method: Method,
    /// The path without the query, at most 100 characters. On a socket, the name of the request.
    pub path: String,
    /// The hostname that the request was sent to, without the port.
    pub host: String,
    /// Whether the request had a token, in `Authorization` or in the `authorize` request of a socket.
    pub has_token: bool,
    /// The fields of the body. `[redacted]` replaces each value that is a secret or may be one.
    pub fields: BTreeMap<String, String>,
    /// The HTTP status of the response.
    pub status: StatusCode,
}

/// Counters since the simulator was built or reset, and a log of the latest 10 000 requests.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Successful password logins. Each opened a session.
    pub logins: u64,
    /// Exchanged authorization codes. Each opened a session.
    pub code_exchanges: u64,
    /// Successful renewals.
    pub renewals: u64,
    /// Successful refreshes.
    pub refreshes: u64,
    /// Sessions that the server closed because the user opened another one.
    pub sessions_closed: u64,
    /// Penalty responses, including captchas.
    pub penalties: u64,
    /// Sockets that were authorized with an access token.
    pub trading_sockets: u64,
    /// Sockets that were authorized with a market data token.
    pub market_data_sockets: u64,
    requests: BTreeMap<Endpoint, u64>,
    log: VecDeque<LogEntry>,
    /// How many entries the log has had, with those that were dropped.
    logged: u64,
}

impl Statistics {
    /// How many requests an endpoint got, whatever the answers. Preflight requests are not counted.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// The latest requests, oldest first.
    #[must_use]
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &LogEntry> + ExactSizeIterator {
        self.log.iter()
    }

    /// How many requests have been logged. Unlike the length of the log, this number grows with each request.
    #[cfg(feature = "serve")]
    pub(crate) fn logged(&self) -> u64 {
        self.logged
    }

    pub(crate) fn record(&mut self, mut entry: LogEntry) {
        if let Some(endpoint) = Endpoint::at(&entry.path)
            && entry.method != Method::OPTIONS
        {
            *self.requests.entry(endpoint).or_default() += 1;
        }
        self.logged += 1;
        if self.log.len() >= LOG_LENGTH {
            self.log.pop_front();
        }
        entry.path = entry.path.chars().take(PATH_LENGTH).collect();
        self.log.push_back(entry);
    }
}
