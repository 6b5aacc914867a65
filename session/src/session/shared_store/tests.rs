use jiff::SignedDuration;
use tradovate_auth_core::{Credentials, Environment};

use super::*;
use crate::network_budget::RateBudget;
use crate::session::Session;
use crate::store::Unreadable;

const LONGEST: Duration = Duration::from_secs(45);
const LOG_IN: Wanted = Wanted::Send(Operation::LogIn);
const RENEW: Wanted = Wanted::Send(Operation::Renew);

fn at(milliseconds: i64) -> Timestamp {
    "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(milliseconds)
}

fn record(revision: u64) -> StoredRecord {
    let session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 7);
    let session = session.snapshot(at(0), &RateBudget::default());
    StoredRecord { revision: Revision(revision), age: None, place: String::new(), session: Ok(session) }
}

fn damaged(revision: u64) -> StoredRecord {
    StoredRecord {
        revision: Revision(revision),
        age: None,
        place: "the file /a/b".into(),
        session: Err(Unreadable::Damaged),
    }
}

fn down() -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, "it is down")
}

impl Sharing {
    /// A store that has loaded a record.
    fn after_load(may_log_in: MayLogIn) -> Self {
        let mut sharing = Self::new(may_log_in);
        sharing.loads(0, Some(record(1)));
        sharing
    }

    fn asks_for_lease(&mut self, now: i64, lease: Option<Lease>) -> Option<Failure> {
        self.ask(at(now), LONGEST, ExchangeId(0), Ask::Acquire(lease_time(LONGEST)));
        let asked = self.take_asked().unwrap();
        self.acquired(at(now), LONGEST, &asked, lease)
    }

    /// Loads a record with a token that is alive.
    fn loads(&mut self, now: i64, stored: Option<StoredRecord>) -> Loaded {
        self.loads_with(now, stored, false)
    }

    fn loads_with(&mut self, now: i64, stored: Option<StoredRecord>, has_ended: bool) -> Loaded {
        self.ask(at(now), LONGEST, ExchangeId(0), Ask::Load);
        self.take_asked();
        let loaded = self.loaded(at(now), stored);
        match &loaded {
            Loaded::Record(stored) => self.merged(stored.is_none() || has_ended, false),
            Loaded::Known => self.merged(has_ended, false),
            _ => {}
        }
        if !matches!(loaded, Loaded::Failed(_)) {
            self.judge(at(now));
        }
        loaded
    }

    /// Takes the lease and loads the record.
    fn leads(&mut self, now: i64, stored: Option<StoredRecord>) -> Loaded {
        self.leads_with(now, stored, false)
    }

    fn leads_with(&mut self, now: i64, stored: Option<StoredRecord>, has_ended: bool) -> Loaded {
        assert!(self.asks_for_lease(now, Some(lease())).is_none());
        assert_eq!(self.next(now, RENEW), "load", "what others have saved comes first");
        self.loads_with(now, stored, has_ended)
    }

    fn gives_back(&mut self, now: i64) {
        self.ask(at(now), LONGEST, ExchangeId(0), Ask::Release(lease()));
        self.take_asked();
    }

    /// The permission for a session that has a token.
    fn next(&self, now: i64, wanted: Wanted) -> String {
        self.next_with(now, wanted, false)
    }

    fn next_with(&self, now: i64, wanted: Wanted, is_unstored: bool) -> String {
        let situation = Situation { now: at(now), longest: LONGEST, wanted, is_unstored, load_every: None };
        match self.permit(&situation) {
            Permitted::Wanted => "go on".into(),
            Permitted::Ask(Ask::Acquire(_)) => "acquire".into(),
            Permitted::Ask(Ask::Load) => "load".into(),
            Permitted::Ask(Ask::Release(_)) => "release".into(),
            Permitted::NotBefore(until) => format!("wait {} ms", until.duration_since(at(now)).as_millis()),
        }
    }
}

fn lease() -> Lease {
    Lease { fence: 1, time: lease_time(LONGEST) }
}

