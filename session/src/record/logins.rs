//! [`LogIns`]: which logins may have opened a server session, which credentials were refused, and which server sessions
//! were lost. With these facts, a session does not close the trader's other server sessions, and does not send refused
//! credentials again.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::backoff::Jitter;
use super::merge::{Fact, correct_wait, is_default};
use crate::time_arithmetic::{ONE_HOUR, earlier, later, shifted};

/// The most logins per hour that opened a server session or may have opened one.
//= R-SESSION-1
const PER_HOUR: usize = 3;

/// Two lost server sessions within this time count as a kick.
const KICK: Duration = Duration::from_secs(15 * 60);

/// Lost server sessions and logins of unknown outcome no longer count after this time without another one.
const FORGOTTEN: Duration = Duration::from_secs(2 * 3600);

/// The pauses after logins of unknown outcome in a row. After more of them, the pause is one hour.
const PAUSES: [Duration; 3] = [Duration::from_secs(15), Duration::from_secs(15 * 60), Duration::from_secs(30 * 60)];

/// How long a login is kept. If the next logins have an unknown outcome too, and follow within [`FORGOTTEN`], the pause
/// is the longest one by then.
const KEPT_FOR: Duration = FORGOTTEN.saturating_mul(3);

/// How many logins that opened no server session are kept.
const REMEMBERED: usize = 4;

/// If the outcome of one of the last two logins is unknown, no third one is sent within this time after the first of
/// them.
const TWO_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// The id of one login, unique over all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AttemptId(u64);

/// How far a login got. Of two reports, the later variant wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    /// The login is about to be sent, or is in flight.
    Announced,
    /// It is unknown whether the login opened a server session.
    Unknown,
    /// The login opened no server session.
    OpenedNone,
    /// The login opened a server session.
    Opened,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    id: AttemptId,
    status: Status,
    sent: Timestamp,
    /// If the outcome is unknown: the earliest time of the next login.
    #[serde(default, skip_serializing_if = "is_default")]
    until: Option<Timestamp>,
}

/// A refusal of credentials. It contains nothing of them, because even a hash would help to guess the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    /// The number of the try. The refusal counts until the program asks for another try or a login succeeds.
    #[serde(default, skip_serializing_if = "is_default")]
    of_try: u32,
    pub(crate) at: Timestamp,
    /// The time of the second try of credentials that worked before. `None` if they are not tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    retry_at: Option<Timestamp>,
    /// The server's text, in printable form.
    #[serde(default)]
    pub(crate) text: String,
}

/// The last loss: the server closed the server session before its token expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Loss {
    at: Timestamp,
    kicks: u32,
    /// After a kick: the earliest time of the next login or refresh.
    #[serde(default, skip_serializing_if = "is_default")]
    pause_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogIns {
    #[serde(skip_serializing_if = "is_default")]
    attempts: Vec<Attempt>,
    /// When the outcome of a login was last known. Earlier logins of unknown outcome cause no pause.
    #[serde(skip_serializing_if = "is_default")]
    answered_at: Option<Timestamp>,
    /// How often the program replaced the credentials.
    #[serde(skip_serializing_if = "is_default")]
    credentials: u32,
    /// The number of the credentials that last brought a token.
    #[serde(skip_serializing_if = "is_default")]
    worked: Option<u32>,
    /// How often refusals were cancelled: the program asked for another try, or a login succeeded.
    #[serde(skip_serializing_if = "is_default")]
    tries: u32,
    #[serde(skip_serializing_if = "is_default")]
    refused: Option<Refused>,
    #[serde(skip_serializing_if = "is_default")]
    loss: Option<Loss>,
}

impl LogIns {
    /// The earliest time, `now` or later, of the next login. The login that this process has announced (`own`) does not
    /// count. A login that another process has announced may take as long as `under_way`.
    pub(crate) fn earliest(&self, now: Timestamp, own: Option<AttemptId>, under_way: Duration) -> Timestamp {
        let counts = |attempt: &&Attempt| attempt.status != Status::OpenedNone && Some(attempt.id) != own;
        let mut counted: Vec<_> = self.attempts.iter().filter(counts).collect();
        counted.sort_unstable_by_key(|attempt| core::cmp::Reverse(attempt.sent));
        let crowded = counted.get(PER_HOUR.saturating_sub(1)).map(|attempt| later(attempt.sent, ONE_HOUR));
        let third = counted.get(1).filter(|_| counted.iter().take(2).any(|attempt| attempt.is_unknown()));
        let third = third.map(|first| later(first.sent, TWO_AT_MOST));
        let retry_at = self.refusal().and_then(|refused| refused.retry_at);
        [retry_at, self.kick_pause_until(), crowded, third, self.pause(now, own, under_way)]
            .into_iter()
            .flatten()
            .fold(now, Timestamp::max)
    }

