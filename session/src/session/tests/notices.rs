use super::*;

//= R-LOGIN-19
//= R-LOGIN-20
#[test]
fn a_login_reports_an_inactive_account_and_a_breached_password() {
    let answer = r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","userStatus":"UnconfirmedEmail","hibpHint":"PasswordCompromised"}"#;
    let mut world = World::user([ok(answer)]);
    insta::assert_snapshot!(world.run(minutes(1)).trace(), @"     0:00 → demo accesstokenrequest: the account is not active: ask the vendor about its status UnconfirmedEmail; the password is in a known data breach (PasswordCompromised): set a new one at the vendor, and give it to the program; logged in: the token is valid until 2026-11-24T15:20:00Z");
}

#[test]
fn only_the_newest_events_are_kept() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(1));
    for _ in 0..1000 {
        world.session.rejected(world.now, 1, StatusCode::TOO_MANY_REQUESTS, b"", &mut world.budget);
    }
    assert_eq!(core::iter::from_fn(|| world.session.next_event()).count(), EVENTS_KEPT);
}

#[test]
fn a_reminder_comes_whole_days_before_the_password_expires() {
    let days = |days: u64| later(start(), minutes(days * 24 * 60));
    let answer = format!(
        r#"{{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","passwordExpirationTime":"{}"}}"#,
        days(20)
    );
    let mut world = World::user([ok(answer)]);
    world.run(minutes(1));
    for (day, within_days) in [(6, 14), (13, 7), (19, 1), (20, 0)] {
        assert_eq!(world.session.next_reminder(world.now), Some((days(day), within_days)));
        world.session.remind(days(day));
    }
    assert_eq!(world.session.next_reminder(days(20)), None);
}
