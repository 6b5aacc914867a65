//! Adds crashes of programs with their own stores at each step of a login: before and after the announcement is stored,
//! while the login is in flight, and before and after its answer is stored.
//!
//! They have their own random numbers and are added to the other faults of the seed, which they do not change.

use jiff::SignedDuration;
use oorandom::Rand64;

use super::fault::{Fault, LoginStep, Timed};
use super::generate::{Draw, millis, seconds};
use super::{Login, Scenario};

/// The number of such logins per other fault.
const SHARE: f64 = 0.2;

/// How long programs are down, in seconds. Most of them restart within the shortest pause after a login of unknown
/// outcome, which is 15 s.
const DOWN: [u64; 8] = [1, 2, 4, 8, 13, 30, 100, 1000];

pub(super) fn add(scenario: &mut Scenario, rate: f64) {
    let mut draw = Draw(Rand64::new(u128::from(scenario.seed) ^ 0x006c_6f67_696e));
    let programs = scenario.programs.iter().enumerate();
    let has_own_store = programs.filter(|(_, it)| it.has_store && it.member.is_none() && it.login != Login::OAuth);
    let concerned: Vec<usize> = has_own_store.map(|(number, _)| number).collect();
    if scenario.faults.is_empty() || concerned.is_empty() {
        return;
    }
    let millis_long = u64::try_from(scenario.length.as_millis()).unwrap_or_default();
    let mut left = scenario.session_days() * rate * SHARE;
    while draw.float() < left {
        left -= 1.0;
        let program = concerned[draw.index(concerned.len())];
        // The first login, or one after the end of the token.
        let at = if draw.once_in(3) { SignedDuration::ZERO } else { millis(draw.below(millis_long)) };
        for _ in 0..draw.of(&[1, 1, 2, 4]) {
            let (step, is_whole, down) = (draw.of(&LoginStep::ALL), draw.once_in(3), seconds(draw.of(&DOWN)));
            scenario.faults.push(Timed { at, fault: Fault::CrashAtLogin { program, step, is_whole, down } });
        }
        if !at.is_zero() {
            scenario.faults.push(Timed { at, fault: Fault::Expire(scenario.programs[program].user) });
        }
    }
}
