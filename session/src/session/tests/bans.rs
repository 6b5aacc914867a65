//! Refresh tokens that may not be presented for some time after two refusals.

use super::*;

#[test]
fn an_expired_ban_is_removed_when_another_refresh_token_is_banned() {
    let mut world = World::app([refreshed("at-1", "rt-1"), ok(INVALID_GRANT), ok(INVALID_GRANT), token_to("two", 150)]);
    world.run(minutes(65));
    let banned = [("over", 3901), ("now", 3902), ("later", 3903)];
    let banned = banned.map(|(name, second)| (name.into(), later(start(), seconds(second))));
    world.session.record.refused_refresh_tokens.extend(banned);
    world.run(seconds(3902));
    let names: Vec<_> = world.session.record.refused_refresh_tokens.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 2, "{names:?} {}", world.trace());
    assert!(names.contains(&"later"), "{names:?}");
}

#[test]
fn a_banned_refresh_token_is_presentable_after_its_ban_unless_it_expires_first() {
    let refused = [ok(INVALID_GRANT), ok(INVALID_GRANT)];
    let answers = [refreshed("at-1", "rt-1")].into_iter().chain(refused).chain([token_to("two", 150)]);
    let mut world = World::app(answers);
    world.run(minutes(66));
    let until = *world.session.record.refused_refresh_tokens.values().next().unwrap();
    let mut ends = |at| {
        world.session.record.tokens.refresh.as_mut().unwrap().expires_at = Some(at);
        world.session.presentable_at(world.now)
    };
    assert_eq!((ends(until), ends(later(until, seconds(1)))), (None, Some(until)));
    world.session.record.tokens.refresh.as_mut().unwrap().token = RefreshToken::new("rt-2");
    assert_eq!(world.session.presentable_at(world.now), Some(world.now));
}

#[test]
fn refreshes_with_different_refresh_tokens_have_different_request_hashes() {
    let hash = |token: &str| {
        let login = Login::refresh_token(OAuthApp::new("client"), RefreshToken::new(token));
        Session::new(Environment::live(), login, 0).request_hash(Operation::Refresh)
    };
    assert_eq!(hash("rt-1"), hash("rt-1"));
    assert_ne!(hash("rt-1"), hash("rt-2"));
}
