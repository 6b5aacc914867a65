//! Shrinks a failing scenario: removes faults and programs as long as it still fails. It uses delta debugging on the
//! list of faults, then on the programs, then on the length.

use jiff::SignedDuration;

use crate::scenario::Scenario;

/// The smallest failing scenario that shrinking finds.
pub fn shrink(scenario: &Scenario, mut fails: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut smallest = scenario.clone();
    loop {
        let before = (smallest.faults.len(), smallest.present().count(), smallest.length);
        smallest = fewer_faults(smallest, &mut fails);
        smallest = fewer_programs(smallest, &mut fails);
        smallest = shorter(smallest, &mut fails);
        if before == (smallest.faults.len(), smallest.present().count(), smallest.length) {
            return smallest;
        }
    }
}

fn fewer_faults(mut smallest: Scenario, fails: &mut impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut chunk = smallest.faults.len();
    while chunk > 0 {
        let mut start = 0;
        while start < smallest.faults.len() {
            let mut fewer = smallest.clone();
            let end = (start + chunk).min(fewer.faults.len());
            fewer.faults.drain(start..end);
            if fails(&fewer) {
                smallest = fewer;
            } else {
                start = end;
            }
        }
        chunk /= 2;
    }
    smallest
}

fn fewer_programs(mut smallest: Scenario, fails: &mut impl FnMut(&Scenario) -> bool) -> Scenario {
    for number in (0..smallest.programs.len()).rev() {
        if smallest.programs[number].is_absent || smallest.present().count() == 1 {
            continue;
        }
        let mut fewer = smallest.clone();
        fewer.programs[number].is_absent = true;
        if fails(&fewer) {
            smallest = fewer;
        }
    }
    smallest
}

fn shorter(mut smallest: Scenario, fails: &mut impl FnMut(&Scenario) -> bool) -> Scenario {
    while smallest.length > SignedDuration::from_mins(10) {
        let mut shorter = smallest.clone();
        shorter.length /= 2;
        shorter.faults.retain(|timed| timed.at < shorter.length);
        if shorter.faults.len() < smallest.faults.len() || !fails(&shorter) {
            break;
        }
        smallest = shorter;
    }
    smallest
}
