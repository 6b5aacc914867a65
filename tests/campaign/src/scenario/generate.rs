//! Makes a scenario from a seed. One scenario in four is calm. In each of the others, faults come at a rate of its own.

use jiff::SignedDuration;
use oorandom::Rand64;
use tradovate_auth_simulator::{ClosedSession, OverLimit, RefusalStatus};

use super::fault::{Contradiction, Fault, Report, Storm, Timed, Trouble};
use super::{Address, Login, Program, Scenario, Server};

/// The most password sessions behind one address. They need fewer than fifteen renewals per hour.
const BY_PASSWORD_PER_ADDRESS: u64 = 10;

/// Faults per session and day, for each of the five fault rates.
const WEATHER: [f64; 5] = [0.0, 0.2, 0.6, 2.0, 8.0];

/// How often each fault rate is chosen, in twentieths.
const WEATHER_SHARES: [u64; 5] = [5, 8, 4, 2, 1];

impl Scenario {
    /// The scenario of a seed. It is always the same.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut draw = Draw(Rand64::new(u128::from(seed) ^ 0x7261_646f_7661_7465));
        let mut server = server(&mut draw);
        let sessions = 2_u64.pow(u32::try_from(draw.below(6)).unwrap_or_default()) + draw.below(19);
        let (addresses, users, programs) = fleet(&mut draw, sessions, server.lifetime);
        // Such refreshes would close the sessions of another program of the same user again and again.
        server.refresh_opens_session = seed.is_multiple_of(4) && users == programs.len();
        let days = 1 + draw.below(if sessions > 20 { 2 } else { 4 });
        let length = hours(days * 24);
        let rate = weather(&mut draw);
        let mut scenario = Self { seed, length, server, addresses, users, programs, faults: Vec::new() };
        let expected = scenario.session_days() * rate;
        let mut left = expected;
        while draw.float() < left {
            left -= 1.0;
            let fault = fault(&mut draw, &scenario, rate);
            scenario.faults.push(Timed { at: millis(draw.below(days * 86_400_000)), fault });
        }
        super::setbacks::add(&mut scenario, rate);
        super::login_crashes::add(&mut scenario, rate);
        super::fleets::add(&mut scenario, rate);
        scenario.faults.sort_by_key(|timed| timed.at);
        scenario
    }
}

/// A source of random choices.
pub(super) struct Draw(pub(super) Rand64);

impl Draw {
    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.rand_range(0..end.max(1))
    }

    pub(super) fn float(&mut self) -> f64 {
        self.0.rand_float()
    }

    /// True once in this many times, on average.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.index(choices.len());
        choices.get(index).copied().unwrap_or_else(|| choices[0])
    }

    /// A number between `-most` and `most`.
    pub(super) fn around(&mut self, most: u64) -> i64 {
        i64::try_from(self.below(2 * most + 1)).unwrap_or_default() - i64::try_from(most).unwrap_or_default()
    }
}

pub(super) fn hours(hours: u64) -> SignedDuration {
    SignedDuration::from_hours(i64::try_from(hours).unwrap_or_default())
}

pub(super) fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default())
}

pub(super) fn millis(millis: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or_default())
}

pub(super) fn server(draw: &mut Draw) -> Server {
    Server {
        lifetime: draw.of(&[80, 80, 80, 90, 90, 60, 120, 30]),
        closed_session: draw.of(&[
            ClosedSession::RequestTimeout,
            ClosedSession::RequestTimeout,
            ClosedSession::Unauthorized,
            ClosedSession::Unauthorized,
            ClosedSession::InternalServerError,
            ClosedSession::TooManyRequests,
        ]),
        refusal: draw.of(&[RefusalStatus::Ok, RefusalStatus::Ok, RefusalStatus::Unauthorized]),
        over_limit: draw.of(&[OverLimit::Penalty, OverLimit::Penalty, OverLimit::Refusal]),
        renewal_changes_token: !draw.once_in(3),
        renewal_has_market_data_token: !draw.once_in(3),
        expiration_fraction: !draw.once_in(3),
        oauth_has_user_id: draw.once_in(2),
        oauth_has_market_data_token: draw.once_in(3),
        refresh_opens_session: false,
        skew: if draw.once_in(2) { SignedDuration::ZERO } else { SignedDuration::from_secs(draw.around(900)) },
    }
}

