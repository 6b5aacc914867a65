//! Where the web server keeps what outlives a request: logins that are under way, and the sessions of users.
//!
//! It is a map in memory, and a file where one is given. Put your own database here: one table for each map, the texts
//! in columns that are encrypted, each function one transaction. Both tables are bounded, by age and by number.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth::{AuthorizedCode, PendingAuthorization, RedirectError, StoredAuthorization, StoredSession};

/// How long a user may take at the vendor's page.
const LONGEST_LOGIN: SignedDuration = SignedDuration::from_mins(10);

/// Anybody can begin a login: beyond this number the oldest ones make room.
const MOST_LOGINS: usize = 10_000;

/// After this a user logs in again.
pub(crate) const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Clone)]
pub(crate) struct Database {
    tables: Arc<Mutex<Tables>>,
    file: Option<PathBuf>,
}

#[derive(Default, Serialize, Deserialize)]
struct Tables {
    /// By the secret of the login cookie.
    logins: HashMap<String, Login>,
    /// By the secret of the session cookie.
    sessions: HashMap<String, Row>,
    last_number: u64,
}

#[derive(Serialize, Deserialize)]
struct Login {
    began: Timestamp,
    /// A `StoredAuthorization`.
    authorization: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    began: Timestamp,
    /// What logs call the session: the secret is no name.
    number: u64,
    user: Option<String>,
    /// A `StoredSession`.
    snapshot: Option<String>,
}

impl Database {
    pub(crate) fn open(file: Option<PathBuf>) -> io::Result<Self> {
        let tables = match file.as_ref().filter(|file| file.exists()) {
            Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
            None => Tables::default(),
        };
        Ok(Self { tables: Arc::new(Mutex::new(tables)), file })
    }

    pub(crate) fn begin_login(&self, browser: &str, authorization: &StoredAuthorization) -> io::Result<()> {
        let login = Login { began: Timestamp::now(), authorization: serde_json::to_string(authorization)? };
        self.change(|tables| {
            while tables.logins.len() >= MOST_LOGINS {
                let oldest = tables.logins.iter().min_by_key(|(_, login)| login.began);
                let Some(oldest) = oldest.map(|(browser, _)| browser.clone()) else { break };
                tables.logins.remove(&oldest);
            }
            tables.logins.insert(browser.to_owned(), login);
        })
    }

    /// Forgets a login that the browser has begun again.
    pub(crate) fn abandon_login(&self, browser: &str) -> io::Result<()> {
        self.change(|tables| drop(tables.logins.remove(browser)))
    }

    /// Takes a redirect to the login of this browser, where it has one under way. Of redirects that come at the same
    /// time one is the answer; what is not the answer leaves the login as it is.
    pub(crate) fn answer_login(
        &self,
        browser: &str,
        query: &str,
    ) -> io::Result<Option<Result<AuthorizedCode, RedirectError>>> {
        self.change(|tables| {
            let authorization = &tables.logins.get(browser)?.authorization;
            let stored: StoredAuthorization = serde_json::from_str(authorization).ok()?;
            let answer = PendingAuthorization::from(stored).redirected_query(query);
            if answer.as_ref().err().is_none_or(RedirectError::ends_login) {
                tables.logins.remove(browser);
            }
            Some(answer)
        })
    }

    /// A session that has no tokens yet.
    pub(crate) fn open_session(&self, id: &str) -> io::Result<()> {
        self.change(|tables| {
            tables.last_number += 1;
            let row = Row { began: Timestamp::now(), number: tables.last_number, user: None, snapshot: None };
            tables.sessions.insert(id.to_owned(), row);
        })
    }

    /// An update and never an insert: a session that has been closed meanwhile must not come back.
    pub(crate) fn save(&self, id: &str, snapshot: &StoredSession) -> io::Result<()> {
        let snapshot = serde_json::to_string(snapshot)?;
        self.change(|tables| {
            if let Some(row) = tables.sessions.get_mut(id) {
                row.snapshot = Some(snapshot);
            }
        })
    }

    pub(crate) fn name_user(&self, id: &str, name: Option<String>) -> io::Result<()> {
        self.change(|tables| {
            if let Some(row) = tables.sessions.get_mut(id) {
                row.user = name;
            }
        })
    }

    pub(crate) fn close_session(&self, id: &str) -> io::Result<()> {
        self.change(|tables| drop(tables.sessions.remove(id)))
    }

    /// What a session goes on with; nothing where there is no such session, or where it is too old.
    pub(crate) fn snapshot(&self, id: &str) -> Option<StoredSession> {
        let tables = self.tables();
        let row = tables.sessions.get(id).filter(|row| is_younger(row.began, LONGEST_SESSION))?;
        serde_json::from_str(row.snapshot.as_ref()?).ok()
    }

    pub(crate) fn user(&self, id: &str) -> Option<String> {
        self.tables().sessions.get(id)?.user.clone()
    }

    /// What logs call a session.
    pub(crate) fn number(&self, id: &str) -> u64 {
        self.tables().sessions.get(id).map_or(0, |row| row.number)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws away what is too old, changes something, and writes it down.
    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> io::Result<T> {
        let mut tables = self.tables();
        tables.logins.retain(|_, login| is_younger(login.began, LONGEST_LOGIN));
        tables.sessions.retain(|_, row| is_younger(row.began, LONGEST_SESSION));
        let result = change(&mut tables);
        if let Some(file) = &self.file {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // for its owner's eyes only
            let new = file.with_extension("new");
            options.open(&new)?.write_all(&serde_json::to_vec(&*tables)?)?;
            fs::rename(new, file)?; // all of it or nothing
        }
        Ok(result)
    }
}

fn is_younger(began: Timestamp, age: SignedDuration) -> bool {
    Timestamp::now().duration_since(began) < age
}
