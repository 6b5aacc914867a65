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
    let filter = filter_fn(move |metadata| {
        let is_ours = metadata.target().starts_with("tradovate_auth");
        (is_ours || *metadata.level() <= LevelFilter::INFO) && wanted.would_enable(metadata.target(), metadata.level())
    });
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter);
    // Fails only if a subscriber is already set, and none is.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
