//! [`SessionSet`]: drives many sessions in one loop, within the budgets of their network addresses.
//!
//! A set does no I/O and has no clock, like a single session. It finds the session that has something to do next. If a
//! network address has many tokens, the set spreads their renewals over the hour, and extends the token that expires
//! first.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_core::{Failure, RequestBody};

use crate::network_budget::{Operation, RateBudget};
use crate::session::{Action, Event, ExchangeId, Outlook, Session, StopReason};
use crate::store::{StoreAnswer, StoreError, StoreRequest};

mod network;
mod renewal_pace;
mod session_keys;

pub use session_keys::SessionKey;

use network::{Kind, Network, Place};
use renewal_pace::Pending;
use session_keys::Slots;

/// Drives the sessions of many users in one program, within the limits of their network addresses.
///
/// `N` names the network address that a session's requests come from. The server counts requests by address, so
/// sessions with the same `N` share one [`RateBudget`].
///
/// The server allows fifteen renewals per hour and address. This is enough for sixteen tokens of 80 minutes if their
/// renewals are spread evenly, and the set spreads them. OAuth sessions use only renewals that other sessions do not
/// need, at most ten per hour. Otherwise they refresh: the server allows about a thousand refreshes and logins per hour,
/// and the set spreads them too. If an address still has too many sessions, the set extends the tokens that expire first
/// and reports [`SetEvent::Crowded`].
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
/// // Several requests may be in flight at the same time.
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
    /// Sessions, ordered by the time at which they have something to do.
    agenda: BTreeSet<(Timestamp, u32)>,
    /// Networks, ordered by the time at which they have something to do.
    network_agenda: BTreeSet<(Timestamp, u32)>,
    /// Networks without sessions, ordered by the time at which none of their limits counts any more.
    empty_networks: BTreeSet<(Timestamp, u32)>,
    /// Sessions with events that the caller has not fetched.
    with_events: VecDeque<SessionKey>,
    crowded: VecDeque<SetEvent<N>>,
    now: Timestamp,
}

#[derive(Debug)]
struct Member {
    session: Session,
    network: u32,
    /// The time of its entry in the agenda.
    at: Option<Timestamp>,
    place: Option<Place>,
    /// Whether its network keeps a login for it.
    has_announced_login: bool,
    has_events: bool,
    has_stopped: bool,
}

/// What the driver of a set does next. [`SessionSet::poll`] returns it.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetAction {
    /// Send this request as [`Action::Send`] describes, then call [`SessionSet::receive`] or [`SessionSet::failed`].
    /// Keep polling meanwhile: several requests may be in flight.
    Send {
        /// The session that sends the request.
        session: SessionKey,
        /// Pass this id back with the answer.
        id: ExchangeId,
        /// The request to send.
        request: Request<RequestBody>,
    },
    /// Ask the store of a session as [`Action::Store`] describes, then call [`SessionSet::store_answered`].
    Store {
        /// The session that asks its store.
        session: SessionKey,
        /// Pass this id back with the answer.
        id: ExchangeId,
        /// The request to the store.
        request: StoreRequest,
    },
    /// A session has stopped and sends nothing more. The set reports this once and keeps the session.
    Stopped {
        /// The session that has stopped.
        session: SessionKey,
        /// The reason.
        reason: StopReason,
    },
    /// Nothing is due before this time, which is in the future. It is [`Timestamp::MAX`] if nothing will ever be due.
    Wait {
        /// The time of the next poll.
        until: Timestamp,
    },
}

/// An event of a set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SetEvent<N> {
    /// An event of one session.
    Session {
        /// The session.
        session: SessionKey,
        /// Its event.
        event: Event,
    },
    /// The sessions of a network address need more renewals or refreshes than the server allows. Some tokens will
    /// expire. Sessions with a password then log in again. Move some sessions to another network address.
    Crowded {
        /// The network address with too many sessions.
        network: N,
        /// Renewals or refreshes.
        operation: Operation,
        /// How many of them would be needed per hour to keep all tokens valid.
        per_hour: u64,
    },
}

