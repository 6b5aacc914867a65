//! Short names for secrets: `t3`, `rt2` or `k1` instead of a text of two hundred characters. The same text always gets
//! the same name. Texts come from the wire and from snapshots; laws and traces use only names.

use std::collections::HashMap;
use std::fmt;

/// The kind of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// A penalty ticket.
    Ticket,
    /// An authorization code.
    Code,
}

/// The name of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    kind: Kind,
    number: u32,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Access => "t",
            Kind::Refresh => "rt",
            Kind::Ticket => "k",
            Kind::Code => "c",
        };
        write!(f, "{kind}{}", self.number)
    }
}

/// All names given so far.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, Name>);

impl Names {
    /// The name of a text.
    pub(crate) fn of(&mut self, kind: Kind, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return *name;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let name = Name { kind, number };
        self.0.insert(text.to_owned(), name);
        name
    }
}
