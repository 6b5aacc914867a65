use super::*;

//= R-LOGIN-19
//= R-LOGIN-20
#[test]
fn problems_of_the_account_are_reported() {
    let answer = r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z","userStatus":"UnconfirmedEmail","hibpHint":"PasswordCompromised"}"#;
    let mut world = World::user([ok(answer)]);
    insta::assert_snapshot!(world.run(minutes(1)).trace(), @"     0:00 → demo accesstokenrequest: the account is not active: its status is UnconfirmedEmail; the password is in a known data breach: PasswordCompromised; logged in, good until 2026-11-24T15:20:00Z");
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
