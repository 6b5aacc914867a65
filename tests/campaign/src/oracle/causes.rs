//! The table of causes: everything that may keep a session from a token that the server accepts, the record that shows
//! it, and the longest time it may last.
//!
//! A cause that is not in the table excuses nothing. After the time of a cause, one exchange may follow ([`RECOVERY`]).
//! If that exchange fails too, its failure has a record of its own.

use jiff::SignedDuration;

/// The time for the exchange that follows a cause: the deadline of an answer, the longest pause between two tries, and
/// up to a minute until the next caller asks.
pub(super) const RECOVERY: SignedDuration = SignedDuration::from_mins(3);

/// How long a cause lasts from its record on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// This time.
    For(SignedDuration),
    /// Until the time that the record names.
    Named,
}

/// A cause that keeps a session from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Start,
    Exchange,
    Fault,
    Outage,
    WrongPlace,
    HostWrong,
    UnknownLogin,
    Penalty,
    Captcha,
    LockOut,
    Rate,
    Refused,
    RefusedAgain,
    WrongSettings,
    RefreshRefused,
    CodeLost,
    TokenEnded,
    ReportedDead,
    Kick,
    StoreAway,
    Asleep,
    LeaseHeld,
    OthersHaveNone,
    Unwatched,
    RecordLost,
}

/// A row of the table.
pub(super) struct Row {
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers: a row is found by its index"))]
    pub cause: Cause,
    /// The description for readers.
    pub name: &'static str,
    pub bound: Bound,
    /// Whether the cause ends with the next token. Otherwise it may have an effect later.
    pub ends_with_token: bool,
}

const fn secs(seconds: i64) -> Bound {
    Bound::For(SignedDuration::from_secs(seconds))
}

const fn mins(minutes: i64) -> Bound {
    Bound::For(SignedDuration::from_mins(minutes))
}

const fn row(cause: Cause, name: &'static str, bound: Bound, ends_with_token: bool) -> Row {
    Row { cause, name, bound, ends_with_token }
}

/// A session adds one per cent to an hour that the server counts too.
const HOUR: Bound = secs(3636);

/// The operator of a stopped session attends to it within ten minutes.
const OPERATOR: Bound = mins(12);

/// The causes. Each row has the record that opens the cause, its bound, and whether it ends with the next token.
#[rustfmt::skip]
pub(super) const TABLE: [Row; 25] = [
    row(Cause::Start,          "a start, or an act of the operator",                       secs(0),      true),
    row(Cause::Exchange,       "a request, until its answer or its deadline",              secs(45),     true),
    row(Cause::Fault,          "an answer or a connection that failed",                    secs(60),     true),
    row(Cause::Outage,         "the server is unreachable or in maintenance",              Bound::Named, false),
    row(Cause::WrongPlace,     "an answer that a retry does not change (404, a redirect)", mins(10),     true),
    row(Cause::HostWrong,      "a followed host that is wrong or gone",                    mins(15),     false),
    row(Cause::UnknownLogin,   "a login that may have opened a session (law 17)",          HOUR,         true),
    row(Cause::Penalty,        "a penalty, of at most a day",                              Bound::Named, true),
    row(Cause::Captcha,        "an endpoint that a captcha closes",                        HOUR,         false),
    row(Cause::LockOut,        "423 or 429, of at most a day",                             Bound::Named, false),
    row(Cause::Rate,           "the requests of the hour are used up",                     Bound::Named, false),
    row(Cause::Refused,        "a refusal of credentials that have worked (law 8)",        HOUR,         true),
    row(Cause::RefusedAgain,   "a refusal after which no try is allowed (law 8)",          OPERATOR,     true),
    row(Cause::WrongSettings,  "settings or a consent that the server does not know",      mins(1),      true),
    row(Cause::RefreshRefused, "a refresh token that was refused twice (law 13)",          mins(370),    false),
    row(Cause::CodeLost,       "a code that was refused, or whose answer is lost",         OPERATOR,     true),
    row(Cause::TokenEnded,     "the token has ended, and the session could not know (law 12)", mins(20),     true),
    row(Cause::ReportedDead,   "a token that is reported as dead, and is verified now",    secs(0),      true),
    row(Cause::Kick,           "a kick: a loss soon after another loss (law 12)",         HOUR,         false),
    row(Cause::StoreAway,      "a store that fails or does not answer (law 11)",           Bound::Named, false),
    row(Cause::Asleep,         "a machine that sleeps, or a program that is paused",       Bound::Named, false),
    row(Cause::LeaseHeld,      "a lease whose holder has crashed or is paused",            secs(68),     false),
    row(Cause::OthersHaveNone, "no token in its fleet, for a program that never logs in",  mins(1),      true),
    row(Cause::Unwatched,      "the end of a token, for a program that does not watch its store", secs(0), true),
    row(Cause::RecordLost,     "a store that has lost its record, until its holder loads", Bound::Named, true),
];

impl Cause {
    /// The cause's row in the table.
    pub(super) fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn the_table_has_one_row_per_cause_in_order() {
        for row in &TABLE {
            assert_eq!(row.cause.row().name, row.name);
        }
    }
}
