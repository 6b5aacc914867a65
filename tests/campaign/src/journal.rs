//! The journal: everything an observer outside the sessions can see, one record each.
//! The world writes it; the oracle reads it, and nothing else; with `--trace` people do.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;

use crate::names::Name;
use crate::wire::{Answer, Asked, Kept};

/// Something that was seen.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// In true time.
    pub at: Timestamp,
    /// By the clock of the program.
    pub local: Timestamp,
    /// Which program it concerns.
    pub program: usize,
    /// What was seen.
    pub what: What,
}

/// What was seen.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The program starts, or comes back after a crash, with what it finds in its store.
    Started(Option<(usize, Kept)>),
    /// The user of an OAuth app has consented anew: another session takes the place of the one before.
    Consented,
    /// A request leaves, as this exchange.
    Sent(usize, Asked),
    /// The server has answered an exchange; the answer is on its way, perhaps.
    Served(usize, Answer),
    /// The session is told the outcome of an exchange.
    Delivered {
        /// Which exchange.
        exchange: usize,
        /// What it is told.
        outcome: Outcome,
        /// Whether it was told the outcome before.
        is_repeated: bool,
        /// What it handed out before.
        before: Option<Seen>,
        /// What it hands out now.
        after: Option<Seen>,
    },
    /// The session hands out another token than before, or none any more.
    Handed(Option<Seen>),
    /// The session wants a snapshot stored, of this number.
    Offered(usize, Kept),
    /// It has been stored, and the session knows.
    Stored(usize),
    /// It could not be stored, and the session knows.
    NotStored(usize),
    /// The store that a fleet shares holds this snapshot now, which the program has saved.
    Saved(usize, Kept),
    /// The session is in step with what the shared store holds, or held where it is stale.
    Synchronized {
        /// What it holds: the number of the snapshot, and what is in it.
        kept: Option<(usize, Kept)>,
        /// Whether it is an earlier record.
        is_stale: bool,
        /// How long the snapshot was on its way to the store and from there.
        late: SignedDuration,
    },
    /// The store of a fleet has lost what it had acknowledged.
    StoreLost(Loss),
    /// The program does nothing for so long.
    Paused(SignedDuration),
    /// The session wants to be left alone until then, by its own clock.
    Waits(Timestamp),
    /// The session has wanted more than any would in one moment.
    Spins,
    /// The session has stopped, and says why.
    Stopped(String),
    /// A caller has reported what it met with a token of a generation.
    Reported {
        /// The token's generation.
        generation: u64,
        /// The status of the answer.
        status: u16,
        /// Whether the answer says that the token is dead.
        says_dead: bool,
    },
    /// The owner has given it other credentials, or the same ones again.
    CredentialsReplaced,
    /// The owner has handed it the answer to a change of password, with this token.
    AnswerAdopted(Answer),
    /// The program has crashed; whether all behind the address have.
    Crashed(bool),
    /// The clock was set forward.
    Jumped(SignedDuration),
    /// The program comes up with what another one has stored in this snapshot.
    StartedForeign(usize),
    /// The wall clock of its machine was set.
    Stepped(SignedDuration),
    /// Its callers were told to wait until then.
    CallPostponed(Timestamp),
    /// Its machine sleeps until then.
    Asleep(Timestamp),
    /// The hosts that serve its user serve nobody any more, and its callers see nothing of the token there.
    HostLeft,
    /// Something else answers for the server until then, or nothing does.
    Outage(Timestamp),
    /// Its store does not answer, or fails, until then.
    StoreAway(Timestamp),
    /// The settings that the owner has given it are not those of the server any more.
    SettingsWrong,
    /// The owner has given it the right settings while it is down.
    SettingsCorrected,
    /// A minute has passed.
    Minute(Minute),
    /// No fault any more from here on.
    FaultsEnd,
    /// It was not usable in time, though nothing stood in the way.
    Unusable,
    /// For readers: a fault begins, or something was done.
    Note(String),
}

/// How a store has lost what it had acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It holds an earlier record or none, and has forgotten who holds the lease.
    RolledBack,
    /// It has forgotten who holds the lease.
    Lease,
    /// Its record can't be read.
    Unreadable,
    /// A record that could not be read was removed.
    Removed,
}

