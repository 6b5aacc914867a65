//! Lock-outs and captchas last as long as the server said, whatever a clock shows.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use tradovate_auth_session::{Operation, RateBudget, StoredSession};

use crate::driver::{Driver, minute, plain, start, stored, token_until, user};

const CAPTCHA: &str = r#"{"p-captcha":true}"#;

/// The snapshot that a session stores at `written` after a lock-out or a captcha at `learnt`.
fn closed(learnt: Timestamp, written: Timestamp, is_lock_out: bool) -> StoredSession {
    let mut driver = Driver::new(user(1));
    driver.now = learnt;
    driver.exchange("accesstokenrequest", if is_lock_out { plain(429, "") } else { plain(200, CAPTCHA) });
    driver.now = written;
    driver.stored()
}

/// The number of minutes for which a session that takes over the snapshot sends nothing.
fn silent_minutes(now: Timestamp, stored: StoredSession) -> i64 {
    let mut driver = Driver::new(user(2));
    driver.now = now;
    driver.adopt(stored);
    let sent = driver.send_by(now + SignedDuration::from_hours(100)).expect("a request");
    sent.at.duration_since(now).as_mins()
}

#[test]
fn a_snapshot_contains_when_a_lock_out_was_learnt_and_how_long_it_holds() {
    let locked = serde_json::to_value(closed(start(), minute(10), true)).unwrap();
    assert_eq!(locked["lockOut"]["learntAt"], "2026-11-24T14:00:00Z");
    assert_eq!(locked["lockOut"]["holdsForMs"], 3_636_000);
    let closed = serde_json::to_value(closed(start(), minute(10), false)).unwrap();
    assert_eq!(closed["closedEndpoints"]["accesstokenrequest"]["learntAt"], "2026-11-24T14:00:00Z");
    assert_eq!(closed["closedEndpoints"]["accesstokenrequest"]["holdsForMs"], 3_636_000);
    assert_eq!(closed["lockOut"], Value::Null);
}

#[test]
fn after_a_restart_the_rest_of_a_lock_out_is_waited_for() {
    for is_lock_out in [true, false] {
        let stored = closed(start(), minute(10), is_lock_out);
        assert_eq!(silent_minutes(minute(10), stored.clone()), 50, "at once");
        assert_eq!(silent_minutes(minute(30), stored.clone()), 30, "twenty minutes later");
        assert_eq!(silent_minutes(minute(61), stored), 0, "when it is over");
    }
}

#[test]
fn a_lock_out_from_a_clock_that_was_ahead_is_not_longer() {
    for is_lock_out in [true, false] {
        for ahead in [3, 24 * 365] {
            let ahead = SignedDuration::from_hours(ahead);
            let stored = closed(start() + ahead, minute(10) + ahead, is_lock_out);
            assert_eq!(silent_minutes(minute(10), stored.clone()), 50, "the clock was set right");
            assert_eq!(silent_minutes(minute(30), stored), 50, "nobody knows how long that took");
        }
    }
}

#[test]
fn a_lock_out_learnt_in_the_future_lasts_no_longer_than_its_duration() {
    let text = r#"{"version":1,"lockOut":{"learntAt":"2030-01-01T00:00:00Z","holdsForMs":3600000},
        "closedEndpoints":{"accesstokenrequest":{"learntAt":"2040-01-01T00:00:00Z","holdsForMs":7200000}}}"#;
    assert_eq!(silent_minutes(start(), stored(text)), 120);
    let text = r#"{"version":1,"lockOut":{"learntAt":"2026-11-24T14:00:00Z","holdsForMs":18446744073709551615}}"#;
    assert_eq!(silent_minutes(start(), stored(text)), 24 * 60);
}

/// Two sessions with one budget. The clock of the second one is ahead by this much.
struct Pair {
    one: Driver,
    two: Driver,
    ahead: SignedDuration,
}

impl Pair {
    /// Both have a token that lives for ten hours.
    fn new(ahead: SignedDuration) -> Self {
        let mut pair = Self { one: Driver::new(user(1)), two: Driver::new(user(2)), ahead };
        pair.two.now += ahead;
        for number in [1, 2] {
            pair.at(start(), number, |driver| {
                let end = driver.now + SignedDuration::from_hours(10);
                driver.exchange("accesstokenrequest", plain(200, token_until("one", end)));
                driver.send();
            });
        }
        pair
    }

