//! [`ServerClock`]: an estimate of the server's time. Local clocks can be wrong by minutes. The `Date` of the server's
//! answers shows by how much.
//!
//! Times are arguments. [`ServerClock`] learns from an [`Exchange`] and converts between local time and server time.

use core::time::Duration;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::wire::time_headers::date;

/// The times of a request: when it was sent and when its answer was received, by the local clock, and the `Date` of the
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent, by the local clock.
    pub sent: Timestamp,
    /// When the answer was complete, by the local clock.
    pub received: Timestamp,
    /// The `Date` of the answer, if it has one.
    pub server_time: Option<Timestamp>,
}

/// `Date` has whole seconds, so on average it is half a second behind the server's clock.
const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);

impl Exchange {
    /// Creates the times of a request and its answer. The `Date` is read from the headers of the answer.
    #[must_use]
    pub fn new(sent: Timestamp, received: Timestamp, headers: &HeaderMap) -> Self {
        Self { sent, received, server_time: date(headers) }
    }

    /// How far the server's clock is ahead of the local clock, measured at the middle between sending and receiving.
    /// Zero if the answer had no `Date`, or one beyond [`ServerClock::BOUND`].
    #[must_use]
    pub fn offset(&self) -> SignedDuration {
        self.bounded().measured_offset()
    }

    /// The same exchange without a `Date` beyond [`ServerClock::BOUND`], because a single answer does not prove it.
    pub(crate) fn bounded(self) -> Self {
        let is_near = |date: &Timestamp| date.duration_since(self.sent).abs() <= ServerClock::BOUND;
        Self { server_time: self.server_time.filter(is_near), ..self }
    }

    /// Like [`offset`](Self::offset), but also uses a `Date` beyond [`ServerClock::BOUND`].
    #[must_use]
    pub fn measured_offset(&self) -> SignedDuration {
        self.measured().unwrap_or_default()
    }

    fn measured(&self) -> Option<SignedDuration> {
        let half = self.received.duration_since(self.sent).checked_div(2)?;
        self.server_time?.duration_since(self.sent).checked_sub(half)?.checked_add(HALF_A_SECOND)
    }
}

/// An estimate of the server's clock, learnt from its answers.
///
/// ```
/// use jiff::{SignedDuration, Timestamp};
/// use tradovate_auth_core::{Exchange, ServerClock};
///
/// let sent: Timestamp = "2026-11-24T14:00:00Z".parse()?;
/// let received = sent + SignedDuration::from_secs(2);
/// let server_time = Some(sent + SignedDuration::from_mins(10)); // the local clock is ten minutes slow
/// let mut clock = ServerClock::default();
/// clock.learn(&Exchange { sent, received, server_time });
/// assert_eq!(clock.server_time(received).to_string(), "2026-11-24T14:10:01.5Z");
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerClock {
    offset: Option<SignedDuration>,
    /// Whether an answer has set the offset, and the local clock has not stepped since. Otherwise the offset is a hint.
    is_learnt: bool,
    /// The last `Date` that differed too much to be used without a confirmation.
    unconfirmed: Option<Measured>,
}

/// An offset, and the local time of its measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Measured {
    offset: SignedDuration,
    at: Timestamp,
    /// Whether this was the first `Date` that needed a confirmation.
    is_first: bool,
}

impl ServerClock {
    /// The largest difference at which a single `Date` is used: 24 hours. A `Date` that differs more from the local
    /// time and from the known server time needs a confirmation: a second `Date` with the same offset, at least ten
    /// seconds later. A clock advances in this time, a broken header does not.
    pub const BOUND: SignedDuration = SignedDuration::from_hours(24);

    /// The largest change of the offset that is smoothed. A larger change means that a clock was set, so the new offset
    /// is used at once. The offsets of two `Date`s that confirm each other differ by at most this. A hint that differs
    /// more from the learnt offset contradicts it. This is not more than the shortest margin before the expiry, so that
    /// a hint that is too old makes no expired token look valid.
    const JUMP: SignedDuration = SignedDuration::from_secs(5);

    /// The shortest time between two `Date`s that confirm each other. It is longer than [`JUMP`](Self::JUMP), so a
    /// `Date` that does not advance confirms nothing.
    const CONFIRMED_AFTER: Duration = Duration::from_secs(10);

    /// How long after the first `Date` the second one is requested: later than
    /// [`CONFIRMED_AFTER`](Self::CONFIRMED_AFTER), so that the second one is not too early.
    const ASK_AFTER: Duration = Duration::from_secs(15);

