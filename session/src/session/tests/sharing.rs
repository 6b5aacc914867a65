//! Several processes with one store: what each adopts from the others, and what it saves for them.

use super::*;

/// A session that shares its store.
pub(super) fn member(mut world: World) -> World {
    world.session = world.session.with_shared_store(MayLogIn::WhenNeeded);
    // A record of this user without a token. With an empty store, the session would first check again that it is empty.
    let session = Ok(world.snapshot());
    world.record = Some(stored_record(Revision(0), session));
    world
}

/// The world at a time, after it has loaded a record that another process saved at its own time.
pub(super) fn in_step(mut world: World, minute: u64, other: &World) -> World {
    world.now = later(start(), minutes(minute));
    synchronize(&mut world, other);
    world
}

pub(super) fn synchronize(world: &mut World, other: &World) {
    let text = serde_json::to_string(&other.snapshot()).unwrap();
    let age = Duration::try_from(world.now.duration_since(other.now)).unwrap_or_default();
    let stored = serde_json::from_str(&text).unwrap();
    world.session.synchronize(world.now, Some((stored, Some(age))), &mut world.budget);
    world.write_events();
}

impl World {
    /// Answers the questions to the store until the session saves. Returns the id of the save.
    pub(super) fn offered(&mut self) -> ExchangeId {
        loop {
            match self.session.poll(self.now, &mut self.budget) {
                Action::Store { id, request: StoreRequest::Save { .. } } => return id,
                Action::Store { id, request } => self.ask_store(id, request),
                action => panic!("{action:?}"),
            }
        }
    }

    /// A login that is announced and not yet sent.
    pub(super) fn announce(&mut self) {
        let id = self.offered();
        self.stored(id);
    }
}

/// What the session would do next without a shared store.
pub(super) fn pending(world: &mut World) -> Option<Wanted> {
    world.session.observe(world.now);
    world.session.gates.see(world.now, &world.budget);
    loop {
        if let Some(next) = world.session.next_step(world.now, &mut world.budget) {
            return Some(next.wanted()).filter(|wanted| *wanted != Wanted::Nothing);
        }
    }
}

fn refresh_token(world: &World) -> String {
    world.snapshot().0.record.tokens.refresh.unwrap().token.expose().into()
}

#[test]
fn a_due_renewal_is_pending_until_another_process_has_renewed() {
    let mut leader = member(World::user([token_to("one", 80), token_to("two", 160)]));
    let mut other = member(World::user([]));
    leader.run(minutes(1));
    synchronize(&mut other, &leader);
    other.now = later(start(), minutes(66));
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::Renew)));
    leader.run(minutes(66));
    synchronize(&mut other, &leader);
    assert_eq!((pending(&mut other), other.token().as_deref()), (None, Some("two")));
}

#[test]
fn an_older_record_is_not_adopted_and_the_held_tokens_are_saved_again() {
    let mut older = member(World::user([token_to("one", 80)]));
    older.run(minutes(1));
    let mut holder = member(World::user([token_to("one", 80), token_to("two", 160)]));
    holder.run(minutes(70));
    synchronize(&mut holder, &older);
    assert_eq!(holder.token().as_deref(), Some("two"));
    assert_eq!(pending(&mut holder), Some(Wanted::Save));
    holder.run(minutes(71));
    let stored = holder.stored.last().unwrap().clone();
    holder.session.synchronize(holder.now, Some((stored, None)), &mut holder.budget);
    assert_eq!(pending(&mut holder), None, "now they agree");
}

#[test]
fn a_process_saves_its_tokens_again_to_a_store_that_lost_them() {
    let mut holder = member(World::user([token_to("one", 80)]));
    holder.run(minutes(1));
    holder.session.synchronize(holder.now, None, &mut holder.budget);
    assert_eq!(pending(&mut holder), Some(Wanted::Save));
    let mut cold = member(World::user([]));
    cold.session.synchronize(cold.now, None, &mut cold.budget);
    assert_eq!(pending(&mut cold), Some(Wanted::Send(Operation::LogIn)), "it holds nothing");
}