#[test]
fn nothing_is_sent_without_the_lease_and_the_lease_is_released() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    assert_eq!(sharing.next(0, RENEW), "acquire");
    sharing.leads(0, Some(record(1)));
    assert_eq!((sharing.next(0, RENEW), sharing.next(0, Wanted::Save)), ("go on".into(), "go on".into()));
    assert_eq!(sharing.next(1, Wanted::Nothing), "release");
    sharing.gives_back(1);
    assert_eq!((sharing.next(1, Wanted::Nothing), sharing.next(2, RENEW)), ("go on".into(), "acquire".into()));
}

#[test]
fn a_process_with_the_lease_loads_a_reported_change_before_it_sends() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.leads(0, Some(record(1)));
    sharing.changed();
    assert_eq!((sharing.next(0, Wanted::Save), sharing.next(0, RENEW)), ("go on".into(), "load".into()));
    sharing.loads(1, Some(record(1)));
    assert_eq!(sharing.next(1, RENEW), "go on");
}

#[test]
fn a_lease_that_ends_within_the_deadline_allows_saves_but_no_requests() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, Some(record(1)));
    assert_eq!(sharing.next(22_500, RENEW), "go on");
    assert_eq!(sharing.next(22_501, RENEW), "release");
    assert_eq!(sharing.next(60_000, Wanted::Save), "go on");
    sharing.gives_back(22_501);
    assert_eq!(sharing.next(22_501, RENEW), "acquire");
}

#[test]
fn the_lease_is_held_while_a_token_waits_to_be_saved() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.leads(0, Some(record(2)));
    assert_eq!(sharing.next_with(1, Wanted::Nothing, true), "go on");
    sharing.ask_failed(at(1), Ask::Load, down());
    assert_eq!(sharing.next_with(2, Wanted::Nothing, true), "go on");
    assert_eq!(sharing.next(3, Wanted::Nothing), "release");
}

#[test]
fn no_request_follows_a_load_that_failed_although_a_token_waits_to_be_saved() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.asks_for_lease(0, Some(lease()));
    sharing.ask(at(0), LONGEST, ExchangeId(0), Ask::Load);
    sharing.ask_failed(at(1), Ask::Load, down());
    assert_eq!(sharing.next_with(2, Wanted::Save, true), "go on");
    assert_eq!(sharing.next_with(2, RENEW, true), "release");
    sharing.gives_back(2);
    assert_eq!(sharing.next_with(2, RENEW, true), "wait 249 ms");
}

#[test]
fn a_record_of_a_known_revision_is_not_merged_again() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    assert!(matches!(sharing.loads(0, Some(record(1))), Loaded::Known));
    assert!(matches!(sharing.loads(0, Some(record(2))), Loaded::Record(Some(_))));
    sharing.saved(Some(Revision(3)), true);
    assert!(matches!(sharing.loads(0, Some(record(3))), Loaded::Known), "it is this process's own");
}

#[test]
fn a_held_lease_is_requested_again_after_500_ms() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.asks_for_lease(0, None);
    assert_eq!(sharing.next(0, RENEW), "load", "it may have saved a token");
    sharing.loads(0, Some(record(1)));
    assert_eq!(sharing.holder(at(0)), LeaseHolder::AnotherProcess);
    assert_eq!((sharing.next(0, RENEW), sharing.next(0, LOG_IN)), ("wait 500 ms".into(), "wait 500 ms".into()));
    assert_eq!(sharing.next(500, RENEW), "acquire");
    sharing.asks_for_lease(500, None);
    sharing.loads(500, Some(record(1)));
    sharing.changed();
    assert_eq!(sharing.next(501, RENEW), "load");
}

#[test]
fn the_store_is_loaded_at_first_and_when_it_may_have_changed() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    assert_eq!((sharing.next(0, LOG_IN), sharing.next(0, Wanted::Nothing)), ("load".into(), "load".into()));
    sharing.loads(0, Some(record(1)));
    assert_eq!((sharing.next(0, Wanted::Nothing), sharing.known()), ("go on".into(), Some(Revision(1))));
    sharing.changed();
    assert_eq!(sharing.next(1, Wanted::Nothing), "load");
}

