//! Where records go: they are judged by all laws, entered into the ledger, and written into the trace where one is kept.

use crate::journal::{Record, What};
use crate::laws::{self, Law, Violation};
use crate::ledger::Ledger;
use crate::oracle::Oracle;
use crate::scenario::Scenario;

pub(super) struct Court {
    pub(super) ledger: Ledger,
    laws: Vec<Box<dyn Law>>,
    pub(super) oracle: Oracle,
    /// The lines of the trace.
    pub(super) trace: Option<Vec<String>>,
    pub(super) violations: Vec<Violation>,
}

impl Court {
    pub(super) fn new(scenario: &Scenario, is_traced: bool) -> Self {
        Self {
            ledger: Ledger::new(scenario),
            laws: laws::all(
                scenario.programs.len(),
                scenario.programs.len() + scenario.fleets(),
                scenario.addresses.len(),
            ),
            oracle: Oracle::new(scenario),
            trace: is_traced.then(Vec::new),
            violations: Vec::new(),
        }
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
        let mut found: Vec<Violation> = self.oracle.judge(record).into_iter().collect();
        let is_single = self.oracle.judges(record.program);
        for law in &mut self.laws {
            // The oracle judges single sessions by these as well.
            if is_single && !law.is_for_all() {
                continue;
            }
            if let Some(what) = law.judge(record, &self.ledger) {
                found.push(Violation { law: law.number(), program: record.program, what });
            }
        }
        for violation in found {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("*** law {}: {}", violation.law, violation.what));
            }
            self.violations.push(violation);
        }
        self.ledger.apply(record);
    }
}
