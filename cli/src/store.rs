//! The store that the arguments or the variables select: files or Redis.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tradovate_auth::redis::RedisStore;
use tradovate_auth::store::{FileStore, HeldLease, SealingKey, SessionName, Store};
use tradovate_auth::{StoreError, StoredSession};
use zeroize::Zeroizing;

use crate::Failure;
use crate::arguments::StoreArguments;
use crate::variables::{SEALING_KEY, STORE, Variables};

#[derive(Clone)]
pub(crate) enum SelectedStore {
    File(FileStore),
    Redis(RedisStore),
}

impl SelectedStore {
    pub(crate) fn open(arguments: &StoreArguments, variables: &Variables) -> Result<Self, Failure> {
        let key = key(arguments, variables)?;
        let is_url = |text: &str| text.starts_with("redis://") || text.starts_with("rediss://");
        if arguments.store.as_deref().is_some_and(|text| is_url(text) && text.contains('@')) {
            let text = "the URL in --store contains a user or a password, and other users of this machine can see \
                arguments: set TRADOVATE_STORE to the URL instead";
            return Err(text.into());
        }
        let text = arguments.store.clone().or_else(|| variables.given(STORE)).map(Zeroizing::new);
        let file = match text.as_deref().map(String::as_str) {
            None | Some("file") => FileStore::user()?,
            Some(text) if is_url(text) => {
                let store = RedisStore::new(text)?;
                return Ok(Self::Redis(match key {
                    Some(key) => store.sealed(key),
                    None => store,
                }));
            }
            Some(text) => match text.strip_prefix("file:").filter(|path| !path.is_empty()) {
                Some(path) => FileStore::in_directory(path)?,
                None => return Err("the store must be file, file:DIRECTORY, or redis://HOST:PORT/".into()),
            },
        };
        Ok(Self::File(match key {
            Some(key) => file.sealed(key),
            None => file,
        }))
    }

    /// The directory of a file store; `None` for Redis.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::File(store) => Some(store.directory()),
            Self::Redis(_) => None,
        }
    }

    pub(crate) fn boxed(&self) -> Box<dyn Store> {
        match self {
            Self::File(store) => store.clone().into(),
            Self::Redis(store) => store.clone().into(),
        }
    }

    /// Loads the stored session, if there is one.
    pub(crate) fn load(&self, name: &SessionName) -> Result<Option<StoredSession>, Failure> {
        let record = self.boxed().load(name)?;
        Ok(record.map(|record| record.session).transpose()?)
    }

    pub(crate) fn held_lease(&self, name: &SessionName) -> Result<Option<HeldLease>, StoreError> {
        match self {
            Self::File(store) => store.held_lease(name),
            Self::Redis(store) => store.held_lease(name),
        }
    }
}

/// Describes the holder of the lease for the user.
pub(crate) fn describe_holder(lease: Option<HeldLease>) -> String {
    let Some(lease) = lease else { return "nobody".into() };
    let process = lease.process.map_or("a process".into(), |id| format!("process {id}"));
    let left = lease.time_left.max(Duration::from_secs(1)).as_secs();
    format!("{process}, for at most {left} s")
}

fn key(arguments: &StoreArguments, variables: &Variables) -> Result<Option<SealingKey>, Failure> {
    let text = match &arguments.key_file {
        Some(path) => {
            let text = fs::read_to_string(path);
            Some(text.map_err(|error| format!("--key-file: can't read {}: {error}", path.display()))?)
        }
        None => variables.given(SEALING_KEY),
    };
    let text = text.map(Zeroizing::new);
    Ok(text.map(|text| SealingKey::parse(&text)).transpose()?)
}
