//! The history of a session's logins: what keeps it from kicking the trader's other programs out, and from presenting
//! refused credentials again.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth_core::internal::{ONE_HOUR, later, moved};

use super::pause::Jitter;
use crate::moments::earlier;
use crate::moments::merge;
use crate::stored_session::is_default;

/// Successful logins, and those that may have been, stay under four an hour.
const PER_HOUR: usize = 3;

/// Two losses within this time are a kick.
const KICK: Duration = Duration::from_secs(15 * 60);

/// After this time without a loss, kicks are forgotten; after this time without another, logins of unknown outcome.
const FORGOTTEN: Duration = Duration::from_secs(2 * 3600);

/// The pauses after logins of unknown outcome in a row; after more of them it is an hour.
const PAUSES: [Duration; 3] = [Duration::from_secs(15), Duration::from_secs(15 * 60), Duration::from_secs(30 * 60)];

/// If the outcome of one of two logins is unknown, no third one leaves within this time of the first.
const TWO_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// Two times that differ by less may be of the same login.
const SAME: Duration = Duration::from_secs(5);

/// Credentials that the server has refused. Nothing of them is kept, not even a hash, which would help to guess the password:
/// that they have changed is for the owner to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    pub(super) at: Timestamp,
    /// The one further try of credentials that worked before; without it, they are not tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    retry_at: Option<Timestamp>,
    /// What the server said, as far as it may be shown.
    #[serde(default)]
    pub(super) text: String,
}

/// A login of unknown outcome. It may have opened a session, and three sessions close the trader's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unknown {
    sent: Timestamp,
    /// The next login is not before this.
    until: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogIns {
    /// Whether the credentials have ever brought a token.
    #[serde(skip)]
    pub(super) worked_before: bool,
    /// The last refusal, if no login has succeeded since.
    #[serde(skip_serializing_if = "is_default")]
    refused: Option<Refused>,
    /// Refusals up to this moment no longer count: a login has succeeded, or the owner has asked for another try.
    #[serde(skip_serializing_if = "is_default")]
    refusals_count_from: Option<Timestamp>,
    /// The owner has asked for another try, and the time is not known yet.
    #[serde(skip)]
    begins_anew: bool,
    /// After a kick.
    #[serde(skip_serializing_if = "is_default")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    counted: VecDeque<Timestamp>,
    /// Logins of unknown outcome in a row, oldest first.
    #[serde(skip_serializing_if = "is_default")]
    unknown: VecDeque<Unknown>,
    #[serde(skip_serializing_if = "is_default")]
    last_loss: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    kicks: u32,
}

impl LogIns {
    /// The earliest moment, `now` or later, of the next login.
    pub(super) fn earliest(&self, now: Timestamp) -> Timestamp {
        let crowded = self.counted.len().checked_sub(PER_HOUR).and_then(|index| self.counted.get(index));
        let after_unknown = self.unknown.back().map(|unknown| unknown.until);
        let retry_at = self.refused.as_ref().and_then(|refused| refused.retry_at);
        [retry_at, self.not_before, crowded.map(|counted| later(*counted, ONE_HOUR)), after_unknown, self.third()]
            .into_iter()
            .flatten()
            .fold(now, Timestamp::max)
    }

    /// The earliest moment of a third login after two of which one had an unknown outcome.
    fn third(&self) -> Option<Timestamp> {
        let first = *self.counted.get(self.counted.len().checked_sub(2)?)?;
        let is_unknown = self.unknown.iter().any(|unknown| unknown.sent >= earlier(first, SAME));
        is_unknown.then(|| later(first, TWO_AT_MOST))
    }

