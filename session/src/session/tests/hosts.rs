use alloc::vec;

use tradovate_auth_core::Purpose;

use super::*;

const RENEWAL: &str = "https://acme.ninjatrader.com/v1/auth/renewaccesstoken";

fn token_with_hosts(text: &str, minute: u64, hosts: &str) -> Answer {
    let end = later(start(), minutes(minute));
    ok(format!(r#"{{"accessToken":"{text}","expirationTime":"{end}","apiHosts":{hosts}}}"#))
}

//= R-HOST-7
#[test]
fn trusted_hosts_are_followed_and_reported_and_other_hosts_are_not_used() {
    let hosts = r#"{"demo":"acme.ninjatrader.com","mdDemo":"evil.com","replay":"https://x"}"#;
    let mut world = World::user([token_with_hosts("one", 80, hosts), token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → demo accesstokenrequest: the server named a host for `replay` that is not a usable host of the vendor, so the session does not use it: if this happens again, ask the vendor; the server named a host for `mdDemo` that is not a usable host of the vendor, so the session does not use it: if this happens again, ask the vendor; the user's hosts have changed: the program has to connect to the new hosts; logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → acme renewaccesstoken (one): the server named a host for `mdDemo` that is not a usable host of the vendor, so the session does not use it: if this happens again, ask the vendor; renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
    let base = world.session.environment().base_url(Purpose::MarketData).unwrap();
    assert_eq!(base.host(), "md-demo.tradovateapi.com");
}

//= R-HOST-1
#[test]
fn a_login_whose_hosts_are_not_an_object_is_not_repeated() {
    for hosts in ["[]", "true", "1", r#""acme.ninjatrader.com""#] {
        let mut world = World::user([token_with_hosts("one", 80, hosts)]);
        assert_eq!(
            world.run(minutes(10)).trace(),
            "     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z"
        );
    }
}

#[test]
fn a_trusted_redirect_is_followed_with_body_and_token() {
    let mut world = World::user([
        moved("https://acme.ninjatrader.com/v1/auth/accesstokenrequest"),
        token_to("one", 80),
        moved(RENEWAL),
        token_with_hosts("two", 160, r#"{"demo":"acme.ninjatrader.com"}"#),
    ]);
    insta::assert_snapshot!(world.run(minutes(70)).trace(), @"
     0:00 → demo accesstokenrequest
     0:00 → acme accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one)
    65:00 → acme renewaccesstoken (one): the user's hosts have changed: the program has to connect to the new hosts; renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn nothing_is_sent_to_an_untrusted_redirect_target() {
    let mut world = World::user([token_to("one", 80), moved("https://evil.com/v1"), token_to("two", 160)]);
    insta::assert_snapshot!(world.run(minutes(78)).trace(), @"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one): renewal failed (Moved); next try at 75:00
    75:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn a_second_redirect_is_not_followed() {
    let mut world = World::user([
        token_to("one", 80),
        moved(RENEWAL),
        moved("https://acme2.ninjatrader.com/v1/auth/renewaccesstoken"),
        token_to("two", 160),
    ]);
    insta::assert_snapshot!(world.run(minutes(78)).trace(), @"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    65:00 → demo renewaccesstoken (one)
    65:00 → acme renewaccesstoken (one): renewal failed (Moved); next try at 75:00
    75:00 → demo renewaccesstoken (one): renewed: the token is valid until 2026-11-24T16:40:00Z
    ");
}

#[test]
fn a_redirected_renewal_is_dropped_if_its_token_is_replaced() {
    let mut world = World::user([token_to("one", 80)]);
    world.run(minutes(60));
    let newer = {
        let mut other = World::user([token_to("newer", 200)]);
        other.now = later(start(), minutes(30));
        other.run(minutes(31));
        other.snapshot()
    };
    world.script.push_back(moved(RENEWAL));
    world.reject(401, "");
    let Action::Send { id, .. } = world.session.poll(world.now, &mut world.budget) else { panic!() };
    let Some(answer) = world.script.pop_front() else { panic!() };
    world.answer(id, answer);
    world.session.adopt(world.now, newer, &mut world.budget);
    world.write_events();
    insta::assert_snapshot!(world.run(minutes(100)).trace(), @r#"
     0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
    60:00 a call is answered 401 "": BeingChecked
    60:00 adopted a token: it is valid until 2026-11-24T17:20:00Z
    "#);
}

//= R-PENALTY-9
#[test]
fn a_ticket_goes_back_to_the_host_that_issued_it() {
    let moved = moved("https://acme-demo.eval.ninjatrader.com/v1/auth/accesstokenrequest");
    let penalty = ok(r#"{"p-ticket":"ticket","p-time":15}"#);
    let mut world = World::user([moved, penalty, token_to("one", 80)]);
    insta::assert_snapshot!(world.run(minutes(1)).trace(), @"
    0:00 → demo accesstokenrequest
    0:00 → acme-demo accesstokenrequest: login postponed by the server: the session sends it again after 2026-11-24T14:00:15Z; the program has no token
    0:15 → acme-demo accesstokenrequest with the ticket: logged in: the token is valid until 2026-11-24T15:20:00Z
    ");
}

#[test]
fn a_redirect_of_a_login_is_not_followed_if_the_token_is_still_valid() {
    // The clock is set forward, so the token seems to have expired until the answer to the login corrects the clock.
    // The renewals before the login are lost.
    let moved = status(307, r#"{"errorText":"Moved"}"#);
    let moved = with_header(moved, header::LOCATION, "https://acme.ninjatrader.com/v1/auth/accesstokenrequest");
    let lost = (0..9).map(|_| Answer::Failure(Failure::MaybeSent));
    let script = [token_to("one", 80)].into_iter().chain(lost).chain([moved]);
    let mut world = World::user(script).ahead(SignedDuration::ZERO);
    world.run(minutes(10));
    world.now = later(start(), minutes(85));
    world.ahead = Some(SignedDuration::from_mins(-75));
    insta::assert_snapshot!(world.run(minutes(90)).trace(), @"
         0:00 → demo accesstokenrequest: logged in: the token is valid until 2026-11-24T15:20:00Z
        85:00 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:00.500
    85:00.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:01.500
    85:01.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:03.500
    85:03.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:07.500
    85:07.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:15.500
    85:15.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 85:31.500
    85:31.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 86:01.500
    86:01.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 86:31.500
    86:31.500 → demo renewaccesstoken (one): renewal failed (MaybeSent); next try at 87:01.500
    87:01.500 → demo accesstokenrequest
    ");
    assert_eq!(world.token().as_deref(), Some("one"));
}

const FOLLOWED: &str = "acme.ninjatrader.com";

fn following(minute: u64) -> Answer {
    let end = later(start(), minutes(minute));
    ok(format!(r#"{{"accessToken":"at","expirationTime":"{end}","apiHosts":{{"demo":"{FOLLOWED}"}}}}"#))
}

fn host(world: &World) -> String {
    world.session.environment().base_url(Purpose::Login).unwrap().host().into()
}

#[test]
fn hosts_that_another_process_has_learnt_are_followed_with_the_same_token() {
    let hosts = |name: &str| {
        let end = later(start(), minutes(80));
        ok(format!(r#"{{"accessToken":"one","expirationTime":"{end}","apiHosts":{{"demo":"{name}"}}}}"#))
    };
    let mut world = World::user([hosts("acme.ninjatrader.com"), token_to("two", 160)]);
    world.run(minutes(1));
    let other = changed(&world.snapshot(), |fields| {
        fields["hosts"]["demo"] = "beta.ninjatrader.com".into();
        fields.insert("hostsAt".into(), "2026-11-24T14:01:00Z".into());
    });
    adopt(&mut world, other);
    world.run(minutes(70));
    assert!(world.trace().contains("→ beta renewaccesstoken"), "{}", world.trace());
}

#[test]
fn an_answer_of_the_configured_host_ends_the_use_of_a_wrong_followed_host() {
    let mut world = World::user([following(80), status(404, ""), ok(r#"{"errorText":"busy"}"#)]);
    world.run(minutes(1));
    assert_eq!(host(&world), FOLLOWED);
    world.run(minutes(66));
    assert!(world.trace().contains("→ demo renewaccesstoken"), "{}", world.trace());
    assert_ne!(host(&world), FOLLOWED, "{}", world.trace());
}

#[test]
fn a_followed_host_that_answers_correctly_again_is_kept() {
    let mut world = World::user([
        following(80),
        status(404, ""),
        Answer::Failure(Failure::NotSent),
        following(170),
        following(300),
    ]);
    world.run(minutes(156));
    let hosts: Vec<_> =
        world.trace.iter().filter_map(|line| line.split_once("→ ")?.1.split_once(' ')).map(|(host, _)| host).collect();
    assert_eq!(hosts, ["demo", "acme", "demo", "acme", "acme"], "{}", world.trace());
}

#[test]
fn a_404_from_the_token_url_postpones_the_next_try_by_ten_minutes() {
    let url = "https://auth.example.com/oauthtoken".parse().unwrap();
    let login = Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("rt-0"));
    let session = Session::new(Environment::live().with_token_url(url), login, 0);
    let mut world = World::of(session, [status(404, "")]);
    world.run(minutes(1));
    assert!(world.trace().ends_with("next try at 10:00"), "{}", world.trace());
}

#[test]
fn a_login_at_a_followed_host_that_is_wrong_waits_for_the_configured_one() {
    let wrong = || status(404, "");
    let answers = [following(80), status(401, DEAD), wrong(), Answer::Failure(Failure::NotSent), wrong(), wrong()];
    let mut world = World::user(answers);
    world.run(minutes(1));
    world.reject(401, DEAD);
    world.run(minutes(10));
    let trace = world.trace();
    assert!(trace.contains("→ demo accesstokenrequest: login failed (NotSent); next try at 1:01.500"), "{trace}");
    assert!(trace.ends_with("→ acme accesstokenrequest: login failed (404); next try at 16:00.500"), "{trace}");
}

const PENALTY: &str = r#"{"p-ticket":"ticket","p-time":15}"#;

//= R-PENALTY-9
#[test]
fn a_ticket_is_dropped_if_its_host_answers_that_it_is_the_wrong_one() {
    let postponed = || [following(80), status(401, DEAD), ok(PENALTY)];
    let target = moved("https://beta.ninjatrader.com/v1/auth/accesstokenrequest");
    for wrong in [vec![status(404, "")], vec![moved("https://example.com/")], vec![target, status(404, "")]] {
        let mut world = World::user(postponed().into_iter().chain(wrong).chain([token_to("two", 90)]));
        world.run(minutes(1));
        world.reject(401, DEAD);
        world.run(minutes(30));
        assert_eq!(world.token().as_deref(), Some("two"), "{}", world.trace());
        let last = world.trace.last().unwrap();
        assert!(last.contains("→ demo accesstokenrequest:"), "{}", world.trace());
    }
}

#[test]
fn a_ticket_is_dropped_if_its_host_answers_another_request_that_it_is_the_wrong_one() {
    let hosts =
        r#"{"access_token":"at","refresh_token":"rt-1","expires_in":4800,"apiHosts":{"live":"acme.ninjatrader.com"}}"#;
    let answers = [ok(hosts), ok(PENALTY), status(404, ""), status(401, DEAD), refreshed("at-2", "rt-2")];
    let mut world = World::app(answers);
    world.run(minutes(65));
    world.reject(401, "");
    world.run(minutes(90));
    assert!(world.trace().contains("→ live oauthtoken (rt-1):"), "{}", world.trace());
}