    /// Calls a method of one of them at this time.
    fn at<T>(&mut self, now: Timestamp, number: u8, act: impl FnOnce(&mut Driver) -> T) -> T {
        let (this, other, ahead) = match number {
            1 => (&mut self.one, &mut self.two, SignedDuration::ZERO),
            _ => (&mut self.two, &mut self.one, self.ahead),
        };
        if this.now < now + ahead {
            this.now = now + ahead;
        }
        let answer = act(this);
        other.budget = this.budget.clone();
        answer
    }

    /// Whether a session would send at this time. Its token is said to be dead.
    fn sends(&mut self, now: Timestamp, number: u8) -> bool {
        self.at(now, number, |driver| {
            let generation = driver.session.token(driver.now).map(|token| token.generation);
            if let Some(generation) = generation {
                let (status, body) = (StatusCode::UNAUTHORIZED, b"Invalid access token");
                driver.session.rejected(driver.now, generation, status, body, &mut driver.budget);
            }
            driver.send().is_some()
        })
    }

    fn lock_out(&mut self, now: Timestamp, number: u8) {
        self.at(now, number, |driver| {
            driver.session.rejected(driver.now, 1, StatusCode::TOO_MANY_REQUESTS, b"", &mut driver.budget);
        });
    }
}

#[test]
fn a_lock_out_lasts_equally_long_for_sessions_with_different_clocks() {
    for ahead in [0, 90, -90, 60 * 24 * 30].map(SignedDuration::from_mins) {
        for (learner, other) in [(1, 2), (2, 1)] {
            let mut pair = Pair::new(ahead);
            for number in [1, 2] {
                pair.at(minute(5), number, |driver| assert!(driver.send().is_none()));
            }
            pair.lock_out(minute(5), learner);
            for minutes in [5, 30, 64] {
                assert!(!pair.sends(minute(minutes), other), "{ahead:#}: {minutes} minutes");
                assert!(!pair.sends(minute(minutes), learner), "{ahead:#}: {minutes} minutes");
            }
            assert!(pair.sends(minute(66), other), "{ahead:#}");
            assert!(pair.sends(minute(66), learner), "{ahead:#}");
        }
    }
}

proptest! {
    /// A session that learns of the lock-out sends nothing for an hour. Neither does a session whose clock agrees, or
    /// differs by more than the time since it last saw the budget. No session waits longer than an hour after it has
    /// noticed the lock-out.
    #[test]
    fn a_lock_out_lasts_an_hour_for_each_session_whatever_its_clock_shows(
        ahead in prop_oneof![Just(0_i64), 31..2000_i64, -2000..-31_i64],
        last_seen in 0..30_i64,
        learner in 1..=2_u8,
        polls in proptest::collection::vec(1..30_i64, 1..20),
    ) {
        let mut pair = Pair::new(SignedDuration::from_mins(ahead));
        let other = 3 - learner;
        pair.at(minute(last_seen), other, Driver::send);
        pair.lock_out(minute(30), learner);
        let (mut now, mut noticed, mut has_sent) = (30, None, false);
        for pause in polls {
            now += pause;
            let sent = [pair.sends(minute(now), other), pair.sends(minute(now), learner)];
            let end = *noticed.get_or_insert(now) + 61;
            prop_assert!(now > 90 || sent == [false, false], "{sent:?} after {} minutes", now - 30);
            has_sent |= sent[0];
            prop_assert!(now < end || has_sent, "silent after {} minutes", now - 30);
        }
    }
}

#[test]
fn a_clock_step_of_one_session_does_not_end_the_lock_out_of_others() {
    let mut pair = Pair::new(SignedDuration::ZERO);
    pair.lock_out(start(), 1);
    pair.ahead = SignedDuration::from_hours(5);
    pair.at(minute(10), 2, Driver::send);
    for minutes in [10, 59] {
        assert!(!pair.sends(minute(minutes), 1), "{minutes} minutes");
    }
    assert!(pair.sends(minute(61), 1));
}

/// How long a budget counts a request: an hour and one per cent.
const COUNTED: SignedDuration = SignedDuration::from_secs(3636);

#[test]
fn a_clock_that_is_ahead_frees_no_counted_request_of_other_sessions() {
    let mut budget = RateBudget::default();
    let ahead = SignedDuration::from_hours(3);
    (0..15).for_each(|number| budget.take(minute(number), Operation::Renew));
    // For the other session, the hour is over.
    budget.take(minute(15) + ahead, Operation::Renew);
    assert_eq!(budget.earliest(minute(15), Operation::Renew), minute(1) + COUNTED);
}