    /// Whether the next login is the one further try after a refusal.
    pub(super) fn is_second_try(&self) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.retry_at.is_some())
    }

    /// The refusal after which the credentials are not tried again by themselves.
    pub(super) fn given_up(&self) -> Option<&Refused> {
        self.refused.as_ref().filter(|refused| refused.retry_at.is_none())
    }

    /// The owner asks for another try, whatever was refused before.
    pub(super) fn begin_anew(&mut self) {
        self.refused = None;
        self.begins_anew = true;
    }

    /// The earliest moment at which a lost session may be replaced.
    pub(super) fn after_kick(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// Nothing is known of other credentials; sessions that were opened and lost are the user's.
    pub(super) fn replace_credentials(&mut self) {
        self.worked_before = false;
        self.begin_anew();
    }

    /// Takes over what another session of the user knows, or what this one knew before a restart.
    pub(super) fn learn(&mut self, now: Timestamp, other: Self) {
        self.learn_unknown(now, other.unknown);
        self.not_before = self.not_before.max(other.not_before);
        if other.last_loss > self.last_loss {
            self.last_loss = other.last_loss;
            self.kicks = other.kicks;
        }
        merge(&mut self.counted, other.counted);
        self.keep_newest();
        self.learn_refusal(now, other.refused, other.refusals_count_from);
    }

    /// Of two refusals the later one counts, unless a later success or the owner has overridden it.
    fn learn_refusal(&mut self, now: Timestamp, refused: Option<Refused>, count_from: Option<Timestamp>) {
        if core::mem::take(&mut self.begins_anew) {
            self.refusals_count_from = Some(now);
        }
        self.refusals_count_from = self.refusals_count_from.max(count_from.map(|from| from.min(now)));
        if let Some(mut refused) = refused {
            refused.at = refused.at.min(now);
            refused.retry_at = refused.retry_at.map(|retry_at| retry_at.min(later(now, ONE_HOUR)));
            if self.refused.as_ref().is_none_or(|own| own.at < refused.at) {
                self.refused = Some(refused);
            }
        }
        self.refused.take_if(|refused| Some(refused.at) <= self.refusals_count_from);
    }

    /// A clock that was ahead must not make a pause longer than it can be.
    fn learn_unknown(&mut self, now: Timestamp, others: VecDeque<Unknown>) {
        for Unknown { sent, until } in others {
            let (sent, until) = (sent.min(now), until.min(later(now, ONE_HOUR)));
            let is_same = |known: &&mut Unknown| known.sent.duration_since(sent).unsigned_abs() <= SAME;
            match self.unknown.iter_mut().find(is_same) {
                Some(known) => known.until = known.until.max(until),
                None => self.unknown.push_back(Unknown { sent, until }),
            }
        }
        self.unknown.make_contiguous().sort_unstable_by_key(|unknown| unknown.sent);
        self.keep_newest();
    }

    /// What is past was before `now`, and no wait ends later than `longest`.
    pub(crate) fn limit_waits(&mut self, now: Timestamp, longest: Timestamp) {
        for moment in self.counted.iter_mut().chain(&mut self.last_loss) {
            *moment = now.min(*moment);
        }
        let retry_at = self.refused.as_mut().and_then(|refused| refused.retry_at.as_mut());
        let unknown = self.unknown.iter_mut().map(|unknown| &mut unknown.until);
        for until in retry_at.into_iter().chain(&mut self.not_before).chain(unknown) {
            *until = longest.min(*until);
        }
    }

    /// The same by a clock that is ahead by so much.
    pub(crate) fn shift(&mut self, by: SignedDuration) {
        for unknown in &mut self.unknown {
            *unknown = Unknown { sent: moved(unknown.sent, by), until: moved(unknown.until, by) };
        }
        if let Some(refused) = &mut self.refused {
            refused.at = moved(refused.at, by);
            refused.retry_at = refused.retry_at.map(|retry_at| moved(retry_at, by));
        }
        let moments = [&mut self.refusals_count_from, &mut self.not_before, &mut self.last_loss];
        for moment in moments.into_iter().flatten() {
            *moment = moved(*moment, by);
        }
        self.counted.iter_mut().for_each(|moment| *moment = moved(*moment, by));
    }

    /// The last moment at which something of this still counts.
    pub(crate) fn counts_until(&self) -> Option<Timestamp> {
        let counted = self.counted.back().map(|counted| later(*counted, ONE_HOUR));
        let loss = self.last_loss.map(|loss| later(loss, FORGOTTEN));
        let unknown = self.unknown.back().map(|unknown| unknown.until.max(later(unknown.sent, FORGOTTEN)));
        let retry_at = self.refused.as_ref().and_then(|refused| refused.retry_at);
        retry_at.max(self.not_before).max(counted).max(loss).max(unknown)
    }

    /// Whether it remembers a refusal that counts until the owner says otherwise.
    pub(crate) fn is_to_be_kept(&self) -> bool {
        self.given_up().is_some()
    }

    /// A login that opened a session, or may have.
    pub(super) fn count(&mut self, now: Timestamp) {
        self.counted.push_back(now);
        self.keep_newest();
    }

    fn keep_newest(&mut self) {
        while self.counted.len() > PER_HOUR {
            self.counted.pop_front();
        }
        while self.unknown.len() > PAUSES.len() {
            self.unknown.pop_front();
        }
    }

    /// The outcome of a login is unknown: it may have opened a session.
    pub(super) fn outcome_unknown(&mut self, now: Timestamp, sent: Timestamp, jitter: &mut Jitter) {
        self.unknown.retain(|unknown| unknown.sent != sent);
        if self.unknown.back().is_some_and(|last| later(last.sent, FORGOTTEN) <= now) {
            self.unknown.clear();
        }
        let pause = PAUSES.get(self.unknown.len()).copied().unwrap_or(ONE_HOUR);
        let spread = jitter.up_to(pause.checked_div(10).unwrap_or_default());
        let until = later(now, pause.saturating_add(spread).min(ONE_HOUR));
        self.unknown.push_back(Unknown { sent, until });
        self.keep_newest();
    }

    /// The server has answered a login, so the pauses begin anew. One that was sent shortly before may still have opened a
    /// session.
    fn outcome_known(&mut self, now: Timestamp) {
        self.unknown.retain(|unknown| later(unknown.sent, TWO_AT_MOST) > now);
        self.unknown.iter_mut().for_each(|unknown| unknown.until = unknown.sent);
    }

    /// A login that opened none after all.
    pub(super) fn uncount(&mut self, sent: Timestamp) {
        self.unknown.retain(|unknown| unknown.sent != sent);
        if let Some(index) = self.counted.iter().rposition(|counted| *counted == sent) {
            self.counted.remove(index);
        }
    }

    pub(super) fn succeeded(&mut self, now: Timestamp) {
        self.outcome_known(now);
        self.worked_before = true;
        self.refused = None;
        self.refusals_count_from = Some(now);
        self.begins_anew = false;
    }

    /// There may have been a login elsewhere.
    pub(super) fn learn_of_one(&mut self, at: Timestamp) {
        merge(&mut self.counted, [at]);
        self.keep_newest();
    }

    /// A refusal: the time of the one further try if the credentials have worked before, nothing if they are not tried
    /// again. It is remembered if the server has refused the credentials, which is if it has a `text`.
    pub(super) fn refused(&mut self, now: Timestamp, text: Option<&str>) -> Option<Timestamp> {
        self.outcome_known(now);
        self.begins_anew = false;
        let is_first = self.refused.is_none();
        let retry_at = (self.worked_before && is_first).then(|| later(now, ONE_HOUR));
        let is_remembered = retry_at.is_some() || text.is_some();
        let text = text.unwrap_or_default().into();
        // Later than what it must outlive.
        let at = self.refusals_count_from.map_or(now, |from| now.max(later(from, Duration::from_nanos(1))));
        self.refused = is_remembered.then_some(Refused { at, retry_at, text });
        retry_at
    }

    /// The server has ended the session before its time. The first loss may be answered by a login; after the next one
    /// within a quarter of an hour the login waits, longer with each. It may have been noticed before it was certain.
    pub(super) fn lost(&mut self, noticed: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let last = self.last_loss.replace(now);
        if last.is_none_or(|last| later(last, FORGOTTEN) <= now) {
            self.kicks = 0;
        }
        let kicked = last.is_some_and(|last| noticed < later(last, KICK)) || self.kicks > 0;
        if !kicked {
            return None;
        }
        let wait = KICK.saturating_mul(2_u32.saturating_pow(self.kicks)).min(ONE_HOUR);
        self.kicks = self.kicks.saturating_add(1);
        let next = later(now, wait);
        self.not_before = self.not_before.max(Some(next));
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    #[test]
    fn a_fourth_log_in_within_an_hour_waits() {
        let mut log_ins = LogIns::default();
        for minute in [0, 10, 20] {
            assert_eq!(log_ins.earliest(at(minute)), at(minute));
            log_ins.count(at(minute));
        }
        assert_eq!(log_ins.earliest(at(30)), at(60));
        log_ins.count(at(60));
        assert_eq!(log_ins.earliest(at(60)), at(70));
        log_ins.uncount(at(60));
        assert_eq!(log_ins.earliest(at(60)), at(60));
    }

    #[test]
    fn of_several_log_ins_the_one_that_opened_no_session_is_not_counted() {
        let mut log_ins = LogIns::default();
        for minute in [0, 10, 20] {
            log_ins.count(at(minute));
        }
        log_ins.uncount(at(5));
        assert_eq!(log_ins.earliest(at(30)), at(60));
        log_ins.uncount(at(0));
        log_ins.count(at(30));
        assert_eq!(log_ins.earliest(at(30)), at(70));
    }

    #[test]
    fn refused_credentials_that_never_worked_are_left_alone() {
        assert_eq!(LogIns::default().refused(at(0), Some("no")), None);
    }

    #[test]
    fn refused_credentials_that_worked_are_tried_once_more_after_an_hour() {
        let mut log_ins = LogIns::default();
        log_ins.succeeded(at(0));
        assert_eq!(log_ins.refused(at(90), Some("no")), Some(at(150)));
        assert_eq!(log_ins.earliest(at(100)), at(150));
        assert_eq!(log_ins.refused(at(150), Some("no")), None);
        log_ins.succeeded(at(0));
        assert_eq!(log_ins.refused(at(300), Some("no")), Some(at(360)));
    }

    #[test]
    fn a_second_loss_within_a_quarter_of_an_hour_is_not_answered_at_once() {
        let mut log_ins = LogIns::default();
        assert_eq!(log_ins.lost(at(0), at(0)), None);
        assert_eq!(log_ins.lost(at(10), at(10)), Some(at(25)));
        assert_eq!(log_ins.earliest(at(10)), at(25));
        assert_eq!(log_ins.lost(at(26), at(26)), Some(at(56)));
        assert_eq!(log_ins.lost(at(57), at(57)), Some(at(117)));
        assert_eq!(log_ins.lost(at(118), at(118)), Some(at(178)));
    }

    #[test]
    fn a_loss_counts_from_when_it_was_noticed() {
        let mut log_ins = LogIns::default();
        assert_eq!(log_ins.lost(at(0), at(0)), None);
        assert_eq!(log_ins.lost(at(3), at(16)), Some(at(31)));
        assert_eq!(log_ins.after_kick(), Some(at(31)));
    }

    #[test]
    fn other_credentials_of_the_user_are_new_but_the_log_ins_are_the_users() {
        let mut log_ins = LogIns::default();
        (0..3).for_each(|minute| log_ins.count(at(minute)));
        log_ins.succeeded(at(0));
        assert_eq!(log_ins.refused(at(5), Some("no")), Some(at(65)));
        log_ins.replace_credentials();
        assert_eq!(log_ins.earliest(at(6)), at(60));
        assert_eq!(log_ins.refused(at(60), Some("no")), None);
    }

    #[test]
    fn losses_that_are_far_apart_are_no_kick() {
        let mut log_ins = LogIns::default();
        for minute in [0, 15, 40, 60] {
            assert_eq!(log_ins.lost(at(minute), at(minute)), None, "{minute}");
        }
    }
}
