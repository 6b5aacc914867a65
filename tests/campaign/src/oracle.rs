//! The oracle of single sessions. It judges by what the server has received and answered, by what the owner has done, and
//! by the faults that were injected, and by nothing that a session says of itself.
//!
//! Two questions are asked. Has each request a reason ([`requests`]) in what the session was told ([`memory`])? And lies
//! each time without a token that the server accepts within what the table of causes allows ([`causes`])? What the oracle
//! does not understand is a violation.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::journal::{Record, What};
use crate::laws::Violation;
use crate::names::Name;
use crate::scenario::{Login, Scenario};
use crate::wire::{Asked, Operation};
use allowances::Allowances;
use causes::Cause;
use gates::Gates;
use memory::Memory;
use restarts::Snapshot;

mod allowances;
mod answers;
mod causes;
mod gates;
mod memory;
mod requests;
mod restarts;
mod tokens;
mod verdicts;

/// The number of a law, and how it is broken.
type Found = (u8, String);

/// How long a session waits for an answer.
const DEADLINE: SignedDuration = SignedDuration::from_secs(45);

/// A request that has left.
#[derive(Debug, Clone)]
struct Sent {
    asked: Asked,
    at: Timestamp,
    /// Whether it was sent on from another host.
    is_redirected: bool,
    is_done: bool,
}

/// A session, as it is judged.
struct Subject {
    address: usize,
    login_host: &'static str,
    /// Whether the host for logins is that of Live.
    is_live: bool,
    memory: Memory,
    allowances: Allowances,
    last_sent: Option<usize>,
    /// A token that the server has ended, once it has been seen.
    ended: Option<Name>,
    is_up: bool,
    /// Its owner has given it other settings while it was down.
    is_corrected: bool,
}

