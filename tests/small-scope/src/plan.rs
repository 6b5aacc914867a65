//! Plans: the faults and switches of a run. A plan has a text form that replays the run.

use std::fmt;
use std::str::FromStr;

/// A fault, at one step of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The process crashes, and starts again two seconds later.
    Crash,
    /// The process is paused for 100 seconds, longer than its lease lasts.
    Pause,
    /// The connection breaks after the server has handled the request.
    AnswerLost,
    /// The answer never comes, and no error is reported.
    AnswerSilent,
    /// The store has saved, but the process is told that the store could not be reached.
    ConfirmationLost,
    /// The store has saved, but never answers.
    ConfirmationSilent,
    /// The loaded record is the one before the newest.
    Stale,
    /// The store loses its newest record and its lease.
    Rollback,
    /// The store cannot be reached for 90 seconds.
    Away,
    /// The clock of the process is set two hours ahead.
    Ahead,
    /// The clock of the machine is set two hours back. The process notices when it starts again.
    Back,
}

impl Fault {
    const NAMES: [(Self, &str); 11] = [
        (Self::Crash, "crash"),
        (Self::Pause, "pause"),
        (Self::AnswerLost, "answer-lost"),
        (Self::AnswerSilent, "answer-silent"),
        (Self::ConfirmationLost, "confirmation-lost"),
        (Self::ConfirmationSilent, "confirmation-silent"),
        (Self::Stale, "stale"),
        (Self::Rollback, "rollback"),
        (Self::Away, "away"),
        (Self::Ahead, "ahead"),
        (Self::Back, "back"),
    ];

    /// Whether the fault keeps an answer from the process.
    pub(crate) fn is_of_answer(self) -> bool {
        use Fault::{AnswerLost, AnswerSilent, ConfirmationLost, ConfirmationSilent};
        matches!(self, AnswerLost | AnswerSilent | ConfirmationLost | ConfirmationSilent)
    }

    /// Whether the fault affects the store and not one process.
    pub(crate) fn is_of_store(self) -> bool {
        matches!(self, Self::Rollback | Self::Away)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(fault, _)| fault == self).map_or("", |(_, name)| name))
    }
}

/// A choice at a step. If one step has two choices, they apply in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This process continues instead of the regular one, until it waits.
    Switch(usize),
    /// This fault affects the process that continues.
    Fault(Fault),
}

impl Choice {
    pub(crate) fn is_fault(self) -> bool {
        matches!(self, Self::Fault(_))
    }
}

/// The process that continues instead of the regular one at a step, and the fault that affects the one that continues.
pub(crate) type Choices = (Option<usize>, Option<Fault>);

/// The choices of a run, each with its step, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(pub Vec<(usize, Choice)>);

impl Plan {
    /// The number of faults and the number of switches.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let faults = self.0.iter().filter(|(_, choice)| choice.is_fault()).count();
        (faults, self.0.len() - faults)
    }

    /// The same plan with the choices of one more step.
    pub(crate) fn with(&self, step: usize, (switch, fault): Choices) -> Self {
        let more = [switch.map(Choice::Switch), fault.map(Choice::Fault)].into_iter().flatten();
        Self(self.0.iter().copied().chain(more.map(|choice| (step, choice))).collect())
    }

    /// The switch and the fault at a step.
    pub(crate) fn at(&self, step: usize) -> Choices {
        let mut at = (None, None);
        for (_, choice) in self.0.iter().filter(|(planned, _)| *planned == step) {
            match choice {
                Choice::Switch(process) => at.0 = Some(*process),
                Choice::Fault(fault) => at.1 = Some(*fault),
            }
        }
        at
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (step, choice)) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "," })?;
            match choice {
                Choice::Switch(process) => write!(f, "{step}:switch-{process}")?,
                Choice::Fault(fault) => write!(f, "{step}:{fault}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let choice = |text: &str| {
            let (step, name) = text.split_once(':')?;
            let fault =
                || Fault::NAMES.iter().find(|(_, known)| *known == name).map(|(fault, _)| Choice::Fault(*fault));
            let switch = || Some(Choice::Switch(name.strip_prefix("switch-")?.parse().ok()?));
            Some((step.parse().ok()?, fault().or_else(switch)?))
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(|part| choice(part).ok_or_else(|| format!("no choice: {part}"))).collect::<Result<_, _>>().map(Self)
    }
}
