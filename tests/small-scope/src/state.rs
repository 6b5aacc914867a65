//! Digests of the state of a run. Equal digests mean that the rest of the runs is equal.
//!
//! A digest contains what can influence the rest of a run, and nothing else: what is left out has its reason here.

use std::fmt::{self, Write};
use std::io;

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::RequestBody;
use tradovate_auth_session::StoreRequest;

use crate::digest::Digest;
use crate::explore::Scope;
use crate::world::{IDLE_AT_MOST, Next, Process, World};

impl World {
    /// A digest of everything that influences the rest of the run, and of the choices that are left.
    pub(crate) fn digest(&self, left: Scope) -> Digest {
        let (mut digest, has_choices) = (Digest::default(), left != Scope::NOTHING);
        for it in &self.processes {
            // The clock of the machine counts at the next start. The number of idle loads ends only the choices.
            let wall = (has_choices || matches!(it.next, Next::Start)).then_some(it.wall);
            let idle = has_choices.then_some(it.idle.min(IDLE_AT_MOST + 1));
            digest.add(&(it.state(), it.hindered_until.max(self.now), it.ahead, wall, idle));
        }
        let goes_on = self.goes_on.filter(|number| !self.processes[*number].is_waiting());
        digest.add(&(self.now, self.next_call, self.calm_since, goes_on, self.has_sent, self.handled, left));
        digest.add(&(self.store.digest(self.now, left.faults()), self.oracle.digest(self)));
        digest
    }
}

impl Process {
    /// Stands for the session, its budget, and the next action. The debug form of a session has all of its fields,
    /// but no secrets. So the secrets of its snapshot are added. Others, such as the token in a request, are with the
    /// server.
    fn state(&self) -> Digest {
        *self.state.get_or_init(|| {
            let mut digest = Digest::default();
            let is_first = matches!(self.next, Next::Start).then_some(self.has_crashed);
            digest.add(&(std::mem::discriminant(&self.next), self.due(), self.changes, self.is_paused, is_first));
            let id = match &self.next {
                Next::Start | Next::Wake => None,
                Next::Ask(id, request) => {
                    if let StoreRequest::Save { snapshot, .. } | StoreRequest::Keep(snapshot) = request {
                        digest.add(&serde_json::to_string(snapshot).unwrap_or_default());
                    }
                    digest.add(&format!("{request:?}"));
                    Some(*id)
                }
                Next::Stored(id, _, content) => {
                    digest.add(content);
                    Some(*id)
                }
                Next::Send(id, request) => {
                    digest.add(&content(request));
                    Some(*id)
                }
                Next::Receive(id, response) => {
                    digest.add(&(response.status(), response.body()));
                    Some(*id)
                }
            };
            if let Some(session) = &self.session {
                let mut normal = Normal::default();
                let _ = write!(normal, "{id:?} {session:?} {:?}", self.budget);
                let _ = serde_json::to_writer(&mut normal, &session.snapshot(Timestamp::MIN, &self.budget));
                digest.add(&normal.text);
            }
            if let Some(loaded) = self.loaded.as_ref().and_then(|loaded| loaded.session.as_ref().ok()) {
                digest.add(&serde_json::to_string(loaded).unwrap_or_default());
            }
            digest
        })
    }
}

/// The content of a request.
pub(crate) fn content(request: &Request<RequestBody>) -> Digest {
    let mut digest = Digest::default();
    digest.add(&(request.method(), request.uri(), request.body().as_ref()));
    request.headers().iter().for_each(|(name, value)| digest.add(&(name.as_str(), value.as_bytes())));
    digest
}

/// The text of a session without what cannot influence it any more: when its last input and its snapshot were, because
/// the time never goes back, and the numbers of its exchanges, of which only the order counts.
#[derive(Default)]
struct Normal {
    text: String,
    is_skipped: bool,
    is_id: bool,
    /// The numbers of the exchanges, in the order in which they occur.
    ids: Vec<u64>,
}

impl Write for Normal {
    /// The parts of a text arrive one by one: a name, a value, a delimiter.
    fn write_str(&mut self, part: &str) -> fmt::Result {
        match part {
            "now" | "seen_at" | "next_id" | "writtenAt" => self.is_skipped = true,
            "," | ", " | " }" | "}" => self.is_skipped = false,
            _ => {}
        }
        match part.parse() {
            _ if self.is_skipped => {}
            Ok(id) if std::mem::take(&mut self.is_id) => {
                if !self.ids.contains(&id) {
                    self.ids.push(id);
                }
                // Where it comes among those before it, and which of them it is.
                let (lower, place) = (self.ids.iter().filter(|it| **it < id), self.ids.iter().position(|it| *it == id));
                write!(self.text, "{}/{place:?}/{}", lower.count(), id == 0)?;
            }
            _ => {
                self.is_id |= part == "ExchangeId";
                self.text.push_str(part);
            }
        }
        Ok(())
    }
}

impl io::Write for Normal {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        Write::write_str(self, std::str::from_utf8(part).unwrap_or_default()).map_err(io::Error::other)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
