//! The library of `tradovate-auth-doctor`, without input and output: makes a few calls, and reports the shapes of the
//! answers and which rules of the wire contract (`docs/contract`) these shapes confirm or refute.
//!
//! A [`Report`] never contains a value from a request or an answer. It contains only words of this program, small
//! numbers, and field names that passed [`Name::new`].

mod examine;
mod name;
mod report;
mod rules;
mod shape;

pub use examine::{Account, Outside, examine};
pub use name::{Name, Private};
pub use report::{
    Answer, Body, Call, Came, EnvironmentKind, Field, HostKind, HostShape, Judgement, Kind, Length, Lost, Origin,
    Report, Says, ServerKind, Step, Target, Verdict,
};
pub use rules::judge;
