//! Penalty tickets: who has to wait, for how long, and which repetition of a request is let through.
//! Tickets belong to a network and an endpoint. A POST is let through once, with its ticket and otherwise the same
//! body; a GET has no body, so the first repetition after the wait is. A captcha closes its door for an hour; a POST opens
//! it with its ticket and the answer of a person.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    endpoint::Endpoint,
    fields::{Fields, Repetition},
    mint::Mint,
    network::Network,
    reply::Reply,
    time::{HOUR, elapsed, later},
};

/// Whom a penalty meets.
pub(crate) type Door = (Network, Endpoint);

/// What a person's answer to a captcha comes to.
pub(crate) const CAPTCHA_ANSWER: &str = "synthetic-captcha-answer";
/// The wait a captcha announces, as recorded. Without an answer, it only ends with the hour.
const CAPTCHA_WAIT: Duration = Duration::from_secs(19);
/// The first wait after a ticket that was never issued or has been used.
const UNKNOWN_TICKET_WAIT: Duration = Duration::from_secs(15);

struct Penalty {
    door: Door,
    ticket: String,
    fields: Option<Fields>,
    wait: Duration,
    ready: Timestamp,
}

/// What a penalized request is answered with.
#[derive(Clone, Copy)]
pub(crate) enum Sanction {
    Wait(Duration),
    Captcha,
}

/// A sanction that a test has ordered.
struct Ordered {
    endpoint: Option<Endpoint>,
    sanction: Sanction,
}

/// A request at a door.
pub(crate) struct Knock<'a> {
    pub(crate) now: Timestamp,
    pub(crate) door: Door,
    pub(crate) fields: Option<&'a Fields>,
    pub(crate) repetition: &'a Repetition,
}

/// Whether a request may go on.
pub(crate) enum Admission {
    /// With a good ticket: limits do not apply.
    Honoured,
    /// Without one: limits apply.
    Ordinary,
    Penalized(Reply),
}

/// All penalties in force.
#[derive(Default)]
pub(crate) struct Penalties {
    outstanding: Vec<Penalty>,
    /// What a captcha was asked for, until the door opens.
    asked: Vec<Penalty>,
    violations: BTreeMap<Door, VecDeque<Timestamp>>,
    closed_until: BTreeMap<Door, Timestamp>,
    ordered: VecDeque<Ordered>,
}

impl Penalties {
    /// Orders a sanction for the next request.
    pub(crate) fn order(&mut self, endpoint: Option<Endpoint>, sanction: Sanction) {
        self.ordered.push_back(Ordered { endpoint, sanction });
    }

