//! The oracle: checks the laws. It uses only what the server has received and answered, what stores have held, what the
//! operator has done, and which faults were injected. It uses nothing that a session says about itself.
//!
//! It checks two things. Each request needs a reason ([`requests`]) in what the session has been told ([`memory`]).
//! Each time without a token that the server accepts has to be within the bounds in the table of causes ([`causes`]).
//! Anything that the oracle cannot explain is a violation. The programs of a fleet are checked one by one like any
//! other program, and together as one client of the server ([`fleets`]).

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::MayLogIn;

use crate::journal::{Minute, Record, Seen, What};
use crate::names::Name;
use crate::scenario::{Login, Scenario};
use crate::wire::{Answer, Asked, Operation};
use allowances::Allowances;
use causes::Cause;
use fleets::Fleet;
use gates::Gates;
use memory::{Memory, Order};
use restarts::Snapshot;
use sets::Network;
use stored::Storage;

mod allowances;
mod answers;
mod causes;
mod fleets;
mod gates;
mod memory;
mod requests;
mod restarts;
mod sets;
mod stored;
mod tokens;
mod verdicts;

/// The number of a law and the message about its violation.
type Found = (u8, String);

/// The vendor's own hosts and their subdomains.
const TRUSTED: [&str; 4] = ["tradovateapi.com", "tradovate.com", "ninjatrader.com", "ninjatrader.dev"];

/// A violation of a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The law's number in `docs/laws.md`, or 18 for a promise of a set.
    pub law: u8,
    /// The program that broke the law.
    pub program: usize,
    /// The message.
    pub what: String,
}

/// How long a session waits for an answer.
pub(crate) const DEADLINE: SignedDuration = SignedDuration::from_secs(45);

/// How long a session waits for its store.
const STORE_DEADLINE: SignedDuration = SignedDuration::from_secs(10);

/// A request that has left.
#[derive(Debug, Clone)]
struct Sent {
    number: usize,
    program: usize,
    asked: Asked,
    at: Timestamp,
    /// The time by the program's clock.
    local: Timestamp,
    /// The token that the program held.
    generation: u32,
    /// Whether the request was sent only to get a market data token.
    is_for_market_data: bool,
    /// Whether another host has redirected the request.
    is_redirected: bool,
    is_done: bool,
}

/// The state of a session, as the oracle derives it.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
struct Subject {
    address: usize,
    fleet: Option<usize>,
    set: Option<usize>,
    is_app: bool,
    has_store: bool,
    /// Whether the program learns of changes of its shared store.
    watches: bool,
    /// Whether the program only uses tokens that others store, and never logs in.
    never_logs_in: bool,
    prefers_refreshes: bool,
    login_host: &'static str,
    /// Whether the program logs in at the host of Live.
    is_live: bool,
    memory: Memory,
    allowances: Allowances,
    last_sent: Option<usize>,
    /// The exchange in flight.
    in_flight: Option<usize>,
    /// The number of tokens that the session has received or loaded.
    generation: u32,
    /// The refresh whose answer was used last.
    refreshed_by: Option<usize>,
    /// The token that the session hands out.
    seen: Option<Seen>,
    /// The newest generation that the session has handed out since its start. Reports of earlier ones change nothing.
    newest: u64,
    /// The last token that the session handed out until it ended, once the session has noticed the end.
    noticed: Option<Seen>,
    storage: Storage,
    /// The last snapshot that the session offered to its store, with the time by its own clock, and whether the last
    /// save could not be in time.
    offered: Option<(usize, Timestamp)>,
    is_store_failing: bool,
    /// The time of the last save of the session or its fleet that was not confirmed. That save may have announced a
    /// refresh.
    unconfirmed_at: Option<Timestamp>,
    /// The last snapshot that the session saved or loaded.
    synchronized: Option<usize>,
    /// Whether another program has announced a refresh in that snapshot, and may have sent it.
    sees_announced_refresh: bool,
    /// Whether the last loaded record was an earlier one.
    is_misled: bool,
    paused_until: Option<Timestamp>,
    /// Whether the session has sent a login and has not saved since.
    has_unsaved_login: bool,
    /// The time at which its shared store last lost a record.
    store_lost_at: Option<Timestamp>,
    /// The logins of the last hour, of all starts of a program with its own store, and when each was sent.
    sent_logins: BTreeMap<usize, Timestamp>,
    /// The times of its starts at which it found a login announced that it had not sent. It can't know that.
    unsent_logins: Vec<Timestamp>,
    /// Whether the session had a good token in the last minute.
    is_good: bool,
    /// A token that the server has ended, once that was observed.
    ended: Option<Name>,
    is_up: bool,
    /// Whether the operator has changed the settings while the program was down.
    is_corrected: bool,
    /// When the operator has last done that.
    corrected_at: Option<Timestamp>,
    /// When the operator has last given the program a password, whether or not it ran.
    password_given_at: Option<Timestamp>,
}

