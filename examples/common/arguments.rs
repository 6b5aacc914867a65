//! What is said on the command line: which store, and for how long.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of a program that shares its session.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) store: Place,
    pub(crate) time: Option<Duration>,
}

/// Where the session is stored.
#[derive(Debug, Default)]
pub(crate) enum Place {
    /// In the user's own directory for such things.
    #[default]
    User,
    Directory(PathBuf),
    Redis(String),
}

impl Arguments {
    /// Reads `--store PLACE` and `--for SECONDS`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut parsed = Self::default();
        while let Some(name) = arguments.next() {
            match (name.as_str(), arguments.next()) {
                ("--store", Some(place)) => parsed.store = Place::parse(&place).ok_or_else(usage)?,
                ("--for", Some(seconds)) => {
                    parsed.time = Some(Duration::from_secs(seconds.parse().map_err(|_| usage())?));
                }
                _ => return Err(usage()),
            }
        }
        Ok(parsed)
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "file" => Some(Self::User),
            Some(("file", path)) if !path.is_empty() => Some(Self::Directory(path.into())),
            Some(("redis" | "rediss", _)) => Some(Self::Redis(text.into())),
            _ => None,
        }
    }
}

fn usage() -> io::Error {
    io::Error::other("usage: [--store file | file:DIRECTORY | redis://HOST:PORT/] [--for SECONDS]")
}
