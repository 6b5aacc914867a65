//! The rules for logins, kicks and refusals.

use proptest::prelude::*;

use super::*;

fn at(minute: i64) -> Timestamp {
    second(minute * 60)
}

fn second(second: i64) -> Timestamp {
    "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

impl LogIns {
    fn sent(&mut self, now: Timestamp) -> AttemptId {
        self.announce(now, &mut Jitter::new(7))
    }

    /// Logins with a known outcome that have opened a server session.
    fn opened_at(minutes: impl IntoIterator<Item = i64>) -> (Self, Vec<AttemptId>) {
        let mut log_ins = Self::default();
        let ids: Vec<_> = minutes.into_iter().map(|minute| log_ins.sent(at(minute))).collect();
        for id in &ids {
            log_ins.opened(*id);
        }
        (log_ins, ids)
    }

    /// Sends a login now. It is given up some seconds later, and its outcome is unknown.
    fn sent_in_vain(&mut self, now: Timestamp, given_up_after: u64) -> AttemptId {
        let id = self.sent(now);
        self.outcome_unknown(later(now, Duration::from_secs(given_up_after)), id, &mut Jitter::new(0));
        id
    }

    fn next(&self, now: Timestamp) -> Timestamp {
        self.earliest(now, None, Duration::ZERO)
    }
}

#[test]
fn every_login_may_have_opened_a_session_unless_it_is_known_to_have_opened_none() {
    let mut log_ins = LogIns::default();
    assert!(!log_ins.may_have_opened_one());
    let id = log_ins.sent(at(0));
    assert!(log_ins.may_have_opened_one(), "it is announced");
    log_ins.opened_none(id);
    assert!(!log_ins.may_have_opened_one());
    log_ins.sent_in_vain(at(1), 45);
    assert!(log_ins.may_have_opened_one(), "its outcome is unknown");
}

//= R-SESSION-1
#[test]
fn a_fourth_login_within_an_hour_waits() {
    let (mut log_ins, _) = LogIns::opened_at([0, 10]);
    assert_eq!(log_ins.next(at(20)), at(20));
    let third = log_ins.sent(at(20));
    assert_eq!(
        log_ins.earliest(at(20), Some(third), Duration::ZERO),
        at(20),
        "its own announcement does not keep it back"
    );
    log_ins.opened(third);
    assert_eq!(log_ins.next(at(30)), at(60));
    assert_eq!(log_ins.next(at(61)), at(61));
    log_ins.opened_none(third);
    assert_eq!(log_ins.next(at(30)), at(60), "it is known to have opened a session");
}

#[test]
fn a_login_that_opened_no_session_does_not_count() {
    let (mut log_ins, ids) = LogIns::opened_at([0, 10]);
    let none = log_ins.sent(at(20));
    log_ins.opened_none(none);
    assert_eq!(log_ins.next(at(30)), at(30));
    log_ins.outcome_unknown(at(30), none, &mut Jitter::new(0));
    assert_eq!(log_ins.next(at(30)), at(30), "what is known stays known");
    let fourth = log_ins.sent(at(30));
    log_ins.opened(fourth);
    assert_eq!(log_ins.next(at(40)), at(60));
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_login_no_longer_counts_after_a_late_answer_that_opened_no_session() {
    let mut log_ins = LogIns::default();
    let lost = log_ins.sent_in_vain(at(0), 45);
    assert_eq!(log_ins.next(at(1)), second(60));
    assert_eq!(log_ins.next(second(46)), second(60), "15 s after it was given up");
    let second_one = log_ins.sent(at(1));
    log_ins.opened(second_one);
    assert_eq!(log_ins.next(at(2)), at(15), "two at most");
    log_ins.opened_none(lost);
    assert_eq!(log_ins.next(at(2)), at(2));
}

#[test]
fn a_login_counts_from_its_sending_and_not_from_its_announcement() {
    let (mut log_ins, _) = LogIns::opened_at([10, 11]);
    let announced = log_ins.sent(at(2));
    log_ins.send(at(5), announced);
    log_ins.opened(announced);
    assert_eq!(log_ins.next(at(12)), at(65));
}

#[test]
fn the_pauses_after_logins_of_unknown_outcome_grow_to_an_hour() {
    let (mut log_ins, mut now, mut pauses) = (LogIns::default(), at(0), Vec::new());
    for _ in 0..6 {
        log_ins.sent_in_vain(now, 0);
        let end = log_ins.pause(now, None, Duration::ZERO).unwrap();
        assert!(log_ins.next(now) >= end);
        pauses.push(end.duration_since(now).as_secs());
        now = end;
    }
    assert_eq!(pauses, [15, 15 * 60, 30 * 60, 3600, 3600, 3600]);
    log_ins.sent_in_vain(now, 45);
    assert_eq!(log_ins.next(now).duration_since(now).as_secs(), 3645, "a pause begins when the login is given up");
}

#[test]
fn pauses_after_unknown_outcomes_vary_by_a_tenth_and_last_an_hour_at_most() {
    let first = |seed| {
        let mut log_ins = LogIns::default();
        let id = log_ins.sent(at(0));
        log_ins.outcome_unknown(at(0), id, &mut Jitter::new(seed));
        log_ins.next(at(0)).duration_since(at(0))
    };
    let all: Vec<_> = (1..200).map(first).collect();
    let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
    assert!(*least >= SignedDuration::from_secs(15) && *least < SignedDuration::from_millis(15_100), "{least}");
    assert!(*most <= SignedDuration::from_millis(16_500) && *most > SignedDuration::from_millis(16_400), "{most}");
    let mut log_ins = LogIns::default();
    for minute in 0..4 {
        log_ins.sent(at(minute));
    }
    let id = log_ins.sent(at(5));
    log_ins.outcome_unknown(at(5), id, &mut Jitter::new(1));
    assert_eq!(log_ins.next(at(5)), at(65));
}

#[test]
fn a_known_outcome_resets_the_count_of_logins_of_unknown_outcome() {
    let mut log_ins = LogIns::default();
    log_ins.sent_in_vain(at(0), 0);
    log_ins.sent_in_vain(at(1), 0);
    assert_eq!(log_ins.next(at(2)), at(16));
    log_ins.refused(at(20), Some("no"));
    log_ins.try_again();
    log_ins.sent_in_vain(at(30), 0);
    assert_eq!(log_ins.next(at(30)), at(60), "it is the third within the hour");
    assert_eq!(log_ins.row(at(30), None).len(), 1, "but the first in a row");
}

#[test]
fn an_answer_does_not_decide_a_login_sent_at_the_same_time() {
    let mut log_ins = LogIns::default();
    log_ins.refused(at(20), Some("no"));
    log_ins.credentials_replaced();
    log_ins.sent_in_vain(at(20), 0);
    assert_eq!(log_ins.next(at(20)), second(20 * 60 + 15));
}

#[test]
fn the_count_of_unknown_outcomes_restarts_after_two_hours() {
    let mut log_ins = LogIns::default();
    for minute in [0, 1, 20] {
        log_ins.sent_in_vain(at(minute), 0);
    }
    let id = log_ins.sent(at(139));
    assert_eq!(log_ins.earliest(at(139), Some(id), Duration::ZERO), at(139));
    log_ins.outcome_unknown(at(139), id, &mut Jitter::new(0));
    assert_eq!(log_ins.next(at(139)), at(199), "the fourth in a row");
    let mut log_ins = LogIns::default();
    log_ins.sent_in_vain(at(0), 0);
    log_ins.sent_in_vain(at(120), 0);
    assert_eq!(log_ins.row(at(120), None).len(), 1, "the one before is forgotten");
    let mut log_ins = LogIns::default();
    log_ins.sent_in_vain(at(0), 0);
    let id = log_ins.sent(at(119));
    log_ins.outcome_unknown(at(120), id, &mut Jitter::new(0));
    assert_eq!(
        log_ins.pause(at(120), None, Duration::ZERO),
        Some(second(120 * 60 + 15)),
        "the one before is two hours old"
    );
    let mut log_ins = LogIns::default();
    log_ins.sent_in_vain(at(0), 0);
    log_ins.sent_in_vain(at(120), 0);
    assert_eq!(log_ins.next(at(120)), second(120 * 60 + 15));
}

#[test]
fn at_most_two_logins_are_sent_in_a_quarter_of_an_hour_if_the_outcome_of_one_is_unknown() {
    for unknown in [0, 1] {
        let (mut log_ins, ids) = LogIns::opened_at([0, 2]);
        assert_eq!(log_ins.next(at(3)), at(3), "both have opened a session");
        let (id, other) = (ids[unknown], ids[1 - unknown]);
        log_ins = LogIns::default();
        for (id, sent) in [(id, at(0)), (other, at(2))] {
            log_ins.attempts.push(Attempt { id, status: Status::Opened, sent, until: None });
        }
        log_ins.attempt(id).unwrap().status = Status::Unknown;
        assert_eq!(log_ins.next(at(3)), at(15));
        assert_eq!(log_ins.next(at(16)), at(16));
    }
}

#[test]
fn a_login_announced_by_a_crashed_process_has_an_unknown_outcome() {
    let mut log_ins = LogIns::default();
    log_ins.sent(at(0));
    assert_eq!(log_ins.next(at(0)), second(15));
    log_ins.sent(second(15));
    assert_eq!(log_ins.next(second(15)), second(15 + 15 * 60));
}

#[test]
fn a_record_keeps_logins_for_six_hours_but_only_four_without_a_session() {
    let mut log_ins = LogIns::default();
    for minute in 0..12 {
        let id = log_ins.sent(at(minute));
        if minute % 2 == 0 {
            log_ins.opened_none(id);
        }
    }
    log_ins.drop_outdated(at(12));
    let minutes = |log_ins: &LogIns| {
        let mut minutes: Vec<_> =
            log_ins.attempts.iter().map(|attempt| attempt.sent.duration_since(at(0)).as_mins()).collect();
        minutes.sort_unstable();
        minutes
    };
    assert_eq!(minutes(&log_ins), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    log_ins.drop_outdated(at(365));
    assert_eq!(minutes(&log_ins), [6, 7, 8, 9, 10, 11], "the one of minute 5 is six hours ago");
}

#[test]
fn logins_of_unknown_outcome_that_follow_within_two_hours_have_pauses_of_an_hour() {
    let mut log_ins = LogIns::default();
    let pauses = [0, 119, 238, 357, 476, 595].map(|minute| {
        log_ins.sent_in_vain(at(minute), 0);
        log_ins.next(at(minute)).duration_since(at(minute)).as_secs()
    });
    assert_eq!(pauses, [15, 15 * 60, 30 * 60, 3600, 3600, 3600]);
    log_ins.sent_in_vain(at(715), 0);
    assert_eq!(log_ins.next(at(715)), second(715 * 60 + 15), "after two hours without one, the row starts again");
    log_ins.sent_in_vain(at(716), 0);
    assert_eq!(log_ins.next(at(716)), at(731), "the earlier ones still do not count");
}

#[test]
fn logins_of_processes_with_the_same_seed_have_different_ids_at_different_times() {
    let (mut one, mut other) = (LogIns::default(), LogIns::default());
    assert_ne!(one.sent(at(0)), other.sent(second(1)));
    assert_eq!(one.sent(at(0)), other.sent(at(0)));
    let moment = at(0).as_microsecond().unsigned_abs();
    assert_eq!(one.sent(at(0)), AttemptId(Jitter::new(7).next() ^ moment));
}

//= R-LOGIN-13
#[test]
fn refused_credentials_that_never_worked_are_not_tried_again() {
    let mut log_ins = LogIns::default();
    assert_eq!(log_ins.refused(at(0), Some("no")), None);
    let given_up = log_ins.final_refusal().unwrap();
    assert_eq!((given_up.at, given_up.text.as_str()), (at(0), "no"));
    log_ins.try_again();
    assert!(log_ins.final_refusal().is_none());
    assert_eq!(log_ins.tries, 1);
    log_ins.try_again();
    assert_eq!(log_ins.tries, 1, "there is nothing to make void");
}

#[test]
fn a_refusal_without_a_text_is_not_remembered() {
    let mut log_ins = LogIns::default();
    assert_eq!(log_ins.refused(at(0), None), None);
    assert!(log_ins.final_refusal().is_none() && log_ins.refusal().is_none());
}

//= R-LOGIN-13
#[test]
fn refused_credentials_that_worked_are_tried_once_more_after_an_hour() {
    for text in [Some("no"), None] {
        let mut log_ins = LogIns::default();
        let id = log_ins.sent(at(0));
        log_ins.succeeded(at(0), id);
        assert_eq!(log_ins.refused(at(90), text), Some(at(150)));
        assert!(log_ins.is_second_try() && log_ins.final_refusal().is_none());
        assert_eq!(log_ins.next(at(100)), at(150));
        assert_eq!(log_ins.refused(at(150), Some("still no")), None);
        assert!(!log_ins.is_second_try());
        assert_eq!(log_ins.final_refusal().unwrap().text, "still no");
        log_ins.try_again();
        let id = log_ins.sent(at(200));
        log_ins.succeeded(at(200), id);
        assert_eq!(log_ins.refused(at(300), Some("no")), Some(at(360)), "they have worked again");
    }
}

#[test]
fn replaced_credentials_of_the_same_user_keep_the_counted_logins() {
    let (mut log_ins, ids) = LogIns::opened_at([0, 1, 2]);
    log_ins.succeeded(at(2), ids[2]);
    assert_eq!(log_ins.refused(at(5), Some("no")), Some(at(65)));
    log_ins.credentials_replaced();
    assert_eq!(log_ins.next(at(6)), at(60));
    assert_eq!(log_ins.refused(at(60), Some("no")), None, "these have never worked");
    log_ins.credentials_replaced();
    assert!(log_ins.final_refusal().is_none());
}

//= R-SESSION-4
#[test]
fn losses_in_a_row_are_kicks_with_pauses_of_up_to_an_hour() {
    let mut log_ins = LogIns::default();
    assert_eq!((log_ins.lost(at(0), at(0)), log_ins.kick_pause_until()), (None, None));
    assert_eq!(log_ins.lost(at(10), at(10)), Some(at(25)));
    assert_eq!(log_ins.next(at(10)), at(25));
    for (minute, next) in [(26, 56), (57, 117), (118, 178), (180, 240)] {
        assert_eq!(log_ins.lost(at(minute), at(minute)), Some(at(next)));
        assert_eq!(log_ins.kick_pause_until(), Some(at(next)));
    }
    assert_eq!(log_ins.lost(at(300), at(300)), None, "the last loss is two hours ago");
    assert_eq!(log_ins.lost(at(310), at(310)), Some(at(325)), "the pauses start again with the shortest");
}

#[test]
fn a_kick_is_decided_by_the_times_at_which_losses_were_noticed() {
    let mut log_ins = LogIns::default();
    assert_eq!(log_ins.lost(at(0), at(0)), None);
    assert_eq!(log_ins.lost(at(3), at(16)), Some(at(31)));
}

#[test]
fn losses_15_minutes_apart_do_not_count_as_a_kick() {
    let mut log_ins = LogIns::default();
    for minute in [0, 15, 40, 60] {
        assert_eq!(log_ins.lost(at(minute), at(minute)), None, "{minute}");
    }
}

#[test]
fn times_from_a_clock_that_was_ahead_count_as_now() {
    let (mut log_ins, ids) = LogIns::opened_at([1000, 1001, 1002]);
    log_ins.attempt(ids[0]).unwrap().until = Some(at(2000));
    log_ins.refused = Some(Refused { of_try: 0, at: at(1000), retry_at: Some(at(1060)), text: "no".into() });
    log_ins.answered_at = Some(at(1000));
    log_ins.loss = Some(Loss { at: at(1000), kicks: 1, pause_until: Some(at(9000)) });
    log_ins.correct(at(0));
    assert!(log_ins.attempts.iter().all(|attempt| attempt.sent == at(0)));
    assert_eq!(log_ins.attempt(ids[0]).unwrap().until, Some(at(60)));
    assert_eq!(log_ins.answered_at, Some(at(0)));
    let refused = log_ins.refusal().unwrap();
    assert_eq!((refused.at, refused.retry_at), (at(0), Some(at(60))));
    assert_eq!(log_ins.loss, Some(Loss { at: at(0), kicks: 1, pause_until: Some(at(24 * 60)) }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each record knows how far some logins got. Four of the logins opened no session.
    #[test]
    fn the_order_in_which_outcomes_are_learnt_does_not_matter_for_the_logins_that_are_kept(
        minutes in proptest::collection::vec(0..480_i64, 12),
        known in proptest::array::uniform3(proptest::collection::vec(prop::option::of(0_u8..3), 12)),
    ) {
        let statuses = |index: usize| {
            let decided = if index < 4 { Status::OpenedNone } else { Status::Opened };
            [Status::Announced, Status::Unknown, decided]
        };
        let of = |known: Vec<Option<u8>>| {
            let attempts = known.into_iter().zip(&minutes).enumerate().filter_map(|(index, (status, minute))| {
                let (id, sent) = (AttemptId(index as u64), at(*minute));
                Some(Attempt { id, status: statuses(index)[usize::from(status?)], sent, until: None })
            });
            LogIns { attempts: attempts.collect(), ..LogIns::default() }
        };
        let now = at(480);
        let merged = |mut one: LogIns, other: LogIns| {
            one.merge(other);
            one.drop_outdated(now);
            one
        };
        let [a, b, c] = known.map(of);
        let one_way = merged(merged(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(&one_way, &merged(a.clone(), merged(b.clone(), c.clone())));
        prop_assert_eq!(&one_way, &merged(c, merged(b, a)));
    }

    #[test]
    fn the_order_of_merges_does_not_matter_for_the_logins_that_are_kept(
        logins in proptest::collection::vec((0..4_i64, any::<bool>()), 12),
        masks in proptest::array::uniform3(0_u16..1 << 12),
    ) {
        let of = |mask: u16| {
            let logins = logins.iter().enumerate().filter(|(index, _)| mask >> index & 1 == 1);
            let attempts = logins.map(|(index, (minute, has_opened))| Attempt {
                id: AttemptId(index as u64),
                status: if *has_opened { Status::Opened } else { Status::OpenedNone },
                sent: at(*minute),
                until: None,
            });
            LogIns { attempts: attempts.collect(), ..LogIns::default() }
        };
        let merged = |mut one: LogIns, other: LogIns| {
            one.merge(other);
            one.drop_outdated(at(10));
            one
        };
        let [a, b, c] = masks.map(of);
        let one_way = merged(merged(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(&one_way, &merged(a.clone(), merged(b.clone(), c.clone())));
        prop_assert_eq!(&one_way, &merged(c, merged(b, a)));
        prop_assert_eq!(&one_way, &merged(one_way.clone(), one_way.clone()));
    }

    /// Laws 8 and 17 hold for any outcome of the logins and any number of restarts.
    #[test]
    fn at_most_three_logins_per_hour_and_two_per_15_minutes_if_one_is_unknown(
        outcomes in prop::collection::vec((0_u8..4, 0_i64..40), 1..20),
        seed: u64,
    ) {
        let (mut log_ins, mut jitter, mut now) = (LogIns::default(), Jitter::new(seed), at(0));
        let mut sent: Vec<(Timestamp, bool)> = Vec::new();
        for (outcome, minutes) in outcomes {
            now = log_ins.earliest(now, None, Duration::ZERO);
            let since = |ago: i64| sent.iter().filter(move |(sent, _)| *sent + SignedDuration::from_mins(ago) > now);
            assert!(since(60).count() < 3, "law 8");
            assert!(since(15).count() < 2 || since(15).all(|(_, is_known)| *is_known), "law 17");
            let id = log_ins.announce(now, &mut jitter);
            match outcome {
                0 => {}
                1 => log_ins.outcome_unknown(now, id, &mut jitter),
                2 => log_ins.opened_none(id),
                _ => log_ins.succeeded(now, id),
            }
            if outcome != 2 {
                sent.push((now, outcome == 3));
            }
            log_ins = serde_json::from_value(serde_json::to_value(&log_ins).unwrap()).unwrap();
            now += SignedDuration::from_mins(minutes);
        }
    }
}

#[test]
fn an_announced_login_is_under_way_until_its_deadline_for_other_processes_only() {
    let mut log_ins = LogIns::default();
    let id = log_ins.sent(second(0));
    let is_under_way = |log_ins: &LogIns, now, own| log_ins.is_another_under_way(now, own, Duration::from_secs(45));
    assert!(is_under_way(&log_ins, second(44), None));
    assert!(!is_under_way(&log_ins, second(45), None));
    assert!(!is_under_way(&log_ins, second(0), Some(id)));
    log_ins.opened(id);
    assert!(!is_under_way(&log_ins, second(0), None));
}
