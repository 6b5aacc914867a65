//! [`SessionSet`]: many sessions driven by one loop, on the budgets of the network addresses they leave by.
//!
//! Like a session it does no I/O and has no clock. It knows which session has something to do next, gives the places of
//! a network's hour to the tokens that end first, and extends tokens before their time where many are due at once.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_core::{Failure, RequestBody};

use crate::budget::{Operation, RateBudget};
use crate::session::{Action, Event, ExchangeId, Outlook, Session, StopReason};
use crate::store::{StoreAnswer, StoreError, StoreRequest};

mod network;
mod renewal_pace;
mod slots;

pub use slots::SessionKey;

use network::{Kind, Network, Place};
use renewal_pace::Pending;
use slots::Slots;

/// Sessions of many users in one program.
///
/// `N` names the network address that a session's requests leave by: the server counts by address, so sessions that
/// share one share its [`RateBudget`]. Of renewals it grants fifteen an hour for each, which is enough for sixteen tokens
/// of eighty minutes, and the set has them follow one another so that it is. OAuth sessions use
/// the renewals that the others do not need, ten at most. Otherwise they refresh, and there is room for a thousand refreshes. Where there are too many all the same, the tokens that end
/// first are extended first, and the set says so ([`SetEvent::Crowded`]).
///
/// ```
/// use jiff::Timestamp;
/// use tradovate_auth_core::{Credentials, Environment};
/// use tradovate_auth_session::{Session, SessionSet, SetAction};
///
/// let now: Timestamp = "2026-11-24T14:20:30Z".parse()?;
/// let mut sessions = SessionSet::new();
/// for (seed, user) in ["alice", "bob"].into_iter().enumerate() {
///     let credentials = Credentials::new(user, "password");
///     sessions.insert("203.0.113.0/24", Session::new(Environment::demo(), credentials, seed as u64));
/// }
/// // As many requests may be under way at a time as the program likes.
/// let SetAction::Send { session, id, .. } = sessions.poll(now) else { panic!() };
/// let SetAction::Send { .. } = sessions.poll(now) else { panic!() };
/// let answer = r#"{"accessToken":"synthetic","expirationTime":"2026-11-24T15:40:30Z"}"#;
/// sessions.receive(now, session, id, http::Response::new(answer));
/// assert!(sessions.get(session).unwrap().token(now).is_some());
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct SessionSet<N> {
    members: Slots<Member>,
    networks: Slots<Network<N>>,
    by_key: BTreeMap<N, u32>,
    /// Sessions by when they have something to do.
    agenda: BTreeSet<(Timestamp, u32)>,
    /// Networks likewise.
    network_agenda: BTreeSet<(Timestamp, u32)>,
    /// Networks without sessions, by when there is nothing left to remember of them.
    empty_networks: BTreeSet<(Timestamp, u32)>,
    /// Sessions that have something to say.
    speakers: VecDeque<SessionKey>,
    complaints: VecDeque<SetEvent<N>>,
    now: Timestamp,
}

#[derive(Debug)]
struct Member {
    session: Session,
    network: u32,
    /// Its entry in the agenda.
    at: Option<Timestamp>,
    place: Option<Place>,
    is_speaking: bool,
    has_stopped: bool,
}

/// What the driver of a set is to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetAction {
    /// Send this request, as [`Action::Send`] says. Then call [`SessionSet::receive`] or [`SessionSet::failed`]. Poll
    /// again meanwhile, for as many requests at a time as there may be.
    Send {
        /// Whose.
        session: SessionKey,
        /// Comes back with the answer.
        id: ExchangeId,
        /// What to send.
        request: Request<RequestBody>,
    },
    /// Ask the store of a session, as [`Action::Store`] says. Then call [`SessionSet::store_answered`].
    Store {
        /// Whose.
        session: SessionKey,
        /// Comes back with the answer.
        id: ExchangeId,
        /// What to ask.
        request: StoreRequest,
    },
    /// A session does nothing more by itself. It is said once; the session stays in the set.
    Stopped {
        /// Which.
        session: SessionKey,
        /// Why.
        reason: StopReason,
    },
    /// Nothing before this moment, which is in the future. Where nothing will ever be to do, it is the last one there is.
    Wait {
        /// When to poll again.
        until: Timestamp,
    },
}