fn fleet(draw: &mut Draw, sessions: u64, lifetime: u32) -> (Vec<Address>, usize, Vec<Program>) {
    // Shorter lives need more renewals.
    let per_address = (BY_PASSWORD_PER_ADDRESS * u64::from(lifetime) / 80).clamp(1, BY_PASSWORD_PER_ADDRESS);
    let mut addresses = Vec::new();
    let mut users = 0;
    let mut programs: Vec<Program> = Vec::new();
    let (mut by_password, mut room) = (0, 0);
    // Half of all fleets start at once.
    let spread = draw.of(&[2000, 600_000]);
    for _ in 0..sessions.min(50) {
        if addresses.is_empty() || by_password >= per_address || room == 0 {
            by_password = 0;
            room = 1 + draw.below(20);
            let skew = if draw.once_in(2) { 0 } else { draw.around(600) };
            addresses
                .push(Address { skew: SignedDuration::from_secs(skew), drift: draw.of(&[0, 0, 20, -20, 150, -150]) });
        }
        room -= 1;
        let login = draw.of(&[Login::Demo, Login::Demo, Login::Live, Login::Evaluation, Login::OAuth, Login::OAuth]);
        if login != Login::OAuth {
            by_password += 1;
        }
        let is_shared = |users: usize| programs.iter().filter(|program| program.user + 1 == users).count() > 1;
        // Two programs at most, because a third one would close the session of the first.
        let shares = users > 0 && login != Login::OAuth && draw.once_in(6) && !is_shared(users);
        if !shares {
            users += 1;
        }
        let has_store = !draw.once_in(3);
        let starts = millis(draw.below(spread));
        programs.push(Program {
            user: users - 1,
            address: addresses.len() - 1,
            login,
            prefers_refreshes: login == Login::OAuth && is_one_in_four(starts),
            has_store,
            member: None,
            set: None,
            starts,
            is_absent: false,
        });
    }
    for address in 0..addresses.len() {
        leave_renewals(&mut programs, address, lifetime);
    }
    (addresses, users, programs)
}

/// If password sessions need more than the third of an hour's renewals that is reserved for them, all other sessions
/// refresh.
fn leave_renewals(programs: &mut [Program], address: usize, lifetime: u32) {
    let behind_it = || programs.iter().filter(|program| program.address == address);
    let by_password = behind_it().filter(|program| program.login != Login::OAuth).count();
    // A token is renewed this many minutes before its expiry, or up to a tenth of them earlier.
    let lead = 15.min(lifetime / 2);
    let tenths_of_minutes = usize::try_from(lifetime * 10 - lead * 11).unwrap_or_default();
    let is_too_little = by_password * 600 > 5 * tenths_of_minutes;
    if is_too_little {
        let others = programs.iter_mut().filter(|program| program.address == address && program.login == Login::OAuth);
        others.for_each(|program| program.prefers_refreshes = true);
    }
}

/// A choice that uses no random number.
fn is_one_in_four(starts: SignedDuration) -> bool {
    starts.as_millis() % 4 == 0
}

pub(super) fn weather(draw: &mut Draw) -> f64 {
    let mut left = draw.below(WEATHER_SHARES.iter().sum());
    for (rate, share) in WEATHER.into_iter().zip(WEATHER_SHARES) {
        if left < share {
            return rate;
        }
        left -= share;
    }
    0.0
}

