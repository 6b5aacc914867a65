//! What a `SessionSet` promises beyond the laws of its sessions: the sessions of an address share its limits, their
//! renewals are spread over time, no session starves, and removed sessions leave nothing behind. The oracle derives
//! this from the requests and answers of the journal.
//!
//! Each session of a set has a pace. Sessions that can only renew share the pace of the renewals of their address, and
//! sessions that can refresh share the pace of its refreshes. A pace extends the token that is due first, and it
//! extends tokens early so that the times between its requests are equal.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::gates::COUNTED_FOR;
use super::memory::{Held, UNSURE};
use super::requests::{Reason, Request};
use super::{Found, Oracle, Subject};
use crate::journal::{Outcome, Record, What};
use crate::wire::{Asked, Operation};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The promises of a set have no number among the laws. The oracle reports them with this one.
pub(super) const PROMISE: u8 = 18;

/// The renewals of an hour.
const RENEWALS: usize = 15;

/// The renewals per hour that are always left to sessions that can only renew.
const RESERVED: usize = 5;

/// The renewals per hour that tokens need if there are too many of them, and if a disturbance has a long effect.
const CROWDED: f64 = 15.0;
const ALMOST_ALL: f64 = 12.0;

/// How a session of a set extends its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// It can only renew.
    Renewals,
    /// It can refresh.
    Refreshes,
}

/// What the oracle remembers of an address whose sessions a set drives.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    /// The last request that a pace counts.
    last: BTreeMap<Pace, Timestamp>,
    /// The last request that extended a token in good time.
    extended: BTreeMap<Pace, Timestamp>,
    /// The last time at which something other than the paces used a renewal, or kept one from being sent.
    disturbed_at: Option<Timestamp>,
    /// The last input of each session. A session whose token is due sends after an input, whatever its pace.
    inputs: BTreeMap<usize, Timestamp>,
    /// The generation of the token that each session hands out, and since when. A token counts from the time at which
    /// it is stored.
    handed: BTreeMap<usize, (u64, Timestamp)>,
    /// The logins that the budget still counts: all that have brought no token.
    logins: BTreeMap<usize, Timestamp>,
    /// The logins that the budget may have learnt from the last snapshot.
    stored_logins: Vec<Timestamp>,
}

/// When a token is due: the earliest and the latest possible time, by the server's clock, and the time for which it is
/// held until then.
#[derive(Debug, Clone, Copy)]
struct Due {
    earliest: Timestamp,
    latest: Timestamp,
    /// From then on, a session waits no longer for its pace.
    overdue: Timestamp,
    since: Timestamp,
}

impl Due {
    /// The rate of the token, per hour: at most, and at least.
    fn rates(&self) -> (f64, f64) {
        let rate = |due: Timestamp| 3600.0 / due.duration_since(self.since).as_secs_f64().max(1.0);
        (rate(self.earliest), rate(self.latest))
    }
}

impl Subject {
    fn pace(&self) -> Pace {
        let memory = &self.memory;
        let may_refresh = memory.refused_tokens.is_empty() && !memory.is_app_refused && memory.blamed == 0;
        if self.is_app && may_refresh { Pace::Refreshes } else { Pace::Renewals }
    }

    fn held(&self) -> Option<Held> {
        self.memory.held.filter(|held| self.is_up && !held.is_lost)
    }

    fn due(&self, skew: SignedDuration) -> Option<Due> {
        let held = self.held()?;
        let (end, life) = (held.grant.expires?, held.grant.life);
        let lead = SignedDuration::from_mins(15).min(life / 2);
        let unsure = UNSURE + self.memory.ahead + held.order.trip;
        let due = end - lead - lead / 10 - unsure;
        let refresh_by = self.memory.refreshed_at.map(|at| at + HOUR * 12 - MINUTE * 8 + skew);
        let earliest = refresh_by.filter(|_| self.is_app).map_or(due, |by| by.min(due));
        let overdue = earliest + (end - MINUTE).duration_since(earliest) / 2 - unsure;
        Some(Due { earliest, latest: end - lead + unsure, overdue, since: end - life })
    }