#[test]
fn the_budget_frees_the_oldest_request_first_whatever_the_order_of_counting() {
    let mut budget = RateBudget::default();
    for minutes in [30, 10, 20, 0] {
        budget.take(minute(minutes), Operation::LogIn);
    }
    assert_eq!(budget.earliest(minute(30), Operation::LogIn), start() + COUNTED);
    budget.give_back(minute(0), Operation::LogIn);
    assert_eq!(budget.earliest(minute(30), Operation::LogIn), minute(30));
    budget.take(minute(5), Operation::LogIn);
    assert_eq!(budget.earliest(minute(30), Operation::LogIn), minute(5) + COUNTED);
}

#[test]
fn requests_with_future_times_in_a_snapshot_count_as_sent_now() {
    let mut driver = Driver::new(user(1));
    let ahead = r#"["2027-01-01T00:00:00Z","2028-01-01T00:00:00Z","2029-01-01T00:00:00Z","2030-01-01T00:00:00Z"]"#;
    driver.adopt(stored(&format!(r#"{{"version":1,"sent":{{"accesstokenrequest":{ahead}}}}}"#)));
    assert_eq!(driver.budget.earliest(start(), Operation::LogIn), start() + COUNTED);
    driver.budget.take(minute(-10), Operation::LogIn);
    assert_eq!(driver.budget.earliest(minute(51), Operation::LogIn), start() + COUNTED);
}

#[test]
fn after_the_clock_was_set_back_each_login_counts_once_whatever_snapshots_name_it() {
    // Two sessions of one program have tried to log in. Other sessions of the program were stored later.
    let mut budget = RateBudget::default();
    budget.take(start(), Operation::LogIn);
    budget.take(minute(2), Operation::LogIn);
    let snapshots = [3, 10, 20, 30].map(|written| user(1).snapshot(minute(written), &budget));
    for is_reversed in [false, true] {
        let mut snapshots = snapshots.to_vec();
        if is_reversed {
            snapshots.reverse();
        }
        let (now, mut budget) = (minute(-90), RateBudget::default());
        for snapshot in snapshots {
            user(2).adopt(now, snapshot, &mut budget);
        }
        assert_eq!(budget.earliest(now, Operation::LogIn), now, "two of four logins are left");
        budget.take(now, Operation::LogIn);
        budget.take(now, Operation::LogIn);
        let end = now + COUNTED - SignedDuration::from_mins(30);
        assert_eq!(budget.earliest(now, Operation::LogIn), end, "the first login is thirty minutes old");
    }
}

#[test]
fn logins_at_the_same_moment_count_separately_after_the_clock_was_set_back() {
    let mut budget = RateBudget::default();
    for seconds in [0, 0, 1, 2] {
        budget.take(start() + SignedDuration::from_secs(seconds), Operation::LogIn);
    }
    let snapshots = [3, 10].map(|written| user(1).snapshot(minute(written), &budget));
    let (now, mut budget) = (minute(-90), RateBudget::default());
    for snapshot in snapshots {
        user(2).adopt(now, snapshot, &mut budget);
        assert!(budget.earliest(now, Operation::LogIn) > now, "all four logins are used");
    }
}

#[test]
fn after_the_clock_was_set_back_a_snapshot_counts_logins_again_that_no_longer_counted() {
    let mut budget = RateBudget::default();
    (0..4).for_each(|_| budget.take(start(), Operation::LogIn));
    let [first, second] = [3, 10].map(|written| user(1).snapshot(minute(written), &budget));
    let (now, mut budget) = (minute(-90), RateBudget::default());
    user(2).adopt(now, first, &mut budget);
    let end = budget.earliest(now, Operation::LogIn);
    assert_eq!(end, minute(-93) + COUNTED);
    user(2).adopt(end, second, &mut budget);
    assert_eq!(budget.earliest(end, Operation::LogIn), end - SignedDuration::from_mins(10) + COUNTED);
}

#[test]
fn after_the_clock_was_set_back_a_login_that_two_snapshots_name_counts_once() {
    let mut budget = RateBudget::default();
    budget.take(start(), Operation::LogIn);
    let snapshots = [3, 10].map(|written| user(1).snapshot(minute(written), &budget));
    let (now, mut budget) = (minute(-90), RateBudget::default());
    for snapshot in snapshots {
        user(2).adopt(now, snapshot, &mut budget);
    }
    (0..2).for_each(|_| budget.take(now, Operation::LogIn));
    assert_eq!(budget.earliest(now, Operation::LogIn), now, "one of four logins is left");
}