    /// Learns from the times of one request. A change of the offset by at most 5 seconds is smoothed. A larger change
    /// is used at once. An offset beyond [`BOUND`](Self::BOUND) is used only after a confirmation. If the answer took
    /// more than 10 seconds, its `Date` only limits the offset, because the server read its clock at an unknown time
    /// between sending and receiving. The offset then stays a hint if it was one.
    //= R-TIME-4
    pub fn learn(&mut self, exchange: &Exchange) {
        let Some(measured) = exchange.measured() else { return };
        let half = exchange.received.duration_since(exchange.sent).checked_div(2).unwrap_or_default();
        let (least, most) = (measured.saturating_sub(half), measured.saturating_add(half));
        let is_long = half > Self::JUMP;
        if self.is_far(measured) {
            let is_first = self.unconfirmed.is_none();
            if !is_long && self.confirms(Measured { offset: measured, at: exchange.received, is_first }) {
                self.set(measured);
            }
            return;
        }
        if is_long {
            // The largest possible offset, as a hint, makes no expired token look valid, and proves no token expired.
            self.offset = Some(self.offset.map_or(most, |known| known.max(least).min(most)));
            return;
        }
        self.set(match self.offset {
            Some(known) if measured.saturating_sub(known).abs() <= Self::JUMP => {
                known.saturating_add(measured.saturating_sub(known).checked_div(4).unwrap_or_default())
            }
            _ => measured,
        });
    }

    fn set(&mut self, offset: SignedDuration) {
        *self = Self { offset: Some(offset), is_learnt: true, unconfirmed: None };
    }

    fn is_far(&self, measured: SignedDuration) -> bool {
        let is_far = |known: SignedDuration| measured.saturating_sub(known).abs() > Self::BOUND;
        is_far(SignedDuration::ZERO) && self.offset.is_none_or(is_far)
    }

    /// Whether a second measurement says the same as the first one, with enough time in between.
    fn confirms(&mut self, second: Measured) -> bool {
        let first = self.unconfirmed.replace(second);
        let Some(first) = first.filter(|first| second.offset.saturating_sub(first.offset).abs() <= Self::JUMP) else {
            return false;
        };
        let is_early = later(first.at, Self::CONFIRMED_AFTER) > second.at;
        if is_early {
            self.unconfirmed = Some(first);
        }
        !is_early
    }

    /// Whether an answer has shown the server's time, and the local clock has not stepped since. Otherwise the offset
    /// is a hint, which does not prove that a token has expired.
    #[must_use]
    pub fn is_learnt(&self) -> bool {
        self.is_learnt
    }

    /// When to send another request, because its `Date` could confirm one beyond [`BOUND`](Self::BOUND). `None` if no
    /// `Date` needs a confirmation, or if two `Date`s have contradicted each other.
    #[must_use]
    pub fn confirm_at(&self) -> Option<Timestamp> {
        self.unconfirmed.filter(|first| first.is_first).map(|first| later(first.at, Self::ASK_AFTER))
    }

    /// Says that the local clock may have been set. The learnt offset becomes a hint.
    pub fn local_clock_may_have_stepped(&mut self) {
        self.is_learnt = false;
        self.unconfirmed = None;
    }

    /// The `Date` to expect in the answer to a request with these local times. `None` if no offset is known.
    #[must_use]
    pub fn date_between(&self, sent: Timestamp, received: Timestamp) -> Option<Timestamp> {
        let offset = self.offset?.checked_sub(HALF_A_SECOND)?;
        let half = received.duration_since(sent).checked_div(2)?;
        sent.checked_add(half).ok()?.checked_add(offset).ok()
    }

    /// Creates a clock with a hint, such as the offset in a snapshot.
    #[must_use]
    pub fn with_hint(offset: SignedDuration) -> Self {
        Self { offset: Some(offset), ..Self::default() }
    }

    /// Uses the offset that another process measured with the same local clock. A difference of at most 5 seconds is
    /// drift, and the new offset is used. If the offset differs more from the one that this process learnt, one of the
    /// two is wrong: the local clock may have been set unnoticed, or the new offset is older than its record says. In
    /// this case, the larger offset is used as a hint, because it makes no expired token look valid.
    pub fn take_hint(&mut self, offset: SignedDuration) {
        let learnt = self.offset.filter(|_| self.is_learnt);
        let contradicted = learnt.filter(|known| offset.saturating_sub(*known).abs() > Self::JUMP);
        self.is_learnt &= contradicted.is_none();
        self.offset = Some(contradicted.map_or(offset, |known| known.max(offset)));
    }