/// What callers and the server see of a session once a minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minute {
    /// What callers hold.
    pub token: Option<Name>,
    /// Whether the server accepts it.
    pub is_accepted: bool,
    /// Whether the session hands out the same.
    pub is_current: bool,
    /// Whether the program has the password or the secret, and the consent, that the server knows.
    pub has_good_settings: bool,
}

/// What a session is told of an exchange.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most are answers")]
pub(crate) enum Outcome {
    /// An answer, as it was delivered.
    Answer(Answer),
    /// None.
    Failure(Failure),
}

/// A token that is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which.
    pub token: Name,
    /// Of which generation.
    pub generation: u64,
    /// How long, by the clock of the program.
    pub usable_until: Timestamp,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s{:<2} ", self.at, self.program)?;
        match &self.what {
            What::Started(None) => f.write_str("starts with nothing"),
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
                write!(f, "fails {exchange}: {failure:?}")
            }
            What::Handed(Some(seen)) => {
                write!(
                    f,
                    "hands out {} (generation {}) until {:.3} local",
                    seen.token, seen.generation, seen.usable_until
                )
            }
            What::Handed(None) => f.write_str("hands out nothing"),
            What::Offered(number, kept) => write!(f, "offers snapshot {number}: {}", Shown(kept)),
            What::Stored(number) => write!(f, "has stored snapshot {number}"),
            What::NotStored(number) => write!(f, "could not store snapshot {number}"),
            What::Saved(number, kept) => write!(f, "  the store holds snapshot {number}: {}", Shown(kept)),
            What::Synchronized { kept, is_stale, .. } => {
                f.write_str(if *is_stale { "is in step with an earlier record: " } else { "is in step: " })?;
                match kept {
                    Some((_, kept)) => write!(f, "{}", Shown(kept)),
                    None => f.write_str("nothing is stored"),
                }
            }
            What::StoreLost(loss) => write!(f, "  the store has lost what it held: {loss:?}"),
            What::Paused(time) => write!(f, "does nothing for {time:?}"),
            What::Waits(until) => write!(f, "waits from {:.3} to {until:.3} local", self.local),
            What::Spins => f.write_str("spins"),
            What::Stopped(why) => write!(f, "stops: {why}"),
            What::Reported { generation, status, says_dead } => {
                write!(
                    f,
                    "is told of a {status} with generation {generation}{}",
                    if *says_dead { ", dead" } else { "" }
                )
            }
            What::CredentialsReplaced => f.write_str("gets other credentials"),
            What::AnswerAdopted(answer) => write!(f, "adopts the answer to a change of password: {}", Shown(answer)),
            What::Crashed(all) => f.write_str(if *all { "crashes, with all behind its address" } else { "crashes" }),
            What::Jumped(by) => write!(f, "clock set forward by {by:?}"),
            What::StartedForeign(number) => write!(f, "starts from snapshot {number} of another"),
            What::Stepped(by) => write!(f, "the wall clock is set by {by:?}"),
            What::CallPostponed(until) => write!(f, "its callers wait until {until:.3}"),
            What::Asleep(until) => write!(f, "sleeps until {until:.3}"),
            What::HostLeft => f.write_str("its hosts serve nobody any more"),
            What::Outage(until) => write!(f, "the server can't be reached until {until:.3}"),
            What::StoreAway(until) => write!(f, "its store is away until {until:.3}"),
            What::SettingsWrong => f.write_str("has wrong settings"),
            What::SettingsCorrected => f.write_str("is given the right settings"),
            What::Minute(minute) => write!(f, "{minute:?}"),
            What::FaultsEnd => f.write_str("no faults any more"),
            What::Unusable => f.write_str("is not usable"),
            What::Note(text) => write!(f, "-- {text}"),
        }
    }
}

/// Facts on a line.
struct Shown<'a, T>(&'a T);

impl fmt::Display for Shown<'_, Kept> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.access {
            Some((name, end)) => write!(f, "{name} to {end:.0}")?,
            None => f.write_str("no token")?,
        }
        self.0.refresh.map_or(Ok(()), |name| write!(f, ", {name}"))
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
