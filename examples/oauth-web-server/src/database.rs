//! The database of the web server: logins in progress, and the sessions of users.
//!
//! It is a map in memory and, if configured, a file. Replace it by your own database: one table for each map, with the
//! texts in encrypted columns, and one transaction for each function. Both tables are limited by age and by number.
//!
//! Anybody can start a login. Over 10 000 logins in progress, the oldest are removed. So in production, put a rate
//! limit before `/connect`. Otherwise a flood of logins prevents users from finishing theirs.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tempfile::Builder;
use tradovate_auth::{AuthorizedCode, PendingAuthorization, RedirectError, StoredAuthorization, StoredSession};

/// How long a user may stay at the vendor's page.
const MAX_LOGIN_AGE: SignedDuration = SignedDuration::from_mins(10);

/// How many logins can be in progress. A further one removes the oldest.
const MAX_LOGINS: usize = 10_000;

/// How long a session can be without tokens. A code is valid for ten minutes, so an older session gets none any more.
const MAX_EXCHANGE_AGE: SignedDuration = SignedDuration::from_mins(15);

/// How long a session lasts. Then the user has to log in again.
pub(crate) const MAX_SESSION_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Clone)]
pub(crate) struct Database {
    tables: Arc<Mutex<Tables>>,
    file: Option<PathBuf>,
}

#[derive(Default, Serialize, Deserialize)]
struct Tables {
    /// Logins in progress, by the secret in the login cookie.
    logins: HashMap<String, Login>,
    /// Sessions, by the secret in the session cookie.
    sessions: HashMap<String, Row>,
    last_number: u64,
}

#[derive(Serialize, Deserialize)]
struct Login {
    began: Timestamp,
    /// A `StoredAuthorization` as JSON.
    authorization: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    began: Timestamp,
    /// The name of the session in logs, because its id is a secret.
    number: u64,
    user: Option<String>,
    /// A `StoredSession` as JSON, as soon as the session has tokens.
    snapshot: Option<String>,
}

impl Row {
    fn is_open(&self) -> bool {
        is_younger(self.began, if self.snapshot.is_some() { MAX_SESSION_AGE } else { MAX_EXCHANGE_AGE })
    }
}

impl Database {
    pub(crate) fn open(file: Option<PathBuf>) -> io::Result<Self> {
        let tables = match file.as_ref().filter(|file| file.exists()) {
            Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
            None => Tables::default(),
        };
        Ok(Self { tables: Arc::new(Mutex::new(tables)), file })
    }

    /// Stores a login of this browser, and removes the previous one.
    pub(crate) fn begin_login(
        &self,
        browser: &str,
        previous: Option<&str>,
        authorization: &StoredAuthorization,
    ) -> io::Result<()> {
        let login = Login { began: Timestamp::now(), authorization: serde_json::to_string(authorization)? };
        self.change(|tables| {
            previous.map(|previous| tables.logins.remove(previous));
            while tables.logins.len() >= MAX_LOGINS {
                let oldest = tables.logins.iter().min_by_key(|(_, login)| login.began);
                let Some(oldest) = oldest.map(|(browser, _)| browser.clone()) else { break };
                tables.logins.remove(&oldest);
            }
            tables.logins.insert(browser.to_owned(), login);
            true
        })?;
        Ok(())
    }

    /// Handles a redirect for this browser's login. Returns `None` if it has no login in progress. Only one of several
    /// concurrent redirects ends the login. A redirect that does not belong to the login leaves it in progress.
    pub(crate) fn answer_login(
        &self,
        browser: &str,
        query: &str,
    ) -> io::Result<Option<Result<AuthorizedCode, RedirectError>>> {
        let Some(stored) = self.login(browser) else { return Ok(None) };
        let answer = PendingAuthorization::from(stored).redirected_query(query);
        let is_over = answer.as_ref().err().is_none_or(RedirectError::ends_login);
        let is_late = is_over && !self.change(|tables| tables.logins.remove(browser).is_some())?;
        Ok((!is_late).then_some(answer))
    }

    fn login(&self, browser: &str) -> Option<StoredAuthorization> {
        let tables = self.tables();
        let login = tables.logins.get(browser).filter(|login| is_younger(login.began, MAX_LOGIN_AGE))?;
        serde_json::from_str(&login.authorization).ok()
    }

    /// Opens a session that has no tokens yet.
    pub(crate) fn open_session(&self, id: &str) -> io::Result<()> {
        self.change(|tables| {
            tables.last_number += 1;
            let row = Row { began: Timestamp::now(), number: tables.last_number, user: None, snapshot: None };
            tables.sessions.insert(id.to_owned(), row);
            true
        })?;
        Ok(())
    }

    /// Updates the snapshot of a session. It never inserts one, because a session that was closed meanwhile must not
    /// come back. Before its first tokens, a snapshot is not stored: it does not contain the code, so nothing could be
    /// resumed from it.
    pub(crate) fn save(&self, id: &str, snapshot: &StoredSession) -> io::Result<()> {
        let text = serde_json::to_string(snapshot)?;
        self.update(id, |row| {
            if row.snapshot.is_some() || snapshot.expires_at().is_some() {
                row.snapshot = Some(text);
            }
        })
    }

    pub(crate) fn name_user(&self, id: &str, name: &str) -> io::Result<()> {
        self.update(id, |row| row.user = Some(name.to_owned()))
    }

    /// Closes a session. Returns whether it was open.
    pub(crate) fn close_session(&self, id: &str) -> io::Result<bool> {
        self.change(|tables| tables.sessions.remove(id).is_some())
    }

    /// Whether a session exists and is not too old.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.tables().sessions.get(id).is_some_and(Row::is_open)
    }

    /// The snapshot from which a session can resume, if it ever had tokens.
    pub(crate) fn snapshot(&self, id: &str) -> Option<StoredSession> {
        let tables = self.tables();
        let row = tables.sessions.get(id).filter(|row| row.is_open())?;
        serde_json::from_str(row.snapshot.as_ref()?).ok()
    }

    pub(crate) fn user(&self, id: &str) -> Option<String> {
        self.tables().sessions.get(id)?.user.clone()
    }

    /// The name of a session in logs.
    pub(crate) fn number(&self, id: &str) -> u64 {
        self.tables().sessions.get(id).map_or(0, |row| row.number)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, id: &str, update: impl FnOnce(&mut Row)) -> io::Result<()> {
        self.change(|tables| tables.sessions.get_mut(id).map(update).is_some())?;
        Ok(())
    }

    /// Removes everything that is too old, applies a change, and writes the file if `change` returns true.
    fn change(&self, change: impl FnOnce(&mut Tables) -> bool) -> io::Result<bool> {
        let mut tables = self.tables();
        tables.logins.retain(|_, login| is_younger(login.began, MAX_LOGIN_AGE));
        tables.sessions.retain(|_, row| row.is_open());
        let has_changed = change(&mut tables);
        if let Some(file) = self.file.as_ref().filter(|_| has_changed) {
            // Writes a new file with a random name, which only its owner can read, and then replaces the old one.
            let name = file.file_name().unwrap_or_default();
            let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
            let mut new =
                Builder::new().prefix(name).suffix(".new").tempfile_in(directory.unwrap_or(Path::new(".")))?;
            new.write_all(&serde_json::to_vec(&*tables)?)?;
            new.as_file().sync_all()?;
            new.persist(file)?; // atomically
        }
        Ok(has_changed)
    }
}

fn is_younger(began: Timestamp, age: SignedDuration) -> bool {
    Timestamp::now().duration_since(began) < age
}