/// Something that has happened in a set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SetEvent<N> {
    /// To a session.
    Session {
        /// Which.
        session: SessionKey,
        /// What.
        event: Event,
    },
    /// A network's sessions need more renewals, or more refreshes, than the server grants it. Some of their tokens will end;
    /// those of sessions by password are replaced by logins. Have fewer sessions leave by it.
    Crowded {
        /// Which.
        network: N,
        /// What is needed too often.
        operation: Operation,
        /// How many of them an hour are needed, or tokens end.
        per_hour: u64,
    },
}

impl<N: Ord + Clone> Default for SessionSet<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Ord + Clone> SessionSet<N> {
    /// A set of no sessions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            members: Slots::default(),
            networks: Slots::default(),
            by_key: BTreeMap::new(),
            agenda: BTreeSet::new(),
            network_agenda: BTreeSet::new(),
            empty_networks: BTreeSet::new(),
            speakers: VecDeque::new(),
            complaints: VecDeque::new(),
            now: Timestamp::MIN,
        }
    }

    /// Takes in a session that leaves by this network. It is polled next.
    pub fn insert(&mut self, network: N, session: Session) -> SessionKey {
        let network = self.enter_network(network);
        let (at, place) = (None, None);
        let key = self.members.insert(Member { session, network, at, place, is_speaking: false, has_stopped: false });
        self.touch(key.index);
        key
    }

    /// Takes a session out of the set. The set reports nothing more of it. What it has in flight is the caller's to finish with it.
    ///
    /// The set keeps what it knows of the session's network as long as that counts: a lock-out, a closed endpoint, the
    /// requests of the hour. A network without sessions is forgotten after that.
    pub fn remove(&mut self, session: SessionKey) -> Option<Session> {
        if self.members.contains(session) {
            self.detach(session.index);
        }
        let member = self.members.remove(session)?;
        if member.is_speaking {
            self.speakers.retain(|speaker| *speaker != session);
        }
        self.leave_network(member.network);
        self.schedule_network(member.network);
        self.forget_networks();
        Some(member.session)
    }

    /// What to do next. Call it after every change, and when the time it named has come.
    pub fn poll(&mut self, now: Timestamp) -> SetAction {
        self.now = self.now.max(now);
        self.forget_networks();
        loop {
            let next_network = self.network_agenda.first().copied();
            let next_session = self.agenda.first().copied();
            // What a network has to give goes to those who wait before it goes to those who come.
            let action = match (next_network, next_session) {
                (Some((at, network)), _) if at <= self.now => self.serve(network),
                (_, Some((at, index))) if at <= self.now => self.drive(index),
                _ => {
                    let times = [next_network, next_session].into_iter().flatten().map(|(at, _)| at);
                    return SetAction::Wait { until: times.min().unwrap_or(Timestamp::MAX) };
                }
            };
            if let Some(action) = action {
                return action;
            }
        }
    }

    /// The response to a request, of any status.
    pub fn receive<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        id: ExchangeId,
        response: Response<B>,
    ) {
        self.with(now, session, |session, budget| session.receive(now, id, response, budget));
    }

    /// A request that brought no response.
    pub fn failed(&mut self, now: Timestamp, session: SessionKey, id: ExchangeId, failure: Failure) {
        self.failed_because(now, session, id, failure, "");
    }

    /// As [`failed`](Self::failed), with the cause for the owner: see [`Session::failed_because`].
    pub fn failed_because(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        id: ExchangeId,
        failure: Failure,
        cause: &str,
    ) {
        self.with(now, session, |session, budget| session.failed_because(now, id, failure, cause, budget));
    }

    /// What the store of a session has done, or why it has not: see [`Session::store_answered`].
    pub fn store_answered(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        id: ExchangeId,
        answer: Result<StoreAnswer, StoreError>,
    ) {
        self.with(now, session, |session, budget| session.store_answered(now, id, answer, budget));
    }

    /// Calls another method of a session, with the budget of its network: to report what callers saw when they used its token
    /// ([`Session::rejected`]), to give it other credentials, or to take a snapshot. `None` if the session is not in the set.
    pub fn with<T>(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        call: impl FnOnce(&mut Session, &mut RateBudget) -> T,
    ) -> Option<T> {
        self.now = self.now.max(now);
        if !self.members.contains(session) {
            return None;
        }
        self.detach(session.index);
        let member = self.members.at(session.index)?;
        let network = self.networks.at(member.network)?;
        let answer = call(&mut member.session, &mut network.budget);
        member.has_stopped &= member.session.stop_reason().is_some();
        let network = member.network;
        self.touch(session.index);
        // It may have given a place back, or closed the network.
        self.schedule_network(network);
        Some(answer)
    }

    /// A session of the set.
    #[must_use]
    pub fn get(&self, session: SessionKey) -> Option<&Session> {
        self.members.get(session).map(|member| &member.session)
    }

    /// The budget of a network by which sessions leave, or have left so recently that something of it still counts.
    #[must_use]
    pub fn budget(&self, network: &N) -> Option<&RateBudget> {
        let index = *self.by_key.get(network)?;
        self.networks.get(self.networks.key(index)?).map(|network| &network.budget)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    /// The next event; of a session the oldest first. Fetch all of them after each change: a session keeps its newest 256.
    pub fn next_event(&mut self) -> Option<SetEvent<N>> {
        if let Some(complaint) = self.complaints.pop_front() {
            return Some(complaint);
        }
        loop {
            let session = *self.speakers.front()?;
            if self.members.contains(session)
                && let Some(member) = self.members.at(session.index)
            {
                if let Some(event) = member.session.next_event() {
                    return Some(SetEvent::Session { session, event });
                }
                member.is_speaking = false;
            }
            self.speakers.pop_front();
        }
    }

    /// Serves a network: a session that waits for a place gets it, or a token is extended before its time.
    fn serve(&mut self, index: u32) -> Option<SetAction> {
        let now = self.now;
        let network = self.networks.at(index)?;
        if let Some(waiting) = network.next_waiting(now) {
            self.drive(waiting)
        } else if let Some(pending) = network.next_pending(now) {
            self.members.at(pending)?.session.bring_forward(now);
            self.drive(pending)
        } else {
            self.schedule_network(index);
            None
        }
    }

    /// Polls a session.
    fn drive(&mut self, index: u32) -> Option<SetAction> {
        let now = self.now;
        let place = self.detach(index);
        let session = self.members.key(index)?;
        let member = self.members.at(index)?;
        let home = member.network;
        let network = self.networks.at(home)?;
        let action = match member.session.poll(now, &mut network.budget) {
            Action::Send { id, request } => {
                if let Some(operation) = member.session.sending() {
                    let extends = place.map(|place| place.operation);
                    network.beat(now, operation, extends == Some(operation));
                    if let Some(other) = extends.filter(|other| *other != operation) {
                        // A renewal to spare has extended a token that was to be refreshed.
                        network.beat(now, other, true);
                    }
                }
                Some(SetAction::Send { session, id, request })
            }
            Action::Store { id, request } => Some(SetAction::Store { session, id, request }),
            Action::Wait { until } => {
                self.settle(index, until);
                None
            }
            Action::Stopped { reason, check_at } => {
                let is_news = !core::mem::replace(&mut member.has_stopped, true);
                if let Some(at) = check_at {
                    self.settle(index, at);
                }
                is_news.then_some(SetAction::Stopped { session, reason })
            }
        };
        if matches!(action, Some(SetAction::Send { .. } | SetAction::Store { .. }))
            && let Some(member) = self.members.at(index)
            && let Some(network) = self.networks.at(home)
            // Nothing but its deadline.
            && let Action::Wait { until } | Action::Stopped { check_at: Some(until), .. } =
                member.session.poll(now, &mut network.budget)
        {
            self.settle(index, until);
        }
        self.schedule_network(home);
        self.listen(session);
        action
    }

    /// Enters a session that has nothing to do now in the agendas.
    fn settle(&mut self, index: u32, until: Timestamp) {
        let now = self.now;
        let Some(member) = self.members.at(index) else { return };
        let Some(network) = self.networks.at(member.network) else { return };
        let outlook = member.session.outlook(now, &network.budget);
        let place = outlook.and_then(|outlook| place(now, &outlook));
        let at = match (outlook, place) {
            (Some(outlook), Some(Place { kind: Kind::Waiting { .. }, .. })) => outlook.change,
            (Some(outlook), place) => {
                let wanted = match place {
                    Some(Place { kind: Kind::Pending(token), .. }) => token.latest(),
                    _ => outlook.wanted,
                };
                Some(outlook.change.map_or(wanted, |change| change.min(wanted)))
            }
            (None, _) => Some(until),
        };
        // One that waits for a place comes when there is one.
        member.session.expect_by(at.unwrap_or(Timestamp::MAX));
        (member.at, member.place) = (at, place);
        if let Some(at) = at {
            self.agenda.insert((at, index));
        }
        let (network, Some(place)) = (member.network, place) else { return };
        if let Some(network) = self.networks.at(network) {
            network.enter(now, index, place);
            if let Some((operation, per_hour)) = network.complaint() {
                let network = network.key.clone();
                self.complaints.push_back(SetEvent::Crowded { network, operation, per_hour });
            }
        }
    }

    /// Has a session polled next.
    fn touch(&mut self, index: u32) {
        if let Some(member) = self.members.at(index) {
            member.at = Some(self.now);
            self.agenda.insert((self.now, index));
        }
        if let Some(key) = self.members.key(index) {
            self.listen(key);
        }
    }

    /// Takes a session out of the agendas.
    fn detach(&mut self, index: u32) -> Option<Place> {
        let member = self.members.at(index)?;
        if let Some(at) = member.at.take() {
            self.agenda.remove(&(at, index));
        }
        let place = member.place.take()?;
        if let Some(network) = self.networks.at(member.network) {
            network.leave(index, place);
        }
        Some(place)
    }

    /// Remembers that a session has something to say.
    fn listen(&mut self, key: SessionKey) {
        if let Some(member) = self.members.at(key.index)
            && !member.is_speaking
            && member.session.has_events()
        {
            member.is_speaking = true;
            self.speakers.push_back(key);
        }
    }

    fn schedule_network(&mut self, index: u32) {
        let Some(network) = self.networks.at(index) else { return };
        let at = network.next(self.now);
        let before = core::mem::replace(&mut network.at, at);
        if before != at {
            if let Some(before) = before {
                self.network_agenda.remove(&(before, index));
            }
            if let Some(at) = at {
                self.network_agenda.insert((at, index));
            }
        }
    }

    /// One more session leaves by this network.
    fn enter_network(&mut self, key: N) -> u32 {
        let index = if let Some(index) = self.by_key.get(&key) {
            *index
        } else {
            let number = u32::try_from(self.networks.len()).unwrap_or(u32::MAX);
            let index = self.networks.insert(Network::new(key.clone(), number)).index;
            self.by_key.insert(key, index);
            index
        };
        if let Some(network) = self.networks.at(index) {
            network.sessions = network.sessions.saturating_add(1);
            if let Some(end) = network.forgotten_at.take() {
                self.empty_networks.remove(&(end, index));
            }
        }
        index
    }

    /// A session that left by this network is gone.
    fn leave_network(&mut self, index: u32) {
        let Some(network) = self.networks.at(index) else { return };
        network.shrink();
        network.sessions = network.sessions.saturating_sub(1);
        if network.sessions == 0 {
            let end = network.budget.counts_until();
            network.forgotten_at = Some(end);
            self.empty_networks.insert((end, index));
        }
    }

    /// Forgets the networks without sessions of which nothing counts any more.
    fn forget_networks(&mut self) {
        while let Some((end, index)) = self.empty_networks.first().copied().filter(|(end, _)| *end <= self.now) {
            self.empty_networks.remove(&(end, index));
            let Some(network) = self.networks.key(index).and_then(|key| self.networks.remove(key)) else { continue };
            self.by_key.remove(&network.key);
            if let Some(at) = network.at {
                self.network_agenda.remove(&(at, index));
            }
        }
    }
}

/// What a session is in line for that has nothing to do now.
fn place(now: Timestamp, outlook: &Outlook) -> Option<Place> {
    let Outlook { operation, wanted, is_routine, token, .. } = *outlook;
    let kind = if wanted <= now {
        Kind::Waiting { urgency: token.map_or(Timestamp::MIN, |token| token.end) }
    } else {
        let token = token.filter(|_| is_routine)?;
        Kind::Pending(Pending { since: token.since, due: wanted, end: token.end })
    };
    Some(Place { operation, kind })
}

#[cfg(test)]
mod tests;
