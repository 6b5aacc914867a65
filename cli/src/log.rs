//! Logging on stderr, filtered by `RUST_LOG`.
//!
//! The HTTP libraries log headers with the token at the levels debug and trace. So other crates than ours log at `info`
//! at most, whatever `RUST_LOG` says.

use std::{env, io};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) fn start() {
    let wanted: Targets = env::var("RUST_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let filter = filter_fn(move |metadata| is_logged(metadata.target(), (*metadata.level()).into(), &wanted));
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter);
    // Fails only if a subscriber is already set, and none is.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

fn is_logged(target: &str, level: LevelFilter, wanted: &Targets) -> bool {
    let is_ours = target.starts_with("tradovate_auth");
    let is_wanted = level.into_level().is_some_and(|level| wanted.would_enable(target, &level));
    (is_ours || level <= LevelFilter::INFO) && is_wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_log_at_info_at_most() {
        for (wanted, target, level, expected) in [
            ("trace", "tradovate_auth_ureq", LevelFilter::TRACE, true),
            ("trace", "ureq_proto", LevelFilter::TRACE, false),
            ("trace", "ureq_proto", LevelFilter::DEBUG, false),
            ("trace", "ureq_proto", LevelFilter::INFO, true),
            ("trace", "ureq_proto", LevelFilter::ERROR, true),
            ("warn", "ureq_proto", LevelFilter::INFO, false),
            ("warn", "tradovate_auth_ureq", LevelFilter::INFO, false),
            ("off", "tradovate_auth_ureq", LevelFilter::ERROR, false),
        ] {
            assert_eq!(is_logged(target, level, &wanted.parse().unwrap()), expected, "{wanted} {target} {level}");
        }
    }
}