    /// Whether the session does nothing but wait for its pace, and has done so since a time.
    fn only_waits(&self, since: Timestamp) -> bool {
        let memory = &self.memory;
        self.held().is_some_and(|held| held.order.asked + MINUTE < since)
            && self.seen.is_some()
            && memory.taken_at.is_some_and(|at| at + MINUTE < since)
            && memory.knows_time()
            && !memory.is_troubled()
            && !memory.wants_market_data
            && self.in_flight.is_none()
            && !self.is_store_failing
            && self.offered.is_none()
            && self.unconfirmed_at.is_none()
    }
}

impl Oracle {
    /// When the token of a session is due.
    fn due(&self, program: usize, subject: &Subject) -> Option<Due> {
        let due = subject.due(self.skew)?;
        let network = self.networks.get(&subject.address);
        let handed = network.and_then(|network| Some(network.handed.get(&program)?.1));
        Some(Due { since: handed.map_or(due.since, |at| due.since.max(at + self.skew)), ..due })
    }

    /// The sessions of a set behind an address.
    fn sessions_at(&self, address: usize) -> impl Iterator<Item = (usize, &Subject)> {
        let is_there = move |subject: &Subject| subject.set.is_some() && subject.address == address;
        self.subjects.iter().enumerate().filter(move |(_, subject)| is_there(subject))
    }

    pub(super) fn is_set(&self, address: usize) -> bool {
        self.sessions_at(address).next().is_some()
    }

    /// How many of the hour's renewals the sessions of an address may use that could refresh: at least, and at most.
    pub(super) fn spare_renewals(&self, address: usize, server_now: Timestamp) -> (usize, usize) {
        if !self.is_set(address) {
            return (RENEWALS - RESERVED, RENEWALS - RESERVED);
        }
        let (mut most, mut least) = (0.0, 0.0);
        for (other, subject) in self.sessions_at(address) {
            let Some(due) = self.due(other, subject) else {
                // A set leaves one for each session that waits for its login.
                most += if subject.is_up && !subject.is_app { 1.0 } else { 0.0 };
                continue;
            };
            // Before it knows the time, a session may think that its token is due soon. A session that could refresh
            // may have a reason not to.
            let is_unsure = !subject.memory.knows_time() || subject.is_app && subject.memory.is_troubled();
            if is_unsure {
                most += 15.0;
                continue;
            } else if subject.pace() == Pace::Refreshes {
                continue;
            }
            most += due.rates().0;
            if subject.only_waits(server_now - self.skew) && server_now < due.earliest {
                least += due.rates().1;
            }
        }
        let spare = |needed: f64| {
            let needed = (RESERVED..=RENEWALS).find(|whole| f64::from(u32::try_from(*whole).unwrap_or(15)) >= needed);
            RENEWALS - needed.unwrap_or(RENEWALS)
        };
        (spare(most + 1.0), spare(least))
    }

    /// Whether the pace of a session decides when it sends a request, and nothing else.
    pub(super) fn is_paced(&self, record: &Record, asked: &Asked, server_now: Timestamp) -> bool {
        let (now, program) = (record.at, record.program);
        let Some(subject) = self.subjects.get(program).filter(|subject| subject.set.is_some()) else { return false };
        let (gates, spare) = (&self.gates[subject.address], self.spare_renewals(subject.address, server_now));
        let reason = Request { asked, now, server_now, gates, spare }.reason(subject);
        let last_input = self.networks.get(&subject.address).and_then(|network| network.inputs.get(&program));
        matches!(reason, Ok(Reason::Due | Reason::Early))
            && subject.only_waits(now)
            && last_input.is_none_or(|at| *at < now)
    }

    /// The session hands out something else than before. The end of its market data token is an input too: the session
    /// is polled at that time.
    pub(super) fn hands_out_in_set(&mut self, record: &Record) {
        let Some(subject) = self.subjects.get(record.program).filter(|subject| subject.set.is_some()) else { return };
        if subject.seen.is_some_and(|seen| seen.usable_until <= record.local) {
            self.networks.entry(subject.address).or_default().inputs.insert(record.program, record.at);
        }
    }