    /// Whether a login that is remembered has opened a server session, or may have.
    pub(crate) fn may_have_opened_one(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.status != Status::OpenedNone)
    }

    /// When the logins were sent that have opened no session, as far as is known.
    pub(crate) fn without_session(&self) -> Vec<Timestamp> {
        self.attempts.iter().filter(|attempt| attempt.status != Status::Opened).map(|attempt| attempt.sent).collect()
    }

    /// Whether another process has announced a login in the last `under_way`, and has stored no outcome.
    pub(crate) fn is_another_under_way(&self, now: Timestamp, own: Option<AttemptId>, under_way: Duration) -> bool {
        let is_under_way = |attempt: &Attempt| {
            attempt.status == Status::Announced && Some(attempt.id) != own && now < later(attempt.sent, under_way)
        };
        self.attempts.iter().any(is_under_way)
    }

    /// The end of the pause after logins of unknown outcome in a row.
    fn pause(&self, now: Timestamp, own: Option<AttemptId>, under_way: Duration) -> Option<Timestamp> {
        let row = self.row(now, own);
        let last = row.first()?;
        // If there is no end, the process that announced this login may have crashed.
        let unknown_before = row.len().saturating_sub(1);
        Some(last.until.unwrap_or_else(|| later(last.sent, pause_after(unknown_before).max(under_way))))
    }

    /// Logins of unknown outcome since the last login with a known one, the newest one first. Each was sent less than
    /// [`FORGOTTEN`] before the next one, and the newest one before `now`.
    fn row(&self, now: Timestamp, own: Option<AttemptId>) -> Vec<&Attempt> {
        let is_in_row = |attempt: &&Attempt| {
            attempt.is_unknown() && Some(attempt.sent) >= self.answered_at && Some(attempt.id) != own
        };
        let mut row: Vec<_> = self.attempts.iter().filter(is_in_row).collect();
        row.sort_unstable_by_key(|attempt| core::cmp::Reverse(attempt.age()));
        let mut next = now;
        row.retain(|attempt| {
            let is_close = next < later(attempt.sent, FORGOTTEN);
            next = if is_close { attempt.sent } else { next };
            is_close
        });
        row
    }

    /// Whether these credentials have brought a token before.
    fn worked_before(&self) -> bool {
        self.worked == Some(self.credentials)
    }

    /// The refusal that counts, if any.
    fn refusal(&self) -> Option<&Refused> {
        self.refused.as_ref().filter(|refused| refused.of_try == self.tries)
    }

    /// The refusal after which the session does not try the credentials again.
    pub(crate) fn final_refusal(&self) -> Option<&Refused> {
        self.refusal().filter(|refused| refused.retry_at.is_none())
    }

    /// Whether the next login is the second try after a refusal.
    pub(crate) fn is_second_try(&self) -> bool {
        self.refusal().is_some_and(|refused| refused.retry_at.is_some())
    }

    /// The earliest time at which the session may log in or refresh after a kick.
    pub(crate) fn kick_pause_until(&self) -> Option<Timestamp> {
        self.loss?.pause_until
    }

    /// The program asks for another try, whatever was refused before.
    pub(crate) fn try_again(&mut self) {
        if self.refusal().is_some() {
            self.tries = self.tries.saturating_add(1);
        }
    }

    /// The program replaces the credentials of the same user. Opened and lost server sessions still count.
    pub(crate) fn credentials_replaced(&mut self) {
        self.credentials = self.credentials.saturating_add(1);
        self.try_again();
    }

    /// A login is about to be sent. It counts as possibly successful until its outcome is known.
    pub(crate) fn announce(&mut self, now: Timestamp, ids: &mut Jitter) -> AttemptId {
        self.drop_outdated(now);
        // Two processes with the same seed get different ids.
        let id = AttemptId(ids.next() ^ now.as_microsecond().unsigned_abs());
        self.attempts.push(Attempt { id, status: Status::Announced, sent: now, until: None });
        self.in_order();
        id
    }

    /// An announced login is sent now.
    pub(crate) fn send(&mut self, now: Timestamp, id: AttemptId) {
        if let Some(attempt) = self.attempt(id) {
            attempt.sent = now;
        }
    }

    /// It is unknown whether a login opened a server session.
    //= R-SESSION-6
    pub(crate) fn outcome_unknown(&mut self, now: Timestamp, id: AttemptId, jitter: &mut Jitter) {
        let pause = pause_after(self.row(now, Some(id)).len());
        let spread = jitter.up_to(pause.checked_div(10).unwrap_or_default());
        let until = later(now, pause.saturating_add(spread).min(ONE_HOUR));
        if let Some(attempt) = self.attempt(id).filter(|attempt| attempt.status <= Status::Unknown) {
            (attempt.status, attempt.until) = (Status::Unknown, Some(until));
        }
    }

    /// An earlier run may have sent the logins that it announced, at any time until `now` and until `lasts` after the
    /// announcement. Their outcome is unknown. The login that this run has announced (`own`) does not count.
    pub(crate) fn sent_by_earlier_run(
        &mut self,
        now: Timestamp,
        own: Option<AttemptId>,
        lasts: Duration,
        jitter: &mut Jitter,
    ) {
        let is_announced = |attempt: &&Attempt| attempt.status == Status::Announced && Some(attempt.id) != own;
        let latest = |attempt: &Attempt| (attempt.id, later(attempt.sent, lasts).min(now));
        let announced: Vec<_> = self.attempts.iter().filter(is_announced).map(latest).collect();
        for (id, at) in announced {
            self.send(at, id);
            self.outcome_unknown(at, id, jitter);
        }
    }

    /// A login opened no server session.
    pub(crate) fn opened_none(&mut self, id: AttemptId) {
        if let Some(attempt) = self.attempt(id) {
            attempt.status = attempt.status.max(Status::OpenedNone);
        }
    }

    /// A login opened a server session.
    pub(crate) fn opened(&mut self, id: AttemptId) {
        if let Some(attempt) = self.attempt(id) {
            attempt.status = Status::Opened;
        }
    }

    /// A login brought a token.
    pub(crate) fn succeeded(&mut self, now: Timestamp, id: AttemptId) {
        self.opened(id);
        self.answered_at.merge(Some(now));
        self.worked = Some(self.credentials);
        // Refusals that other processes know are cancelled, too.
        self.tries = self.tries.saturating_add(1);
    }

    /// A login was refused. Returns the time of the second try, if the credentials worked before. The refusal is kept
    /// if the server refused the credentials themselves, that is, if there is a `text`.
    //= R-LOGIN-13
    pub(crate) fn refused(&mut self, now: Timestamp, text: Option<&str>) -> Option<Timestamp> {
        self.answered_at.merge(Some(now));
        let is_first = self.refusal().is_none();
        let retry_at = (self.worked_before() && is_first).then(|| later(now, ONE_HOUR));
        if retry_at.is_some() || text.is_some() {
            self.refused =
                Some(Refused { of_try: self.tries, at: now, retry_at, text: text.unwrap_or_default().into() });
        } else {
            self.try_again();
        }
        retry_at
    }

    /// The server session was lost, which was noticed at `noticed`. After the first loss, the session may log in at
    /// once. After another loss within 15 minutes, and after each loss within two hours after that one, the login
    /// waits, longer each time. Returns the time of that login.
    //= R-SESSION-4
    pub(crate) fn lost(&mut self, noticed: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let last = self.loss;
        let kicks = last.filter(|last| later(last.at, FORGOTTEN) > now).map_or(0, |last| last.kicks);
        let is_kick = kicks > 0 || last.is_some_and(|last| noticed < later(last.at, KICK));
        let wait = KICK.saturating_mul(2_u32.saturating_pow(kicks)).min(ONE_HOUR);
        let next = is_kick.then(|| later(now, wait));
        let at = last.map_or(now, |last| last.at.max(now));
        let kicks = if is_kick { kicks.saturating_add(1) } else { 0 };
        self.loss = Some(Loss { at, kicks, pause_until: next.max(self.kick_pause_until()) });
        next
    }

    /// It is unknown how long ago the last loss was. Without a proof that it was recent, the next loss is no kick. The
    /// pause after an earlier kick still counts.
    pub(crate) fn hours_may_have_passed(&mut self) {
        if let Some(loss) = &mut self.loss {
            loss.at = earlier(loss.at, FORGOTTEN);
        }
    }

    /// Drops logins that no longer count. Only their age decides, so the order in which records are merged does not
    /// matter. There is one exception: a program that can't reach the server sends many logins that open no server
    /// session, and only the newest of these are kept. If an old record names a dropped one again, it counts as one of
    /// unknown outcome until it is too old.
    pub(crate) fn drop_outdated(&mut self, now: Timestamp) {
        let opened_none = self.attempts.iter().filter(|attempt| attempt.status == Status::OpenedNone);
        let mut ages: Vec<_> = opened_none.map(Attempt::age).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        let newest_dropped = ages.get(REMEMBERED).copied();
        self.attempts.retain(|attempt| {
            let is_kept = attempt.status != Status::OpenedNone || Some(attempt.age()) > newest_dropped;
            is_kept && later(attempt.sent, KEPT_FOR) > now
        });
    }

    fn attempt(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.id == id)
    }

    /// Equal sets of logins have equal lists. The list has no spare capacity, because a program can have many sessions.
    fn in_order(&mut self) {
        self.attempts.sort_unstable_by_key(|attempt| attempt.id);
        self.attempts.shrink_to_fit();
    }
}

