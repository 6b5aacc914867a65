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
use crate::wire::{Asked, Kept, Operation};
use allowances::Allowances;
use causes::Cause;
use gates::Gates;
use memory::Memory;

mod allowances;
mod answers;
mod causes;
mod gates;
mod memory;
mod requests;
mod tokens;

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

/// What a session had been told when it stored a snapshot.
struct Snapshot {
    /// What was left of each cause.
    left: Vec<(Cause, SignedDuration)>,
    memory: Memory,
    gates: Gates,
    /// How far the wall clock had been set when its program came up.
    stepped: SignedDuration,
}

/// All single sessions of a scenario.
pub(crate) struct Oracle {
    skew: SignedDuration,
    /// Nothing of a program of a fleet.
    subjects: Vec<Option<Subject>>,
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
        let subject = self.subjects.get_mut(record.program)?.as_mut()?;
        let address = subject.address;
        match &record.what {
            What::Started(snapshot) => self.start(record, *snapshot),
            What::StartedForeign(number) => {
                subject.start(Memory::default(), now);
                // It may take over what keeps the address of the other one quiet, by whatever clock that has.
                if let Some(snapshot) = self.snapshots.get(number) {
                    let of_all = [Cause::LockOut, Cause::Captcha, Cause::Rate];
                    let left: Vec<_> =
                        snapshot.left.iter().copied().filter(|(cause, _)| of_all.contains(cause)).collect();
                    let sessions = self.subjects.iter_mut().flatten().filter(|other| other.address == address);
                    sessions.for_each(|other| other.allowances.set_back(&left, now));
                }
            }
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
                    subject.receive(grant, SignedDuration::ZERO);
                    subject.memory.take(grant);
                    subject.follow(answer);
                }
            }
            What::Offered(number, _) => {
                let (memory, gates) = (subject.memory.clone(), self.gates[address].clone());
                let left = subject.allowances.left(now);
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
            What::Crashed(is_whole) => {
                subject.is_up = false;
                let is_up = self.subjects.iter().flatten().any(|other| other.address == address && other.is_up);
                if *is_whole || !is_up {
                    self.gates[address] = Gates::default();
                }
            }
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

    /// A program that comes up reads the wall clock.
    fn come_up(&mut self, program: usize) {
        let Some(Some(subject)) = self.subjects.get_mut(program) else { return };
        let address = subject.address;
        subject.is_up = true;
        let up = self.subjects.iter().flatten().filter(|subject| subject.address == address && subject.is_up).count();
        if up == 1 {
            self.anchored[address] = self.stepped[address];
        }
    }

    fn start(&mut self, record: &Record, stored: Option<(usize, Kept)>) {
        let Some(Some(subject)) = self.subjects.get_mut(record.program) else { return };
        let address = subject.address;
        let snapshot = stored.and_then(|(number, kept)| Some((self.snapshots.get(&number)?, kept)));
        let Some((snapshot, kept)) = snapshot else {
            return subject.start(Memory::default(), record.at);
        };
        let stepped = self.anchored[address] - snapshot.stepped;
        subject.start(snapshot.memory.restarted(stepped), record.at);
        // Hosts go with their token: without one, it asks the configured host again, which names them.
        if kept.access.is_none() {
            subject.memory.followed = None;
        }
        if std::mem::take(&mut subject.is_corrected) {
            subject.memory.owner_has_acted();
        } else if subject.memory.refusals.0 > 0 {
            // It remembers a refusal, and its owner has not asked for another try.
            subject.allowances.open(Cause::Refused, record.at);
        }
        if stepped.is_negative() {
            subject.allowances.set_back(&snapshot.left, record.at);
            let of_all = subject.allowances.of_all();
            for other in self.subjects.iter_mut().flatten().filter(|subject| subject.address == address) {
                for (cause, until) in &of_all {
                    other.allowances.open_until(*cause, *until);
                }
            }
        }
        self.gates[address].merge(snapshot.gates.stepped(stepped));
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
            None if subject.is_waiting(&self.exchanges, now) => {
                Some((1, "sends while an answer is awaited".to_owned()))
            }
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
        if let Some(until) = self.gates[address].count(asked.operation, now) {
            let others = self.subjects.iter_mut().flatten().filter(|subject| subject.address == address);
            others.for_each(|subject| subject.allowances.open_until(Cause::Rate, until));
        }
        found
    }
}

impl Subject {
    fn start(&mut self, memory: Memory, now: Timestamp) {
        self.memory = memory;
        self.last_sent = None;
        self.ended = None;
        self.allowances.open(Cause::Start, now);
    }

    /// Law 1: whether an answer is awaited.
    fn is_waiting(&self, exchanges: &HashMap<usize, Sent>, now: Timestamp) -> bool {
        let last = self.last_sent.and_then(|number| exchanges.get(&number));
        let almost = DEADLINE - SignedDuration::from_millis(100);
        last.is_some_and(|sent| !sent.is_done && now < sent.at + almost)
    }
}