pub(super) fn fault(draw: &mut Draw, scenario: &Scenario, rate: f64) -> Fault {
    let program = draw.index(scenario.programs.len());
    let user = draw.index(scenario.users);
    let address = draw.index(scenario.addresses.len());
    // A fault that affects everybody counts for everybody, so a large fleet gets its share of such faults once and not
    // once per session.
    let is_for_one = draw.below(scenario.programs.len() as u64) >= 4;
    match draw.below(100) {
        50..66 if is_for_one => Fault::Wire(program, trouble(draw)),
        0..50 => Fault::Wire(program, trouble(draw)),
        50..54 => Fault::Storm(storm(draw), seconds(10 + draw.below(if rate > 1.0 { 7200 } else { 900 }))),
        54..56 => Fault::Maintenance(draw.once_in(2), seconds(300 + draw.below(5400))),
        56..62 => Fault::Penalty(draw.of(&[0, 3, 15, 19, 60, 600])),
        62..64 => Fault::Captcha(draw.once_in(2)),
        64..66 => Fault::LockOut {
            address,
            is_warning: draw.once_in(2),
            retry_after: draw.of(&[None, None, Some(60), Some(5400)]),
        },
        66..68 => Fault::Kick(user, draw.of(&[1, 2, 2, 3])),
        68 => Fault::CloseSessions(user),
        69..72 => Fault::Expire(user),
        72 => Fault::Revoke(user),
        73 => Fault::ChangePassword { user, told_after: seconds(draw.below(7200)), by_answer: draw.once_in(2) },
        74..76 => Fault::MoveHosts(user, draw.of(&[0, 1, 2, 3])),
        76..79 => Fault::RefuseRefreshes(draw.of(&[1, 1, 2, 3])),
        79..83 => Fault::Store { program, is_silent: draw.once_in(2), lasts: seconds(1 + draw.below(1800)) },
        83..88 => Fault::Crash(program, seconds(draw.below(120))),
        88..90 => Fault::CrashAll(address, seconds(draw.below(120))),
        90..97 => Fault::Reported(program, report(draw), draw.of(&[1, 1, 2, 5, 50])),
        _ => {
            let by = millis(1000 + draw.below(1_200_000));
            Fault::Step(address, if by.subsec_millis() % 2 == 0 { by } else { -by })
        }
    }
}

pub(super) fn trouble(draw: &mut Draw) -> Trouble {
    let contradictions = [
        Contradiction::BesideError,
        Contradiction::OtherUser,
        Contradiction::ExpiredAlready,
        Contradiction::MalformedToken,
    ];
    match draw.below(20) {
        0 | 1 => Trouble::ResetBefore,
        2 | 3 => Trouble::ResetAfter,
        4 => Trouble::Lost,
        5 => Trouble::Delayed(millis(draw.below(30_000))),
        6 | 7 => Trouble::Delayed(millis(30_000 + draw.below(600_000))),
        8 | 9 => Trouble::Duplicated(millis(draw.below(100_000))),
        10 => Trouble::RequestDelayed(millis(draw.below(200_000))),
        11 => Trouble::BrokenOff,
        12 => Trouble::Oversized,
        13 => Trouble::Halved,
        14 => Trouble::Corrupted,
        15 => Trouble::StatusAfter(draw.of(&[408, 500, 502, 503, 504])),
        16 => Trouble::Status(draw.of(&[404, 408, 500, 502, 503, 504])),
        17 => Trouble::Contradiction(draw.of(&contradictions)),
        18 => Trouble::UntrustedRedirect,
        _ => Trouble::Cancelled,
    }
}

fn storm(draw: &mut Draw) -> Storm {
    draw.of(&[
        Storm::Status(500),
        Storm::Status(502),
        Storm::Status(503),
        Storm::Status(504),
        Storm::Html,
        Storm::NoConnection,
        Storm::Silence,
    ])
}

pub(super) fn report(draw: &mut Draw) -> Report {
    draw.of(&[
        Report::Unclear,
        Report::Denied,
        Report::Unclear,
        Report::Denied,
        Report::Dead,
        Report::Status(408),
        Report::Status(500),
        Report::Status(421),
        Report::Status(404),
        Report::Status(429),
    ])
}
