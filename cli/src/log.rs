//! Logs on stderr, as `RUST_LOG` asks for them.
//!
//! The HTTP stack below writes headers at the levels debug and trace, the token included. So other crates log at `info` or
//! quieter, whatever `RUST_LOG` says.

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
    // It fails if there is one already, and there is none.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
