//! Counts requests, faults, minutes with and without a good token, and logins. Each world has its own tally, and
//! tallies can be added.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;

use crate::scenario::Scenario;
use crate::wire::Operation;

/// The counts of one scenario or more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Scenarios.
    pub scenarios: u64,
    /// Scenarios without a fault.
    pub calm: u64,
    /// Simulated days of sessions.
    pub session_days: f64,
    /// Requests of sessions, by operation.
    pub requests: BTreeMap<Operation, u64>,
    /// Faults that affected a program, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Delivered penalties.
    pub penalties: u64,
    /// Consents of users.
    pub consents: u64,
    /// Minutes in which the server was available to a program.
    pub probes: u64,
    /// Minutes of these in which the program had no token.
    pub without_token: u64,
    /// Minutes of these in which the server did not accept the program's token.
    pub not_accepted: u64,
    /// Minutes without a good token although the server was available, by the program's last fault.
    pub unavailable: BTreeMap<&'static str, u64>,
    /// Requests of single sessions, by the reason that the oracle finds.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Minutes of single sessions without a good token, by the cause that excuses them longest.
    pub excused: BTreeMap<&'static str, u64>,
    /// Fleets.
    pub fleets: u64,
    /// Programs of fleets.
    pub members: u64,
    /// Simulated days of these programs.
    pub member_days: f64,
    /// Logins of fleets with a password.
    pub fleet_logins: u64,
    /// Fleets with a password.
    pub password_fleets: u64,
    /// Sets.
    pub sets: u64,
    /// Sessions of sets.
    pub sessions_of_sets: u64,
    /// Simulated days of these sessions.
    pub set_days: f64,
    /// Password sessions in calm scenarios.
    pub calm_sessions: u64,
    /// Logins of these sessions.
    pub calm_logins: u64,
    /// The longest time from the last fault until all programs were usable.
    pub longest_recovery: SignedDuration,
    /// Violations of laws.
    pub violations: u64,
}

impl Tally {
    pub(crate) fn count_request(&mut self, operation: Operation) {
        *self.requests.entry(operation).or_default() += 1;
    }

    pub(crate) fn count_fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn count_probe(&mut self, is_accepted: bool, has_token: bool, last_fault: &'static str) {
        self.probes += 1;
        if !is_accepted {
            self.without_token += u64::from(!has_token);
            self.not_accepted += u64::from(has_token);
            *self.unavailable.entry(last_fault).or_default() += 1;
        }
    }

    pub(crate) fn end_of(&mut self, scenario: &Scenario, logins: impl Iterator<Item = u64>) {
        self.scenarios = 1;
        self.session_days = scenario.session_days();
        self.fleets = scenario.fleets() as u64;
        self.members = scenario.present().filter(|(_, program)| program.member.is_some()).count() as u64;
        #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
        let members = self.members as f64;
        self.member_days = scenario.length.as_secs_f64() / 86_400.0 * members;
        self.sets = scenario.sets() as u64;
        if self.sets > 0 {
            self.sessions_of_sets = scenario.present().count() as u64;
            self.set_days = self.session_days;
        }
        if scenario.is_calm() {
            self.calm = 1;
            // Where an address has too many sessions, some log in again.
            for logins in logins.filter(|_| !scenario.is_crowded()) {
                self.calm_sessions += 1;
                self.calm_logins += logins;
            }
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.calm += other.calm;
        self.session_days += other.session_days;
        self.fleets += other.fleets;
        self.members += other.members;
        self.member_days += other.member_days;
        self.sets += other.sets;
        self.sessions_of_sets += other.sessions_of_sets;
        self.set_days += other.set_days;
        self.fleet_logins += other.fleet_logins;
        self.password_fleets += other.password_fleets;
        self.penalties += other.penalties;
        self.consents += other.consents;
        self.probes += other.probes;
        self.without_token += other.without_token;
        self.not_accepted += other.not_accepted;
        self.calm_sessions += other.calm_sessions;
        self.calm_logins += other.calm_logins;
        self.violations += other.violations;
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
        other.requests.iter().for_each(|(kind, count)| *self.requests.entry(*kind).or_default() += count);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
        other.reasons.iter().for_each(|(kind, count)| *self.reasons.entry(kind).or_default() += count);
        other.excused.iter().for_each(|(kind, count)| *self.excused.entry(kind).or_default() += count);
        other.unavailable.iter().for_each(|(kind, count)| *self.unavailable.entry(kind).or_default() += count);
    }

    /// The share of minutes with a good token.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the precision suffices for a share")]
    pub fn availability(&self) -> f64 {
        let good = self.probes - self.without_token - self.not_accepted;
        if self.probes == 0 { 1.0 } else { good as f64 / self.probes as f64 }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenarios          {} ({} calm)", self.scenarios, self.calm)?;
        writeln!(f, "session-days       {:.1}", self.session_days)?;
        let total: u64 = self.requests.values().sum();
        writeln!(f, "requests           {total}")?;
        for (operation, count) in &self.requests {
            writeln!(f, "  {:<24} {count}", format!("{operation:?}"))?;
        }
        let total: u64 = self.faults.values().sum();
        writeln!(f, "faults             {total}")?;
        for (kind, count) in &self.faults {
            writeln!(f, "  {kind:<24} {count}")?;
        }
        writeln!(f, "penalties          {}", self.penalties)?;
        writeln!(f, "consents           {}", self.consents)?;
        writeln!(
            f,
            "availability       {:.4} % ({} minutes, {} without a token, {} with one that was not accepted)",
            self.availability() * 100.0,
            self.probes,
            self.without_token,
            self.not_accepted
        )?;
        for (kind, count) in &self.unavailable {
            writeln!(f, "  after {kind:<24} {count} minutes")?;
        }
        writeln!(f, "reasons of requests")?;
        self.reasons.iter().try_for_each(|(reason, count)| writeln!(f, "  {reason:<24} {count}"))?;
        writeln!(f, "minutes without a good token, by cause")?;
        self.excused.iter().try_for_each(|(cause, count)| writeln!(f, "  {cause:<64} {count}"))?;
        writeln!(f, "longest recovery   {:?}", self.longest_recovery)?;
        writeln!(f, "calm logins        {} of {} sessions by password", self.calm_logins, self.calm_sessions)?;
        writeln!(
            f,
            "fleets             {} of {} programs on {:.1} days; {} logins of {} fleets by password",
            self.fleets, self.members, self.member_days, self.fleet_logins, self.password_fleets
        )?;
        writeln!(
            f,
            "sets               {} of {} sessions on {:.1} days",
            self.sets, self.sessions_of_sets, self.set_days
        )?;
        writeln!(f, "violations         {}", self.violations)
    }
}