impl Refused {
    /// The refusal of the later try wins. Of two refusals of one try, the one without a further try wins. No clock
    /// decides.
    fn key(&self) -> (u32, bool, Timestamp, Option<Timestamp>, &str) {
        (self.of_try, self.retry_at.is_none(), self.at, self.retry_at, &self.text)
    }
}

impl Attempt {
    /// Orders logins by age. The id orders logins of the same time, so no two are equal.
    fn age(&self) -> (Timestamp, AttemptId) {
        (self.sent, self.id)
    }

    fn is_unknown(&self) -> bool {
        self.status <= Status::Unknown
    }
}

fn pause_after(unknown_before: usize) -> Duration {
    PAUSES.get(unknown_before).copied().unwrap_or(ONE_HOUR)
}

impl Fact for LogIns {
    fn merge(&mut self, other: Self) {
        for attempt in other.attempts {
            match self.attempt(attempt.id) {
                Some(known) => {
                    known.status = known.status.max(attempt.status);
                    known.sent = known.sent.max(attempt.sent);
                    known.until = known.until.max(attempt.until);
                }
                None => self.attempts.push(attempt),
            }
        }
        self.in_order();
        self.answered_at.merge(other.answered_at);
        self.credentials = self.credentials.max(other.credentials);
        self.worked = self.worked.max(other.worked);
        self.tries = self.tries.max(other.tries);
        if other.refused.as_ref().map(Refused::key) > self.refused.as_ref().map(Refused::key) {
            self.refused = other.refused;
        }
        self.loss = self.loss.max(other.loss);
    }