/// All single sessions of a scenario, and the gates of all addresses.
pub(crate) struct Oracle {
    skew: SignedDuration,
    /// Nothing of a program of a fleet.
    subjects: Vec<Option<Subject>>,
    /// The address of each program.
    addresses: Vec<usize>,
    gates: Vec<Gates>,
    snapshots: HashMap<usize, Snapshot>,
    exchanges: HashMap<usize, Sent>,
    /// By how much the wall clock of each machine was set in all.
    stepped: Vec<SignedDuration>,
    /// The same when its program last came up.
    anchored: Vec<SignedDuration>,
    /// Requests by their reason.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    /// Minutes without a good token, by the cause that excuses them longest.
    pub(crate) excused: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let subject = |program: &crate::scenario::Program| {
            program.member.is_none().then(|| Subject {
                address: program.address,
                login_host: if program.login == Login::Demo {
                    "demo.tradovateapi.com"
                } else {
                    "live.tradovateapi.com"
                },
                is_live: program.login != Login::Demo,
                memory: Memory::default(),
                allowances: Allowances::default(),
                last_sent: None,
                ended: None,
                is_up: false,
                is_corrected: false,
            })
        };
        Self {
            skew: scenario.server.skew,
            subjects: scenario.programs.iter().map(subject).collect(),
            addresses: scenario.programs.iter().map(|program| program.address).collect(),
            gates: vec![Gates::default(); scenario.addresses.len()],
            snapshots: HashMap::new(),
            exchanges: HashMap::new(),
            stepped: vec![SignedDuration::ZERO; scenario.addresses.len()],
            anchored: vec![SignedDuration::ZERO; scenario.addresses.len()],
            reasons: BTreeMap::new(),
            excused: BTreeMap::new(),
        }
    }

    /// Whether a program is judged here.
    pub(crate) fn judges(&self, program: usize) -> bool {
        self.subjects.get(program).is_some_and(Option::is_some)
    }

    /// Judges a record, and takes it over.
    pub(crate) fn judge(&mut self, record: &Record) -> Option<Violation> {
        let found = self.found(record);
        found.map(|(law, what)| Violation { law, program: record.program, what })
    }

    fn found(&mut self, record: &Record) -> Option<Found> {
        let now = record.at;
        let server_now = now + self.skew;
        if matches!(record.what, What::Started(_) | What::StartedForeign(_) | What::Consented) {
            self.come_up(record.program);
        }
        if !self.judges(record.program) {
            return self.gates[self.addresses[record.program]].judge(record);
        }
        let subject = self.subjects.get_mut(record.program)?.as_mut()?;
        let address = subject.address;
        match &record.what {
            What::Started(snapshot) => self.start(record, *snapshot),
            What::StartedForeign(number) => self.start_foreign(record, *number),
            What::Consented => {
                subject.start(Memory::default(), now);
                subject.allowances.owner_has_acted(now);
            }
            What::CredentialsReplaced => {
                subject.memory.owner_has_acted();
                subject.allowances.owner_has_acted(now);
                self.forget_login(record.program);
            }
            What::SettingsCorrected => {
                subject.memory.owner_has_acted();
                subject.allowances.owner_has_acted(now);
                subject.is_corrected = true;
            }
            What::Sent(number, asked) => return self.send(record, *number, asked, server_now),
            What::Delivered { exchange, outcome, is_repeated: false, .. } => {
                return self.deliver(record, *exchange, outcome, server_now);
            }
            What::AnswerAdopted(answer) => {
                subject.memory.owner_has_acted();
                subject.allowances.owner_has_acted(now);
                if let Some(grant) = answer.good_grant() {
                    subject.receive(grant, answer, SignedDuration::ZERO);
                    subject.memory.take(grant.access);
                }
            }
            What::Offered(number, _) => {
                let (memory, left) = (subject.memory.clone(), subject.allowances.left(now));
                let gates = self.gates[address].clone();
                let snapshot = Snapshot { left, memory, gates, stepped: self.anchored[address] };
                self.snapshots.insert(*number, snapshot);
            }
            What::Reported { status, says_dead, .. } => {
                if matches!(status, 423 | 429) {
                    self.lock_out(address, now, SignedDuration::from_hours(1));
                } else if *says_dead || matches!(status, 307 | 308 | 401 | 408 | 421 | 500) {
                    subject.memory.is_reported = true;
                }
            }
            What::Handed(Some(seen)) => return subject.hand_out(record, *seen, server_now),
            What::Minute(minute) => {
                self.miss_answer(record.program, now);
                let subject = self.subjects.get_mut(record.program)?.as_mut()?;
                return subject.minute(minute, now, server_now, &mut self.excused);
            }
            What::Crashed(is_whole) => self.crash(record, *is_whole),
            What::Stepped(by) => self.stepped[address] += *by,
            What::HostLeft => {
                let end = subject.memory.held.and_then(|held| held.grant.expires).unwrap_or(now);
                let quarter = SignedDuration::from_mins(15);
                subject.allowances.open_until(Cause::HostWrong, now.max(end - self.skew) + quarter);
            }
            What::Outage(until) => subject.allowances.open_until(Cause::Outage, *until),
            What::StoreAway(until) => subject.allowances.open_until(Cause::StoreAway, *until),
            What::CallPostponed(until) => subject.allowances.open_until(Cause::Penalty, *until),
            What::Asleep(until) => subject.allowances.open_until(Cause::Asleep, *until),
            What::Spins => return Some((9, "wants more than fifty things at once".to_owned())),
            What::Waits(until) if *until <= record.local => {
                return Some((9, format!("waits until {until:.3}, which has passed")));
            }
            What::Unusable => return Some((10, "is not usable long after the last fault".to_owned())),
            _ => {}
        }
        None
    }

    /// A login that is under way is no longer wanted.
    fn forget_login(&mut self, program: usize) {
        let Some(Some(subject)) = self.subjects.get_mut(program) else { return };
        let is_login =
            |number: &usize| self.exchanges.get(number).is_some_and(|sent| sent.asked.operation == Operation::LogIn);
        subject.last_sent.take_if(|number| is_login(number));
    }

    fn send(&mut self, record: &Record, number: usize, asked: &Asked, server_now: Timestamp) -> Option<Found> {
        let now = record.at;
        self.miss_answer(record.program, now);
        let subject = self.subjects.get_mut(record.program)?.as_mut()?;
        let address = subject.address;
        let request = requests::Request { asked, now, server_now };
        let found = match self.gates[address].check(asked.operation, now) {
            Some(found) => Some(found),
            None => match request.reason(subject) {
                Ok(reason) => {
                    *self.reasons.entry(reason.name()).or_default() += 1;
                    subject.is_sent(reason, asked, now);
                    None
                }
                Err(found) => Some(found),
            },
        };
        let is_redirected = subject.memory.redirect.take().is_some_and(|(_, host)| host == asked.host);
        subject.last_sent = Some(number);
        subject.allowances.open(Cause::Exchange, now);
        self.exchanges.insert(number, Sent { asked: asked.clone(), at: now, is_redirected, is_done: false });
        self.gates[address].count(asked.operation, now);
        self.wait_for_budget(address, asked.operation);
        found
    }

    /// The requests of the hour may be used up: all sessions behind the address wait.
    fn wait_for_budget(&mut self, address: usize, operation: Operation) {
        let Some(until) = self.gates[address].used_up(operation) else { return };
        let sessions = self.subjects.iter_mut().flatten().filter(|subject| subject.address == address);
        sessions.for_each(|subject| subject.allowances.open_until(Cause::Rate, until));
    }
}
