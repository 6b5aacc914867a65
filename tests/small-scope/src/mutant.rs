//! Sessions that are broken on purpose, to test the oracle.

/// How the driver breaks a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Uses tokens, and sends announced requests, before the store has saved.
    UsesUnstored,
    /// Loads once and then assumes that the store never changes.
    SkipsLoad,
    /// Overwrites records that others have saved in the meantime.
    IgnoresFence,
    /// Sends while another process holds the lease.
    SendsWithoutLease,
}

impl Mutant {
    /// All mutants.
    pub const ALL: [Self; 4] = [Self::UsesUnstored, Self::SkipsLoad, Self::IgnoresFence, Self::SendsWithoutLease];
}
