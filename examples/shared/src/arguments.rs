//! The command line: which store, and for how long.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of a program that shares its session.
pub(crate) struct Arguments {
    pub(crate) store: Place,
    pub(crate) time: Option<Duration>,
    /// Whether credentials are tried that the server has refused at an earlier start.
    pub(crate) another_try: bool,
}

/// Where the session is stored.
pub(crate) enum Place {
    /// In the user's own directory for such things.
    User,
    Directory(PathBuf),
    /// By its URL, which can contain a password.
    #[cfg(feature = "redis")]
    Redis(String),
}

impl Arguments {
    /// Reads `--store PLACE`, `--for SECONDS` and `--another-try`. Without `--store`, the place is `variable`, which only this user can see.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>, variable: Option<String>) -> io::Result<Self> {
        let (mut store, mut time, mut another_try) = (variable, None, false);
        while let Some(name) = arguments.next() {
            if name == "--another-try" {
                another_try = true;
                continue;
            }
            match (name.as_str(), arguments.next()) {
                ("--store", Some(place)) if place.contains('@') && !place.starts_with("file:") => {
                    return Err(io::Error::other(
                        "other users of this machine can see arguments, and this store's URL contains a user or a \
                         password: set TRADOVATE_STORE to it instead",
                    ));
                }
                ("--store", Some(place)) => store = Some(place),
                ("--for", Some(seconds)) => {
                    time = Some(Duration::from_secs(seconds.parse().map_err(|_| usage())?));
                }
                _ => return Err(usage()),
            }
        }
        let store = store.filter(|place| !place.is_empty()).map_or(Ok(Place::User), |place| Place::parse(&place))?;
        Ok(Self { store, time, another_try })
    }
}

impl Place {
    fn parse(text: &str) -> io::Result<Self> {
        match text.split_once(':') {
            None if text == "file" => Ok(Self::User),
            Some(("file", path)) if !path.is_empty() => Ok(Self::Directory(path.into())),
            #[cfg(feature = "redis")]
            Some(("redis" | "rediss", _)) => Ok(Self::Redis(text.into())),
            #[cfg(not(feature = "redis"))]
            Some(("redis" | "rediss", _)) => {
                Err(io::Error::other("this program is built without Redis: start it with `--features redis`"))
            }
            _ => Err(usage()),
        }
    }
}

fn usage() -> io::Error {
    io::Error::other("usage: [--store file | file:DIRECTORY | redis://HOST:PORT/] [--for SECONDS] [--another-try]")
}
