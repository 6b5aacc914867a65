//! Faults of whole programs over days, in addition to those of the wire: clocks that are wrong by hours, machines that
//! sleep, hosts that are shut down, settings that are corrected while the program is down, and snapshots of other
//! programs.
//!
//! They have their own random numbers and are added to the other faults of the seed, which they do not change. They
//! affect only single sessions.

use jiff::SignedDuration;
use oorandom::Rand64;

use super::fault::{Absurd, Blame, Fault, Left, Storm, Timed, Trouble};
use super::generate::{Draw, millis, seconds};
use super::{Login, Scenario};

/// The errors of clocks, in seconds. All are less than a day, because a larger error is not corrected by one answer.
const OFF: [u64; 4] = [600, 2 * 3600, 3 * 3600, 20 * 3600];

/// The number of setbacks per other fault.
const SHARE: f64 = 0.5;

pub(super) fn add(scenario: &mut Scenario, rate: f64) {
    let mut draw = Draw(Rand64::new(u128::from(scenario.seed) ^ 0x7365_7462_6163_6b73));
    if scenario.faults.is_empty() {
        return;
    }
    let millis_long = u64::try_from(scenario.length.as_millis()).unwrap_or_default();
    for address in 0..scenario.addresses.len() {
        if draw.once_in(6) {
            // A machine without a battery-backed clock: its clock is wrong at boot and corrected later.
            let wrong = off(&mut draw);
            scenario.addresses[address].skew += wrong;
            let at = millis(draw.below(millis_long));
            scenario.faults.push(Timed { at, fault: Fault::Step(address, -wrong) });
        }
    }
    let mut left = scenario.session_days() * rate * SHARE;
    while draw.float() < left {
        left -= 1.0;
        let at = millis(draw.below(millis_long));
        for (after, fault) in setback(&mut draw, scenario) {
            scenario.faults.push(Timed { at: at + after, fault });
        }
    }
    let length = scenario.length;
    scenario.faults.retain(|timed| timed.at < length);
}

/// A setback, with the time until each of its faults.
fn setback(draw: &mut Draw, scenario: &Scenario) -> Vec<(SignedDuration, Fault)> {
    let program = draw.index(scenario.programs.len());
    let address = scenario.programs[program].address;
    let is_app = scenario.programs[program].login == Login::OAuth;
    let down = seconds(1 + draw.below(120));
    let soon = |fault| vec![(SignedDuration::ZERO, fault)];
    match draw.below(20) {
        0..2 => soon(Fault::Step(address, off(draw))),
        // The clock is set during a lock-out.
        2 => {
            let (by, retry_after) = (off(draw), None);
            let lock_out = Fault::LockOut { address, is_warning: draw.once_in(2), retry_after };
            let renews = Fault::Expire(scenario.programs[program].user);
            let mut all = vec![(SignedDuration::ZERO, lock_out), (SignedDuration::ZERO, renews)];
            if draw.once_in(2) {
                all.push((seconds(600), Fault::CrashAll(address, down)));
            }
            all.push((seconds(601), Fault::Step(address, by)));
            all
        }
        // The clock is set while the program is down.
        3..6 => {
            let by = off(draw);
            vec![(SignedDuration::ZERO, Fault::CrashAll(address, down)), (down / 2, Fault::Step(address, by))]
        }
        6..8 => soon(Fault::Sleep(address, seconds(draw.of(&[40, 120, 1800, 5400, 6 * 3600])))),
        8..10 => {
            let hosts = draw.of(&[1, 2]);
            let left = draw.of(&[Left::Gone, Left::NotFound, Left::WrongClient]);
            let user = scenario.programs[program].user;
            vec![
                (SignedDuration::ZERO, Fault::MoveHosts(user, hosts)),
                (seconds(3600 + draw.below(4 * 3600)), Fault::LeaveHosts(hosts, left)),
            ]
        }
        10..12 => {
            let restarts = u32::try_from(draw.below(5)).unwrap_or_default();
            soon(Fault::CorrectAtRestart { program, restarts, every: seconds(120 + draw.below(600)) })
        }
        12..14 => soon(Fault::ForeignSnapshot { program, of: draw.index(scenario.programs.len()), down }),
        14 => soon(Fault::CallPenalty(draw.of(&[3, 15, 600]))),
        15 => soon(Fault::Storm(Storm::Gateway(off(draw)), seconds(10 + draw.below(900)))),
        16 => soon(Fault::Wire(program, Trouble::Gateway(draw.of(&[502, 503, 504]), off(draw)))),
        17 if is_app => {
            let blame = draw.of(&[Blame::InvalidClient, Blame::UnauthorizedClient, Blame::Mismatch]);
            soon(Fault::Wire(program, Trouble::BlamesApp(blame)))
        }
        _ => {
            let absurd = draw.of(&[
                Absurd::RetryAfter(u64::from(u32::MAX)),
                Absurd::RetryAfter(400_000),
                Absurd::PenaltyTime(1e18),
                Absurd::PenaltyTime(-5.0),
                Absurd::PenaltyTime(2.4),
                Absurd::PenaltyTime(0.001),
            ]);
            soon(Fault::Wire(program, Trouble::Absurd(absurd)))
        }
    }
}

/// The error of a clock.
fn off(draw: &mut Draw) -> SignedDuration {
    seconds(draw.of(&OFF)) * draw.of(&[1, -1])
}
