//! Penalty tickets: who has to wait, for how long, and which repeated request is accepted.
//!
//! A ticket belongs to a network and an endpoint. A POST is accepted once, with its ticket and the same body. A GET
//! carries no ticket, so its first repetition after the wait is accepted. A captcha closes the endpoint to the network
//! for an hour; a POST with the ticket and a person's answer opens it earlier.

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

/// What a penalty applies to: a network's requests to an endpoint.
pub(crate) type LimitKey = (Network, Endpoint);

/// The answer to every captcha that the simulator accepts.
pub(crate) const CAPTCHA_ANSWER: &str = "synthetic-captcha-answer";
/// The wait that a captcha response announces (seen in production). Without an answer, the captcha ends after an hour.
const CAPTCHA_WAIT: Duration = Duration::from_secs(19);
/// The first wait after a ticket that was never issued or is already used.
const UNKNOWN_TICKET_WAIT: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Penalty {
    key: LimitKey,
    ticket: String,
    fields: Option<Fields>,
    wait: Duration,
    ready: Timestamp,
}

/// How a penalized request is answered.
#[derive(Clone, Copy)]
pub(crate) enum Sanction {
    Wait(Duration),
    Captcha,
}

/// A penalty that a test has ordered for a later request.
#[derive(Clone)]
struct OrderedPenalty {
    endpoint: Option<Endpoint>,
    sanction: Sanction,
}

/// A request to an endpoint, as the penalties see it.
pub(crate) struct Attempt<'a> {
    pub(crate) now: Timestamp,
    pub(crate) key: LimitKey,
    pub(crate) fields: Option<&'a Fields>,
    pub(crate) repetition: &'a Repetition,
}

/// Whether the server handles a request.
pub(crate) enum Admission {
    /// The request has a valid ticket. The limits do not apply.
    WithTicket,
    /// The request has no ticket. The limits apply.
    WithoutTicket,
    Penalized(Reply),
}

/// All penalties that are in force or ordered.
#[derive(Clone, Default)]
pub(crate) struct Penalties {
    outstanding: Vec<Penalty>,
    /// The requests that were answered with a captcha, until the endpoint opens.
    captchas: Vec<Penalty>,
    violations: BTreeMap<LimitKey, VecDeque<Timestamp>>,
    closed_until: BTreeMap<LimitKey, Timestamp>,
    ordered: VecDeque<OrderedPenalty>,
}

impl Penalties {
    /// Orders a penalty for the next request to an endpoint; `None` means any authentication endpoint.
    pub(crate) fn order(&mut self, endpoint: Option<Endpoint>, sanction: Sanction) {
        self.ordered.push_back(OrderedPenalty { endpoint, sanction });
    }