impl Subject {
    /// Whether the store has missed its deadline.
    fn is_store_overdue(&self, local: Timestamp) -> bool {
        self.offered.is_some_and(|(_, offered_at)| offered_at + STORE_DEADLINE <= local)
    }
}

/// All sessions of a scenario, and the gates of all addresses.
pub(crate) struct Oracle {
    skew: SignedDuration,
    subjects: Vec<Subject>,
    fleets: Vec<Fleet>,
    gates: Vec<Gates>,
    /// The addresses whose sessions sets drive.
    networks: BTreeMap<usize, Network>,
    /// The machine behind each address, by the number of its first address, and whether the process of a set runs
    /// there.
    machines: Vec<usize>,
    is_set_up: Vec<bool>,
    snapshots: HashMap<usize, Snapshot>,
    exchanges: HashMap<usize, Sent>,
    /// The sum of all steps of each machine's wall clock.
    stepped: Vec<SignedDuration>,
    /// The same sum at the last start of each program.
    anchored: Vec<SignedDuration>,
    /// The time at which the clock of the programs behind each address was last set forward.
    jumped_at: Vec<Option<Timestamp>>,
    /// The number of requests by reason.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    /// The minutes without a good token, by the cause that excuses them longest.
    pub(crate) excused: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let subject = |program: &crate::scenario::Program| Subject {
            address: program.address,
            fleet: program.member.map(|member| member.fleet),
            set: program.set,
            is_app: program.login == Login::OAuth,
            has_store: program.has_store,
            watches: program.member.is_some_and(|member| member.keeps),
            never_logs_in: program.member.is_some_and(|member| member.may_log_in == MayLogIn::Never),
            prefers_refreshes: program.prefers_refreshes,
            login_host: if program.login == Login::Demo { "demo.tradovateapi.com" } else { "live.tradovateapi.com" },
            is_live: program.login != Login::Demo,
            memory: Memory::default(),
            allowances: Allowances::default(),
            last_sent: None,
            in_flight: None,
            generation: 0,
            refreshed_by: None,
            seen: None,
            newest: 0,
            noticed: None,
            storage: Storage::default(),
            offered: None,
            is_store_failing: false,
            unconfirmed_at: None,
            synchronized: None,
            sees_announced_refresh: false,
            is_misled: false,
            paused_until: None,
            has_unsaved_login: false,
            store_lost_at: None,
            sent_logins: BTreeMap::new(),
            unsent_logins: Vec::new(),
            is_good: false,
            ended: None,
            is_up: false,
            is_corrected: false,
            corrected_at: None,
            password_given_at: None,
        };
        Self {
            skew: scenario.server.skew,
            subjects: scenario.programs.iter().map(subject).collect(),
            fleets: (0..scenario.fleets()).map(|_| Fleet::default()).collect(),
            gates: vec![Gates::default(); scenario.addresses.len()],
            networks: BTreeMap::new(),
            machines: scenario.machines(),
            is_set_up: vec![false; scenario.addresses.len()],
            snapshots: HashMap::new(),
            exchanges: HashMap::new(),
            stepped: vec![SignedDuration::ZERO; scenario.addresses.len()],
            anchored: vec![SignedDuration::ZERO; scenario.addresses.len()],
            jumped_at: vec![None; scenario.addresses.len()],
            reasons: BTreeMap::new(),
            excused: BTreeMap::new(),
        }
    }

    /// Checks a record and updates the state.
    pub(crate) fn judge(&mut self, record: &Record) -> Vec<Violation> {
        let of_use = self.judge_use(record);
        let found = self.found(record);
        self.follow_sets(record);
        if matches!(record.what, What::Sent(..) | What::Delivered { .. } | What::NotStored(_) | What::Minute(_)) {
            self.share_causes(record.program);
        }
        let violation = |(law, what)| Violation { law, program: record.program, what };
        of_use.into_iter().chain(found).map(violation).collect()
    }

    #[expect(clippy::too_many_lines, reason = "a line or two for each kind of record")]
    fn found(&mut self, record: &Record) -> Option<Found> {
        let (now, program) = (record.at, record.program);
        let server_now = now + self.skew;
        if matches!(record.what, What::Started(_) | What::StartedForeign(_) | What::Consented) {
            self.come_up(program);
        }
        let subject = self.subjects.get_mut(program)?;
        let address = subject.address;
        match &record.what {
            What::Started(snapshot) => self.start(record, *snapshot),
            What::StartedForeign(number) => self.start_foreign(record, *number),
            What::Consented => {
                subject.start(Memory { has_code: true, ..Memory::default() }, now);
                subject.allowances.operator_has_acted(now);
                self.share_causes(program);
            }
            What::PasswordGiven => subject.password_given_at = Some(now),
            What::CredentialsReplaced => {
                subject.password_given_at = Some(now);
                subject.memory.operator_has_acted(now);
                subject.allowances.operator_has_acted(now);
                self.forget_login(program);
            }
            What::SettingsCorrected => {
                subject.memory.operator_has_acted(now);
                subject.allowances.operator_has_acted(now);
                (subject.is_corrected, subject.corrected_at) = (true, Some(now));
            }
            What::Sent(number, asked) => return self.send(record, *number, asked, server_now),
            What::Served(number, answer) => return self.serve(*number, answer, now),
            What::Delivered { is_repeated: true, exchange, before, after, .. } => {
                let token = |seen: &Option<Seen>| seen.map(|seen| (seen.generation, seen.token));
                let is_changed = token(before) != token(after);
                return is_changed
                    .then(|| (1, format!("a repeated answer to {exchange} changes the token that is handed out")));
            }
            What::Delivered { exchange, outcome, .. } => return self.deliver(record, *exchange, outcome, server_now),
            What::AnswerAdopted(answer) => {
                subject.memory.operator_has_acted(now);
                subject.allowances.operator_has_acted(now);
                subject.in_flight = None;
                if let Some(grant) = answer.good_grant() {
                    let order = Order { lineage: now, asked: now, trip: SignedDuration::ZERO };
                    subject.receive(grant, answer, order);
                    subject.memory.take(grant.access, now);
                    subject.generation += 1;
                }
            }
            What::Offered(number, kept) => {
                self.miss_answer(record);
                let subject = self.subjects.get_mut(program)?;
                subject.is_store_failing |= subject.is_store_overdue(record.local);
                if kept.access.is_none() && subject.memory.gives_up(now, server_now) {
                    subject.allowances.open(Cause::Kick, now);
                }
                let (memory, left) = (subject.memory.clone(), subject.allowances.left(now));
                // A session in an exchange offers nothing.
                subject.in_flight = None;
                subject.offered = Some((*number, record.local));
                let gates = self.gates[address].clone();
                let kept = *kept;
                let stepped = self.anchored[self.machines[address]];
                let snapshot = Snapshot { at: now, left, memory, gates, kept, stepped };
                self.snapshots.insert(*number, snapshot);
            }
            What::Stored(number) => {
                let kept = self.snapshots.get(number)?.kept;
                subject.storage.holds(&kept);
                subject.is_store_failing = subject.is_store_overdue(record.local);
                subject.offered.take_if(|(offered, _)| offered == number);
            }
            What::NotStored(number) => {
                (subject.is_store_failing, subject.offered) = (true, None);
                subject.unconfirmed_at = Some(now);
                self.may_have_announced(program, *number);
            }
            What::Saved(number, kept) => return self.save(record, *number, kept, server_now),
            What::Synchronized { kept, is_stale, late } => self.synchronize(record, *kept, *is_stale, *late),
            What::StoreLost(loss) => self.lose(program, *loss, now),
            What::Paused(lasts) => {
                subject.paused_until = Some(now + *lasts);
                subject.allowances.open_until(Cause::Asleep, now + *lasts);
                self.loses_holder(program, now);
            }
            What::Jumped(by) => {
                // The session has to find out whether its token has ended.
                subject.allowances.open_until(Cause::Asleep, now);
                subject.memory.age(*by);
                subject.memory.ahead += *by;
                if self.jumped_at[address].replace(now) != Some(now) {
                    self.gates[address] = self.gates[address].stepped(*by, now);
                }
            }
            What::Reported { generation, status, says_dead } => {
                if matches!(status, 423 | 429) {
                    self.lock_out(address, now, SignedDuration::from_hours(1));
                } else if *generation < subject.newest {
                    // The token was replaced before.
                } else if *says_dead || matches!(status, 307 | 308 | 401 | 408 | 421 | 500) {
                    subject.memory.is_reported = true;
                    if *says_dead {
                        subject.memory.reported_dead(now);
                    }
                }
            }
            What::Handed(seen) => {
                self.hands_out_in_set(record);
                let subject = self.subjects.get_mut(program)?;
                let known = |seen: Seen| (seen.token, seen.generation);
                let is_another = subject.seen.map(known) != seen.map(known);
                subject.seen = *seen;
                let is_in_flight = |number: usize| self.exchanges.get(&number).is_some_and(|sent| !sent.is_done);
                let is_new = seen.is_some_and(|seen| seen.generation > subject.newest);
                if is_new && subject.last_sent.is_some_and(is_in_flight) {
                    // A late answer has brought the token, so the answer to the request in flight is out of date.
                    subject.generation += 1;
                }
                subject.newest = subject.newest.max(seen.map_or(0, |seen| seen.generation));
                return subject.hand_out(record, (*seen)?, is_another, server_now);
            }
            What::Minute(minute) => return self.minute(record, minute, server_now),
            What::Crashed(is_whole) => self.crash(record, *is_whole),
            What::Stepped(by) => self.stepped[self.machines[address]] += *by,
            What::HostLeft => {
                let end = subject.memory.held.and_then(|held| held.grant.expires).unwrap_or(now);
                let quarter = SignedDuration::from_mins(15);
                subject.allowances.open_until(Cause::HostWrong, now.max(end - self.skew) + quarter);
            }
            What::Outage(until) => subject.allowances.open_until(Cause::Outage, *until),
            What::StoreAway(until) => self.open_for_fleet(program, Cause::StoreAway, *until),
            // The operator attends to a session that stops, if the server has blamed its app since the last token.
            What::Stopped(_) if subject.memory.blamed > 0 => subject.allowances.open(Cause::RefusedAgain, now),
            What::CallPostponed(until) => subject.allowances.open_until(Cause::Penalty, *until),
            What::Asleep(until) => subject.allowances.open_until(Cause::Asleep, *until),
            What::Crowded(operation) => return self.judge_crowd(program, *operation),
            What::Remains(what) => return Some((sets::PROMISE, format!("its set still has {what}"))),
            What::Spins => return Some((9, "returns more than fifty actions without a wait".to_owned())),
            What::Waits(until) if *until <= record.local => {
                return Some((9, format!("waits until {until:.3}, which is in the past")));
            }
            What::Unusable => return Some((10, "is still not usable long after the last fault".to_owned())),
            _ => {}
        }
        None
    }

    /// The server has answered.
    fn serve(&mut self, number: usize, answer: &Answer, now: Timestamp) -> Option<Found> {
        let sent = self.exchanges.get(&number)?;
        let address = self.subjects[sent.program].address;
        if answer.refuses() && sent.asked.operation == Operation::LogIn {
            self.gates[address].refuse(now)
        } else {
            None
        }
    }

    fn minute(&mut self, record: &Record, minute: &Minute, server_now: Timestamp) -> Option<Found> {
        self.miss_answer(record);
        self.wait_in_set(record.program, record.at);
        let others_have_none = !self.mates(record.program).any(|mate| self.subjects[mate].is_good);
        let subject = self.subjects.get_mut(record.program)?;
        subject.is_good = minute.is_accepted;
        let has_ended = subject.seen.filter(|seen| minute.token.is_none() && seen.usable_until <= record.local);
        if let Some(seen) = has_ended.filter(|_| subject.fleet.is_some() && !subject.watches) {
            // The session now learns what the others have stored.
            if subject.noticed.replace(seen) != Some(seen) {
                subject.allowances.open(Cause::Unwatched, record.at);
            }
        }
        if subject.never_logs_in && others_have_none {
            subject.allowances.open(Cause::OthersHaveNone, record.at);
        }
        subject.minute(minute, record.at, server_now, &mut self.excused)
    }

    /// Forgets a login in flight that is no longer wanted.
    fn forget_login(&mut self, program: usize) {
        let Some(subject) = self.subjects.get_mut(program) else { return };
        let is_login = |number: &mut usize| {
            self.exchanges.get(number).is_some_and(|sent| sent.asked.operation == Operation::LogIn)
        };
        subject.last_sent.take_if(is_login);
        subject.in_flight.take_if(is_login);
    }

    fn send(&mut self, record: &Record, number: usize, asked: &Asked, server_now: Timestamp) -> Option<Found> {
        let now = record.at;
        self.miss_answer(record);
        let of_fleet = self.judge_sending(record, asked, server_now);
        let is_paced = self.is_paced(record, asked, server_now);
        let of_set = self.judge_in_set(record, asked, server_now, is_paced);
        let address = self.subjects.get(record.program)?.address;
        let spare = self.spare_renewals(address, server_now);
        let subject = self.subjects.get_mut(record.program)?;
        let request = requests::Request { asked, now, server_now, gates: &self.gates[address], spare };
        let is_of =
            |domain: &str| asked.host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let in_flight = subject.in_flight.and_then(|number| Some((number, self.exchanges.get(&number)?)));
        let in_flight = in_flight.filter(|(_, sent)| sent.local + DEADLINE > record.local);
        let mut reason = None;
        let found = if let Some((other, _)) = in_flight {
            Some((1, format!("sends a request while {other} is in flight")))
        } else if !asked.is_secure || !TRUSTED.iter().any(|domain| is_of(domain)) {
            Some((7, format!("sends a secret to the untrusted host {}", asked.host)))
        } else if let Some(found) = self.gates[address].check(asked.operation, now) {
            Some(found)
        } else {
            match request.reason(subject) {
                Ok(found) => {
                    reason = Some(found);
                    *self.reasons.entry(found.name()).or_default() += 1;
                    subject.is_sent(number, found, asked, now);
                    None
                }
                Err(found) => Some(found),
            }
        };
        if reason.is_none() {
            // A request that breaks a law was sent all the same.
            subject.is_sent(number, requests::Reason::Retry, asked, now);
        }
        let is_redirected = subject.memory.redirect.take().is_some_and(|(_, host)| host == asked.host);
        (subject.last_sent, subject.in_flight) = (Some(number), Some(number));
        subject.has_unsaved_login |= asked.operation == Operation::LogIn;
        if asked.operation == Operation::LogIn && subject.has_store && subject.fleet.is_none() {
            subject.sent_logins.retain(|_, at| *at + SignedDuration::from_hours(1) > now);
            subject.sent_logins.insert(number, now);
        }
        if asked.operation == Operation::LogIn {
            subject.waits_for_own_logins(now);
        }
        subject.allowances.open(Cause::Exchange, now);
        let (program, local, generation) = (record.program, record.local, subject.generation);
        let sent = Sent {
            number,
            program,
            asked: asked.clone(),
            at: now,
            local,
            generation,
            is_for_market_data: reason == Some(requests::Reason::MarketData),
            is_redirected,
            is_done: false,
        };
        self.exchanges.insert(number, sent);
        self.gates[address].count(asked.operation, now);
        self.count_in_set(record, number, asked, reason, is_paced);
        // What a set sends is judged each minute.
        if !self.is_set(address) {
            self.wait_for_budget(address, asked.operation);
        }
        if asked.code.is_none() {
            self.announced(record.program, number, asked.operation, now);
        }
        found.or(of_fleet).or(of_set)
    }

    /// If the requests of the hour may be used up, all sessions behind the address wait.
    fn wait_for_budget(&mut self, address: usize, operation: Operation) {
        let Some(until) = self.gates[address].used_up(operation) else { return };
        let sessions = self.subjects.iter_mut().filter(|subject| subject.address == address);
        sessions.for_each(|subject| subject.allowances.open_until(Cause::Rate, until));
    }
}
