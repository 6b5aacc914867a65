//! Sessions that are broken on purpose, to see whether the oracle notices.

/// A way in which the driver breaks a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Uses tokens, and sends what was announced, before the store has saved.
    UsesUnstored,
    /// Takes what it has loaded once for what is stored.
    SkipsLoad,
    /// Saves over whatever has come in between.
    IgnoresFence,
    /// Sends while another process has the lease.
    SendsWithoutLease,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UsesUnstored, Self::SkipsLoad, Self::IgnoresFence, Self::SendsWithoutLease];
}