    fn shift(&mut self, by: SignedDuration) {
        for attempt in &mut self.attempts {
            attempt.sent = shifted(attempt.sent, by);
            attempt.until.shift(by);
        }
        self.answered_at.shift(by);
        if let Some(refused) = &mut self.refused {
            refused.at = shifted(refused.at, by);
            refused.retry_at.shift(by);
        }
        if let Some(loss) = &mut self.loss {
            loss.at = shifted(loss.at, by);
            loss.pause_until.shift(by);
        }
    }

    fn correct(&mut self, now: Timestamp) {
        for attempt in &mut self.attempts {
            attempt.sent = attempt.sent.min(now);
            attempt.until = attempt.until.map(|until| until.min(later(now, ONE_HOUR)));
        }
        self.answered_at.correct(now);
        if let Some(refused) = &mut self.refused {
            refused.at = refused.at.min(now);
            refused.retry_at = refused.retry_at.map(|retry_at| retry_at.min(later(now, ONE_HOUR)));
        }
        if let Some(loss) = &mut self.loss {
            loss.at = loss.at.min(now);
            loss.pause_until.iter_mut().for_each(|next| correct_wait(next, now));
        }
        self.drop_outdated(now);
    }

    fn ends(&self) -> Option<Timestamp> {
        if self.final_refusal().is_some() {
            return Some(Timestamp::MAX);
        }
        let attempts = self
            .attempts
            .iter()
            .map(|attempt| later(attempt.sent, FORGOTTEN).max(attempt.until.unwrap_or(attempt.sent)));
        let loss = self.loss.map(|loss| later(loss.at, FORGOTTEN)).max(self.kick_pause_until());
        let retry_at = self.refusal().and_then(|refused| refused.retry_at);
        attempts.max().max(loss).max(retry_at)
    }
}

#[cfg(test)]
mod tests;
