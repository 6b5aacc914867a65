//! The committed corpus, replayed.

use std::fs;
use std::path::Path;

/// Runs a target over its corpus and says how much there was of it.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        target(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn api_hosts() {
    replay("api_hosts", super::api_hosts);
}

#[test]
fn headers() {
    replay("headers", super::headers);
}

#[test]
fn redirect() {
    replay("redirect", super::redirect);
}

#[test]
fn responses() {
    replay("responses", super::responses);
}

#[test]
fn session() {
    replay("session", super::session);
}

#[test]
fn snapshots() {
    replay("snapshots", super::snapshots);
}
