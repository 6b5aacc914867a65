//! The queue of events, ordered by true time and then by their creation.

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

/// An event.
#[derive(Debug)]
pub(super) enum Event {
    /// A program starts. `life` counts its starts.
    Start { program: usize, life: u32 },
    /// A program wakes, unless it has been woken since.
    Wake { program: usize, stamp: u64 },
    /// A set wakes, unless it has been woken since.
    WakeSet { set: usize, stamp: u64 },
    /// A request arrives at the server.
    Arrive { exchange: usize },
    /// The outcome of an exchange arrives at the program.
    Deliver { exchange: usize, outcome: Box<Outcome> },
    /// A question arrives at a store.
    AtStore { program: usize, life: u32, id: ExchangeId, request: Box<StoreRequest>, snapshot: Option<Snapshot> },
    /// The answer of a store arrives at the program.
    FromStore { program: usize, life: u32, reply: Box<Reply> },
    /// A program that watches a shared store learns of a change.
    StoreChanged { program: usize, life: u32 },
    /// An unreadable record is removed.
    StoreCleared(usize),
    /// A paused program continues.
    GoesOn { program: usize, life: u32 },
    /// A fault of the scenario happens.
    Fault(usize),
    /// The operator attends to a program.
    Help { program: usize },
    /// The programs of a user receive the new password, or the answer to its change.
    Tell { user: usize, by_answer: bool },
    /// A program with wrong settings is restarted. `left` counts the restarts before they are corrected.
    Restart { program: usize, left: u32, every: SignedDuration },
    /// A machine wakes from sleep.
    Awake(usize),
    /// A caller receives an answer. `times` counts the remaining ones.
    Report { program: usize, report: Report, times: u32 },
    /// All programs make a call.
    Probe,
    /// The faults end.
    FaultsEnd,
}

impl Event {
    /// The program that has to run for this event.
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

/// The answer of a store.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: ExchangeId,
    /// The number of the snapshot that was to be stored.
    pub(super) snapshot: Option<usize>,
    pub(super) answer: Result<StoreAnswer, StoreError>,
    /// The loaded record.
    pub(super) found: Option<Found>,
}

/// The pending events.
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