    /// Checks a request of a session in a set.
    pub(super) fn judge_in_set(
        &self,
        record: &Record,
        asked: &Asked,
        server_now: Timestamp,
        is_paced: bool,
    ) -> Option<Found> {
        let (now, program) = (record.at, record.program);
        let subject = self.subjects.get(program).filter(|subject| subject.set.is_some())?;
        let gates = &self.gates[subject.address];
        if asked.operation == Operation::Renew && gates.renewals(now).0 >= RENEWALS {
            return Some((PROMISE, "sends a sixteenth renewal of its address within an hour".to_owned()));
        }
        let (own, pace) = (self.due(program, subject)?, subject.pace());
        // A session that waits for the hour's renewals sends as soon as one is free.
        let is_used_up = pace == Pace::Renewals && gates.renewals(now).1 >= RENEWALS;
        if !is_paced || is_used_up || gates.are_closed_since(now - HOUR) || server_now >= own.overdue {
            return None;
        }
        self.is_not_first(subject, own, program, now).or_else(|| self.is_too_soon(subject, pace, program, now))
    }

    /// A pace extends the token that is due first.
    fn is_not_first(&self, subject: &Subject, own: Due, program: usize, now: Timestamp) -> Option<Found> {
        let others = self.sessions_at(subject.address).filter(|(other, _)| *other != program);
        let mut waiting = others.filter(|(_, other)| other.pace() == subject.pace() && other.only_waits(now));
        let (other, _) = waiting
            .find(|(number, other)| self.due(*number, other).is_some_and(|due| due.latest + MINUTE < own.earliest))?;
        Some((PROMISE, format!("extends its token although that of s{other} is due first")))
    }

    /// The requests of a pace are spread evenly.
    fn is_too_soon(&self, subject: &Subject, pace: Pace, program: usize, now: Timestamp) -> Option<Found> {
        let network = self.networks.get(&subject.address)?;
        let (last, extended) = (*network.last.get(&pace)?, *network.extended.get(&pace)?);
        // A session whose refresh token was refused is in one of both paces.
        let is_in = |other: &Subject| other.pace() == pace || pace == Pace::Refreshes && other.is_app;
        let of_pace = self.sessions_at(subject.address).filter(|(_, other)| is_in(other));
        let (mut rate, mut waiting) = (0.0, 0);
        for (other, session) in of_pace {
            rate += self.due(other, session).map_or(0.0, |due| due.rates().0);
            waiting += usize::from(other != program && session.only_waits(extended));
        }
        // Without others, the pace begins anew.
        if waiting < 2 || rate <= 0.0 {
            return None;
        }
        let interval = SignedDuration::from_secs_f64(3600.0 / rate * 30.0 / 32.0);
        let passed = now.duration_since(last);
        (passed < interval).then(|| {
            (
                PROMISE,
                format!(
                    "extends its token {passed:.0?} after the last request of its pace, which has one in {interval:.0?}"
                ),
            )
        })
    }

    /// Counts a request of a session in a set.
    pub(super) fn count_in_set(
        &mut self,
        record: &Record,
        number: usize,
        asked: &Asked,
        reason: Option<Reason>,
        is_paced: bool,
    ) {
        let Some(subject) = self.subjects.get(record.program).filter(|subject| subject.set.is_some()) else { return };
        // A set can't know how many renewals the token of a session needs that has none yet, or that is added later.
        let needs_unknown = |other: &Subject| other.pace() == Pace::Renewals && other.held().is_none();
        let is_need_unknown = self.sessions_at(subject.address).any(|(_, other)| needs_unknown(other));
        let (pace, network) = (subject.pace(), self.networks.entry(subject.address).or_default());
        let is_routine = matches!(reason, Some(Reason::Due | Reason::Early));
        let used = match asked.operation {
            Operation::LogIn => None,
            Operation::Renew => Some(Pace::Renewals),
            Operation::Refresh => Some(Pace::Refreshes),
        };
        let extended = Some(pace).filter(|_| is_paced);
        for counted in used.into_iter().chain(extended) {
            network.last.insert(counted, record.at);
        }
        if let Some(pace) = extended {
            network.extended.insert(pace, record.at);
        }
        match asked.operation {
            Operation::LogIn => drop(network.logins.insert(number, record.at)),
            Operation::Renew if !is_routine && (reason != Some(Reason::MarketData) || is_need_unknown) => {
                network.disturbed_at = Some(record.at);
            }
            _ => {}
        }
    }