    /// Ends all penalties and captchas, and drops the ordered ones.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn admit(&mut self, attempt: &Attempt<'_>, captcha_after: usize, mint: &mut Mint) -> Admission {
        let now = attempt.now;
        self.outstanding.retain(|penalty| elapsed(now, penalty.ready) < HOUR);
        self.captchas.retain(|penalty| elapsed(now, penalty.ready) < HOUR);
        if self.is_closed(now, &attempt.key) {
            if !self.is_captcha_answered(attempt) {
                return Admission::Penalized(self.issue_captcha(attempt, mint));
            }
            self.open_endpoint(&attempt.key);
            return Admission::WithTicket;
        }
        let admission = match (attempt.fields, attempt.repetition.ticket.as_deref()) {
            (Some(fields), Some(ticket)) => self.use_ticket(attempt, fields, ticket),
            (Some(fields), None) => self.repeat_without_ticket(attempt, fields),
            (None, _) => self.repeat_get(attempt),
        };
        match admission {
            Ok(admission) => match self.take_ordered(attempt.key.1) {
                Some(Sanction::Wait(wait)) => Admission::Penalized(self.penalize(attempt, wait, mint)),
                Some(Sanction::Captcha) => Admission::Penalized(self.close_endpoint(attempt, mint)),
                None => admission,
            },
            Err(wait) => Admission::Penalized(self.record_violation(attempt, wait, captcha_after, mint)),
        }
    }

    /// Answers a request over the limit. The first violation waits for `back_off`, each further one within the hour
    /// twice as long. After `captcha_after` violations, the endpoint is closed by a captcha.
    pub(crate) fn over_limit(
        &mut self,
        attempt: &Attempt<'_>,
        back_off: Duration,
        captcha_after: usize,
        mint: &mut Mint,
    ) -> Reply {
        let before = self.violations(attempt).len();
        let doublings = u32::try_from(before).unwrap_or(u32::MAX);
        let wait = back_off.saturating_mul(2u32.saturating_pow(doublings)).min(HOUR);
        self.record_violation(attempt, wait, captcha_after, mint)
    }

    /// Checks the ticket of a request and uses it up. A wrong ticket returns the new, longer wait as the error.
    fn use_ticket(&mut self, attempt: &Attempt<'_>, fields: &Fields, ticket: &str) -> Result<Admission, Duration> {
        let known = self.outstanding.iter().position(|p| p.ticket == ticket && p.key == attempt.key);
        let Some(known) = known else { return Err(UNKNOWN_TICKET_WAIT) };
        let penalty = self.outstanding.remove(known);
        if penalty.fields.as_ref() == Some(fields) && penalty.ready <= attempt.now {
            Ok(Admission::WithTicket)
        } else {
            Err(doubled(penalty.wait))
        }
    }

    fn repeat_without_ticket(&mut self, attempt: &Attempt<'_>, fields: &Fields) -> Result<Admission, Duration> {
        let same = self.outstanding.iter().position(|p| p.key == attempt.key && p.fields.as_ref() == Some(fields));
        match same {
            Some(same) => Err(doubled(self.outstanding.remove(same).wait)),
            None => Ok(Admission::WithoutTicket),
        }
    }

    fn repeat_get(&mut self, attempt: &Attempt<'_>) -> Result<Admission, Duration> {
        let soonest = self
            .outstanding
            .iter()
            .enumerate()
            .filter(|(_, penalty)| penalty.key == attempt.key)
            .min_by_key(|(_, penalty)| penalty.ready)
            .map(|(index, _)| index);
        let Some(soonest) = soonest else { return Ok(Admission::WithoutTicket) };
        let penalty = self.outstanding.remove(soonest);
        if penalty.ready <= attempt.now { Ok(Admission::WithTicket) } else { Err(doubled(penalty.wait)) }
    }

    fn record_violation(
        &mut self,
        attempt: &Attempt<'_>,
        wait: Duration,
        captcha_after: usize,
        mint: &mut Mint,
    ) -> Reply {
        let violations = self.violations(attempt);
        violations.push_back(attempt.now);
        if violations.len() > captcha_after {
            self.close_endpoint(attempt, mint)
        } else {
            self.penalize(attempt, wait, mint)
        }
    }

    fn violations(&mut self, attempt: &Attempt<'_>) -> &mut VecDeque<Timestamp> {
        let violations = self.violations.entry(attempt.key.clone()).or_default();
        violations.retain(|violation| elapsed(attempt.now, *violation) < HOUR);
        violations
    }

    fn penalize(&mut self, attempt: &Attempt<'_>, wait: Duration, mint: &mut Mint) -> Reply {
        let ticket = mint.ticket();
        let reply = penalty_reply(&ticket, wait, false);
        let (key, fields) = (attempt.key.clone(), attempt.fields.cloned());
        self.outstanding.push(Penalty { key, ticket, fields, wait, ready: later(attempt.now, wait) });
        reply
    }

    fn close_endpoint(&mut self, attempt: &Attempt<'_>, mint: &mut Mint) -> Reply {
        self.closed_until.insert(attempt.key.clone(), later(attempt.now, HOUR));
        self.issue_captcha(attempt, mint)
    }

    fn issue_captcha(&mut self, attempt: &Attempt<'_>, mint: &mut Mint) -> Reply {
        let (ticket, wait) = (mint.ticket(), CAPTCHA_WAIT);
        let reply = penalty_reply(&ticket, wait, true);
        let (key, fields) = (attempt.key.clone(), attempt.fields.cloned());
        self.captchas.push(Penalty { key, ticket, fields, wait, ready: later(attempt.now, wait) });
        reply
    }

    /// Whether a request repeats one that got a captcha, after the wait and with the right answer. Uses up its ticket.
    fn is_captcha_answered(&mut self, attempt: &Attempt<'_>) -> bool {
        let Repetition { ticket: Some(ticket), captcha_answer: Some(answer) } = attempt.repetition else {
            return false;
        };
        let known = self.captchas.iter().position(|captcha| captcha.ticket == *ticket && captcha.key == attempt.key);
        let Some(known) = known else { return false };
        let captcha = self.captchas.remove(known);
        answer == CAPTCHA_ANSWER && captcha.fields.as_ref() == attempt.fields && captcha.ready <= attempt.now
    }

    /// Opens an endpoint to a network. Earlier captcha tickets become invalid.
    fn open_endpoint(&mut self, key: &LimitKey) {
        self.closed_until.remove(key);
        self.violations.remove(key);
        self.captchas.retain(|penalty| penalty.key != *key);
    }

    /// Whether an endpoint is closed by a captcha. When its hour ends, all earlier tickets become invalid.
    fn is_closed(&mut self, now: Timestamp, key: &LimitKey) -> bool {
        match self.closed_until.get(key) {
            Some(until) if now < *until => true,
            Some(_) => {
                self.closed_until.remove(key);
                self.captchas.retain(|penalty| penalty.key != *key);
                self.outstanding.retain(|penalty| penalty.key != *key);
                false
            }
            None => false,
        }
    }

    fn take_ordered(&mut self, endpoint: Endpoint) -> Option<Sanction> {
        let applies = |ordered: &OrderedPenalty| match ordered.endpoint {
            Some(wanted) => wanted == endpoint,
            None => endpoint.is_authentication(),
        };
        let next = self.ordered.iter().position(applies)?;
        self.ordered.remove(next).map(|ordered| ordered.sanction)
    }
}

fn doubled(wait: Duration) -> Duration {
    wait.max(Duration::from_secs(1)).saturating_mul(2).min(HOUR)
}

fn penalty_reply(ticket: &str, wait: Duration, captcha: bool) -> Reply {
    let seconds = if wait.subsec_nanos() == 0 { Value::from(wait.as_secs()) } else { Value::from(wait.as_secs_f64()) };
    Reply::ok(&json!({ "p-ticket": ticket, "p-time": seconds, "p-captcha": captcha }))
}
