use super::*;

fn oauth_answers(count: usize) -> Vec<Answer> {
    (1..=count).map(|index| refreshed(&format!("at-{index}"), &format!("rt-{index}"))).collect()
}

#[test]
fn it_refreshes_with_the_rotated_token_and_says_when_consent_is_due() {
    let mut world = World::app(oauth_answers(3));
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @"
      0.000 → live oauthtoken (rt-0)
      0.000 refreshed, good until 2026-11-24T15:20:00Z
      0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     64.535 → live oauthtoken (rt-1)
     64.535 refreshed, good until 2026-11-24T16:24:32Z
     64.535 without a refresh, a new consent is due by 2026-11-25T17:04:32Z
    128.858 → live oauthtoken (rt-2)
    128.858 refreshed, good until 2026-11-24T17:28:51Z
    128.858 without a refresh, a new consent is due by 2026-11-25T18:08:51Z
    ");
}

#[test]
fn a_refresh_token_that_is_not_replaced_is_kept() {
    let kept = ok(r#"{"access_token":"at-2","expires_in":4800}"#);
    let mut world = World::app([refreshed("at-1", "rt-1"), kept, refreshed("at-3", "rt-3")]);
    insta::assert_snapshot!(world.run(minutes(140)).trace(), @"
      0.000 → live oauthtoken (rt-0)
      0.000 refreshed, good until 2026-11-24T15:20:00Z
      0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     64.535 → live oauthtoken (rt-1)
     64.535 refreshed, good until 2026-11-24T16:24:32Z
     64.535 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
    128.858 → live oauthtoken (rt-1)
    128.858 refreshed, good until 2026-11-24T17:28:51Z
    128.858 without a refresh, a new consent is due by 2026-11-25T18:08:51Z
    ");
}

#[test]
fn a_long_lived_token_is_refreshed_every_twelve_hours() {
    let long = |text: &str| {
        ok(format!(
            r#"{{"access_token":"{text}","refresh_token":"r{text}","expires_in":172800,"refresh_token_expires_in":93600}}"#
        ))
    };
    let mut world = World::app([long("a"), long("b"), long("c")]);
    insta::assert_snapshot!(world.run(minutes(25 * 60)).trace(), @"
       0.000 → live oauthtoken (rt-0)
       0.000 refreshed, good until 2026-11-26T14:00:00Z
       0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     720.000 → live oauthtoken (ra)
     720.000 refreshed, good until 2026-11-27T02:00:00Z
     720.000 without a refresh, a new consent is due by 2026-11-26T04:00:00Z
    1440.000 → live oauthtoken (rb)
    1440.000 refreshed, good until 2026-11-27T14:00:00Z
    1440.000 without a refresh, a new consent is due by 2026-11-26T16:00:00Z
    ");
}

#[test]
fn a_single_refusal_is_not_believed() {
    let mut world = World::app([refreshed("at-1", "rt-1"), ok(INVALID_GRANT), refreshed("at-2", "rt-2")]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0.000 → live oauthtoken (rt-0)
     0.000 refreshed, good until 2026-11-24T15:20:00Z
     0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
    64.535 → live oauthtoken (rt-1)
    64.535 OAuth exchange failed (Refused, InvalidGrant); next try at 64.568
    64.568 → live oauthtoken (rt-1)
    64.568 refreshed, good until 2026-11-24T16:24:34Z
    64.568 without a refresh, a new consent is due by 2026-11-25T17:04:34Z
    ");
}

#[test]
fn a_token_that_was_refused_twice_is_not_presented_for_six_hours() {
    let renewals = (0..6).map(|index| token_to("renewed", 150 + index * 66));
    let answers = [refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain(renewals).chain([refreshed("at-2", "rt-2")]));
    insta::assert_snapshot!(world.run(minutes(470)).trace(), @"
      0.000 → live oauthtoken (rt-0)
      0.000 refreshed, good until 2026-11-24T15:20:00Z
      0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     64.535 → live oauthtoken (rt-1)
     64.535 OAuth exchange failed (Refused, InvalidGrant); next try at 64.568
     64.568 → live oauthtoken (rt-1)
     64.568 the refresh token was refused and is not presented again before 2026-11-24T21:04:34Z; once the access token has ended, only another consent helps until then
     64.568 → live renewaccesstoken (at-1)
     64.568 renewed, good until 2026-11-24T16:30:00Z
    134.323 → live renewaccesstoken (renewed)
    134.323 renewed, good until 2026-11-24T17:36:00Z
    200.538 → live renewaccesstoken (renewed)
    200.538 renewed, good until 2026-11-24T18:42:00Z
    266.208 → live renewaccesstoken (renewed)
    266.208 renewed, good until 2026-11-24T19:48:00Z
    332.478 → live renewaccesstoken (renewed)
    332.478 renewed, good until 2026-11-24T20:54:00Z
    398.445 → live renewaccesstoken (renewed)
    398.445 renewed, good until 2026-11-24T22:00:00Z
    464.058 → live oauthtoken (rt-1)
    464.058 refreshed, good until 2026-11-24T23:04:03Z
    464.058 without a refresh, a new consent is due by 2026-11-25T23:44:03Z
    ");
}

#[test]
fn where_renewals_fail_too_ten_minutes_pass_between_tries() {
    let faults = (0..9).map(|_| status(500, ""));
    let answers = [refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain(faults).chain([refreshed("at-2", "rt-2")]));
    insta::assert_snapshot!(world.run(minutes(430)).trace(), @"
      0.000 → live oauthtoken (rt-0)
      0.000 refreshed, good until 2026-11-24T15:20:00Z
      0.000 without a refresh, a new consent is due by 2026-11-25T16:00:00Z
     64.535 → live oauthtoken (rt-1)
     64.535 OAuth exchange failed (Refused, InvalidGrant); next try at 64.568
     64.568 → live oauthtoken (rt-1)
     64.568 the refresh token was refused and is not presented again before 2026-11-24T21:04:34Z; once the access token has ended, only another consent helps until then
     64.568 → live renewaccesstoken (at-1)
     64.568 renewal failed (500); next try at 74.568
     74.568 → live renewaccesstoken (at-1)
     74.568 renewal failed (500); next try at 84.568
     84.568 → live renewaccesstoken (at-1)
     84.568 renewal failed (500); next try at 94.568
     94.568 → live renewaccesstoken (at-1)
     94.568 renewal failed (500); next try at 104.568
    104.568 → live renewaccesstoken (at-1)
    104.568 renewal failed (500); next try at 114.568
    424.568 → live oauthtoken (rt-1)
    424.568 OAuth exchange failed (500); next try at 425.002
    425.002 → live oauthtoken (rt-1)
    425.002 OAuth exchange failed (500); next try at 425.870
    425.870 → live oauthtoken (rt-1)
    425.870 OAuth exchange failed (500); next try at 426.607
    426.607 → live oauthtoken (rt-1)
    426.607 OAuth exchange failed (500); next try at 427.216
    427.216 → live oauthtoken (rt-1)
    427.216 refreshed, good until 2026-11-24T22:27:12Z
    427.216 without a refresh, a new consent is due by 2026-11-25T23:07:12Z
    ");
}

#[test]
fn without_an_announced_end_the_second_refusal_is_final() {
    let answers = [refreshed_without_end("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app(answers.into_iter().chain([token_to("renewed", 140), status(401, DEAD)]));
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
      0.000 → live oauthtoken (rt-0)
      0.000 refreshed, good until 2026-11-24T15:20:00Z
     64.535 → live oauthtoken (rt-1)
     64.535 OAuth exchange failed (Refused, InvalidGrant); next try at 64.568
     64.568 → live oauthtoken (rt-1)
     64.568 the refresh token was refused and is not presented again: the user has to consent again
     64.568 → live renewaccesstoken (at-1)
     64.568 renewed, good until 2026-11-24T16:20:00Z
    124.323 → live renewaccesstoken (renewed)
    124.323 the server has ended the session
    124.323 stopped: ConsentRequired
    ");
}

#[test]
fn consent_is_required_once_the_refresh_token_has_ended() {
    let short =
        ok(r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":4800,"refresh_token_expires_in":6000}"#);
    let refusals = [ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let mut world = World::app([short].into_iter().chain(refusals).chain([status(401, DEAD)]));
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
     0.000 → live oauthtoken (rt-0)
     0.000 refreshed, good until 2026-11-24T15:20:00Z
     0.000 without a refresh, a new consent is due by 2026-11-24T15:40:00Z
    64.535 → live oauthtoken (rt-1)
    64.535 OAuth exchange failed (Refused, InvalidGrant); next try at 64.568
    64.568 → live oauthtoken (rt-1)
    64.568 the refresh token was refused and is not presented again: the user has to consent again
    64.568 → live renewaccesstoken (at-1)
    64.568 the server has ended the session
    64.568 stopped: ConsentRequired
    ");
}

#[test]
fn after_an_unknown_outcome_a_renewal_comes_first() {
    for lost in [Answer::Failure(Failure::Truncated), Answer::Silence, ok("<html>"), status(504, "")] {
        let mut world =
            World::app([refreshed("at-1", "rt-1"), lost, token_to("renewed", 200), refreshed("at-2", "rt-2")]);
        world.run(minutes(190));
        let order: Vec<_> = world.trace.iter().filter_map(|line| line.split_once("→ ")).map(|(_, sent)| sent).collect();
        let expected = ["live oauthtoken (rt-0)", "live oauthtoken (rt-1)", "live renewaccesstoken (at-1)"];
        assert_eq!(order[..3], expected, "{}", world.trace());
        assert_eq!(order[3], "live oauthtoken (rt-1)");
    }
}

#[test]
fn a_request_that_makes_no_sense_to_the_server_is_not_repeated() {
    let mut world = World::app([status(400, "")]);
    insta::assert_snapshot!(world.run(minutes(300)).trace(), @"
    0.000 → live oauthtoken (rt-0)
    0.000 stopped: 400
    ");
}

#[test]
fn a_wrong_address_is_tried_every_ten_minutes() {
    let mut world = World::app([status(404, ""), status(404, ""), refreshed("at-1", "rt-1")]);
    insta::assert_snapshot!(world.run(minutes(30)).trace(), @"
     0.000 → live oauthtoken (rt-0)
     0.000 OAuth exchange failed (404); next try at 10.000
    10.000 → live oauthtoken (rt-0)
    10.000 OAuth exchange failed (404); next try at 20.000
    20.000 → live oauthtoken (rt-0)
    20.000 refreshed, good until 2026-11-24T15:40:00Z
    20.000 without a refresh, a new consent is due by 2026-11-25T16:20:00Z
    ");
}

#[test]
fn the_resource_is_sent_again() {
    let app =
        OAuthApp::new("client").with_resource("api").with_client_secret(tradovate_auth_core::ClientSecret::new("cs"));
    let mut session = Session::new(Environment::live(), Login::refresh_token(app, RefreshToken::new("rt-0")), 7);
    let Action::Send { request, .. } = session.poll(start(), &mut RateBudget::default()) else { panic!() };
    insta::assert_snapshot!(String::from_utf8_lossy(request.body().as_ref()), @r#"
    {"grant_type":"refresh_token","refresh_token":"rt-0","client_id":"client","client_secret":"cs","resource":"api"}
    "#);
}

#[test]
fn renewals_that_fail_while_a_refresh_is_left_do_not_wait_ten_minutes() {
    let lost = Answer::Failure(Failure::Truncated);
    let mut world = World::app([refreshed("at-1", "rt-1"), lost, status(500, ""), token_to("renewed", 200)]);
    world.run(minutes(67));
    assert_eq!(world.token().as_deref(), Some("renewed"), "{}", world.trace());
}
