//! Where a token source stores its session: nowhere, by a hook of the program, or in a store that processes share.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use tradovate_auth_session::{
    MayLogIn, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredSession,
};
use tradovate_auth_store::{AsyncStore, SessionName, ask_async};
use tradovate_auth_token_source as shared;

pub(crate) type Saving = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

pub(crate) type Hook = Box<dyn Fn(StoredSession) -> Saving + Send + Sync>;

pub(crate) enum Storage {
    None,
    Hook(Hook),
    Shared(Box<dyn AsyncStore>, SessionName),
}

impl Storage {
    pub(crate) fn kind(&self, may_log_in: MayLogIn) -> shared::Storage {
        match self {
            Self::None => shared::Storage::None,
            Self::Hook(_) => shared::Storage::Hook,
            Self::Shared(..) => shared::Storage::Shared(may_log_in),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(..))
    }

    pub(crate) async fn ask(&self, request: StoreRequest) -> Result<StoreAnswer, StoreError> {
        match (self, request) {
            (Self::Hook(hook), StoreRequest::Keep(snapshot)) => match hook(snapshot).await {
                Ok(()) => Ok(StoreAnswer::Kept),
                Err(error) => Err(StoreError::new(StoreErrorKind::NotWritable, error.to_string())),
            },
            (Self::Shared(store, name), request) => ask_async(&**store, name, &request).await,
            _ => Err(shared::no_store()),
        }
    }

    /// Waits until the store's record has another revision than `known`, at most for `time`. Returns within a second
    /// after a change.
    pub(crate) async fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        match self {
            Self::Shared(store, name) => store.changed(name, known, time).await,
            _ => Err(shared::no_store()),
        }
    }
}
