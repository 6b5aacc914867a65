//! What `tradovate-auth-doctor` does, apart from its input and output: it makes a few calls and writes down the shapes of
//! the answers, and which rules of the wire contract (`docs/contract`) these shapes confirm or refute.
//!
//! A value of an answer or a request never gets into a [`Report`]. All that a report holds are the words of this program,
//! small numbers, and names of fields that passed [`Name::new`].

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
