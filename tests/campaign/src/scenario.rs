//! A scenario: everything that is decided before a simulation runs, as plain data.
//! A seed makes one ([`Scenario::from_seed`]); whoever wants to may edit it, print it, or take parts of it away.
//! The world takes a reference and draws nothing further but the latencies, from the same seed.

use std::fmt;

use jiff::SignedDuration;
use tradovate_auth_session::MayLogIn;
use tradovate_auth_simulator::{ClosedSession, OverLimit, RefusalStatus};

mod fault;
mod fleets;
mod generate;
mod setbacks;
mod text;

pub use fault::{Absurd, Blame, Contradiction, Fault, Left, Moment, Report, StoreFault, Storm, Timed, Trouble};

/// A fleet, its server, its clocks, and what befalls them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it was made from; also the seed of latencies and tokens.
    pub seed: u64,
    /// How long faults go on. The time in which the fleet has to recover comes on top.
    pub length: SignedDuration,
    /// The switches of the server.
    pub server: Server,
    /// The network addresses. Of single sessions, all behind one address are of one program on a machine of its own,
    /// with one clock and one rate budget.
    pub addresses: Vec<Address>,
    /// How many users there are.
    pub users: usize,
    /// The programs, each with one session.
    pub programs: Vec<Program>,
    /// What befalls them, by time.
    pub faults: Vec<Timed>,
}

/// The switches of the server.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as the simulator has them")]
pub struct Server {
    /// Life of an access token, in minutes.
    pub lifetime: u32,
    /// What the token of a closed session gets.
    pub closed_session: ClosedSession,
    /// The status of a refused login.
    pub refusal: RefusalStatus,
    /// What a login over the limit gets.
    pub over_limit: OverLimit,
    /// Whether a renewal brings another text.
    pub renewal_changes_token: bool,
    /// Whether a renewal repeats the market data token.
    pub renewal_has_market_data_token: bool,
    /// Whether an expiry has a fraction of a second.
    pub expiration_fraction: bool,
    /// Whether OAuth answers name the user.
    pub oauth_has_user_id: bool,
    /// Whether OAuth answers bring a market data token.
    pub oauth_has_market_data_token: bool,
    /// Whether a refresh opens another session.
    pub refresh_opens_session: bool,
    /// How far its clock is ahead of true time.
    pub skew: SignedDuration,
}

/// The clock of the machine behind one network address.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// How far it is ahead of true time at the start.
    pub skew: SignedDuration,
    /// How many millionths it runs fast.
    pub drift: i32,
}

/// A program, which keeps one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Whose session it is.
    pub user: usize,
    /// The network address it is behind. Sessions that share one and belong to no fleet are of one process.
    pub address: usize,
    /// How it logs in.
    pub login: Login,
    /// Whether it refreshes although it could renew.
    pub prefers_refreshes: bool,
    /// Whether it stores its snapshots.
    pub has_store: bool,
    /// The fleet it belongs to, where it shares its session.
    pub member: Option<Membership>,
    /// When it starts.
    pub starts: SignedDuration,
    /// Taken away: the others keep their numbers.
    pub is_absent: bool,
}

/// The part of a program in a fleet: several programs of one user that share one session through one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The fleet, by its number.
    pub fleet: usize,
    /// Whether a keeper renews ahead of expiry and learns of changes; without one it looks when it has no token.
    pub keeps: bool,
    /// When it may log in.
    pub may_log_in: MayLogIn,
}

/// How a program logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// By name and password in the demo environment.
    Demo,
    /// By name and password in the live environment.
    Live,
    /// By name and password, as an evaluation trader does.
    Evaluation,
    /// By the consent of its user.
    OAuth,
}

impl Scenario {
    /// The programs that take part.
    pub fn present(&self) -> impl Iterator<Item = (usize, &Program)> {
        self.programs.iter().enumerate().filter(|(_, program)| !program.is_absent)
    }

    /// How many fleets there are.
    #[must_use]
    pub fn fleets(&self) -> usize {
        let fleets = self.programs.iter().filter_map(|program| program.member).map(|member| member.fleet + 1);
        fleets.max().unwrap_or_default()
    }

    /// The programs of a fleet.
    pub fn members(&self, fleet: usize) -> impl Iterator<Item = (usize, &Program)> {
        self.present().filter(move |(_, program)| program.member.is_some_and(|member| member.fleet == fleet))
    }

    /// The days all sessions live through, together.
    #[must_use]
    pub fn session_days(&self) -> f64 {
        let days = self.length.as_secs_f64() / 86_400.0;
        self.present().map(|_| days).sum()
    }

    /// Whether nothing befalls the fleet.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}
