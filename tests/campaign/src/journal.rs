//! The journal: one record for each thing that an observer outside the sessions can see. The world writes it. The
//! oracle reads nothing else, and `--trace` prints it for people.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;

use crate::names::Name;
use crate::wire::{Answer, Asked, Kept, Operation};

/// A record of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// True time.
    pub at: Timestamp,
    /// The time by the program's clock.
    pub local: Timestamp,
    /// The number of the program.
    pub program: usize,
    /// The recorded fact.
    pub what: What,
}

/// A recorded fact.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The program starts, or restarts after a crash, with this snapshot from its store.
    Started(Option<(usize, Kept)>),
    /// The user of an OAuth app has consented again. A new session replaces the previous one.
    Consented,
    /// A request leaves. The number identifies the exchange.
    Sent(usize, Asked),
    /// The server has answered an exchange. The answer may still be lost on its way.
    Served(usize, Answer),
    /// The session receives the outcome of an exchange.
    Delivered {
        /// The number of the exchange.
        exchange: usize,
        /// The outcome.
        outcome: Outcome,
        /// Whether the session had received an outcome of this exchange before.
        is_repeated: bool,
        /// The token that the session handed out before.
        before: Option<Seen>,
        /// The token that the session hands out now.
        after: Option<Seen>,
    },
    /// The session hands out another token than before, or until another time, or none any more.
    Handed(Option<Seen>),
    /// The session offers the snapshot with this number to its store.
    Offered(usize, Kept),
    /// The snapshot has been stored, and the session knows it.
    Stored(usize),
    /// The snapshot could not be stored, and the session knows it.
    NotStored(usize),
    /// The program has saved this snapshot in the store that its fleet shares.
    Saved(usize, Kept),
    /// The session has loaded or saved the record of the shared store. A stale store gives it an earlier record.
    Synchronized {
        /// The number and the facts of the snapshot.
        kept: Option<(usize, Kept)>,
        /// Whether it is an earlier record.
        is_stale: bool,
        /// How long the snapshot was on its way to the store and back.
        late: SignedDuration,
    },
    /// The store of a fleet has lost acknowledged data.
    StoreLost(Loss),
    /// The program is paused for this time.
    Paused(SignedDuration),
    /// The session, or its set, wants no poll before this time of its own clock.
    Waits(Timestamp),
    /// The set has reported that the address has too many sessions for this operation.
    Crowded(Operation),
    /// The set still has something of a removed session.
    Remains(&'static str),
    /// The session has returned too many actions at the same time.
    Spins,
    /// The session has stopped for this reason.
    Stopped(String),
    /// A caller has reported the answer that it received with a token.
    Reported {
        /// The token's generation.
        generation: u64,
        /// The status of the answer.
        status: u16,
        /// Whether the answer says that the token is dead.
        says_dead: bool,
    },
    /// The operator has given the program another password while it was down.
    PasswordGiven,
    /// The operator has given the session other credentials, or the same ones again.
    CredentialsReplaced,
    /// The operator has passed the answer to a password change to the session. It has this token.
    AnswerAdopted(Answer),
    /// The program has crashed. `true` if all programs behind the address have crashed.
    Crashed(bool),
    /// The clock was set forward.
    Jumped(SignedDuration),
    /// The program starts with the snapshot of another program, which has this number.
    StartedForeign(usize),
    /// The wall clock of the machine was set.
    Stepped(SignedDuration),
    /// Callers were told to wait until this time.
    CallPostponed(Timestamp),
    /// The machine sleeps until this time.
    Asleep(Timestamp),
    /// The hosts that serve the user are shut down. Calls there no longer reach the token's server.
    HostLeft,
    /// Until this time, another system answers in place of the server, or nothing answers.
    Outage(Timestamp),
    /// Until this time, the store does not answer or fails.
    StoreAway(Timestamp),
    /// The settings of the program are no longer those of the server.
    SettingsWrong,
    /// The operator has given the program the right settings while it was down.
    SettingsCorrected,
    /// A minute has passed.
    Minute(Minute),
    /// No fault happens after this record.
    FaultsEnd,
    /// The program was not usable in time, although nothing prevented it.
    Unusable,
    /// A line for readers of the trace: a fault begins, or somebody has acted.
    Note(String),
}

/// How a store has lost acknowledged data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It returns an earlier record or none, and has lost its lease.
    RolledBack,
    /// It has lost its lease.
    Lease,
    /// Its record cannot be read.
    Unreadable,
    /// Its unreadable record was removed.
    Removed,
}

/// The state of a session once a minute, as its callers and the server see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minute {
    /// The token that callers hold.
    pub token: Option<Name>,
    /// Whether the server accepts that token.
    pub is_accepted: bool,
    /// Whether the session hands out the same token.
    pub is_current: bool,
    /// Whether the program has the password or the secret, and the consent, that the server knows.
    pub has_good_settings: bool,
}

/// The outcome of an exchange for the session.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most are answers")]
pub(crate) enum Outcome {
    /// An answer, as it was delivered.
    Answer(Answer),
    /// A failure without an answer.
    Failure(Failure),
}

