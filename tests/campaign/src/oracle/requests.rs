//! Derives the reason of each request from what the session has been told, and checks whether the request is allowed. A
//! request without a reason is a violation.

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::gates::Gates;
use super::memory::{Memory, Owed, UNSURE};
use super::{Found, Subject};
use crate::wire::{Asked, Operation};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Drifting clocks may shorten a wait by one in this number.
const DRIFT: i32 = 5_000;

/// The reason of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The session holds nothing that could be renewed.
    FirstLogin,
    /// The token expires soon, or a refresh is due.
    Due,
    /// An exchange has brought no market data token.
    MarketData,
    /// A set extends the token early, so that its requests are spread over time.
    Early,
    /// The last try has failed.
    Retry,
    /// Callers were refused, or the program has just started with a stored token.
    Verify,
    /// A penalty is over.
    Ticket,
    /// The server has redirected the request.
    Redirect,
    /// The session returns to the configured host because the followed one is wrong.
    Home,
    /// The one further try after a refusal.
    SecondTry,
}

impl Reason {
    /// The name for readers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FirstLogin => "first login",
            Self::Due => "due",
            Self::MarketData => "market data",
            Self::Early => "early, in a set",
            Self::Retry => "retry",
            Self::Verify => "verify",
            Self::Ticket => "ticket",
            Self::Redirect => "redirect",
            Self::Home => "home",
            Self::SecondTry => "second try",
        }
    }
}

/// The shortest time that a wait may take by a fast clock.
pub(super) fn almost(wait: SignedDuration) -> SignedDuration {
    wait - wait / DRIFT - SignedDuration::from_millis(2)
}

/// A request with its time, true and by the server's clock.
pub(super) struct Request<'a> {
    pub asked: &'a Asked,
    pub now: Timestamp,
    pub server_now: Timestamp,
    pub gates: &'a Gates,
    /// How many of the hour's renewals sessions may use that could refresh: at least, and at most.
    pub spare: (usize, usize),
}

