//! The history of a session's OAuth refreshes: what was refused, and what became of lost answers (page *OAuth*).
//!
//! A refusal is not proof of death: the same token is tried once more after two seconds, and then not for six hours.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use hmac_sha256::Hash as Sha256;
use jiff::Timestamp;
use tradovate_auth_core::internal::later;
use tradovate_auth_core::{RefreshGrant, RefreshToken};

/// The pause before a refused refresh token is presented once more.
const SECOND_TRY: Duration = Duration::from_secs(2);

/// How long a refresh token that was refused twice is not presented.
const MEMORY: Duration = Duration::from_secs(6 * 3600);

#[derive(Debug, Clone, Default)]
pub(super) struct Refreshes {
    refused_once: bool,
    /// A refresh whose answer was lost: a renewal comes first.
    pub(super) outcome_unknown: bool,
    refused: Vec<RefusedToken>,
}

/// A refresh token that was refused twice, by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedToken {
    pub(crate) fingerprint: String,
    pub(crate) until: Timestamp,
}

/// What a refusal means.
pub(super) enum Refusal {
    TryAgainAt(Timestamp),
    NotBefore(Timestamp),
}

impl Refreshes {
    /// Takes over what another session has learnt, as far as it still holds.
    pub(super) fn learn(&mut self, now: Timestamp, refused: Vec<RefusedToken>) {
        self.refused.retain(|refused| refused.until > now);
        for token in refused.into_iter().filter(|refused| refused.until > now) {
            match self.refused.iter_mut().find(|known| known.fingerprint == token.fingerprint) {
                Some(known) => known.until = known.until.max(token.until),
                None => self.refused.push(token),
            }
        }
    }

    /// Another process was refused the token that is held; the next refusal is the second one.
    pub(super) fn was_refused_once(&mut self) {
        self.refused_once = true;
    }

    /// Whether the token that is held has been refused, which a second refusal has to confirm.
    pub(super) fn is_refused_once(&self) -> bool {
        self.refused_once
    }

    /// Another refresh token takes the place of the one that was presented.
    pub(super) fn replaced(&mut self) {
        self.refused_once = false;
        self.outcome_unknown = false;
    }

    /// A refusal, which a second one has to confirm unless it is `final` by itself.
    pub(super) fn refused(&mut self, now: Timestamp, token: &RefreshToken, is_final: bool) -> Refusal {
        let presented = fingerprint(token);
        self.refused.retain(|refused| refused.until > now && refused.fingerprint != presented);
        if !self.refused_once && !is_final {
            self.refused_once = true;
            return Refusal::TryAgainAt(later(now, SECOND_TRY));
        }
        self.refused_once = false;
        let until = later(now, MEMORY);
        self.refused.push(RefusedToken { fingerprint: presented, until });
        Refusal::NotBefore(until)
    }

    pub(super) fn succeeded(&mut self) {
        self.replaced();
    }

    /// When a refresh token may be presented: now, later, or never again, which is after a second refusal where its end
    /// is not announced, or where that comes first. Its end counts if the server's time is learnt and not a hint.
    pub(super) fn presentable_at(
        &self,
        now: Timestamp,
        server_now: Timestamp,
        is_learnt: bool,
        refresh: &RefreshGrant,
    ) -> Option<Timestamp> {
        if is_learnt && refresh.expires_at.is_some_and(|end| end <= server_now) {
            return None;
        }
        if self.refused.is_empty() {
            return Some(now);
        }
        let fingerprint = fingerprint(&refresh.token);
        let Some(refused) = self.refused.iter().find(|refused| refused.fingerprint == fingerprint) else {
            return Some(now);
        };
        let until = refused.until.max(now);
        let left = refresh.expires_at?.duration_since(server_now);
        (until.duration_since(now) < left).then_some(until)
    }

    /// The tokens that may not be presented at `now`.
    pub(super) fn remembered(&self, now: Timestamp) -> impl Iterator<Item = &RefusedToken> {
        self.refused.iter().filter(move |refused| refused.until > now)
    }
}

