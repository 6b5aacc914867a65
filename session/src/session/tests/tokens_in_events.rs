//! Each event of a failure says until when the token is usable, or that the program has none.

use super::*;

const PENALTY: &str = r#"{"p-ticket":"ticket","p-time":15}"#;
const CAPTCHA: &str = r#"{"p-ticket":"ticket","p-time":15,"p-captcha":true}"#;
const INVALID_CLIENT: &str = r#"{"error":"invalid_client"}"#;

/// The end of [`Policy::margin`] before the expiry of a token of 80 minutes that was issued at the start.
const USABLE: Option<Duration> = Some(Duration::from_secs(79 * 60 + 30));

/// The time until which the first event with this name says that the token is usable.
#[track_caller]
fn usable_until(world: &mut World, name: &str) -> Option<Duration> {
    for _ in 0..100 {
        while let Some(event) = world.session.next_event() {
            if event.kind.name() == name {
                let message = event.to_string();
                let usable_until = field(event.kind);
                let expected = match usable_until {
                    Some(end) => format!("; the token is usable until {end:.0}"),
                    None => "; the program has no token".into(),
                };
                assert!(message.contains(&expected), "{message}");
                return usable_until.map(|end| Duration::try_from(end.duration_since(start())).unwrap());
            }
        }
        match world.session.poll(world.now, &mut world.budget) {
            Action::Send { id, .. } => {
                let answer = world.script.pop_front().expect("an answer is left");
                world.answer(id, answer);
            }
            Action::Store { id, request } => world.ask_store(id, request),
            Action::Wait { until } => world.now = until,
            action => panic!("{action:?}"),
        }
    }
    panic!("no event {name}");
}

fn field(event: EventKind) -> Option<Timestamp> {
    match event {
        EventKind::Failed { usable_until, .. }
        | EventKind::Postponed { usable_until, .. }
        | EventKind::CaptchaAsked { usable_until, .. }
        | EventKind::LockedOut { usable_until, .. }
        | EventKind::Refused { usable_until, .. }
        | EventKind::RefreshRefused { usable_until, .. }
        | EventKind::AppRefused { usable_until, .. }
        | EventKind::StoreFailed { usable_until, .. } => usable_until,
        other => panic!("{other}"),
    }
}

/// A session without a token, and one that renews its token.
fn without_and_with_token(answer: fn() -> Answer) -> [World; 2] {
    [World::user([answer()]), World::user([token_to("one", 80), answer()])]
}

#[test]
fn a_failure_says_until_when_the_token_is_usable() {
    for answer in [|| status(500, ""), || Answer::Failure(Failure::NotSent)] {
        let found = without_and_with_token(answer).map(|mut world| usable_until(&mut world, "failed"));
        assert_eq!(found, [None, USABLE]);
    }
}

#[test]
fn a_failed_renewal_of_a_token_that_a_caller_reported_dead_says_that_there_is_no_token() {
    let mut world = World::user([token_to("one", 80), status(500, "")]);
    world.run(minutes(1));
    world.reject(401, DEAD);
    assert_eq!(usable_until(&mut world, "failed"), None);
}

#[test]
fn a_failed_login_says_that_a_token_adopted_meanwhile_is_usable() {
    let mut other = World::user([token_to("one", 80)]);
    let stored = other.run(seconds(1)).snapshot();
    let mut world = World::user([]);
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.now = later(world.now, seconds(1));
    adopt(&mut world, stored);
    world.answer(id, Answer::Failure(Failure::NotSent));
    assert_eq!(usable_until(&mut world, "failed"), USABLE);
}

#[test]
fn a_refused_refresh_that_is_tried_again_says_until_when_the_token_is_usable() {
    let mut world = World::app([ok(INVALID_GRANT)]);
    assert_eq!(usable_until(&mut world, "failed"), None);
    let mut world = World::app([refreshed("at-1", "rt-1"), ok(INVALID_GRANT)]);
    assert_eq!(usable_until(&mut world, "failed"), USABLE);
}

#[test]
fn a_penalty_says_until_when_the_token_is_usable() {
    let found = without_and_with_token(|| ok(PENALTY)).map(|mut world| usable_until(&mut world, "postponed"));
    assert_eq!(found, [None, USABLE]);
}

#[test]
fn a_captcha_says_until_when_the_token_is_usable() {
    let found = without_and_with_token(|| ok(CAPTCHA)).map(|mut world| usable_until(&mut world, "captcha_asked"));
    assert_eq!(found, [None, USABLE]);
}

#[test]
fn a_lock_out_says_until_when_the_token_is_usable() {
    let found = without_and_with_token(|| status(429, "")).map(|mut world| usable_until(&mut world, "locked_out"));
    assert_eq!(found, [None, USABLE]);
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    world.session.rejected(world.now, 1, StatusCode::LOCKED, b"", &mut world.budget);
    assert_eq!(usable_until(&mut world, "locked_out"), USABLE, "a caller reported it");
}

#[test]
fn a_refusal_of_credentials_that_worked_says_that_there_is_no_token() {
    let mut world = World::user([token_to("one", 80), status(401, DEAD), ok(BAD_PASSWORD)]);
    assert_eq!(usable_until(&mut world, "refused"), None);
}

#[test]
fn a_refused_refresh_token_says_until_when_the_access_token_is_usable() {
    let refusals = || [ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(refusals());
    assert_eq!(usable_until(&mut world, "refresh_refused"), None);
    let mut world = World::app([refreshed("at-1", "rt-1")].into_iter().chain(refusals()));
    assert_eq!(usable_until(&mut world, "refresh_refused"), USABLE);
}

#[test]
fn a_refused_app_says_until_when_the_token_is_usable() {
    let mut world = World::app([refreshed("at-1", "rt-1"), status(401, INVALID_CLIENT)]);
    assert_eq!(usable_until(&mut world, "app_refused"), USABLE);
    let mut world = World::app([refreshed("at-1", "rt-1"), status(401, INVALID_CLIENT)]);
    world.run(minutes(1));
    world.now = later(start(), minutes(65));
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    world.reject(401, DEAD);
    world.answer(id, status(401, INVALID_CLIENT));
    assert_eq!(usable_until(&mut world, "app_refused"), None, "a caller reported that the token is dead");
}

#[test]
fn a_store_failure_says_until_when_the_token_is_usable() {
    let works = |works: &'static [bool]| works.iter().map(|works| Some(*works));
    let mut world = World::user([token_to("one", 80)]).storing(works(&[true, false]));
    assert_eq!(usable_until(&mut world, "store_failed"), None);
    let mut world = World::user([token_to("one", 80), token_to("two", 160)]).storing(works(&[true, true, false]));
    assert_eq!(usable_until(&mut world, "store_failed"), USABLE);
}

#[test]
fn an_event_ignores_the_earlier_end_of_the_market_data_token() {
    let with_market_data = ok(format!(
        r#"{{"accessToken":"one","mdAccessToken":"md","expirationTime":"{}","userId":1}}"#,
        later(start(), minutes(80))
    ));
    let mut world = World::user([with_market_data, token_to("two", 145)]);
    world.run(minutes(66));
    world.session.rejected(world.now, 2, StatusCode::LOCKED, b"", &mut world.budget);
    let token = world.session.token(world.now).unwrap();
    assert_eq!(token.usable_until, later(start(), minutes(80)), "the market data token ends first");
    assert_eq!(usable_until(&mut world, "locked_out"), Some(seconds(144 * 60 + 30)));
}
