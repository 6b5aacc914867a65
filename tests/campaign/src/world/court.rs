//! Passes each record to the oracle, and writes it to the trace if one is kept.

use crate::journal::{Record, What};
use crate::oracle::{Oracle, Violation};
use crate::scenario::Scenario;

pub(super) struct Court {
    pub(super) oracle: Oracle,
    /// The lines of the trace.
    pub(super) trace: Option<Vec<String>>,
    pub(super) violations: Vec<Violation>,
}

impl Court {
    pub(super) fn new(scenario: &Scenario, is_traced: bool) -> Self {
        Self { oracle: Oracle::new(scenario), trace: is_traced.then(Vec::new), violations: Vec::new() }
    }

    pub(super) fn record(&mut self, record: &Record, is_news: bool) {
        if let Some(trace) = &mut self.trace
            && is_news
            && !matches!(record.what, What::Minute(_))
        {
            trace.push(record.to_string());
        }
        if let What::Note(_) = record.what {
            return;
        }
        for violation in self.oracle.judge(record) {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("*** law {}: {}", violation.law, violation.what));
            }
            self.violations.push(violation);
        }
    }
}
