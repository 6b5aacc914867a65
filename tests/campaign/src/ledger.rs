//! The ledger: what an outside observer knows of each program, from the journal alone.
//! Records enter in their order; the laws read the state as it was before the record they judge. Nothing of a session's
//! own state is in it.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::journal::{Outcome, Record, What};
use crate::names::Name;
use crate::scenario::{Login, Scenario};
use crate::wire::{Answer, Asked, Kept, Operation, Says};

mod apply;
mod fleet;
mod known;

pub(crate) use fleet::Shared;
pub(crate) use known::Known;

/// How long a session waits for an answer, by its default policy.
pub(crate) const DEADLINE: SignedDuration = SignedDuration::from_secs(45);

/// What is known of all.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// How far the server's clock is ahead of true time.
    pub skew: SignedDuration,
    /// Of each program.
    pub programs: Vec<Known>,
    /// Of each fleet.
    pub fleets: Vec<Shared>,
    /// All exchanges, by their number.
    pub exchanges: Vec<Exchange>,
    /// The latest end and the life of each token, as the server has decided.
    pub issued: HashMap<Name, (Timestamp, SignedDuration)>,
    snapshots: BTreeMap<usize, Remembered>,
}

/// What a snapshot stands for.
#[derive(Debug)]
struct Remembered {
    /// When it was made.
    at: Timestamp,
    /// How long it was on its way to the store that a fleet shares.
    late_by: SignedDuration,
    /// By how much its program was misled about the server's clock.
    misled_by: SignedDuration,
    kept: Kept,
    ahead: SignedDuration,
    /// By how much its clock was set forward since it last compared it.
    jumped: SignedDuration,
    uncertain: SignedDuration,
    user: Option<i64>,
    worked: bool,
}

/// An exchange.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// What left.
    pub asked: Asked,
    /// When, in true time.
    pub at: Timestamp,
    /// When, by the clock of the program.
    pub local: Timestamp,
    /// The generation of tokens there was.
    pub generation: u64,
    /// Whether the session has been told an outcome.
    pub is_done: bool,
    /// Whether it failed, or may have: not by a penalty.
    pub has_failed: bool,
    /// When it was answered by a redirect, by the clock of the program.
    pub(crate) moved: Option<Timestamp>,
}

/// How an outcome stands to what the session does when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is waited for.
    Current,
    /// It was given up, but nothing has been sent since.
    Late,
    /// Something has been sent since, or a later grant has made it worthless.
    Overtaken,
}

impl Ledger {
    /// A ledger in which nothing is known yet.
    #[must_use]
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let skew = scenario.server.skew;
        let known = |program: &crate::scenario::Program| {
            Known::new(
                program.address,
                scenario.addresses[program.address].drift,
                program.login == Login::OAuth,
                program.has_store,
                program.member.map(|member| member.fleet),
                skew,
            )
        };
        Self {
            skew,
            programs: scenario.programs.iter().map(known).collect(),
            fleets: (0..scenario.fleets()).map(|_| Shared::default()).collect(),
            exchanges: Vec::new(),
            issued: HashMap::new(),
            snapshots: BTreeMap::new(),
        }
    }

    /// The program a record is about.
    #[must_use]
    pub(crate) fn of(&self, record: &Record) -> &Known {
        &self.programs[record.program]
    }

    /// The server's time.
    #[must_use]
    pub(crate) fn server_now(&self, record: &Record) -> Timestamp {
        record.at + self.skew
    }

    /// The latest time at which the program may take the server's clock to be: its own clock may have been set forward
    /// since it last compared them, and no comparison is exact.
    #[must_use]
    pub(crate) fn latest_server_now(&self, record: &Record) -> Timestamp {
        let known = self.of(record);
        let jumped = (record.local.duration_since(record.at) - known.ahead).max(SignedDuration::ZERO);
        self.server_now(record)
            + jumped
            + known.uncertain
            + known.inaccuracy(SignedDuration::from_hours(2))
            + SignedDuration::from_secs(5)
    }

    /// Whether the program may take a token for expired.
    #[must_use]
    pub(crate) fn may_be_expired(&self, record: &Record, token: Name) -> bool {
        self.of(record).end_of(token).is_none_or(|end| end <= self.latest_server_now(record))
    }

    /// Whether callers have reported the token, and three renewals have failed over two minutes: then it may be taken
    /// for lost. A renewal that was postponed by a penalty has not failed.
    #[must_use]
    pub(crate) fn may_be_given_up(&self, record: &Record) -> bool {
        let known = self.of(record);
        let failed = |number: &&usize| {
            let exchange = &self.exchanges[**number];
            exchange.has_failed || (!exchange.is_done && exchange.local + DEADLINE <= record.local)
        };
        let failed: Vec<_> = known.renewals.iter().filter(failed).collect();
        let lasted = failed
            .first()
            .is_some_and(|first| self.exchanges[**first].local + SignedDuration::from_secs(120) <= record.local);
        known.is_reported && failed.len() >= 3 && lasted
    }

    /// How the outcome of an exchange stands when it comes.
    #[must_use]
    pub(crate) fn standing(&self, record: &Record, exchange: usize) -> Standing {
        let known = self.of(record);
        if self.is_superseded(record, exchange) {
            Standing::Overtaken
        } else if known.pending == Some(exchange) {
            Standing::Current
        } else if known.last_sent == Some(exchange) {
            Standing::Late
        } else {
            Standing::Overtaken
        }
    }

    /// Whether an answer has been made worthless by a later grant.
    #[must_use]
    pub(crate) fn is_superseded(&self, record: &Record, exchange: usize) -> bool {
        let known = self.of(record);
        match self.exchanges[exchange].asked.operation {
            Operation::Refresh => known.refreshed_by.is_some_and(|by| by > exchange),
            _ => known.generation() > self.exchanges[exchange].generation,
        }
    }

    /// Whether a delivered outcome tells the session that the token it holds is dead.
    #[must_use]
    pub(crate) fn is_loss(&self, record: &Record) -> bool {
        let What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated: false, .. } = &record.what
        else {
            return false;
        };
        let sent = &self.exchanges[*exchange];
        sent.asked.operation == Operation::Renew
            && matches!(answer.says, Says::Dead | Says::Forbidden)
            && self.standing(record, *exchange) != Standing::Overtaken
            && self.of(record).generation() == sent.generation
    }
}
