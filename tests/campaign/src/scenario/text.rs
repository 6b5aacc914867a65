//! Prints a scenario for readers of a failure: one line each for the server, an address, a program and a fault. Removed
//! parts are left out.

use std::fmt::{self, Formatter};

use super::Scenario;

pub(super) fn write(scenario: &Scenario, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "seed {}, {} users, {:?}", scenario.seed, scenario.users, scenario.length)?;
    writeln!(f, "  {:?}", scenario.server)?;
    for (number, address) in scenario.addresses.iter().enumerate() {
        if scenario.present().any(|(_, program)| program.address == number) {
            writeln!(f, "  a{number}: {address:?}")?;
        }
    }
    for (number, program) in scenario.present() {
        let store = match program.member {
            Some(member) => format!("of {member:?}"),
            None if program.has_store => "with a store".to_owned(),
            None => "without a store".to_owned(),
        };
        let super::Program { user, address, login, prefers_refreshes, starts, .. } = program;
        let set = program.set.map(|set| format!(", in set {set}")).unwrap_or_default();
        let refreshes = if *prefers_refreshes { ", prefers refreshes" } else { "" };
        writeln!(
            f,
            "  s{number}: {login:?} of u{user} behind a{address} {store}{refreshes}{set}, starts at {starts:?}"
        )?;
    }
    for timed in &scenario.faults {
        writeln!(f, "  at {:?}: {:?}", timed.at, timed.fault)?;
    }
    Ok(())
}