impl<N: Ord + Clone> Default for SessionSet<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Ord + Clone> SessionSet<N> {
    /// Creates a set without sessions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            members: Slots::default(),
            networks: Slots::default(),
            by_key: BTreeMap::new(),
            agenda: BTreeSet::new(),
            network_agenda: BTreeSet::new(),
            empty_networks: BTreeSet::new(),
            with_events: VecDeque::new(),
            crowded: VecDeque::new(),
            now: Timestamp::MIN,
        }
    }

    /// Adds a session whose requests come from this network address. The set polls it next.
    pub fn insert(&mut self, network: N, session: Session) -> SessionKey {
        let network = self.enter_network(network);
        let key = self.members.insert(Member {
            session,
            network,
            at: None,
            place: None,
            has_announced_login: false,
            has_events: false,
            has_stopped: false,
        });
        self.make_due(key.index);
        key
    }

    /// Removes a session from the set and returns it. The set reports nothing more about the session. If the session
    /// has a request in flight, report the result to the session itself.
    ///
    /// The set keeps the budget of the network address as long as a limit in it counts: a lock-out, a closed endpoint,
    /// or a request of the last hour. After that, it forgets an address without sessions.
    pub fn remove(&mut self, session: SessionKey) -> Option<Session> {
        if self.members.contains(session) {
            self.detach(session.index);
            self.keep_login_for(session.index, false);
        }
        let member = self.members.remove(session)?;
        if member.has_events {
            self.with_events.retain(|key| *key != session);
        }
        self.leave_network(member.network);
        self.schedule_network(member.network);
        self.forget_networks();
        Some(member.session)
    }

    /// Returns the next action. Call this after each input, and at the time in the last [`SetAction::Wait`].
    pub fn poll(&mut self, now: Timestamp) -> SetAction {
        self.now = self.now.max(now);
        self.forget_networks();
        loop {
            let next_network = self.network_agenda.first().copied();
            let next_session = self.agenda.first().copied();
            // A session that already waits for a request of the network goes before a session that has just become due.
            let action = match (next_network, next_session) {
                (Some((at, network)), _) if at <= self.now => self.serve(network),
                (_, Some((at, index))) if at <= self.now => self.drive(index, false),
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

    /// Reports the response to a request. Pass every response, whatever its status. See [`Session::receive`].
    pub fn receive<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        id: ExchangeId,
        response: Response<B>,
    ) {
        self.with(now, session, |session, budget| session.receive(now, id, response, budget));
    }

    /// Reports that a request brought no complete response. See [`Session::failed`].
    pub fn failed(&mut self, now: Timestamp, session: SessionKey, id: ExchangeId, failure: Failure) {
        self.failed_because(now, session, id, failure, "");
    }

    /// Does the same as [`failed`](Self::failed), and adds the cause. See [`Session::failed_because`].
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

    /// Reports the answer of a session's store, or its error. See [`Session::store_answered`].
    pub fn store_answered(
        &mut self,
        now: Timestamp,
        session: SessionKey,
        id: ExchangeId,
        answer: Result<StoreAnswer, StoreError>,
    ) {
        self.with(now, session, |session, budget| session.store_answered(now, id, answer, budget));
    }

    /// Calls any other method of a session, with the budget of its network address. Use it to report a refused call
    /// ([`Session::rejected`]), to replace credentials or to take a snapshot. Returns `None` if the session is not in
    /// the set.
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
        self.make_due(session.index);
        // The call may have returned a request to the budget, or closed the network.
        self.schedule_network(network);
        Some(answer)
    }

    /// Returns a session of the set.
    #[must_use]
    pub fn get(&self, session: SessionKey) -> Option<&Session> {
        self.members.get(session).map(|member| &member.session)
    }

    /// Returns the budget of a network address that has sessions, or whose limits still count. `None` for other
    /// addresses.
    #[must_use]
    pub fn budget(&self, network: &N) -> Option<&RateBudget> {
        let index = *self.by_key.get(network)?;
        self.networks.get(self.networks.key(index)?).map(|network| &network.budget)
    }

    /// The number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the set has no sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    /// Returns the next event. The events of one session come oldest first. Fetch all events after each change: a
    /// session keeps only its newest 256.
    pub fn next_event(&mut self) -> Option<SetEvent<N>> {
        if let Some(event) = self.crowded.pop_front() {
            return Some(event);
        }
        loop {
            let session = *self.with_events.front()?;
            if self.members.contains(session)
                && let Some(member) = self.members.at(session.index)
            {
                if let Some(event) = member.session.next_event() {
                    return Some(SetEvent::Session { session, event });
                }
                member.has_events = false;
            }
            self.with_events.pop_front();
        }
    }

    /// Serves a network: a session that waits for a request may send it, or a token is extended early.
    fn serve(&mut self, index: u32) -> Option<SetAction> {
        let now = self.now;
        let network = self.networks.at(index)?;
        if let Some(waiting) = network.next_waiting(now) {
            self.drive(waiting, true)
        } else if let Some(pending) = network.next_pending(now) {
            self.members.at(pending)?.session.bring_forward(now);
            self.drive(pending, true)
        } else {
            self.schedule_network(index);
            None
        }
    }

    /// Polls a session. `is_served` says that its network has chosen it to send now.
    fn drive(&mut self, index: u32, is_served: bool) -> Option<SetAction> {
        let now = self.now;
        let place = self.detach(index);
        // The budget keeps logins for the other sessions, not for this one.
        self.keep_login_for(index, false);
        let session = self.members.key(index)?;
        let member = self.members.at(index)?;
        let home = member.network;
        let network = self.networks.at(home)?;
        let action = match member.session.poll(now, &mut network.budget) {
            Action::Send { id, request } => {
                if let Some(operation) = member.session.sending() {
                    // A request for a first token extends none, also if it has waited for the budget. Networks that
                    // start together renew for market data at the same time, so counting these renewals would end
                    // the distance between the networks.
                    let is_first = |place: &Place| place.kind == Kind::Waiting { urgency: Timestamp::MIN };
                    let is_extension = |place: &Place| !is_first(place) && !member.session.sends_for_market_data();
                    let extends = place.filter(is_extension).map(|place| place.operation);
                    network.count_request(now, operation, extends == Some(operation));
                    if let Some(other) = extends.filter(|other| *other != operation) {
                        // A spare renewal has extended a token that was due for a refresh.
                        network.count_request(now, other, true);
                    }
                }
                Some(SetAction::Send { session, id, request })
            }
            Action::Store { id, request } => Some(SetAction::Store { session, id, request }),
            Action::Wait { until } => {
                self.settle(index, until, is_served);
                None
            }
            Action::Stopped { reason, check_at } => {
                let is_news = !core::mem::replace(&mut member.has_stopped, true);
                if let Some(at) = check_at {
                    self.settle(index, at, is_served);
                }
                is_news.then_some(SetAction::Stopped { session, reason })
            }
        };
        if matches!(action, Some(SetAction::Send { .. } | SetAction::Store { .. }))
            && let Some(member) = self.members.at(index)
            && let Some(network) = self.networks.at(home)
            // The session waits only for the deadline of its exchange.
            && let Action::Wait { until } | Action::Stopped { check_at: Some(until), .. } =
                member.session.poll(now, &mut network.budget)
        {
            self.settle(index, until, false);
        }
        let announces = self.members.at(index).is_some_and(|member| member.session.is_announcing_login());
        self.keep_login_for(index, announces);
        self.schedule_network(home);
        self.enqueue_events_of(session);
        action
    }

    /// Whether the network keeps a login for a session that has announced one. Without this, all sessions that wait for
    /// one free login would announce theirs, and each of them would store its announcement.
    fn keep_login_for(&mut self, index: u32, is_announced: bool) {
        let Some(member) = self.members.at(index) else { return };
        let before = core::mem::replace(&mut member.has_announced_login, is_announced);
        if let Some(network) = self.networks.at(member.network) {
            network.count_announced(before, is_announced);
        }
    }

    /// Enters a session that has nothing to do now in the agendas. A session that was served and does not send, although
    /// the budget allows the request that it wants, waits for a reason of its own. In a queue it could be chosen again at
    /// once, without end, so it stays out of the queues until its wait is over. If the session now wants another request,
    /// for which the budget has no place, it waits in the queue of that request.
    fn settle(&mut self, index: u32, until: Timestamp, is_served: bool) {
        let now = self.now;
        let Some(member) = self.members.at(index) else { return };
        let Some(network) = self.networks.at(member.network) else { return };
        let outlook = member.session.outlook(now, &network.budget);
        let place = outlook.and_then(|outlook| place(now, &outlook));
        let waits_for_itself = is_served && place.is_some_and(|place| network.may_choose(now, place));
        let (outlook, place) = if waits_for_itself { (None, None) } else { (outlook, place) };
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
        // A session that waits for the budget is polled when the budget allows its request.
        member.session.expect_by(at.unwrap_or(Timestamp::MAX));
        (member.at, member.place) = (at, place);
        if let Some(at) = at {
            self.agenda.insert((at, index));
        }
        let (network, Some(place)) = (member.network, place) else { return };
        if let Some(network) = self.networks.at(network) {
            network.enter(now, index, place);
            if let Some((operation, per_hour)) = network.new_excess() {
                let network = network.key.clone();
                self.crowded.push_back(SetEvent::Crowded { network, operation, per_hour });
            }
        }
    }

    /// Makes a session the next one to be polled.
    fn make_due(&mut self, index: u32) {
        if let Some(member) = self.members.at(index) {
            member.at = Some(self.now);
            self.agenda.insert((self.now, index));
        }
        if let Some(key) = self.members.key(index) {
            self.enqueue_events_of(key);
        }
    }

    /// Removes a session from the agendas.
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

    /// Remembers that a session has events.
    fn enqueue_events_of(&mut self, key: SessionKey) {
        if let Some(member) = self.members.at(key.index)
            && !member.has_events
            && member.session.has_events()
        {
            member.has_events = true;
            self.with_events.push_back(key);
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

    /// Counts one more session in this network.
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

    /// Counts one session less in this network.
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

    /// Forgets the networks that have no sessions and no limits that still count.
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

/// The queue that a session without anything to do now belongs to.
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
