//! The command line: the store, and how long to run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of a program that shares its session.
pub(crate) struct Arguments {
    pub(crate) store: StoreLocation,
    pub(crate) time: Option<Duration>,
    /// Whether to try credentials that the server refused at an earlier start.
    pub(crate) another_try: bool,
}

/// Where the session is stored.
pub(crate) enum StoreLocation {
    /// In a directory of the user.
    User,
    Directory(PathBuf),
    /// In Redis, by its URL, which can contain a password.
    #[cfg(feature = "redis")]
    Redis(String),
}

impl Arguments {
    /// Reads `--store STORE`, `--for SECONDS` and `--another-try`. Without `--store`, it uses the value of `variable`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>, variable: Option<String>) -> io::Result<Self> {
        let (mut store, mut time, mut another_try) = (variable, None, false);
        while let Some(name) = arguments.next() {
            if name == "--another-try" {
                another_try = true;
                continue;
            }
            match (name.as_str(), arguments.next()) {
                ("--store", Some(location)) if location.contains('@') && !location.starts_with("file:") => {
                    return Err(io::Error::other(
                        "the URL in --store contains a user or a password, and other users of this machine can see \
                         arguments: set TRADOVATE_STORE to the URL instead",
                    ));
                }
                ("--store", Some(location)) => store = Some(location),
                ("--for", Some(seconds)) => {
                    time = Some(Duration::from_secs(seconds.parse().map_err(|_| usage())?));
                }
                _ => return Err(usage()),
            }
        }
        let store = store
            .filter(|location| !location.is_empty())
            .map_or(Ok(StoreLocation::User), |location| StoreLocation::parse(&location))?;
        Ok(Self { store, time, another_try })
    }
}

impl StoreLocation {
    fn parse(text: &str) -> io::Result<Self> {
        match text.split_once(':') {
            None if text == "file" => Ok(Self::User),
            Some(("file", path)) if !path.is_empty() => Ok(Self::Directory(path.into())),
            #[cfg(feature = "redis")]
            Some(("redis" | "rediss", _)) => Ok(Self::Redis(text.into())),
            #[cfg(not(feature = "redis"))]
            Some(("redis" | "rediss", _)) => {
                Err(io::Error::other("this program was built without Redis: build it with `--features redis`"))
            }
            _ => Err(usage()),
        }
    }
}

fn usage() -> io::Error {
    io::Error::other("usage: [--store file | file:DIRECTORY | redis://HOST:PORT/] [--for SECONDS] [--another-try]")
}