fn first_two() -> [Answer; 2] {
    [refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2")]
}

#[test]
fn a_newer_refresh_token_ends_the_wait_for_a_consent() {
    let mut leader = member(World::app([refreshed("at-1", "rt-1")]));
    leader.run(minutes(1));
    let app = Session::new(Environment::live(), Login::app(OAuthApp::new("client")), 0);
    let mut other = member(World::of(app, []));
    other.run(minutes(1));
    assert!(matches!(other.session.stop_reason(), Some(StopReason::ConsentRequired)));
    synchronize(&mut other, &leader);
    assert!(other.session.stop_reason().is_none());
    assert_eq!(other.token().as_deref(), Some("at-1"));
}

#[test]
fn a_token_that_one_process_found_dead_is_dead_for_all_processes() {
    let mut leader = member(World::user([token_to("one", 80), status(401, DEAD), Answer::Silence]));
    leader.run(minutes(10));
    let mut other = in_step(member(World::user([])), 10, &leader);
    other.reject(401, DEAD);
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::Renew)));
    leader.reject(401, DEAD);
    leader.run(minutes(10));
    synchronize(&mut other, &leader);
    assert_eq!(other.token(), None);
    assert_eq!(pending(&mut other), None, "a login is announced");
    other.now = later(start(), minutes(15));
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::LogIn)), "{}", other.trace());
}

#[test]
fn a_failed_renewal_also_delays_the_renewal_of_another_process() {
    let mut leader = member(World::user([token_to("one", 80), status(500, "")]));
    leader.run(minutes(65));
    assert!(leader.trace().ends_with("store"), "what has failed is stored: {}", leader.trace());
    let mut other = in_step(member(World::user([])), 65, &leader);
    assert_eq!(pending(&mut other), None);
    other.now = later(start(), minutes(75));
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::Renew)));
    let mut alone = World::user([token_to("one", 80), status(500, "")]).storing([]);
    alone.run(minutes(65));
    assert!(alone.trace().contains("renewal failed") && !alone.trace().ends_with("store"), "{}", alone.trace());
}

