//! What happens when: events in the order of true time, and of their making where they are at the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use http::Response;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;
use tradovate_auth_session::{ExchangeId, StoreAnswer, StoreError, StoreRequest};

use super::exchange::Exchange;
use super::shared_store::Found;
use super::store::Snapshot;
use crate::scenario::Report;

/// Something that is to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A program comes up, in this life of it.
    Start { program: usize, life: u32 },
    /// A program wakes, unless it has been woken since.
    Wake { program: usize, stamp: u64 },
    /// A request arrives at the server.
    Arrive { exchange: usize },
    /// The outcome of an exchange arrives at the program.
    Deliver { exchange: usize, outcome: Box<Outcome> },
    /// A question to a store arrives there.
    AtStore { program: usize, life: u32, id: ExchangeId, request: Box<StoreRequest>, snapshot: Option<Snapshot> },
    /// The answer of a store arrives at the program.
    FromStore { program: usize, life: u32, reply: Box<Reply> },
    /// A program that watches a shared store learns that it holds something else.
    StoreChanged { program: usize, life: u32 },
    /// Somebody removes a record that can't be read.
    StoreCleared(usize),
    /// A program that was paused goes on.
    GoesOn { program: usize, life: u32 },
    /// A fault of the scenario.
    Fault(usize),
    /// Whoever keeps a program looks after it.
    Help { program: usize },
    /// The programs of a user are told the new password, or given the answer to its change.
    Tell { user: usize, by_answer: bool },
    /// A program whose settings are wrong is restarted, so many times more before they are corrected.
    Restart { program: usize, left: u32, every: SignedDuration },
    /// A machine wakes.
    Awake(usize),
    /// A caller meets something, so many times from now on.
    Report { program: usize, report: Report, times: u32 },
    /// All programs make a call.
    Probe,
    /// The faults end.
    FaultsEnd,
}

impl Event {
    /// The program that has to do something for it to happen.
    pub(super) fn actor(&self, exchanges: &[Exchange]) -> Option<usize> {
        match self {
            Self::Wake { program, .. }
            | Self::Start { program, .. }
            | Self::FromStore { program, .. }
            | Self::StoreChanged { program, .. }
            | Self::Report { program, .. } => Some(*program),
            Self::Deliver { exchange, .. } => exchanges.get(*exchange).map(|exchange| exchange.program),
            _ => None,
        }
    }
}

/// The outcome of an exchange.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Response<Vec<u8>>, Timestamp),
    Failure(Failure),
}

/// What a store answers.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: ExchangeId,
    /// The number of the snapshot that was to be stored.
    pub(super) snapshot: Option<usize>,
    pub(super) answer: Result<StoreAnswer, StoreError>,
    /// What was loaded.
    pub(super) found: Option<Found>,
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Queue {
    pub(super) fn push(&mut self, at: Timestamp, event: Event) {
        self.made += 1;
        self.heap.push(Reverse(Entry { at, number: self.made, event }));
    }

    pub(super) fn pop(&mut self) -> Option<(Timestamp, Event)> {
        self.heap.pop().map(|Reverse(Entry { at, event, .. })| (at, event))
    }
}
