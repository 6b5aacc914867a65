//! A gate that blocks threads until a test opens it. A test can wait for an arrival.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};

use super::source::await_one;

#[derive(Clone)]
pub(crate) struct Gate(Arc<Inside>);

struct Inside {
    is_open: Mutex<bool>,
    opened: Condvar,
    arrivals: Sender<()>,
    arrived: Mutex<Receiver<()>>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        let (arrivals, arrived) = mpsc::channel();
        let (is_open, opened) = (Mutex::new(false), Condvar::new());
        Self(Arc::new(Inside { is_open, opened, arrivals, arrived: Mutex::new(arrived) }))
    }

    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        self.0.arrivals.send(()).unwrap();
        drop(self.0.opened.wait_while(self.0.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }

    /// Waits until a thread arrives at the gate.
    pub(crate) fn await_arrival(&self) {
        await_one(&self.0.arrived.lock().unwrap());
    }

    pub(crate) fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }

    pub(crate) fn close(&self) {
        *self.0.is_open.lock().unwrap() = false;
    }
}