#[test]
fn a_ticket_can_be_used_by_the_next_process() {
    let penalty = ok(r#"{"p-ticket":"ticket","p-time":15}"#);
    let mut leader = member(World::user([token_to("one", 80), penalty]));
    leader.run(minutes(1));
    let mut other = in_step(member(World::user([token_to("two", 160)])), 1, &leader);
    leader.session.bring_forward(leader.now);
    leader.run(minutes(1));
    synchronize(&mut other, &leader);
    other.session.bring_forward(other.now);
    assert_eq!(pending(&mut other), None, "the ticket's time has not come");
    other.run(minutes(2));
    assert_eq!(other.session.record.postponed.get().map(|postponed| postponed.operation), None, "it is used up");
    assert_eq!(other.token().as_deref(), Some("two"));
}

#[test]
fn an_overtaken_snapshot_is_saved_again_at_once() {
    let mut world = member(World::user([token_to("one", 80)])).storing([Some(true), None]);
    world.run(Duration::ZERO);
    let id = world.silent.remove(0);
    assert_eq!(pending(&mut world), None, "it is being stored");
    world.store_answers(id, Ok(StoreAnswer::Saved(None)));
    assert_eq!(pending(&mut world), Some(Wanted::Save));
    insta::assert_snapshot!(world.run(minutes(1)).trace(), @"
    0:00 store
    0:00 → demo accesstokenrequest
    0:00 store, no answer
    0:00 store
    0:00 logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_refusal_is_saved_once_for_the_other_processes() {
    let mut world = member(World::user([ok(BAD_PASSWORD)]));
    world.run(minutes(1));
    assert!(matches!(world.session.stop_reason(), Some(StopReason::Refused(_))));
    assert_eq!(world.stored.len(), 2, "the announced login, and the refusal: {}", world.trace());
    let snapshot = world.stored.pop().unwrap();
    let mut other = member(World::user([]));
    other.session.synchronize(world.now, Some((snapshot, None)), &mut other.budget);
    assert_eq!(other.budget.taken(world.now, Operation::LogIn).count(), 1, "it counts for all");
    let mut alone = World::user([ok(BAD_PASSWORD)]).storing([]);
    alone.run(minutes(1));
}

#[test]
fn a_wrong_local_clock_is_corrected_by_the_age_of_a_loaded_record() {
    let mut leader = member(World::user([Answer::Token("one", 80)])).ahead(SignedDuration::ZERO);
    leader.run(minutes(1));
    let stored: StoredSession = serde_json::from_str(&serde_json::to_string(&leader.snapshot()).unwrap()).unwrap();
    // The clock of the process is ten minutes behind. It loads a minute after the snapshot was taken.
    let now = later(start(), minutes(2)).saturating_sub(SignedDuration::from_mins(10)).unwrap();
    let mut other = member(World::user([]));
    other.session.synchronize(now, Some((stored, Some(minutes(1)))), &mut other.budget);
    let usable_until = |world: &World, now| world.session.token(now).unwrap().usable_until;
    let behind = usable_until(&leader, leader.now).duration_since(usable_until(&other, now));
    assert_eq!(behind.as_secs(), 600);
}

#[test]
fn every_login_and_refresh_is_announced_in_the_store_first() {
    let mut world = member(World::user([])).storing((0..100).map(|_| Some(false)));
    world.run(minutes(1));
    assert!(
        !world.trace().contains('→'),
        "a store that can't be written to is no place for a session: {}",
        world.trace()
    );
    let mut app = member(World::app([refreshed("at-1", "rt-1")]));
    app.run(minutes(1));
    assert_eq!(app.trace().matches("store").count(), 2, "{}", app.trace());
    assert!(app.trace().find("store") < app.trace().find('→'), "{}", app.trace());
    let mut alone = World::user([token_to("one", 80)]).storing([]);
    alone.run(minutes(1));
    assert_eq!(alone.trace().matches("store").count(), 2, "{}", alone.trace());
    assert!(alone.trace().find("store") < alone.trace().find('→'), "{}", alone.trace());
    let mut app_alone = World::app([refreshed("at-1", "rt-1")]).storing([]);
    app_alone.run(minutes(1));
    assert_eq!(app_alone.trace().matches("store").count(), 1, "only for other processes: {}", app_alone.trace());
}

#[test]
fn a_session_renews_before_it_repeats_a_refresh_announced_before_a_crash() {
    let mut crashed = member(World::app([refreshed("at-1", "rt-1"), Answer::Silence]));
    crashed.run(minutes(65));
    let mut next = in_step(member(World::app([token_to("renewed", 200)])), 65, &crashed);
    next.run(minutes(66));
    assert!(next.trace().contains("65:00 → live renewaccesstoken (at-1)"), "{}", next.trace());
}

#[test]
fn a_refresh_of_this_process_is_not_taken_for_one_that_another_process_has_announced() {
    let mut world = member(World::app([refreshed("at-1", "rt-1"), Answer::Silence]));
    world.run(minutes(64));
    world.now = later(start(), minutes(65));
    world.announce();
    for _ in ["announced", "in flight"] {
        world.session.judge_announced_refresh(world.now);
        assert!(!world.session.record.tokens.refresh.as_ref().unwrap().outcome_unknown.is_set());
        world.run(minutes(65));
    }
    assert!(world.trace().ends_with("oauthtoken (rt-1)"), "{}", world.trace());
}

#[test]
fn has_unstored_grant_is_true_until_the_token_is_stored() {
    let mut world = member(World::user([token_to("one", 80)])).storing([Some(true), Some(false)]);
    world.run(Duration::ZERO);
    assert!(world.session.has_unstored_token());
    world.run(minutes(1));
    assert!(!world.session.has_unstored_token() && world.token().is_some());
}

#[test]
fn a_newer_access_token_does_not_restore_an_older_refresh_token() {
    let mut old = member(World::app(first_two()));
    old.run(minutes(1));
    let mut refresher = member(World::app(first_two()));
    refresher.run(minutes(66));
    assert_eq!(refresh_token(&refresher), "rt-2");
    let mut renewer = in_step(member(World::app([token_to("renewed", 200)])), 67, &old);
    renewer.reject(401, "Expired Access Token");
    renewer.run(minutes(67));
    refresher.now = later(start(), minutes(68));
    synchronize(&mut refresher, &renewer);
    assert_eq!((refresher.token().as_deref(), refresh_token(&refresher).as_str()), (Some("renewed"), "rt-2"));
    assert_eq!(pending(&mut refresher), Some(Wanted::Save), "the others get it back");
}

#[test]
fn a_refused_and_an_unanswered_refresh_count_for_all_processes() {
    let mut leader = member(World::app([refreshed("at-1", "rt-1"), ok(INVALID_GRANT)]));
    // One second before its second try.
    leader.run(Duration::from_secs(3901));
    let mut other = in_step(member(World::app([ok(INVALID_GRANT), token_to("renewed", 200)])), 65, &leader);
    other.session.synchronize(other.now, Some((leader.snapshot(), None)), &mut other.budget);
    other.run(minutes(66));
    assert_eq!(other.trace().matches("oauthtoken (rt-1)").count(), 1, "{}", other.trace());
    assert!(other.trace().contains("refused"), "{}", other.trace());

    let mut leader = member(World::app([refreshed("at-1", "rt-1"), Answer::Failure(Failure::MaybeSent)]));
    leader.run(Duration::from_millis(3_900_400));
    let mut other = in_step(member(World::app([])), 66, &leader);
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::Renew)), "{}", leader.trace());
}

