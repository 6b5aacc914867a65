use super::*;

//= R-REFRESH-2
//= R-REFRESH-5
#[test]
fn a_refresh_token_that_is_not_replaced_is_kept() {
    let kept = ok(r#"{"access_token":"at-2","expires_in":4800}"#);
    let mut world = World::app([refreshed("at-1", "rt-1"), kept, refreshed("at-3", "rt-3")]);
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @"
      0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
     65:00 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T16:25:00Z; consent due by 1560:00
    130:00 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T17:30:00Z; consent due by 1690:00
    ");
}

//= R-REFRESH-4
#[test]
fn a_long_lived_token_is_refreshed_every_twelve_hours() {
    let long = |text: &str| {
        ok(format!(
            r#"{{"access_token":"{text}","refresh_token":"r{text}","expires_in":172800,"refresh_token_expires_in":93600}}"#
        ))
    };
    let mut world = World::app([long("a"), long("b"), long("c")]);
    insta::assert_snapshot!(world.run(minutes(25 * 60)).trace(), @"
       0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-26T14:00:00Z; consent due by 1560:00
     720:00 → live oauthtoken (ra): refreshed: the token is valid until 2026-11-27T02:00:00Z; consent due by 2280:00
    1440:00 → live oauthtoken (rb): refreshed: the token is valid until 2026-11-27T14:00:00Z; consent due by 3000:00
    ");
}

//= R-REFRESH-6
//= R-REFRESH-7
#[test]
fn a_token_that_was_refused_twice_is_not_presented_for_six_hours() {
    let renewals = (0..6).map(|index| token_to("renewed", 150 + index * 66));
    let answers = [refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain(renewals).chain([refreshed("at-2", "rt-2")]));
    insta::assert_snapshot!(world.run(minutes(470)).trace(), @"
      0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
     65:00 → live oauthtoken (rt-1): refresh failed (Refused, InvalidGrant); next try at 65:02
     65:02 → live oauthtoken (rt-1): the server refused the refresh token: the session sends it again after 2026-11-24T21:05:02Z, and only renews before then; the token is usable until 2026-11-24T15:19:30Z; if it can't renew before then, the user has to authorize the app again
     65:02 → live renewaccesstoken (at-1): renewed: the token is valid until 2026-11-24T16:30:00Z
    135:00 → live renewaccesstoken (renewed): renewed: the token is valid until 2026-11-24T17:36:00Z
    201:00 → live renewaccesstoken (renewed): renewed: the token is valid until 2026-11-24T18:42:00Z
    267:00 → live renewaccesstoken (renewed): renewed: the token is valid until 2026-11-24T19:48:00Z
    333:00 → live renewaccesstoken (renewed): renewed: the token is valid until 2026-11-24T20:54:00Z
    399:00 → live renewaccesstoken (renewed): renewed: the token is valid until 2026-11-24T22:00:00Z
    465:00 → live oauthtoken (rt-1): refreshed: the token is valid until 2026-11-24T23:05:00Z; consent due by 2025:00
    ");
}

//= R-REFRESH-9
#[test]
fn renewals_that_fail_after_a_refused_refresh_are_ten_minutes_apart() {
    let faults = (0..9).map(|_| status(500, ""));
    let answers = [refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain(faults));
    insta::assert_snapshot!(world.run(minutes(100)).trace(), @"
     0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 1560:00
    65:00 → live oauthtoken (rt-1): refresh failed (Refused, InvalidGrant); next try at 65:02
    65:02 → live oauthtoken (rt-1): the server refused the refresh token: the session sends it again after 2026-11-24T21:05:02Z, and only renews before then; the token is usable until 2026-11-24T15:19:30Z; if it can't renew before then, the user has to authorize the app again
    65:02 → live renewaccesstoken (at-1): renewal failed (500); next try at 75:02
    75:02 → live renewaccesstoken (at-1): renewal failed (500); next try at 85:02
    85:02 → live renewaccesstoken (at-1): renewal failed (500); next try at 95:02
    95:02 → live renewaccesstoken (at-1): renewal failed (500); next try at 105:02
    ");
}

//= R-REFRESH-8
#[test]
fn a_refresh_token_without_expiry_is_given_up_after_the_second_refusal() {
    let answers = [refreshed_without_end("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain([token_to("renewed", 140), status(401, DEAD)]));
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
      0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z
     65:00 → live oauthtoken (rt-1): refresh failed (Refused, InvalidGrant); next try at 65:02
     65:02 → live oauthtoken (rt-1): the server refused the refresh token: the session does not send it again, and renews as long as it can; the token is usable until 2026-11-24T15:19:30Z; let the user authorize the app again
     65:02 → live renewaccesstoken (at-1): renewed: the token is valid until 2026-11-24T16:20:00Z
    125:00 → live renewaccesstoken (renewed): the server no longer accepts the token: the program has no token until the session gets a new one
    125:00 stopped: ConsentRequired
    ");
}

#[test]
fn consent_is_required_once_the_refresh_token_has_ended() {
    let short =
        ok(r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":4800,"refresh_token_expires_in":6000}"#);
    let refusals = [ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app([short].into_iter().chain(refusals).chain([status(401, DEAD)]));
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
     0:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:20:00Z; consent due by 100:00
    65:00 → live oauthtoken (rt-1): refresh failed (Refused, InvalidGrant); next try at 65:02
    65:02 → live oauthtoken (rt-1): the server refused the refresh token: the session does not send it again, and renews as long as it can; the token is usable until 2026-11-24T15:19:30Z; let the user authorize the app again
    65:02 → live renewaccesstoken (at-1): the server no longer accepts the token: the program has no token until the session gets a new one
    65:02 stopped: ConsentRequired
    ");
}

//= R-REFRESH-10
#[test]
fn a_session_renews_before_it_repeats_a_refresh_of_unknown_outcome() {
    for lost in [Answer::Failure(Failure::Truncated), Answer::Silence, ok("<html>"), status(504, "")] {
        let mut world =
            World::app([refreshed("at-1", "rt-1"), lost, token_to("renewed", 200), refreshed("at-2", "rt-2")]);
        world.run(minutes(190));
        let order: Vec<_> = world
            .trace
            .iter()
            .filter_map(|line| line.split_once("→ "))
            .map(|(_, sent)| sent.split(':').next().unwrap())
            .collect();
        let expected = ["live oauthtoken (rt-0)", "live oauthtoken (rt-1)", "live renewaccesstoken (at-1)"];
        assert_eq!(order[..3], expected, "{}", world.trace());
        assert_eq!(order[3], "live oauthtoken (rt-1)");
    }
}

#[test]
fn a_request_that_the_server_calls_malformed_is_not_repeated() {
    let mut world = World::app([status(400, "")]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"     0:00 → live oauthtoken (rt-0): stopped: 400");
}

#[test]
fn a_configured_host_that_answers_404_is_tried_every_ten_minutes() {
    let mut world = World::app([status(404, ""), status(404, ""), refreshed("at-1", "rt-1")]);
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @"
     0:00 → live oauthtoken (rt-0): refresh failed (404); next try at 10:00
    10:00 → live oauthtoken (rt-0): refresh failed (404); next try at 20:00
    20:00 → live oauthtoken (rt-0): refreshed: the token is valid until 2026-11-24T15:40:00Z; consent due by 1580:00
    ");
}

#[test]
fn a_failed_renewal_is_repeated_within_two_minutes_while_a_refresh_is_possible() {
    let lost = Answer::Failure(Failure::Truncated);
    let mut world = World::app([refreshed("at-1", "rt-1"), lost, status(500, ""), token_to("renewed", 200)]);
    world.run(minutes(67));
    assert_eq!(world.token().as_deref(), Some("renewed"), "{}", world.trace());
}
