//! A scenario: everything that is decided before a simulation runs, as plain data. A seed makes one
//! ([`Scenario::from_seed`]). You can edit it, print it, or remove parts of it. The world draws only latencies in
//! addition, from the same seed.

use std::fmt;

use jiff::SignedDuration;
use tradovate_auth_session::MayLogIn;
use tradovate_auth_simulator::{ClosedSession, OverLimit, RefusalStatus};

mod fault;
mod fleets;
mod generate;
mod login_crashes;
mod setbacks;
mod sets;
mod text;

pub use fault::{
    Absurd, Blame, Contradiction, Fault, Left, LoginStep, Moment, Report, StoreFault, Storm, Timed, Trouble,
};

/// A fleet, its server, its clocks and its faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The seed of the scenario, and of its latencies and tokens.
    pub seed: u64,
    /// How long faults happen. The time for recovery comes after that.
    pub length: SignedDuration,
    /// The settings of the server.
    pub server: Server,
    /// The network addresses. All single sessions behind one address belong to one program on its own machine, with one
    /// clock and one rate budget.
    pub addresses: Vec<Address>,
    /// The number of users.
    pub users: usize,
    /// The programs. Each has one session.
    pub programs: Vec<Program>,
    /// The faults, ordered by time.
    pub faults: Vec<Timed>,
}

/// The settings of the server.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as the simulator has them")]
pub struct Server {
    /// The life of an access token, in minutes.
    pub lifetime: u32,
    /// The answer to the token of a closed session.
    pub closed_session: ClosedSession,
    /// The status of a refused login.
    pub refusal: RefusalStatus,
    /// The answer to a login over the limit.
    pub over_limit: OverLimit,
    /// Whether a renewal changes the text of the token.
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
    /// How far the server's clock is ahead of true time.
    pub skew: SignedDuration,
}

/// The clock of the machine behind one network address.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// How far the clock is ahead of true time at the start.
    pub skew: SignedDuration,
    /// How fast the clock runs, in parts per million above true time.
    pub drift: i32,
}

/// A program with one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The user of the session.
    pub user: usize,
    /// The network address of the program. Sessions behind one address that belong to no fleet run in one process.
    pub address: usize,
    /// How the program logs in.
    pub login: Login,
    /// Whether the program's policy prefers refreshes.
    pub prefers_refreshes: bool,
    /// Whether the program stores its snapshots.
    pub has_store: bool,
    /// The program's place in a fleet, if it shares its session.
    pub member: Option<Membership>,
    /// The `SessionSet` that drives the session, if one does. The sessions of a set run in one process on one machine,
    /// with one network address or several.
    pub set: Option<usize>,
    /// The time at which the program starts.
    pub starts: SignedDuration,
    /// Whether shrinking has removed the program. The others keep their numbers.
    pub is_absent: bool,
}

/// The place of a program in a fleet: several programs of one user that share one session through one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The number of the fleet.
    pub fleet: usize,
    /// Whether a keeper renews in time and watches the store. Without one, the program polls only when it has no token.
    pub keeps: bool,
    /// When the program may log in.
    pub may_log_in: MayLogIn,
}

/// How a program logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// With name and password in the demo environment.
    Demo,
    /// With name and password in the live environment.
    Live,
    /// With name and password, as an evaluation trader.
    Evaluation,
    /// With the consent of its user.
    OAuth,
}

impl Scenario {
    /// The programs that take part.
    pub fn present(&self) -> impl Iterator<Item = (usize, &Program)> {
        self.programs.iter().enumerate().filter(|(_, program)| !program.is_absent)
    }

    /// The number of fleets.
    #[must_use]
    pub fn fleets(&self) -> usize {
        let fleets = self.programs.iter().filter_map(|program| program.member).map(|member| member.fleet + 1);
        fleets.max().unwrap_or_default()
    }

    /// The programs of a fleet.
    pub fn members(&self, fleet: usize) -> impl Iterator<Item = (usize, &Program)> {
        self.present().filter(move |(_, program)| program.member.is_some_and(|member| member.fleet == fleet))
    }

    /// The simulated days of all sessions together.
    #[must_use]
    pub fn session_days(&self) -> f64 {
        let days = self.length.as_secs_f64() / 86_400.0;
        self.present().map(|_| days).sum()
    }

    /// Whether the scenario has no faults.
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