#[test]
fn a_forgotten_session_does_not_adopt_the_session_of_another_process() {
    let mut other = member(World::user([token_to("one", 80)]));
    other.run(minutes(1));
    let mut world = in_step(member(World::user([])), 1, &other);
    world.session.forget(world.now);
    synchronize(&mut world, &other);
    assert!(matches!(world.session.stop_reason(), Some(StopReason::Forgotten)));
}

#[test]
fn the_cause_of_a_failed_save_is_reported() {
    let mut world = member(World::user([token_to("one", 80)])).storing([Some(true), None]);
    world.run(Duration::ZERO);
    let id = world.silent.remove(0);
    world.store_answers(id, Err(disk_full()));
    world.write_events();
    assert!(world.trace().contains("the disk is full"), "{}", world.trace());
    assert!(world.session.has_unstored_token());
}

#[test]
fn a_process_adopts_the_token_that_replaced_a_dead_one() {
    let mut leader = member(World::user([token_to("one", 80), status(401, DEAD), token_to("two", 90)]));
    leader.run(minutes(10));
    let mut other = in_step(member(World::user([])), 10, &leader);
    leader.reject(401, DEAD);
    leader.run(minutes(11));
    other.now = leader.now;
    synchronize(&mut other, &leader);
    assert_eq!((other.token().as_deref(), pending(&mut other)), (Some("two"), None));
}

#[test]
fn an_overdue_exchange_does_not_affect_a_token_adopted_meanwhile() {
    let mut leader = member(World::user([token_to("one", 80), token_to("two", 160)]));
    leader.run(minutes(1));
    let mut other = in_step(member(World::user([Answer::Silence])), 1, &leader);
    other.run(minutes(65));
    leader.run(minutes(65));
    other.now = later(start(), minutes(67));
    synchronize(&mut other, &leader);
    other.run(minutes(68));
    assert_eq!(other.token().as_deref(), Some("two"));
    assert!(!other.trace().contains("failed"), "{}", other.trace());
}

#[test]
fn a_pause_also_applies_to_processes_without_a_token() {
    let mut leader = member(World::user([status(500, "")]));
    leader.run(Duration::ZERO);
    let mut other = member(World::user([]));
    synchronize(&mut other, &leader);
    assert_eq!(pending(&mut other), None);
}