    /// Follows what disturbs the paces of an address, and which logins its budget counts.
    pub(super) fn follow_sets(&mut self, record: &Record) {
        let Some(subject) = self.subjects.get(record.program).filter(|subject| subject.set.is_some()) else { return };
        let address = subject.address;
        let network = self.networks.entry(address).or_default();
        let is_no_input =
            matches!(record.what, What::Sent(..) | What::Served(..) | What::Handed(_) | What::Offered(..))
                || matches!(record.what, What::Waits(_) | What::Minute(_) | What::Crowded(_) | What::Stopped(_));
        if !is_no_input {
            network.inputs.insert(record.program, record.at);
        }
        match &record.what {
            What::Delivered { exchange, outcome, .. } => match outcome {
                Outcome::Answer(answer) if answer.good_grant().is_some() => drop(network.logins.remove(exchange)),
                _ => network.disturbed_at = Some(record.at),
            },
            What::Handed(Some(seen)) => {
                let handed = network.handed.entry(record.program).or_insert((seen.generation, record.at));
                if handed.0 != seen.generation {
                    *handed = (seen.generation, record.at);
                }
            }
            What::Crashed(is_whole) => {
                network.handed.remove(&record.program);
                if *is_whole {
                    let logins = std::mem::take(&mut network.logins);
                    *network = Network { logins, ..Network::default() };
                }
                network.disturbed_at = Some(record.at);
            }
            What::Started(Some(_)) => network.stored_logins = self.gates[address].logins().collect(),
            // The snapshot of another program may have brought its logins along.
            What::StartedForeign(_) => {
                let sessions = self.subjects.iter_mut().filter(|other| other.address == address);
                sessions.for_each(|other| other.allowances.open_until(Cause::Rate, record.at + HOUR));
            }
            What::Jumped(_) | What::Stepped(_) | What::Asleep(_) | What::Outage(_) => {
                network.disturbed_at = Some(record.at);
            }
            _ => {}
        }
    }

    /// Opens the allowance of a session in a set whose address may have used up the requests of the hour. In a set,
    /// this does not happen by renewals in good time, unless there are too many sessions.
    pub(super) fn wait_in_set(&mut self, program: usize, now: Timestamp) {
        let Some(subject) = self.subjects.get(program).filter(|subject| subject.set.is_some()) else { return };
        let address = subject.address;
        let Some(network) = self.networks.get_mut(&address) else { return };
        let counts = |at: Timestamp| at + COUNTED_FOR > now;
        network.logins.retain(|_, at| counts(*at));
        let stored = network.stored_logins.iter().filter(|at| counts(**at)).count();
        let unanswered = stored + network.logins.values().filter(|at| **at + MINUTE / 2 < now).count();
        let disturbed_at = network.disturbed_at;
        let are_renewals_used = self.gates[address].used_up(Operation::Renew).is_some_and(|until| now < until);
        let need = self.need(address);
        // What a disturbance has used is missing until the tokens that it issued together have been extended again. They live
        // for up to two hours. If the tokens need almost all renewals, it is missing for longer.
        let lasts = HOUR * if need > ALMOST_ALL { 24 } else { 3 };
        let is_disturbed = disturbed_at.is_some_and(|at| now < at + lasts);
        let may_wait = unanswered > 2 || are_renewals_used && (is_disturbed || need > CROWDED);
        if may_wait {
            self.subjects[program].allowances.open_until(Cause::Rate, now + MINUTE);
        }
    }

    /// The renewals per hour that extend all tokens of an address in good time, at least.
    fn need(&self, address: usize) -> f64 {
        let of_pace = self.sessions_at(address).filter(|(_, subject)| subject.pace() == Pace::Renewals);
        of_pace.filter_map(|(number, subject)| Some(self.due(number, subject)?.rates().1)).sum()
    }

    /// A set has reported that an address has too many sessions.
    pub(super) fn judge_crowd(&self, program: usize, operation: Operation) -> Option<Found> {
        let address = self.subjects.get(program)?.address;
        let need = self.need(address);
        (operation == Operation::Refresh || need < CROWDED).then(|| {
            (PROMISE, format!("reports too many sessions at its address, which need {need:.1} renewals per hour"))
        })
    }
}