    /// Whether there is an offset, learnt or as a hint.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.offset.is_some()
    }

    /// How far the server's clock is ahead of the local clock. Zero if no offset is known.
    #[must_use]
    pub fn offset(&self) -> SignedDuration {
        self.offset.unwrap_or(SignedDuration::ZERO)
    }

    /// Converts a server time to a local time.
    #[must_use]
    pub fn local_time(&self, server: Timestamp) -> Timestamp {
        server.saturating_sub(self.offset()).unwrap_or(server)
    }

    /// Converts a local time to a server time.
    #[must_use]
    pub fn server_time(&self, local: Timestamp) -> Timestamp {
        shifted(local, self.offset())
    }
}

/// The time `by` after `moment`, or the last timestamp if that is earlier.
#[must_use]
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| moment.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// The time that a clock shows at `moment` if it is ahead by `by`.
#[must_use]
pub fn shifted(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn exchange(sent: &str, received: &str, server: &str) -> Exchange {
        Exchange { sent: at(sent), received: at(received), server_time: Some(at(server)) }
    }

    #[test]
    fn the_offset_is_measured_at_the_middle_of_the_exchange() {
        let exchange = exchange("2026-11-24T14:00:00Z", "2026-11-24T14:00:04Z", "2026-11-24T13:50:02Z");
        assert_eq!(exchange.offset(), SignedDuration::from_millis(-599_500));
        assert_eq!(Exchange { server_time: None, ..exchange }.offset(), SignedDuration::ZERO);
        assert_eq!(
            Exchange { server_time: Some(at("1970-01-01T00:00:00Z")), ..exchange }.offset(),
            SignedDuration::ZERO
        );
    }

    //= R-TIME-4
    #[test]
    fn the_server_clock_smooths_small_differences_and_adopts_large_ones() {
        let learn = |received: &str, dates: &[&str]| {
            let mut clock = ServerClock::default();
            for date in dates {
                clock.learn(&exchange("2026-11-24T14:00:00Z", received, date));
            }
            clock.offset().as_millis()
        };
        let (at_once, later) = ("2026-11-24T14:00:00Z", "2026-11-24T14:00:10Z");
        assert_eq!(learn(at_once, &["2026-11-24T14:00:10Z"]), 10_500);
        assert_eq!(learn(at_once, &["2026-11-24T14:00:10Z", "2026-11-24T14:00:14Z"]), 11_500);
        assert_eq!(learn(at_once, &["2026-11-24T14:00:10Z", "2026-11-24T13:00:00Z"]), -3_599_500);
        // An exchange of ten seconds is not yet a long one: its middle counts.
        assert_eq!(learn(later, &["2026-11-24T14:00:05Z"]), 500);
        assert_eq!(learn(later, &["2026-11-24T14:00:05Z", "2026-11-24T14:00:09Z"]), 1500);
    }

    #[test]
    fn an_absurd_or_missing_date_does_not_change_the_clock() {
        let mut clock = ServerClock::default();
        clock.learn(&exchange("2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z", "1970-01-01T00:00:00Z"));
        clock.learn(&Exchange { sent: Timestamp::MIN, received: Timestamp::MAX, server_time: Some(Timestamp::MIN) });
        clock.learn(&Exchange { sent: Timestamp::MAX, received: Timestamp::MIN, server_time: None });
        assert!(!clock.is_known() && !clock.is_learnt());
        assert_eq!(clock.server_time(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_date_header_days_off_needs_confirmation_by_a_later_one() {
        let learn = |dates: &[(i64, &str)]| {
            let mut clock = ServerClock::default();
            for (second, server) in dates {
                let now = at("2026-11-24T14:00:00Z").saturating_add(SignedDuration::from_secs(*second)).unwrap();
                clock.learn(&Exchange { sent: now, received: now, server_time: Some(at(server)) });
            }
            (clock.is_learnt(), clock.offset().as_hours())
        };
        let (first, soon, second) = ("2026-11-27T14:00:00Z", "2026-11-27T14:00:09Z", "2026-11-27T14:00:12Z");
        assert_eq!(learn(&[(0, first)]), (false, 0));
        assert_eq!(learn(&[(0, first), (9, soon)]), (false, 0), "too early");
        assert_eq!(learn(&[(0, first), (9, soon), (12, second)]), (true, 72));
        assert_eq!(learn(&[(0, first), (10, "2026-11-27T14:00:10Z")]), (true, 72), "ten seconds are enough");
        assert_eq!(learn(&[(0, first), (12, second)]), (true, 72));
        assert_eq!(learn(&[(0, first), (12, first)]), (false, 0), "it stands still");
        assert_eq!(learn(&[(0, first), (12, "2026-11-27T14:00:02Z"), (24, first)]), (false, 0), "so does this");
        assert_eq!(learn(&[(0, first), (12, second), (24, "2026-11-24T14:00:24Z")]), (true, 0), "the local time");
        assert_eq!(learn(&[(0, first), (12, second), (24, "2026-11-27T15:00:24Z")]), (true, 73), "it was set");
    }

    #[test]
    fn a_date_that_differs_by_24_hours_is_used_without_a_confirmation() {
        for (sent, is_used) in [("2026-11-24T14:00:00.5Z", true), ("2026-11-24T14:00:00Z", false)] {
            let mut clock = ServerClock::default();
            clock.learn(&exchange(sent, sent, "2026-11-25T14:00:00Z"));
            assert_eq!(clock.is_learnt(), is_used, "{sent}");
        }
    }

    #[test]
    fn a_second_date_is_requested_15_seconds_after_a_far_one_unless_two_contradict_each_other() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.confirm_at(), None);
        clock.learn(&exchange("2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z", "2026-11-27T14:00:00Z"));
        assert_eq!(clock.confirm_at(), Some(at("2026-11-24T14:00:15Z")));
        clock.learn(&exchange("2026-11-24T14:00:15Z", "2026-11-24T14:00:15Z", "2026-11-29T14:00:15Z"));
        assert_eq!(clock.confirm_at(), None);
    }

    #[test]
    fn a_server_time_is_converted_to_the_local_time_and_back() {
        let clock = ServerClock::with_hint(SignedDuration::from_secs(600));
        let (local, server) = (at("2026-11-24T14:00:00Z"), at("2026-11-24T14:10:00Z"));
        assert_eq!((clock.local_time(server), clock.server_time(local)), (local, server));
    }

    #[test]
    fn one_answer_confirms_a_clock_offset_from_a_snapshot() {
        let mut clock = ServerClock::with_hint(SignedDuration::from_hours(72));
        assert!(clock.is_known() && !clock.is_learnt());
        clock.learn(&exchange("2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z", "2026-11-27T14:00:00Z"));
        assert!(clock.is_learnt());
        clock.local_clock_may_have_stepped();
        assert_eq!((clock.is_learnt(), clock.offset().as_hours()), (false, 72));
    }

    #[test]
    fn a_clock_offset_of_another_process_corrects_drift_or_shows_a_contradiction() {
        let learnt = || {
            let mut clock = ServerClock::default();
            let (local, server) = ("2026-11-24T14:00:00Z", "2026-11-24T14:10:00Z");
            clock.learn(&exchange(local, local, server));
            clock
        };
        let (own, drift) = (learnt().offset(), ServerClock::JUMP);
        for by in [drift, -drift] {
            let mut clock = learnt();
            clock.take_hint(own + by);
            assert_eq!((clock.offset(), clock.is_learnt()), (own + by, true), "{by}");
        }
        for by in [drift + HALF_A_SECOND, -drift - HALF_A_SECOND] {
            let mut clock = learnt();
            clock.take_hint(own + by);
            assert_eq!((clock.offset(), clock.is_learnt()), (own.max(own + by), false), "{by}");
            clock.take_hint(own - drift);
            assert_eq!((clock.offset(), clock.is_learnt()), (own - drift, false), "nothing is left to contradict");
        }
    }

    #[test]
    fn a_slow_exchange_only_gives_bounds_for_the_clock_offset() {
        let learn = |known: Option<i64>, server: &str| {
            let mut clock =
                known.map(SignedDuration::from_secs).map_or_else(ServerClock::default, ServerClock::with_hint);
            clock.learn(&exchange("2026-11-24T14:00:00Z", "2026-11-24T15:00:00Z", server));
            clock.offset().as_secs()
        };
        assert_eq!(learn(Some(0), "2026-11-24T14:00:00Z"), 0);
        assert_eq!(learn(Some(0), "2026-11-24T15:00:00Z"), 0);
        assert_eq!(learn(Some(60), "2026-11-24T13:50:00Z"), -599);
        assert_eq!(learn(Some(-60), "2026-11-24T15:10:00Z"), 600);
        assert_eq!(learn(None, "2026-11-24T14:00:00Z"), 0, "no earlier than it can be");
    }

    #[test]
    fn the_expected_date_of_an_answer_has_the_measured_offset() {
        let clock = ServerClock::with_hint(SignedDuration::from_secs(600));
        let (sent, received) = (at("2026-11-24T14:00:00Z"), at("2026-11-24T16:00:00Z"));
        let exchange = Exchange { sent, received, server_time: clock.date_between(sent, received) };
        assert_eq!(exchange.offset(), clock.offset());
        assert_eq!(ServerClock::default().date_between(sent, received), None);
        assert_eq!(clock.date_between(Timestamp::MAX, Timestamp::MAX), None);
    }
}