#[test]
fn a_pause_of_another_process_applies_to_a_process_with_an_expired_token() {
    let captcha = ok(r#"{"p-captcha":true}"#);
    let mut other = member(World::user([token_to("one", 80), captcha])).ahead(SignedDuration::ZERO);
    other.run(Duration::from_secs(79 * 60 + 45));
    let mut fresh = member(World::user([status(500, "")]));
    let when = Duration::from_secs(80 * 60 + 30);
    fresh.now = later(start(), when);
    fresh.run(when);
    other.now = fresh.now;
    assert_eq!(pending(&mut other), Some(Wanted::Send(Operation::LogIn)));
    synchronize(&mut other, &fresh);
    assert_eq!(pending(&mut other), None);
}

#[test]
fn a_snapshot_whose_save_took_long_is_saved_once_more() {
    let mut world = member(World::user([token_to("one", 80)])).storing([Some(true), None]);
    world.run(Duration::ZERO);
    for expected in [Some(Wanted::Save), None] {
        let id = match world.silent.pop() {
            Some(id) => id,
            None => world.offered(),
        };
        world.now = later(world.now, Duration::from_secs(11));
        world.stored(id);
        assert_eq!(pending(&mut world), expected);
    }
}

/// Makes a session load the last record that another session has saved at the same time.
pub(super) fn load_from(world: &mut World, other: &World) {
    world.now = world.now.max(other.now);
    (world.record, world.saved_at) = (other.record.clone(), other.saved_at);
    world.session.store_changed();
}

#[test]
fn a_token_that_cannot_be_saved_is_used_after_the_old_one_expires() {
    let works = [Some(true), Some(true)].into_iter().chain([Some(false); 200]);
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160), token_to("three", 240)]));
    world.store_works = works.collect();
    world.run(minutes(79));
    assert_eq!(world.token().as_deref(), Some("one"));
    world.run(minutes(80));
    assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
    assert!(world.session.has_unstored_token());
    world.store_works.clear();
    world.run(minutes(82));
    assert_eq!(
        world.record.as_ref().unwrap().session.as_ref().unwrap().expires_at(),
        Some(later(start(), minutes(160)))
    );
    assert!(!world.session.has_unstored_token());
    assert!(world.trace().ends_with("the store works again"), "{}", world.trace());
}

#[test]
fn an_unsaved_token_that_is_dead_does_not_count_as_unsaved() {
    let works = [Some(true), Some(true)].into_iter().chain([Some(false); 200]);
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160), status(401, DEAD)]));
    world.store_works = works.collect();
    world.run(minutes(81));
    assert_eq!((world.token().as_deref(), world.session.has_unstored_token()), (Some("two"), true));
    world.reject(401, DEAD);
    world.run(minutes(82));
    assert!(world.trace().contains("the server no longer accepts the token"), "{}", world.trace());
    assert!(!world.session.has_unstored_token(), "{}", world.trace());
}

#[test]
fn a_failed_save_is_retried_when_another_process_acquires_the_lease() {
    let works = [Some(true), Some(true)].into_iter().chain([Some(false); 100]);
    let mut world = member(World::user([token_to("one", 80), token_to("two", 160)]));
    world.store_works = works.collect();
    world.run(minutes(70));
    assert!(world.session.has_unstored_token(), "{}", world.trace());
    world.store_works.clear();
    world.session.store_changed();
    world.run(minutes(70));
    assert!(!world.session.has_unstored_token(), "the pause is over: {}", world.trace());
}

#[test]
fn a_refresh_token_that_the_store_refuses_is_not_presented() {
    let works = [Some(true), Some(true), Some(true)].into_iter().chain([Some(false); 2000]);
    let mut world = member(World::app([refreshed("at-1", "rt-1"), refreshed("at-2", "rt-2"), token_to("at-3", 300)]));
    world.store_works = works.collect();
    world.run(minutes(200));
    assert!(world.trace().contains("oauthtoken (rt-1)") && !world.trace().contains("(rt-2)"), "{}", world.trace());
}