/// A token that is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The name of the token.
    pub token: Name,
    /// The generation of the token.
    pub generation: u64,
    /// The end of its use, by the program's clock.
    pub usable_until: Timestamp,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s{:<2} ", self.at, self.program)?;
        match &self.what {
            What::Started(None) => f.write_str("starts without a snapshot"),
            What::Started(Some((number, kept))) => write!(f, "starts from snapshot {number}: {}", Shown(kept)),
            What::Consented => f.write_str("starts from a new consent"),
            What::Sent(exchange, asked) => {
                write!(f, "sends {exchange}: {:?} to {}", asked.operation, asked.host)?;
                let names = [("bearer", asked.bearer), ("refresh token", asked.refresh), ("ticket", asked.ticket)];
                names
                    .iter()
                    .filter_map(|(role, name)| Some((role, (*name)?)))
                    .try_for_each(|(role, name)| write!(f, ", {role} {name}"))
            }
            What::Served(exchange, answer) => write!(f, "  server answers {exchange}: {}", Shown(answer)),
            What::Delivered { exchange, outcome: Outcome::Answer(answer), is_repeated, .. } => {
                write!(f, "receives {exchange}{}: {}", if *is_repeated { " again" } else { "" }, Shown(answer))
            }
            What::Delivered { exchange, outcome: Outcome::Failure(failure), .. } => {
                write!(f, "receives no answer to {exchange}: {failure:?}")
            }
            What::Handed(Some(seen)) => {
                write!(
                    f,
                    "hands out {} (generation {}) until {:.3} local",
                    seen.token, seen.generation, seen.usable_until
                )
            }
            What::Handed(None) => f.write_str("hands out no token"),
            What::Offered(number, kept) => write!(f, "offers snapshot {number}: {}", Shown(kept)),
            What::Stored(number) => write!(f, "has stored snapshot {number}"),
            What::NotStored(number) => write!(f, "could not store snapshot {number}"),
            What::Saved(number, kept) => write!(f, "  the store holds snapshot {number}: {}", Shown(kept)),
            What::Synchronized { kept, is_stale, .. } => {
                f.write_str(if *is_stale {
                    "loads or saves an earlier record: "
                } else {
                    "loads or saves the record: "
                })?;
                match kept {
                    Some((_, kept)) => write!(f, "{}", Shown(kept)),
                    None => f.write_str("nothing is stored"),
                }
            }
            What::StoreLost(loss) => write!(f, "  the store has lost acknowledged data: {loss:?}"),
            What::Paused(time) => write!(f, "is paused for {time:?}"),
            What::Waits(until) => write!(f, "waits from {:.3} to {until:.3} local", self.local),
            What::Crowded(operation) => write!(f, "its set reports too many sessions for {operation:?}"),
            What::Remains(what) => write!(f, "its set still has {what}"),
            What::Spins => f.write_str("spins"),
            What::Stopped(why) => write!(f, "stops: {why}"),
            What::Reported { generation, status, says_dead } => {
                write!(
                    f,
                    "receives a report of status {status} for generation {generation}{}",
                    if *says_dead { ", which says that the token is dead" } else { "" }
                )
            }
            What::PasswordGiven => f.write_str("is given another password"),
            What::CredentialsReplaced => f.write_str("gets other credentials"),
            What::AnswerAdopted(answer) => write!(f, "adopts the answer to a change of password: {}", Shown(answer)),
            What::Crashed(all) => {
                f.write_str(if *all { "crashes, with all programs behind its address" } else { "crashes" })
            }
            What::Jumped(by) => write!(f, "its clock is set forward by {by:?}"),
            What::StartedForeign(number) => write!(f, "starts from snapshot {number} of another program"),
            What::Stepped(by) => write!(f, "the wall clock is set by {by:?}"),
            What::CallPostponed(until) => write!(f, "its callers wait until {until:.3}"),
            What::Asleep(until) => write!(f, "sleeps until {until:.3}"),
            What::HostLeft => f.write_str("its hosts are shut down"),
            What::Outage(until) => write!(f, "the server cannot be reached until {until:.3}"),
            What::StoreAway(until) => write!(f, "its store is unavailable until {until:.3}"),
            What::SettingsWrong => f.write_str("has wrong settings"),
            What::SettingsCorrected => f.write_str("is given the right settings"),
            What::Minute(minute) => write!(f, "{minute:?}"),
            What::FaultsEnd => f.write_str("the faults have ended"),
            What::Unusable => f.write_str("is not usable"),
            What::Note(text) => write!(f, "-- {text}"),
        }
    }
}

/// Displays facts on one line.
struct Shown<'a, T>(&'a T);

impl fmt::Display for Shown<'_, Kept> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.access {
            Some((name, end)) => write!(f, "{name} to {end:.0}")?,
            None => f.write_str("no token")?,
        }
        self.0.refresh.map_or(Ok(()), |name| write!(f, ", {name}"))?;
        f.write_str(if self.0.announces_login { ", a login is announced" } else { "" })?;
        f.write_str(if self.0.announces_refresh { ", a refresh is announced" } else { "" })
    }
}

impl fmt::Display for Shown<'_, Answer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::wire::Says;
        write!(f, "{} ", self.0.status)?;
        match &self.0.says {
            Says::Grant(grant) => {
                write!(f, "grant {}", grant.access)?;
                grant.expires.map_or(Ok(()), |end| write!(f, " to {end:.0}"))?;
                grant.refresh.map_or(Ok(()), |name| write!(f, " with {name}"))?;
            }
            Says::Penalty(ticket, wait) => write!(f, "penalty {ticket} for {wait:?}")?,
            other => write!(f, "{other:?}")?,
        }
        f.write_str(if self.0.contradicts { ", a contradiction" } else { "" })
    }
}