/// Tells tokens apart without keeping them.
fn fingerprint(token: &RefreshToken) -> String {
    alloc::format!("{:x}", Bytes::copy_from_slice(&Sha256::hash(token.expose().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    fn token(text: &str, end: Option<i64>) -> RefreshGrant {
        RefreshGrant::new(RefreshToken::new(text), end.map(at), None)
    }

    /// A token that was refused twice at the start.
    fn refused_twice(token: &RefreshGrant) -> Refreshes {
        let mut refreshes = Refreshes::default();
        let first = refreshes.refused(at(0), &token.token, false);
        assert!(matches!(first, Refusal::TryAgainAt(again) if again == later(at(0), SECOND_TRY)));
        let second = refreshes.refused(at(0), &token.token, false);
        assert!(matches!(second, Refusal::NotBefore(until) if until == at(360)));
        refreshes
    }

    #[test]
    fn one_refusal_keeps_no_token_back() {
        let token = token("one", Some(1560));
        let mut refreshes = Refreshes::default();
        refreshes.refused(at(0), &token.token, false);
        assert_eq!(refreshes.presentable_at(at(0), at(0), true, &token), Some(at(0)));
        refreshes.succeeded();
        assert!(matches!(refreshes.refused(at(1), &token.token, false), Refusal::TryAgainAt(_)));
    }

    #[test]
    fn two_refusals_keep_the_token_back_for_six_hours_and_no_other() {
        let one = token("one", Some(1560));
        let refreshes = refused_twice(&one);
        assert_eq!(refreshes.presentable_at(at(1), at(1), true, &one), Some(at(360)));
        assert_eq!(refreshes.presentable_at(at(361), at(361), true, &one), Some(at(361)));
        assert_eq!(refreshes.presentable_at(at(1), at(1), true, &token("two", Some(1560))), Some(at(1)));
        assert_eq!(refreshes.remembered(at(1)).count(), 1);
    }

    #[test]
    fn without_an_end_or_with_an_early_one_two_refusals_are_final() {
        for end in [None, Some(350), Some(360)] {
            let token = token("one", end);
            assert_eq!(refused_twice(&token).presentable_at(at(1), at(1), true, &token), None, "{end:?}");
        }
        let token = token("one", Some(361));
        assert_eq!(refused_twice(&token).presentable_at(at(1), at(1), true, &token), Some(at(360)));
    }

    #[test]
    fn the_end_is_the_servers() {
        let token = token("one", Some(100));
        let refreshes = Refreshes::default();
        assert_eq!(refreshes.presentable_at(at(90), at(80), true, &token), Some(at(90)));
        assert_eq!(refreshes.presentable_at(at(90), at(100), true, &token), None);
        assert_eq!(refreshes.presentable_at(at(90), at(100), false, &token), Some(at(90)), "only a hint");
        assert_eq!(refused_twice(&token).presentable_at(at(90), at(100), false, &token), None);
    }

    #[test]
    fn a_refusal_that_is_final_needs_no_second_one() {
        let token = token("one", Some(1560));
        assert!(matches!(Refreshes::default().refused(at(0), &token.token, true), Refusal::NotBefore(_)));
    }

    #[test]
    fn what_others_have_learnt_is_added() {
        let one = token("one", Some(1560));
        let mut refreshes = refused_twice(&one);
        let two = token("two", Some(1560));
        let learnt: Vec<_> = refused_twice(&two).remembered(at(1)).cloned().collect();
        refreshes.learn(at(1), learnt.clone());
        refreshes.learn(at(1), learnt);
        assert_eq!(refreshes.remembered(at(1)).count(), 2);
        assert_eq!(refreshes.presentable_at(at(1), at(1), true, &two), Some(at(360)));
    }

    #[test]
    fn a_later_refusal_that_others_have_learnt_of_takes_the_place_of_an_earlier_one() {
        let one = token("one", Some(1560));
        let mut refreshes = refused_twice(&one);
        let mut others = Refreshes::default();
        others.was_refused_once();
        assert!(matches!(others.refused(at(400), &one.token, false), Refusal::NotBefore(until) if until == at(760)));
        refreshes.learn(at(400), others.remembered(at(400)).cloned().collect());
        assert_eq!(refreshes.presentable_at(at(401), at(401), true, &one), Some(at(760)));
    }

    #[test]
    fn a_refusal_is_forgotten_after_six_hours_and_when_the_token_is_refused_again() {
        let (one, two) = (token("one", Some(1560)), token("two", Some(1560)));
        let mut refreshes = refused_twice(&one);
        refreshes.refused(at(10), &one.token, true);
        assert_eq!(refreshes.remembered(at(10)).count(), 1);
        assert_eq!(refreshes.presentable_at(at(11), at(11), true, &one), Some(at(370)));
        refreshes.refused(at(369), &two.token, false);
        assert_eq!(refreshes.remembered(at(369)).count(), 1);
        refreshes.refused(at(370), &two.token, false);
        assert_eq!(refreshes.remembered(at(370)).count(), 1, "that of the second one");
        assert_eq!(refreshes.presentable_at(at(371), at(371), true, &one), Some(at(371)));
        assert_eq!(refreshes.presentable_at(at(371), at(371), true, &two), Some(at(730)));
    }

    #[test]
    fn a_fingerprint_is_a_hash() {
        let known = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert_eq!(fingerprint(&RefreshToken::new("one")), known);
    }
}