#[test]
fn after_forget_every_process_drops_the_session_and_none_saves_it_again() {
    let mut first = member(World::user([token_to("one", 80)]));
    first.run(minutes(1));
    let mut second = member(World::user([]));
    load_from(&mut second, &first);
    second.run(minutes(1));
    assert_eq!(second.token().as_deref(), Some("one"));
    first.session.forget(first.now);
    first.run(minutes(2));
    load_from(&mut second, &first);
    second.run(minutes(300));
    assert!(matches!(second.session.stop_reason(), Some(StopReason::Forgotten)), "{}", second.trace());
    assert!(second.stored.is_empty() && second.token().is_none());
    let mut next = member(World::user([token_to("two", 380)]));
    load_from(&mut next, &first);
    next.run(minutes(301));
    assert_eq!(next.token().as_deref(), Some("two"), "a process that starts later logs in: {}", next.trace());
}

#[test]
fn a_login_announced_by_another_process_blocks_logins_as_long_as_a_request_may_take() {
    let mut first = member(World::user([Answer::Silence]));
    first.run(Duration::ZERO);
    let mut second = member(World::user([]));
    load_from(&mut second, &first);
    second.run(Duration::from_secs(44));
    assert!(!second.trace().contains('→'), "{}", second.trace());
    assert_eq!(pending(&mut second), None);
    second.now = later(start(), Duration::from_secs(45));
    assert_eq!(pending(&mut second), Some(Wanted::Send(Operation::LogIn)));
}

#[test]
fn a_process_that_loads_an_expired_token_waits_for_the_tokens_of_others() {
    let tokens = || [token_to("one", 80), token_to("two", 160)];
    let (mut old, mut holder) = (member(World::user(tokens())), member(World::user(tokens())));
    old.run(minutes(1));
    holder.run(minutes(90));
    let mut cold = member(World::user([]));
    load_from(&mut cold, &old);
    cold.now = holder.now;
    cold.run(Duration::from_millis(90 * 60_000 + 900));
    assert!(!cold.trace().contains('→'), "nothing has told it the server's time: {}", cold.trace());
    load_from(&mut cold, &holder);
    cold.run(minutes(92));
    assert_eq!((cold.token().as_deref(), cold.trace().contains('→')), (Some("two"), false), "{}", cold.trace());
}

#[test]
fn an_answer_of_the_wrong_kind_to_a_load_counts_as_a_store_failure() {
    let mut world = member(World::user([]));
    let Action::Store { id, request: StoreRequest::Load } = world.session.poll(world.now, &mut world.budget) else {
        panic!("it loads first")
    };
    world.store_answers(id, Ok(StoreAnswer::Released));
    world.write_events();
    assert!(world.trace().contains("the store answered another question"), "{}", world.trace());
}

#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let mut world = member(World::user([token_to("one", 80)]));
    let Action::Store { .. } = world.session.poll(world.now, &mut world.budget) else { panic!("it loads first") };
    world.run(minutes(1));
    assert!(world.trace().contains("the store gave no answer in time"), "{}", world.trace());
    assert_eq!(world.token().as_deref(), Some("one"));
}

const PENALTY: &str = r#"{"p-ticket":"ticket","p-time":15}"#;

/// A process whose login was postponed by the server, and that ends before the login is sent again.
pub(super) fn postponed() -> World {
    let mut world = member(World::user([ok(PENALTY)]));
    world.run(Duration::from_secs(14));
    world
}

/// The next process, after it has loaded the last record of the one before.
pub(super) fn after(first: &World, session: Session, script: impl IntoIterator<Item = Answer>) -> World {
    let mut world = member(World::of(session, script));
    load_from(&mut world, first);
    world
}

fn user(password: &str) -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", password), 0)
}

fn user_with(password: &str, version: &str) -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", password).with_app("app", version), 0)
}

#[test]
fn another_process_sends_the_ticket_with_the_same_request() {
    let first = postponed();
    let mut second = after(
        &first,
        Session::new(Environment::demo(), Credentials::new("trader", "password"), 0),
        [token_to("one", 80)],
    );
    second.run(minutes(1));
    assert!(second.trace().contains("0:15 → demo accesstokenrequest with the ticket"), "{}", second.trace());
}

