use super::*;

fn day(day: u64) -> Duration {
    minutes(day * 24 * 60)
}

#[test]
fn the_password_s_expiry_is_announced_three_times_and_when_it_comes() {
    let end = later(start(), day(20));
    let far = later(start(), day(40));
    let answer = format!(r#"{{"accessToken":"one","expirationTime":"{far}","passwordExpirationTime":"{end}"}}"#);
    let mut world = World::user([ok(answer)]);
    insta::assert_snapshot!(world.run(day(25)).trace(), @"
        0.000 → demo accesstokenrequest
        0.000 logged in, good until 2027-01-03T14:00:00Z
     8640.000 the password expires within 14 days, at 2026-12-14T14:00:00Z
    18720.000 the password expires within 7 days, at 2026-12-14T14:00:00Z
    27360.000 the password expires within 1 day, at 2026-12-14T14:00:00Z
    28800.000 the password has expired, at 2026-12-14T14:00:00Z: the next login needs a new one
    ");
}

#[test]
fn of_reminders_that_are_due_at_once_the_last_is_given() {
    let end = later(start(), day(3));
    let answer = format!(r#"{{"accessToken":"one","expirationTime":"{end}","passwordExpirationTime":"{end}"}}"#);
    let mut world = World::user([ok(answer)]);
    insta::assert_snapshot!(world.run(day(1)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 logged in, good until 2026-11-27T14:00:00Z
    0.000 the password expires within 7 days, at 2026-11-27T14:00:00Z
    ");
}

#[test]
fn what_is_wrong_with_the_account_is_told() {
    let answer = r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","userStatus":"UnconfirmedEmail","hibpHint":"PasswordCompromised"}"#;
    let mut world = World::user([ok(answer)]);
    insta::assert_snapshot!(world.run(minutes(1)).trace(), @"
    0.000 → demo accesstokenrequest
    0.000 the account needs attention: UnconfirmedEmail
    0.000 the password is in a known breach: PasswordCompromised
    0.000 logged in, good until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn of_many_events_the_newest_are_kept() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    for _ in 0..1000 {
        world.session.rejected(world.now, 1, StatusCode::TOO_MANY_REQUESTS, b"", &mut world.budget);
    }
    assert_eq!(core::iter::from_fn(|| world.session.next_event()).count(), EVENTS_KEPT);
}