    /// Lifts everything, what is ordered included.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn admit(&mut self, knock: &Knock<'_>, captcha_after: usize, mint: &mut Mint) -> Admission {
        let now = knock.now;
        self.outstanding.retain(|penalty| elapsed(now, penalty.ready) < HOUR);
        self.asked.retain(|penalty| elapsed(now, penalty.ready) < HOUR);
        if self.is_closed(now, &knock.door) {
            if !self.is_answered(knock) {
                return Admission::Penalized(self.ask(knock, mint));
            }
            self.open(&knock.door);
            return Admission::Honoured;
        }
        let admission = match (knock.fields, knock.repetition.ticket.as_deref()) {
            (Some(fields), Some(ticket)) => self.present(knock, fields, ticket),
            (Some(fields), None) => self.repeat_without_ticket(knock, fields),
            (None, _) => self.repeat(knock),
        };
        match admission {
            Ok(admission) => match self.take_order(knock.door.1) {
                Some(Sanction::Wait(wait)) => Admission::Penalized(self.penalize(knock, wait, mint)),
                Some(Sanction::Captcha) => Admission::Penalized(self.close(knock, mint)),
                None => admission,
            },
            Err(wait) => Admission::Penalized(self.violated(knock, wait, captcha_after, mint)),
        }
    }

    /// Answers a request that is one too many: the first such one waits for `back_off`, each further one within
    /// the hour twice as long, and after `captcha_after` of them the door closes.
    pub(crate) fn over_limit(
        &mut self,
        knock: &Knock<'_>,
        back_off: Duration,
        captcha_after: usize,
        mint: &mut Mint,
    ) -> Reply {
        let before = self.violations(knock).len();
        let doublings = u32::try_from(before).unwrap_or(u32::MAX);
        let wait = back_off.saturating_mul(2u32.saturating_pow(doublings)).min(HOUR);
        self.violated(knock, wait, captcha_after, mint)
    }

    /// The wait that a wrong ticket costs as an error; a good one is used up.
    fn present(&mut self, knock: &Knock<'_>, fields: &Fields, ticket: &str) -> Result<Admission, Duration> {
        let known = self.outstanding.iter().position(|p| p.ticket == ticket && p.door == knock.door);
        let Some(known) = known else { return Err(UNKNOWN_TICKET_WAIT) };
        let penalty = self.outstanding.remove(known);
        if penalty.fields.as_ref() == Some(fields) && penalty.ready <= knock.now {
            Ok(Admission::Honoured)
        } else {
            Err(lengthened(penalty.wait))
        }
    }

    fn repeat_without_ticket(&mut self, knock: &Knock<'_>, fields: &Fields) -> Result<Admission, Duration> {
        let same = self.outstanding.iter().position(|p| p.door == knock.door && p.fields.as_ref() == Some(fields));
        match same {
            Some(same) => Err(lengthened(self.outstanding.remove(same).wait)),
            None => Ok(Admission::Ordinary),
        }
    }

    fn repeat(&mut self, knock: &Knock<'_>) -> Result<Admission, Duration> {
        let soonest = self
            .outstanding
            .iter()
            .enumerate()
            .filter(|(_, penalty)| penalty.door == knock.door)
            .min_by_key(|(_, penalty)| penalty.ready)
            .map(|(index, _)| index);
        let Some(soonest) = soonest else { return Ok(Admission::Ordinary) };
        let penalty = self.outstanding.remove(soonest);
        if penalty.ready <= knock.now { Ok(Admission::Honoured) } else { Err(lengthened(penalty.wait)) }
    }

    fn violated(&mut self, knock: &Knock<'_>, wait: Duration, captcha_after: usize, mint: &mut Mint) -> Reply {
        let violations = self.violations(knock);
        violations.push_back(knock.now);
        if violations.len() > captcha_after { self.close(knock, mint) } else { self.penalize(knock, wait, mint) }
    }

    fn violations(&mut self, knock: &Knock<'_>) -> &mut VecDeque<Timestamp> {
        let violations = self.violations.entry(knock.door.clone()).or_default();
        violations.retain(|violation| elapsed(knock.now, *violation) < HOUR);
        violations
    }

    fn penalize(&mut self, knock: &Knock<'_>, wait: Duration, mint: &mut Mint) -> Reply {
        let ticket = mint.ticket();
        let reply = answer(&ticket, wait, false);
        let (door, fields) = (knock.door.clone(), knock.fields.cloned());
        self.outstanding.push(Penalty { door, ticket, fields, wait, ready: later(knock.now, wait) });
        reply
    }

    fn close(&mut self, knock: &Knock<'_>, mint: &mut Mint) -> Reply {
        self.closed_until.insert(knock.door.clone(), later(knock.now, HOUR));
        self.ask(knock, mint)
    }

    fn ask(&mut self, knock: &Knock<'_>, mint: &mut Mint) -> Reply {
        let (ticket, wait) = (mint.ticket(), CAPTCHA_WAIT);
        let reply = answer(&ticket, wait, true);
        let (door, fields) = (knock.door.clone(), knock.fields.cloned());
        self.asked.push(Penalty { door, ticket, fields, wait, ready: later(knock.now, wait) });
        reply
    }

    /// Whether a request that a captcha was asked for comes again, after the wait and with the answer. Its ticket is used up.
    fn is_answered(&mut self, knock: &Knock<'_>) -> bool {
        let Repetition { ticket: Some(ticket), captcha_answer: Some(answer) } = knock.repetition else { return false };
        let known = self.asked.iter().position(|asked| asked.ticket == *ticket && asked.door == knock.door);
        let Some(known) = known else { return false };
        let asked = self.asked.remove(known);
        answer == CAPTCHA_ANSWER && asked.fields.as_ref() == knock.fields && asked.ready <= knock.now
    }

    /// Opens a door. What was asked for before is worth nothing any more.
    fn open(&mut self, door: &Door) {
        self.closed_until.remove(door);
        self.violations.remove(door);
        self.asked.retain(|penalty| penalty.door != *door);
    }

    /// Whether a captcha stands before the door. Its hour over, tickets from before are worth nothing.
    fn is_closed(&mut self, now: Timestamp, door: &Door) -> bool {
        match self.closed_until.get(door) {
            Some(until) if now < *until => true,
            Some(_) => {
                self.closed_until.remove(door);
                self.asked.retain(|penalty| penalty.door != *door);
                self.outstanding.retain(|penalty| penalty.door != *door);
                false
            }
            None => false,
        }
    }

    fn take_order(&mut self, endpoint: Endpoint) -> Option<Sanction> {
        let meets = |ordered: &Ordered| match ordered.endpoint {
            Some(wanted) => wanted == endpoint,
            None => endpoint.is_authentication(),
        };
        let next = self.ordered.iter().position(meets)?;
        self.ordered.remove(next).map(|ordered| ordered.sanction)
    }
}

fn lengthened(wait: Duration) -> Duration {
    wait.max(Duration::from_secs(1)).saturating_mul(2).min(HOUR)
}

fn answer(ticket: &str, wait: Duration, captcha: bool) -> Reply {
    let seconds = if wait.subsec_nanos() == 0 { Value::from(wait.as_secs()) } else { Value::from(wait.as_secs_f64()) };
    Reply::ok(&json!({ "p-ticket": ticket, "p-time": seconds, "p-captcha": captcha }))
}