impl Request<'_> {
    /// The reason of the request, or the violation.
    pub(super) fn reason(&self, subject: &Subject) -> Result<Reason, Found> {
        let memory = &subject.memory;
        if let Some(reason) = self.ticket(memory)? {
            return Ok(reason);
        }
        let is_redirect = memory
            .redirect
            .as_ref()
            .is_some_and(|(operation, host)| *operation == self.asked.operation && *host == self.asked.host);
        if is_redirect {
            return Ok(Reason::Redirect);
        }
        let is_home = self.host(subject)?;
        let reason = match self.asked.operation {
            Operation::LogIn => self.log_in(memory),
            Operation::Renew => self.renewal(subject).or_else(|found| self.early(subject, found)),
            Operation::Refresh => self.refresh(memory).or_else(|found| self.early(subject, found)),
        }?;
        if matches!(reason, Reason::Due | Reason::Early | Reason::MarketData)
            && let Some(found) = self.choice(subject)
        {
            return Err(found);
        }
        if is_home {
            return Ok(Reason::Home);
        }
        // A store that has lost a record may have lost a pause of up to a minute with it.
        if subject.store_lost_at.is_none_or(|at| at + MINUTE <= self.now) {
            self.pace(memory)?;
        }
        Ok(reason)
    }

    /// Law 4.
    fn ticket(&self, memory: &Memory) -> Result<Option<Reason>, Found> {
        // The server forgets a ticket after an hour.
        let is_alive = |owed: &Owed| {
            owed.operation == self.asked.operation
                && (self.now < owed.not_before + HOUR || self.asked.ticket == Some(owed.ticket))
        };
        let owed = memory.owed.filter(is_alive);
        let Some(owed) = owed else {
            let answered = memory.answered.filter(|owed| Some(owed.ticket) == self.asked.ticket);
            if answered.is_some_and(|owed| owed.is_of(self.asked)) {
                return Ok(Some(Reason::Ticket));
            }
            return match self.asked.ticket {
                Some(ticket) => Err((4, format!("sends {ticket} although no penalty asks for it"))),
                None => Ok(None),
            };
        };
        if self.asked.operation != Operation::Renew && self.asked.ticket != Some(owed.ticket) {
            return Err((4, format!("sends a postponed request without its ticket {}", owed.ticket)));
        }
        if self.now + SignedDuration::from_millis(50) < owed.not_before {
            return Err((4, format!("sends {} before {:.3}, the end of its penalty", owed.ticket, owed.not_before)));
        }
        if !owed.is_of(self.asked) {
            return Err((4, format!("sends {} with another body", owed.ticket)));
        }
        Ok(Some(Reason::Ticket))
    }

    /// Law 16. Returns whether the request goes to the configured host to leave a followed one.
    fn host(&self, subject: &Subject) -> Result<bool, Found> {
        let (memory, host) = (&subject.memory, self.asked.host.as_str());
        let followed = memory.followed.as_deref().unwrap_or(subject.login_host);
        if host == followed {
            // The session has both signals, and asks the followed host again and again.
            return if memory.host_signals > 12 && self.is_over(memory.went_home, QUARTER) {
                Err((16, format!("sends a request to {host} again, which is wrong or gone")))
            } else {
                Ok(false)
            };
        }
        if host != subject.login_host {
            return Err((16, format!("sends a request to {host}, which no answer has named")));
        }
        if memory.is_home {
            return Ok(true);
        }
        // The one further try after a refusal goes to the configured host too.
        if memory.host_signals == 0 && memory.refusals.0 == 0 {
            return Err((16, format!("leaves {followed} although no answer says that this host is wrong")));
        }
        // Another try at the configured host is allowed after the followed host has been asked in between.
        Ok(true)
    }

    /// Laws 3, 8, 12 and 17.
    fn log_in(&self, memory: &Memory) -> Result<Reason, Found> {
        if let Some(held) = memory.held.filter(|held| !memory.may_be_over(held, self.now, self.server_now)) {
            let (token, end) = (held.grant.access, held.grant.expires.unwrap_or(Timestamp::MAX));
            return Err((3, format!("logs in although {token} can be renewed until {end:.0}")));
        }
        if memory.is_stopped {
            return Err((8, "logs in again although two redirects to no usable host have stopped it".to_owned()));
        }
        let mut reason = if memory.has_failed() { Reason::Retry } else { Reason::FirstLogin };
        match memory.refusals {
            (0, _) => {}
            (1, at) if memory.worked => {
                if !self.is_over(at, almost(HOUR)) {
                    return Err((8, "tries refused credentials again within an hour".to_owned()));
                }
                reason = Reason::SecondTry;
            }
            (times, _) => return Err((8, format!("tries credentials again after {times} refusals"))),
        }
        if memory.logins_since(self.now - almost(HOUR)) >= 3 {
            return Err((8, "may open a fourth session within an hour".to_owned()));
        }
        if let Some(at) = memory.unknown_at() {
            if !self.is_over(Some(at), almost(SignedDuration::from_secs(15))) {
                return Err((17, "logs in within 15 s of a login whose outcome is unknown".to_owned()));
            }
            if memory.logins_since(self.now - almost(QUARTER)) >= 2 {
                return Err((17, "logs in a third time within 15 minutes although an outcome is unknown".to_owned()));
            }
        }
        if let [last, before, ..] = memory.last_losses()[..]
            && !before.is_undated
            && last.at.duration_since(before.at) < almost(QUARTER)
            && self.now < last.at + almost(QUARTER)
        {
            return Err((12, "logs in at once after a kick".to_owned()));
        }
        Ok(reason)
    }

    /// Law 12.
    fn renewal(&self, subject: &Subject) -> Result<Reason, Found> {
        let memory = &subject.memory;
        let Some(bearer) = self.asked.bearer else { return Err((12, "sends a renewal without a token".to_owned())) };
        if memory.is_due(bearer, self.server_now, UNSURE) {
            return Ok(Reason::Due);
        }
        // A session may renew for this before it needs to confirm a token from its store.
        let wants_market_data = memory.wants_market_data && !subject.prefers_refreshes;
        if wants_market_data && self.is_over(memory.market_data_failed_at, almost(QUARTER)) {
            return Ok(Reason::MarketData);
        }
        if memory.may_verify_start || memory.may_compare_clocks {
            return Ok(Reason::Verify);
        }
        let is_postponed = memory.owed.is_some_and(|owed| owed.operation == Operation::Renew);
        if !memory.failed_renewals.is_empty() || memory.has_failed() || is_postponed {
            return Ok(Reason::Retry);
        }
        // If this renewal fails, its failure is evidence about the token.
        if memory.is_reported && self.is_over(memory.verified_at, almost(QUARTER)) {
            return Ok(Reason::Verify);
        }
        if memory.is_reported {
            return Err((12, format!("verifies {bearer} twice within 15 minutes")));
        }
        Err((12, format!("renews {bearer} early without a reason")))
    }

    /// A set may extend a good token early.
    fn early(&self, subject: &Subject, found: Found) -> Result<Reason, Found> {
        let memory = &subject.memory;
        let is_held = memory
            .held
            .is_some_and(|held| !held.is_lost && (self.asked.bearer.is_none_or(|bearer| bearer == held.grant.access)));
        let is_refused = self.asked.refresh.is_some_and(|token| memory.refused_tokens.contains_key(&token));
        let may_be_early = subject.set.is_some() && is_held && !is_refused;
        if may_be_early { Ok(Reason::Early) } else { Err(found) }
    }

    /// Law 3 for an OAuth session that could renew and refresh. It renews if a renewal is to spare, and refreshes
    /// otherwise.
    fn choice(&self, subject: &Subject) -> Option<Found> {
        let memory = &subject.memory;
        // After a start with a clock that was set back, an endpoint stays closed for the rest that was stored.
        let has_troubles = memory.is_troubled()
            || subject.allowances.lasts(Cause::Captcha, self.now)
            || [Operation::Renew, Operation::Refresh].iter().any(|closed| self.gates.is_closed(*closed, self.now));
        let held = memory.held.filter(|held| !has_troubles && !memory.may_be_over(held, self.now, self.server_now))?;
        memory.refreshed_at?;
        let (token, (least, most)) = (held.grant.access, self.gates.renewals(self.now));
        let what = match self.asked.operation {
            // After an announced refresh of unknown outcome, a renewal comes first.
            Operation::Renew if subject.sees_announced_refresh => return None,
            Operation::Renew if subject.unconfirmed_at.is_some_and(|at| self.now < at + MINUTE * 2) => return None,
            Operation::Renew if subject.prefers_refreshes => "although its policy prefers refreshes",
            Operation::Renew if least >= self.spare.1 => "although the hour has no renewal to spare",
            Operation::Renew if self.is_over(memory.truly_refreshed_at, HOUR * 12 + QUARTER) => {
                "although its refresh token is due for a refresh"
            }
            Operation::Refresh
                if most < self.spare.0
                    && !subject.prefers_refreshes
                    && !self.is_over(memory.refreshed_at, almost(HOUR * 12) - UNSURE) =>
            {
                "although the hour has renewals to spare"
            }
            _ => return None,
        };
        Some((3, format!("extends {token} by {:?} {what}", self.asked.operation)))
    }

    /// Law 13, and the rule that a code is valid once.
    fn refresh(&self, memory: &Memory) -> Result<Reason, Found> {
        let Some(token) = self.asked.refresh else {
            return match (self.asked.code, memory.is_code_used) {
                (None, _) => Err((13, "sends an exchange without a code or a refresh token".to_owned())),
                (Some(code), true) => Err((1, format!("sends {code} again although the server may have handled it"))),
                (Some(_), false) if memory.has_failed() => Ok(Reason::Retry),
                (Some(_), false) => Ok(Reason::FirstLogin),
            };
        };
        if memory.blamed > 2 {
            return Err((13, format!("presents {token} although the app's settings are wrong")));
        }
        if let Some(refused) = memory.refused_tokens.get(&token) {
            let wait = if refused.times > 1 { HOUR * 6 } else { SignedDuration::from_secs(2) };
            if !self.is_over(Some(refused.at), almost(wait)) {
                return Err((13, format!("presents {token} too early after {} refusals", refused.times)));
            }
            return Ok(Reason::SecondTry);
        }
        let Some(held) = memory.held.filter(|held| !held.is_lost) else { return Ok(Reason::FirstLogin) };
        let is_due = memory.is_due(held.grant.access, self.server_now, UNSURE);
        if is_due || self.is_over(memory.refreshed_at, almost(HOUR * 12) - UNSURE) {
            return Ok(Reason::Due);
        }
        if memory.may_verify_start {
            return Ok(Reason::Verify);
        }
        if memory.has_failed() {
            return Ok(Reason::Retry);
        }
        Err((3, format!("refreshes although {} is good", held.grant.access)))
    }

    /// Law 9: each pause after a failure is at least half of a time that doubles up to a minute.
    fn pace(&self, memory: &Memory) -> Result<(), Found> {
        let Some(times) = memory.failures.get(&self.asked.operation) else { return Ok(()) };
        let Some(at) = times.last().copied() else { return Ok(()) };
        let times = times.len();
        let doubled = SignedDuration::from_millis(500) * (1 << times.saturating_sub(1).min(6));
        let least = almost(doubled.min(SignedDuration::from_secs(30)));
        if self.is_over(Some(at), least) {
            return Ok(());
        }
        Err((
            9,
            format!(
                "sends a request only {:?} after the last of at least {times} failures in a row",
                self.now.duration_since(at)
            ),
        ))
    }

    fn is_over(&self, since: Option<Timestamp>, wait: SignedDuration) -> bool {
        since.is_none_or(|since| since + wait <= self.now)
    }
}