#[test]
fn a_session_without_a_token_loads_every_ten_seconds() {
    let sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    assert_eq!(sharing.load_due(load_every(false, false)), Some(at(10_000)));
    assert_eq!(sharing.load_due(load_every(true, false)), None);
}

#[test]
fn a_store_that_is_still_empty_after_a_second_allows_a_login() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.loads(-5000, None);
    assert_eq!(sharing.next(0, LOG_IN), "acquire", "the processes that hold what it has lost learn of this");
    sharing.leads(0, None);
    assert_eq!(sharing.next(0, LOG_IN), "release");
    sharing.gives_back(0);
    assert_eq!(sharing.next(1, LOG_IN), "wait 999 ms");
    assert_eq!(sharing.next(1000, LOG_IN), "acquire");
    sharing.leads(1000, None);
    assert_eq!(sharing.next(1000, LOG_IN), "go on");
}

#[test]
fn a_refresh_waits_a_second_for_other_processes_if_the_store_is_empty() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    let refresh = Wanted::Send(Operation::Refresh);
    sharing.leads(0, None);
    assert_eq!(sharing.next(0, Wanted::Save), "go on", "a process that holds something saves it at once");
    assert_eq!(sharing.next(0, refresh), "release");
    sharing.gives_back(0);
    assert_eq!(sharing.next(1, refresh), "wait 999 ms");
    sharing.leads(1000, None);
    assert_eq!(sharing.next(1000, refresh), "go on");
}

#[test]
fn a_record_between_two_empty_loads_restarts_the_wait_before_a_login() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, None);
    sharing.gives_back(0);
    sharing.loads(500, Some(record(1)));
    sharing.leads(2000, None);
    assert_eq!(sharing.next(2000, LOG_IN), "release");
}

#[test]
fn a_record_of_an_ended_session_is_treated_like_an_empty_store() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.loads_with(0, Some(record(1)), true);
    assert_eq!(sharing.next(0, LOG_IN), "acquire");
    sharing.leads_with(0, Some(record(1)), true);
    assert_eq!(sharing.next(0, LOG_IN), "release", "the store may have fallen back to it");
    sharing.gives_back(0);
    sharing.leads_with(1000, Some(record(1)), true);
    assert_eq!(sharing.next(1000, LOG_IN), "go on");
}

#[test]
fn a_login_waits_for_other_processes_if_the_own_record_has_ended() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, Some(record(1)));
    sharing.saved(Some(Revision(2)), true);
    sharing.gives_back(1);
    sharing.leads_with(2, Some(record(2)), true);
    assert_eq!(sharing.next(2, LOG_IN), "release", "another may hold what it could not save");
}

#[test]
fn a_failed_save_restarts_the_wait_of_a_second_before_a_login() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, None);
    sharing.gives_back(0);
    sharing.leads(1000, None);
    assert_eq!(sharing.next(1000, LOG_IN), "go on");
    sharing.not_saved();
    sharing.gives_back(1000);
    sharing.leads(5000, None);
    assert_eq!(sharing.next(5000, LOG_IN), "release");
}

#[test]
fn a_save_without_a_token_does_not_end_the_wait_for_other_processes() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads_with(0, Some(record(1)), true);
    sharing.saved(Some(Revision(2)), false);
    assert_eq!(sharing.next(0, RENEW), "release");
    sharing.gives_back(0);
    sharing.leads_with(1000, Some(record(2)), true);
    assert_eq!(sharing.next(1000, RENEW), "go on");
}

#[test]
fn a_store_found_empty_again_starts_a_new_wait_before_a_login() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, None);
    sharing.gives_back(0);
    sharing.leads(1000, None);
    sharing.saved(Some(Revision(1)), false);
    sharing.leads(5000, None);
    assert_eq!(sharing.next(5000, LOG_IN), "release");
}

#[test]
fn a_process_that_never_logs_in_loads_without_the_lease_and_renews() {
    let mut sharing = Sharing::new(MayLogIn::Never);
    for now in [0, 500] {
        assert_eq!(sharing.next(now, LOG_IN), "load");
        sharing.loads(now, Some(record(1)));
        assert_eq!(sharing.next(now, LOG_IN), "wait 500 ms");
    }
    assert_eq!(sharing.next(1000, RENEW), "acquire");
    sharing.leads(1000, Some(record(1)));
    assert_eq!((sharing.next(1000, RENEW), sharing.next(1000, LOG_IN)), ("go on".into(), "release".into()));
}

