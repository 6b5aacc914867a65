//! Where the web server keeps what outlives a request: logins that are under way, and the sessions of users.
//!
//! It is a map in memory, and a file where one is given. Put your own database here: one table for each map, the texts
//! in columns that are encrypted, each function one transaction. Both tables are bounded, by age and by number.
//!
//! Anybody can begin a login, and beyond 10 000 that are under way the oldest make room: in production, put a rate limit
//! before `/connect`, or a flood of them keeps users from finishing theirs.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tempfile::Builder;
use tradovate_auth::{AuthorizedCode, PendingAuthorization, RedirectError, StoredAuthorization, StoredSession};

/// How long a user may take at the vendor's page.
const LONGEST_LOGIN: SignedDuration = SignedDuration::from_mins(10);

/// Beyond this number the oldest ones make room.
const MOST_LOGINS: usize = 10_000;

/// A session that has no tokens after this gets none: a code is good for ten minutes.
const LONGEST_EXCHANGE: SignedDuration = SignedDuration::from_mins(15);

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
    /// A `StoredSession`, once there are tokens.
    snapshot: Option<String>,
}

impl Row {
    fn is_open(&self) -> bool {
        is_younger(self.began, if self.snapshot.is_some() { LONGEST_SESSION } else { LONGEST_EXCHANGE })
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

    /// Remembers a login for this browser, and forgets the one that it has begun before.
    pub(crate) fn begin_login(
        &self,
        browser: &str,
        former: Option<&str>,
        authorization: &StoredAuthorization,
    ) -> io::Result<()> {
        let login = Login { began: Timestamp::now(), authorization: serde_json::to_string(authorization)? };
        self.change(|tables| {
            former.map(|former| tables.logins.remove(former));
            while tables.logins.len() >= MOST_LOGINS {
                let oldest = tables.logins.iter().min_by_key(|(_, login)| login.began);
                let Some(oldest) = oldest.map(|(browser, _)| browser.clone()) else { break };
                tables.logins.remove(&oldest);
            }
            tables.logins.insert(browser.to_owned(), login);
            true
        })?;
        Ok(())
    }

    /// Takes a redirect to the login of this browser, where it has one under way. Of redirects that come at the same
    /// time one is the answer; what is not the answer leaves the login as it is.
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
        let login = tables.logins.get(browser).filter(|login| is_younger(login.began, LONGEST_LOGIN))?;
        serde_json::from_str(&login.authorization).ok()
    }

    /// A session that has no tokens yet.
    pub(crate) fn open_session(&self, id: &str) -> io::Result<()> {
        self.change(|tables| {
            tables.last_number += 1;
            let row = Row { began: Timestamp::now(), number: tables.last_number, user: None, snapshot: None };
            tables.sessions.insert(id.to_owned(), row);
            true
        })?;
        Ok(())
    }

    /// An update and never an insert: a session that has been closed meanwhile must not come back. What has no tokens
    /// is not worth keeping before the first ones: the code is not in it.
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

    /// Forgets a session; whether it was open until now.
    pub(crate) fn close_session(&self, id: &str) -> io::Result<bool> {
        self.change(|tables| tables.sessions.remove(id).is_some())
    }

    /// Whether there is such a session, and it is not too old.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.tables().sessions.get(id).is_some_and(Row::is_open)
    }

    /// What a session goes on with, once it has had tokens.
    pub(crate) fn snapshot(&self, id: &str) -> Option<StoredSession> {
        let tables = self.tables();
        let row = tables.sessions.get(id).filter(|row| row.is_open())?;
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

    fn update(&self, id: &str, update: impl FnOnce(&mut Row)) -> io::Result<()> {
        self.change(|tables| tables.sessions.get_mut(id).map(update).is_some())?;
        Ok(())
    }

    /// Throws away what is too old and changes something; where that says that it has, writes it down.
    fn change(&self, change: impl FnOnce(&mut Tables) -> bool) -> io::Result<bool> {
        let mut tables = self.tables();
        tables.logins.retain(|_, login| is_younger(login.began, LONGEST_LOGIN));
        tables.sessions.retain(|_, row| row.is_open());
        let has_changed = change(&mut tables);
        if let Some(file) = self.file.as_ref().filter(|_| has_changed) {
            // A new file beside it, under a random name that is longer than its own, which its owner alone can read.
            let name = file.file_name().unwrap_or_default();
            let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
            let mut new =
                Builder::new().prefix(name).suffix(".new").tempfile_in(directory.unwrap_or(Path::new(".")))?;
            new.write_all(&serde_json::to_vec(&*tables)?)?;
            new.as_file().sync_all()?;
            new.persist(file)?; // all of it or nothing
        }
        Ok(has_changed)
    }
}

fn is_younger(began: Timestamp, age: SignedDuration) -> bool {
    Timestamp::now().duration_since(began) < age
}
