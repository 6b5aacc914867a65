//! A clock that moves only when a test moves it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tradovate_auth_token_source::{Clock, SystemClock};

#[derive(Clone)]
pub(crate) struct SimulatedClock(Arc<Mutex<Duration>>);

impl SimulatedClock {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    /// The clock for a token source.
    pub(crate) fn clock(&self) -> Clock {
        Clock::anchored(self.clone())
    }
}

impl SystemClock for SimulatedClock {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}