#[test]
fn an_unreadable_record_is_left_unchanged() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    let Loaded::Failed(Failure { error, is_new: true, .. }) = sharing.leads(0, Some(damaged(1))) else {
        panic!("it can't be read");
    };
    assert_eq!(
        error.to_string(),
        "the stored session is damaged: remove it to log in again; with OAuth, the user then has to authorize the app again (the file /a/b)"
    );
    assert_eq!(sharing.next(0, RENEW), "release");
    sharing.gives_back(0);
    assert_eq!(sharing.next(0, RENEW), "wait 250 ms");
    sharing.changed();
    assert_eq!(sharing.next(0, RENEW), "wait 250 ms", "a change of the record is looked for later");
    assert_eq!(sharing.next(250, RENEW), "load");
    let again = sharing.loads(250, Some(damaged(1)));
    assert!(matches!(again, Loaded::Failed(Failure { is_new: false, .. })), "it was reported");
    assert_eq!(sharing.next(250, LOG_IN), "wait 500 ms");
    sharing.loads(750, Some(record(2)));
    sharing.leads(750, Some(record(2)));
    assert_eq!(sharing.next(750, RENEW), "go on");
}

#[test]
fn an_unreadable_record_is_replaced_if_the_settings_allow_it() {
    let mut sharing = Sharing::new(MayLogIn::EvenIfUnreadable);
    assert!(matches!(sharing.leads(0, Some(damaged(1))), Loaded::Unreadable));
    assert_eq!((sharing.next(0, LOG_IN), sharing.known()), ("go on".into(), Some(Revision(1))));
}

#[test]
fn the_pauses_after_store_failures_grow_from_250_ms_to_10_seconds() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    let mut now = 0;
    let pauses = [(); 8].map(|()| {
        let failure = sharing.ask_failed(at(now), Ask::Load, down()).unwrap();
        let pause = i64::try_from(failure.retry_at.duration_since(at(now)).as_millis()).unwrap();
        now += pause;
        pause
    });
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    sharing.loads(now, Some(record(1)));
    assert!(sharing.ask_failed(at(now), Ask::Load, down()).unwrap().is_new, "the store had worked in between");
}

#[test]
fn a_store_that_is_down_is_reported_once_for_all_requests() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    assert!(sharing.ask_failed(at(0), Ask::Load, down()).unwrap().is_new);
    assert!(!sharing.ask_failed(at(250), Ask::Acquire(LONGEST), down()).unwrap().is_new);
}

#[test]
fn a_change_of_the_store_ends_the_pause_after_a_failure() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.ask_failed(at(0), Ask::Load, down());
    assert_eq!(sharing.next(1, RENEW), "wait 249 ms");
    sharing.changed();
    assert_eq!(sharing.next(1, RENEW), "load");
}

#[test]
fn a_process_without_the_lease_still_loads() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    let acquire = Ask::Acquire(LONGEST);
    assert_eq!(sharing.next(0, RENEW), "acquire");
    assert!(sharing.ask_failed(at(0), acquire, down()).unwrap().is_new);
    assert_eq!(sharing.next(250, RENEW), "load");
    sharing.loads(250, Some(record(1)));
    assert_eq!(sharing.next(250, RENEW), "acquire");
    assert!(!sharing.ask_failed(at(250), acquire, down()).unwrap().is_new, "a load does not repair the store");
    sharing.changed();
    assert_eq!(sharing.next(251, RENEW), "load", "another process may have renewed");
    sharing.leads(300, Some(record(2)));
    assert!(sharing.ask_failed(at(400), acquire, down()).unwrap().is_new, "the store had worked in between");
}

