//! The hosts that the vendor publishes (page *Environments*). They are used until the server names others.

/// The hosts of Live and Demo, by the keys of `apiHosts`.
//= R-ENV-1
//= R-ENV-2
//= R-ENV-12
pub(super) const PRODUCTION: [(&str, &str); 7] = [
    ("live", "live.tradovateapi.com"),
    ("demo", "demo.tradovateapi.com"),
    ("mdLive", "md.tradovateapi.com"),
    ("mdDemo", "md-demo.tradovateapi.com"),
    ("replay", "replay.tradovateapi.com"),
    ("reportingLive", "rpt-live.tradovateapi.com"),
    ("reportingDemo", "rpt-demo.tradovateapi.com"),
];

/// The hosts of the staging system.
//= R-ENV-3
pub(super) const STAGING: [(&str, &str); 4] = [
    ("live", "live-api.staging.ninjatrader.dev"),
    ("demo", "demo-api.staging.ninjatrader.dev"),
    ("mdLive", "md-api.staging.ninjatrader.dev"),
    ("mdDemo", "md-api.staging.ninjatrader.dev"),
];
