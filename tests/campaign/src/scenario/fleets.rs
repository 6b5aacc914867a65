//! Adds fleets to a scenario. One scenario in three has one or two fleets of up to ten programs each.
//!
//! Fleets have their own random numbers and come after the other programs of the seed, so they do not change those.

use jiff::SignedDuration;
use oorandom::Rand64;
use tradovate_auth_session::MayLogIn;

use super::fault::{Fault, Moment, StoreFault, Timed};
use super::generate::{Draw, millis, report, seconds, trouble};
use super::{Address, Login, Membership, Program, Scenario};

/// The delay of the other programs of an app. If they started before the first one has its consent, each would ask for
/// consent.
const AFTER_CONSENT: SignedDuration = SignedDuration::from_mins(2);

pub(super) fn add(scenario: &mut Scenario, rate: f64) {
    let mut draw = Draw(Rand64::new(u128::from(scenario.seed) ^ 0x0066_6c65_6574));
    if !draw.once_in(3) {
        return;
    }
    let fleets = if draw.once_in(4) { 2 } else { 1 };
    for _ in 0..fleets {
        let first = scenario.programs.len();
        add_fleet(scenario, &mut draw);
        let days = scenario.length.as_secs_f64() / 86_400.0;
        #[expect(clippy::cast_precision_loss, reason = "there are ten at most")]
        let mut left = days * rate * (scenario.programs.len() - first) as f64;
        let millis_long = u64::try_from(scenario.length.as_millis()).unwrap_or_default();
        while draw.float() < left {
            left -= 1.0;
            let fault = fault(&mut draw, scenario, first);
            scenario.faults.push(Timed { at: millis(draw.below(millis_long)), fault });
        }
    }
}

impl Scenario {
    /// A fleet of this many programs that share the session of one user with a password, without faults.
    #[must_use]
    pub fn of_one_fleet(size: usize, length: SignedDuration) -> Self {
        let mut scenario = Self::from_seed(0);
        scenario.server.lifetime = 80;
        (scenario.length, scenario.users) = (length, 1);
        scenario.faults.clear();
        let member = Some(Membership { fleet: 0, keeps: true, may_log_in: MayLogIn::WhenNeeded });
        let address = |number: usize| Address { skew: seconds(number as u64 % 7 * 60), drift: 0 };
        scenario.addresses = (0..size).map(address).collect();
        let program = |address| Program {
            user: 0,
            address,
            login: Login::Demo,
            prefers_refreshes: false,
            has_store: true,
            member,
            set: None,
            starts: SignedDuration::ZERO,
            is_absent: false,
        };
        scenario.programs = (0..size).map(program).collect();
        scenario
    }
}

fn add_fleet(scenario: &mut Scenario, draw: &mut Draw) {
    let fleet = scenario.fleets();
    let user = scenario.users;
    scenario.users += 1;
    let login = draw.of(&[Login::Demo, Login::Demo, Login::Live, Login::Evaluation, Login::OAuth, Login::OAuth]);
    let spread = draw.of(&[2000, 600_000, 12 * 3_600_000]);
    let keepers = draw.of(&[1, 1, 2, 1000]);
    let own = scenario.addresses.len();
    for number in 0..2 + draw.below(9) {
        if number == 0 || draw.once_in(2) {
            let skew = if draw.once_in(2) { 0 } else { draw.around(600) };
            let drift = draw.of(&[0, 0, 20, -20, 150, -150]);
            scenario.addresses.push(Address { skew: SignedDuration::from_secs(skew), drift });
        }
        let starts = millis(draw.below(spread));
        let waits = login == Login::OAuth && number > 0;
        let may_log_in = match draw.below(6) {
            0 if number > 0 => MayLogIn::Never,
            1 => MayLogIn::EvenIfUnreadable,
            _ => MayLogIn::WhenNeeded,
        };
        scenario.programs.push(Program {
            user,
            address: own + draw.index(scenario.addresses.len() - own),
            login,
            prefers_refreshes: login == Login::OAuth && scenario.seed % 8 < 2,
            has_store: true,
            member: Some(Membership { fleet, keeps: draw.once_in(keepers), may_log_in }),
            set: None,
            starts: if waits {
                starts + AFTER_CONSENT
            } else {
                SignedDuration::ZERO.max(starts / (1 + i32::from(number == 0) * 1000))
            },
            is_absent: false,
        });
    }
}

/// A fault of the programs from `first` on, or of their store.
fn fault(draw: &mut Draw, scenario: &Scenario, first: usize) -> Fault {
    let program = first + draw.index(scenario.programs.len() - first);
    let Program { user, address, member, .. } = &scenario.programs[program];
    let (user, address) = (*user, *address);
    let fleet = member.map(|member| member.fleet).unwrap_or_default();
    match draw.below(100) {
        0..30 => Fault::Wire(program, trouble(draw)),
        30..33 => Fault::Kick(user, draw.of(&[1, 2, 2, 3])),
        33..35 => Fault::Expire(user),
        35 => Fault::CloseSessions(user),
        36 => Fault::Revoke(user),
        37 => Fault::ChangePassword { user, told_after: seconds(draw.below(7200)), by_answer: draw.once_in(2) },
        38..40 => Fault::LockOut { address, is_warning: draw.once_in(2), retry_after: draw.of(&[None, Some(5400)]) },
        40..50 => Fault::Reported(program, report(draw), draw.of(&[1, 1, 2, 5, 50])),
        50..54 => Fault::Jump(address, millis(1000 + draw.below(1_200_000))),
        54..58 => Fault::Crash(program, seconds(draw.below(120))),
        58 => Fault::CrashAll(address, seconds(draw.below(120))),
        59..79 => Fault::Shared(fleet, store_fault(draw)),
        _ => Fault::Halt {
            program,
            moment: draw.of(&[Moment::Now, Moment::BeforeSending, Moment::BeforeSaving, Moment::Saving]),
            crashes: draw.once_in(2),
            lasts: draw.of(&[seconds(1), seconds(30), seconds(60), seconds(100), seconds(600), seconds(5400)]),
        },
    }
}

fn store_fault(draw: &mut Draw) -> StoreFault {
    match draw.below(13) {
        10 | 11 => StoreFault::Full(seconds(1 + draw.below(7200))),
        12 => StoreFault::LosesLease,
        0..4 => StoreFault::Down(seconds(1 + draw.below(1800))),
        4..6 => StoreFault::ConfirmationLost,
        6 | 7 => StoreFault::RollsBack(draw.of(&[1, 1, 2, 1000])),
        8 => StoreFault::Stale(seconds(1 + draw.below(120))),
        _ => StoreFault::Damaged(seconds(1 + draw.below(600))),
    }
}