#[test]
fn a_process_whose_save_was_overtaken_gives_the_lease_back() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, Some(record(1)));
    sharing.saved(Some(Revision(2)), true);
    assert!(matches!(sharing.holder(at(0)), LeaseHolder::ThisProcess { until } if until == at(67_500)));
    sharing.saved(None, true);
    assert_eq!((sharing.holder(at(0)), sharing.next(1, Wanted::Save)), (LeaseHolder::Nobody, "release".into()));
    sharing.gives_back(1);
    assert_eq!(sharing.next(1, Wanted::Save), "acquire");
}

#[test]
fn a_lease_longer_than_requested_is_held_only_for_the_requested_time() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    let long = Lease { fence: 1, time: Duration::from_secs(1000) };
    assert!(sharing.asks_for_lease(0, Some(long)).is_none());
    assert!(matches!(sharing.holder(at(67_499)), LeaseHolder::ThisProcess { until } if until == at(67_500)));
    assert_eq!(sharing.holder(at(67_500)), LeaseHolder::Nobody);
}

#[test]
fn a_late_lease_does_not_replace_a_held_or_requested_lease() {
    let late = Lease { fence: 9, time: Duration::from_secs(67) };
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.asks_for_lease(0, Some(lease()));
    sharing.given_late(at(1), late);
    assert_eq!(sharing.lease(), Some(lease()));
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    sharing.ask(at(0), LONGEST, ExchangeId(1), Ask::Acquire(lease_time(LONGEST)));
    sharing.given_late(at(1), late);
    assert_eq!(sharing.lease(), None);
}

#[test]
fn is_always_overtaken_is_true_after_the_third_overtaken_save() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    let always = core::array::from_fn(|_| {
        sharing.saved(None, true);
        sharing.is_always_overtaken()
    });
    assert_eq!(always, [false, false, true]);
}

#[test]
fn a_lease_that_is_too_short_for_a_request_is_released() {
    let mut sharing = Sharing::after_load(MayLogIn::WhenNeeded);
    let short = Lease { fence: 1, time: Duration::from_secs(10) };
    let failure = sharing.asks_for_lease(0, Some(short)).unwrap();
    assert_eq!(failure.error.to_string(), "the store gives its lease for 10 s, and a request may take 45 s");
    assert_eq!(sharing.next(0, RENEW), "release");
    sharing.gives_back(0);
    assert_eq!(sharing.next(0, RENEW), "wait 250 ms");
}

#[test]
fn a_changed_record_or_a_store_failure_restarts_the_wait_before_a_login() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, None);
    assert!(!sharing.allows_login);
    sharing.gives_back(0);
    sharing.leads_with(100_000, Some(record(1)), true);
    assert!(!sharing.allows_login, "it has not been seen for a second");
    sharing.gives_back(100_000);
    assert!(sharing.ask_failed(at(100_500), Ask::Load, down()).is_some());
    sharing.leads_with(102_000, Some(record(1)), true);
    assert!(!sharing.allows_login, "other processes could not save either");
    sharing.gives_back(102_000);
    sharing.leads_with(103_499, Some(record(1)), true);
    assert!(!sharing.allows_login, "another process can be in a pause of 500 ms");
    sharing.gives_back(103_499);
    sharing.leads_with(104_999, Some(record(1)), true);
    assert!(sharing.allows_login);
}

#[test]
fn after_a_long_outage_other_processes_have_time_to_end_their_pauses() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    for second in 0..8 {
        assert!(sharing.ask_failed(at(second * 10_000), Ask::Load, down()).is_some());
    }
    sharing.leads(100_000, None);
    sharing.gives_back(100_000);
    sharing.leads(110_999, None);
    assert!(!sharing.allows_login, "the pause of another process can last ten seconds");
    sharing.gives_back(110_999);
    sharing.leads(121_999, None);
    assert!(sharing.allows_login);
}

#[test]
fn a_change_in_the_second_before_a_login_is_loaded_at_once() {
    let mut sharing = Sharing::new(MayLogIn::WhenNeeded);
    sharing.leads(0, None);
    sharing.gives_back(0);
    assert_eq!(sharing.next(10, LOG_IN), "wait 990 ms");
    sharing.changed();
    assert_eq!(sharing.next(10, LOG_IN), "load");
}