#[test]
fn a_ticket_is_not_sent_with_another_request() {
    let first = postponed();
    let mut second = after(&first, user_with("password", "2.0"), [token_to("one", 80)]);
    second.run(minutes(1));
    assert!(second.trace().contains("0:15 → demo accesstokenrequest\n"), "it waits all the same: {}", second.trace());
    assert!(!second.trace().contains("with the ticket"), "{}", second.trace());
}

#[test]
fn a_sent_ticket_is_spent_for_all_processes() {
    let mut first = member(World::user([ok(PENALTY), Answer::Silence]));
    first.run(Duration::from_secs(20));
    assert!(first.trace().ends_with("with the ticket"), "{}", first.trace());
    let session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 0);
    let mut second = after(&first, session, [token_to("one", 80)]);
    second.run(minutes(30));
    assert!(second.trace().contains("→ demo accesstokenrequest"), "{}", second.trace());
    assert!(!second.trace().contains("with the ticket"), "{}", second.trace());
}

#[test]
fn a_ticket_is_used_again_if_its_request_was_not_sent() {
    let mut world = member(World::user([ok(PENALTY), Answer::Failure(Failure::NotSent), token_to("one", 80)]));
    world.run(minutes(1));
    assert_eq!(world.trace().matches("with the ticket").count(), 2, "{}", world.trace());
}

#[test]
fn the_stored_hash_of_a_postponed_login_does_not_depend_on_the_password() {
    let stored = |password: &str| {
        let mut world = member(World::of(user_with(password, "1.0"), [ok(PENALTY)]));
        world.run(Duration::from_secs(14));
        world.record.unwrap().session.unwrap().0.record.postponed.get().unwrap().request.clone()
    };
    assert_eq!(stored("password"), stored("another"));
}

#[test]
fn a_token_that_another_process_obtains_by_a_login_is_loaded_within_half_a_second() {
    let mut first = member(World::user([Answer::Silence]));
    first.run(Duration::ZERO);
    let mut second = member(World::user([]));
    load_from(&mut second, &first);
    second.run(seconds(1));
    first.now = second.now;
    first.answer_late(token_to("one", 80));
    first.run(seconds(1));
    // No store tells the second process of the change.
    (second.record, second.saved_at) = (first.record.clone(), first.saved_at);
    second.run(Duration::from_millis(1500));
    assert_eq!(second.token().as_deref(), Some("one"), "{}", second.trace());
}

#[test]
fn another_try_does_not_send_the_ticket_of_the_earlier_password() {
    let first = postponed();
    for (session, is_sent) in [(user("password"), true), (user("corrected").with_another_try(), false)] {
        let mut second = after(&first, session, [token_to("one", 80)]);
        second.run(minutes(1));
        assert_eq!(second.trace().contains("with the ticket"), is_sent, "{}", second.trace());
    }
}

#[test]
fn another_try_sends_the_ticket_that_it_was_given() {
    let session = user("password").with_another_try();
    let mut world = member(World::of(session, [ok(PENALTY), token_to("one", 80)]));
    world.run(seconds(1));
    world.session.store_changed();
    world.run(minutes(1));
    assert!(world.trace().contains("with the ticket"), "{}", world.trace());
}

#[test]
fn replaced_credentials_do_not_send_the_ticket_that_another_process_was_given() {
    let first = postponed();
    let mut second = member(World::user([token_to("one", 80)]));
    second.session.replace_credentials(Credentials::new("trader", "corrected"));
    load_from(&mut second, &first);
    second.run(minutes(1));
    assert!(second.trace().contains("→ demo accesstokenrequest\n"), "{}", second.trace());
}

#[test]
fn a_login_of_this_process_does_not_count_as_one_of_another_process() {
    let mut world = member(World::user([Answer::Silence]));
    world.run(Duration::ZERO);
    assert!(world.session.sending().is_some(), "{}", world.trace());
    assert_eq!(world.session.load_every(world.now), Some(seconds(10)));
    let Action::Wait { until } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    assert_eq!(until, later(start(), seconds(10)));
}
