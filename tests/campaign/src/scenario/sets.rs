//! Makes scenarios in which processes drive their sessions by a `SessionSet`, with one network address or several. The
//! other scenarios have no sets, and these scenarios have no other programs.

use jiff::SignedDuration;
use oorandom::Rand64;

use super::fault::{Fault, Timed};
use super::generate::{self, Draw, hours, millis, seconds};
use super::{Address, Login, Program, Scenario};

/// One seed in this many also has a scenario with sets.
const ONE_SEED_IN: u64 = 4;

/// The most sessions of a scenario.
const SESSIONS: usize = 60;

/// The share of faults that remove a session from its set for hours.
const REMOVALS: u64 = 6;

impl Scenario {
    /// Whether a seed also has a scenario with sets.
    #[must_use]
    pub fn has_sets(seed: u64) -> bool {
        seed.is_multiple_of(ONE_SEED_IN)
    }

    /// The scenario of a seed with sets. It is always the same.
    #[must_use]
    pub fn of_sets(seed: u64) -> Self {
        let mut draw = Draw(Rand64::new(u128::from(seed) ^ 0x0073_6574));
        let mut server = generate::server(&mut draw);
        // The vendor's tokens live for at least this time. Of tokens that live for less than an hour, an address could
        // renew only a few.
        server.lifetime = server.lifetime.max(80);
        let days = 1 + draw.below(2);
        let length = hours(days * 24);
        let rate = generate::weather(&mut draw);
        let (addresses, programs, faults) = (Vec::new(), Vec::new(), Vec::new());
        let mut scenario = Self { seed, length, server, addresses, users: 0, programs, faults };
        for set in 0..if draw.once_in(4) { 2 } else { 1 } {
            add_set(&mut scenario, &mut draw, set);
        }
        // Such refreshes would close the sessions of another program of the same user again and again.
        scenario.server.refresh_opens_session = draw.once_in(4) && scenario.users == scenario.programs.len();
        let mut left = scenario.session_days() * rate;
        while draw.float() < left {
            left -= 1.0;
            let fault = if draw.once_in(REMOVALS) {
                Fault::Crash(draw.index(scenario.programs.len()), seconds(draw.below(6 * 3600)))
            } else {
                generate::fault(&mut draw, &scenario, rate)
            };
            scenario.faults.push(Timed { at: millis(draw.below(days * 86_400_000)), fault });
        }
        super::setbacks::add(&mut scenario, rate);
        super::login_crashes::add(&mut scenario, rate);
        scenario.faults.sort_by_key(|timed| timed.at);
        scenario
    }

    /// The number of sets.
    #[must_use]
    pub fn sets(&self) -> usize {
        self.programs.iter().filter_map(|program| program.set).map(|set| set + 1).max().unwrap_or_default()
    }

    /// The programs of a set.
    pub fn sessions_of(&self, set: usize) -> impl Iterator<Item = (usize, &Program)> {
        self.present().filter(move |(_, program)| program.set == Some(set))
    }

    /// The machine behind each address, by the number of its first address. The addresses of a set share one machine.
    #[must_use]
    pub fn machines(&self) -> Vec<usize> {
        let set_behind = |address: usize| self.programs.iter().find(|program| program.address == address)?.set;
        let first = |set: usize| {
            let of_set = self.programs.iter().filter(|program| program.set == Some(set));
            of_set.map(|program| program.address).min()
        };
        (0..self.addresses.len()).map(|address| set_behind(address).and_then(first).unwrap_or(address)).collect()
    }

    /// How many password sessions an address can have if each renews in time: an hour has fifteen renewals.
    #[must_use]
    pub fn room(&self) -> usize {
        let lifetime = self.server.lifetime;
        usize::try_from((lifetime - 15.min(lifetime / 2)) / 4).unwrap_or_default()
    }

    /// Whether an address has more password sessions than it has renewals for. OAuth sessions that start before them can
    /// take ten renewals of the first hour for market data tokens. Then the others are left until the first tokens end.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let behind = |address: usize| self.present().filter(move |(_, program)| program.address == address);
        let is_crowded = |address: usize| {
            let by_password = behind(address).filter(|(_, program)| program.login != Login::OAuth).count();
            let taken = (behind(address).count() - by_password).min(10);
            let later = usize::try_from(self.server.lifetime.saturating_sub(60) / 4).unwrap_or_default();
            by_password > self.room().min(15 - taken + later)
        };
        self.sets() > 0 && (0..self.addresses.len()).any(is_crowded)
    }
}

fn add_set(scenario: &mut Scenario, draw: &mut Draw, set: usize) {
    let skew = if draw.once_in(2) { 0 } else { draw.around(600) };
    let machine = Address { skew: SignedDuration::from_secs(skew), drift: draw.of(&[0, 0, 20, -20, 150, -150]) };
    let spread = draw.of(&[2000, 600_000, 3 * 3_600_000]);
    for _ in 0..draw.of(&[1, 1, 2, 3]) {
        let address = scenario.addresses.len();
        scenario.addresses.push(machine.clone());
        let room = scenario.room();
        let by_password = match draw.below(8) {
            0 => 0,
            1 | 2 => room,
            3 => room + 1 + draw.index(room),
            _ => 1 + draw.index(room),
        };
        let by_oauth = draw.of(&[0, 0, 1, 3, 8, 20]).max(usize::from(by_password == 0));
        for number in 0..by_password + by_oauth {
            if scenario.programs.len() >= SESSIONS {
                return;
            }
            let login = if number < by_password {
                draw.of(&[Login::Demo, Login::Demo, Login::Live, Login::Evaluation])
            } else {
                Login::OAuth
            };
            // Two sessions of a user at most, because a third one would close the first.
            let is_shared = |user: usize| scenario.programs.iter().filter(|program| program.user == user).count() > 1;
            let last = scenario.programs.last().filter(|last| login != Login::OAuth && last.login != Login::OAuth);
            let shared = last.map(|last| last.user).filter(|user| draw.once_in(8) && !is_shared(*user));
            let user = shared.unwrap_or(scenario.users);
            scenario.users = scenario.users.max(user + 1);
            // Some sessions are added while the others run.
            let is_late = draw.once_in(6);
            scenario.programs.push(Program {
                user,
                address,
                login,
                prefers_refreshes: login == Login::OAuth && draw.once_in(6),
                has_store: !draw.once_in(3),
                member: None,
                set: Some(set),
                starts: millis(draw.below(if is_late { 12 * 3_600_000 } else { spread })),
                is_absent: false,
            });
        }
    }
}
