//! Maintenance: periods in which every request gets a fault from a proxy or from the server.

use http::StatusCode;
use jiff::Timestamp;

use crate::{mint::Mint, reply::Reply};

/// How the server answers during maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// 503 with an HTML page, as a proxy answers.
    Html,
    /// 500 with the text `Internal Server Error, error id: …`.
    ErrorId,
}

impl Maintenance {
    fn reply(self, mint: &mut Mint) -> Reply {
        match self {
            Self::Html => Reply::html(
                StatusCode::SERVICE_UNAVAILABLE,
                "<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head>\
                 <body><h1>503 Service Unavailable</h1></body></html>",
            ),
            Self::ErrorId => Reply::internal_error(&mint.error_id()),
        }
    }
}

/// The maintenance that is switched on, and the planned windows.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    pub(crate) switch: Option<Maintenance>,
    /// Start (inclusive) and end (exclusive) in the server's time.
    pub(crate) windows: Vec<(Timestamp, Timestamp, Maintenance)>,
}

impl Plan {
    pub(crate) fn answer(&self, now: Timestamp, mint: &mut Mint) -> Option<Reply> {
        let planned = || self.windows.iter().find(|(from, to, _)| (*from..*to).contains(&now)).map(|window| window.2);
        self.switch.or_else(planned).map(|maintenance| maintenance.reply(mint))
    }
}
