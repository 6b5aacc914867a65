//! Tests of several sources with one store: for the server they are one client.

use std::sync::mpsc;
use std::time::Duration;

use tradovate_auth::MayLogIn;
use tradovate_auth::ureq::TokenError;
use tradovate_auth::{Event, EventKind, Login, Verdict};
use tradovate_auth_simulator::{Endpoint, Limits, Options, Server, Simulator};

use super::oauth::refresh_token;
use crate::support::{Kind, MemoryStore, Source, app, await_one, await_that};

/// `size` sources with one store, blocking and async ones in turn.
fn fleet(server: &Server, store: &MemoryStore, size: usize) -> Vec<Source> {
    Kind::ALL.into_iter().cycle().take(size).map(|kind| kind.of(server).shared(store).build()).collect()
}

fn tokens(fleet: &[Source]) -> Vec<String> {
    let asked: Vec<_> = fleet.iter().map(Source::request_token).collect();
    asked.iter().map(|token| await_one(token).unwrap().expose().to_owned()).collect()
}

fn are_one(tokens: &[String]) -> bool {
    tokens.iter().all(|token| *token == tokens[0])
}

#[test]
fn sources_with_one_store_log_in_once() {
    let server = Simulator::builder().serve().unwrap();
    let store = MemoryStore::default();
    let fleet = fleet(&server, &store, 10);
    assert!(are_one(&tokens(&fleet)));
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn returning_a_valid_token_does_not_use_the_store() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let source = kind.of(&server).shared(&store).build();
        source.token().unwrap();
        let before = store.uses();
        for _ in 0..100 {
            source.token().unwrap();
        }
        assert_eq!(store.uses(), before);
    });
}

#[test]
fn a_source_that_starts_later_uses_the_stored_token() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let first = tokens(&fleet(&server, &store, 1));
        let later = kind.of(&server).shared(&store).build();
        assert_eq!(later.token().unwrap().expose(), first[0]);
        assert_eq!(server.statistics().logins, 1);
    });
}

#[test]
fn a_dead_token_that_all_sources_report_is_renewed_once() {
    let server = Simulator::builder().serve().unwrap();
    let store = MemoryStore::default();
    let fleet = fleet(&server, &store, 6);
    tokens(&fleet);
    let held: Vec<_> = fleet.iter().map(|source| source.token().unwrap()).collect();
    for (source, token) in fleet.iter().zip(&held) {
        assert_eq!(source.rejected(token, 401, "Expired Access Token"), Verdict::Dead);
    }
    assert!(are_one(&tokens(&fleet)));
    let statistics = server.statistics();
    assert_eq!((statistics.logins, statistics.renewals), (1, 1));
}

#[test]
fn a_forbidden_call_of_all_sources_causes_one_verifying_renewal() {
    let server = Simulator::builder().serve().unwrap();
    let store = MemoryStore::default();
    let fleet = fleet(&server, &store, 4);
    let keepers: Vec<_> = fleet.iter().map(Source::keep_alive).collect();
    tokens(&fleet);
    let first = fleet[0].token().unwrap();
    assert_eq!(fleet[0].rejected(&first, 401, "Access is denied"), Verdict::BeingChecked);
    await_that(|| fleet.iter().all(|source| source.token().unwrap().expires_at() > first.expires_at()));
    for source in &fleet {
        let token = source.token().unwrap();
        assert_eq!(source.rejected(&token, 401, "Access is denied"), Verdict::Forbidden);
    }
    drop(keepers);
    assert_eq!(server.statistics().renewals, 1);
}

#[test]
fn keepers_adopt_the_renewals_of_other_sources() {
    let server = Simulator::builder().lifetime(Duration::from_secs(4)).options(without_limits).serve().unwrap();
    let store = MemoryStore::default();
    let fleet = fleet(&server, &store, 4);
    let keepers: Vec<_> = fleet.iter().map(Source::keep_alive).collect();
    let mut ends: Vec<_> = tokens(&fleet);
    for _ in 0..3 {
        let before = std::mem::take(&mut ends);
        await_that(|| fleet.iter().zip(&before).all(|(source, before)| source.token().unwrap().expose() != before));
        ends = tokens(&fleet);
    }
    drop(keepers);
    let statistics = server.statistics();
    assert_eq!(statistics.logins, 1);
    assert!(statistics.renewals < 10, "{statistics:?}");
}

fn without_limits(options: &mut Options) {
    options.limits = Limits::none();
}

#[test]
fn while_the_store_is_down_nothing_is_sent_and_a_valid_token_is_used() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let holder = kind.of(&server).shared(&store).build();
        let token = holder.token().unwrap();
        store.set_down(true);
        assert_eq!(holder.token().unwrap().expose(), token.expose());
        let (sender, events) = mpsc::channel();
        let cold = kind
            .of(&server)
            .shared(&store)
            .token_timeout(Duration::from_millis(300))
            .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
            .build();
        let error = cold.token().unwrap_err();
        assert!(error.to_string().contains("the store is down"), "{error}");
        assert!(matches!(await_one(&events), EventKind::StoreFailed { .. }));
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
        store.set_down(false);
        assert_eq!(cold.await_token().expose(), token.expose());
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    });
}

#[test]
fn a_source_writes_its_session_back_to_a_store_that_lost_it() {
    let is_published_in_time = |kind: Kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let holder = kind.of(&server).shared(&store).build();
        let _keeper = holder.keep_alive();
        holder.token().unwrap();
        store.flush();
        // Until the lease is released, the holder is not finished.
        await_that(|| store.session().is_some() && !store.is_leased());
        store.flush();
        let cold = kind.of(&server).shared(&store).build();
        // The token is the published one, or its renewal.
        cold.token().unwrap();
        server.statistics().logins == 1
    };
    for kind in Kind::ALL {
        // The holder has one second of real time, which other tests can use up. So the test tries five times.
        assert!((0..5).any(|_| is_published_in_time(kind)), "{kind:?}");
    }
}

#[test]
fn a_source_that_never_logs_in_waits_for_another_to_log_in() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let follower = kind.of(&server).shared(&store).may_log_in(MayLogIn::Never).build();
        let asked = follower.request_token();
        let leader = kind.of(&server).shared(&store).build();
        let token = leader.token().unwrap();
        assert_eq!(await_one(&asked).unwrap().expose(), token.expose());
        assert_eq!(server.statistics().logins, 1);
    });
}

#[test]
fn an_unreadable_record_is_replaced_only_if_the_policy_allows_a_login() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        store.damage();
        let careful = kind.of(&server).shared(&store).token_timeout(Duration::from_millis(200)).build();
        let error = careful.token().unwrap_err();
        assert!(matches!(&error, TokenError::NotYet { .. }) && error.to_string().contains("damaged"), "{error}");
        assert_eq!(server.statistics().logins, 0);
        let bold = kind.of(&server).shared(&store).may_log_in(MayLogIn::EvenIfUnreadable).build();
        let token = bold.token().unwrap();
        assert_eq!(careful.await_token().expose(), token.expose());
        assert!(store.session().is_some());
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn a_source_sends_nothing_while_another_holds_the_lease() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        store.block(Duration::from_secs(3600));
        let source = kind.of(&server).shared(&store).token_timeout(Duration::from_millis(1200)).build();
        assert!(source.token().is_err());
        assert_eq!(server.statistics().logins, 0);
    });
}

#[test]
fn a_lease_shorter_than_the_request_timeout_is_not_used() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        store.set_longest_lease(Duration::from_secs(10));
        let source = kind.of(&server).shared(&store).token_timeout(Duration::from_millis(1200)).build();
        let error = source.token().unwrap_err().to_string();
        assert!(error.contains("the store gives its lease for 10 s, and a request may take 45 s"), "{error}");
        assert_eq!(server.statistics().logins, 0);
        assert!(store.uses().leases < 10, "{:?}", store.uses());
    });
}

#[test]
fn sources_with_one_store_try_refused_credentials_once() {
    let server = Simulator::builder().serve().unwrap();
    let store = MemoryStore::default();
    let wrong = tradovate_auth::Credentials::new("trader", "wrong");
    let fleet: Vec<_> = Kind::ALL
        .into_iter()
        .cycle()
        .take(8)
        .map(|kind| {
            let builder = kind.builder(server.environment(), wrong.clone()).shared(&store);
            builder.token_timeout(Duration::from_secs(5)).build()
        })
        .collect();
    let asked: Vec<_> = fleet.iter().map(Source::request_token).collect();
    for answer in &asked {
        assert!(await_one(answer).is_err());
    }
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

//= R-REFRESH-1
#[test]
fn sources_with_one_store_refresh_one_after_the_other() {
    let server = Simulator::builder().lifetime(Duration::from_secs(4)).options(without_limits).serve().unwrap();
    let store = MemoryStore::default();
    let refresh = refresh_token(&server);
    let source = |kind: Kind| {
        kind.refreshing(server.environment(), Login::refresh_token(app(), refresh.clone())).shared(&store).build()
    };
    let fleet: Vec<_> = Kind::ALL.into_iter().cycle().take(4).map(source).collect();
    let keepers: Vec<_> = fleet.iter().map(Source::keep_alive).collect();
    let mut held = tokens(&fleet);
    for _ in 0..3 {
        let before = std::mem::take(&mut held);
        await_that(|| fleet.iter().zip(&before).all(|(source, before)| source.token().unwrap().expose() != before));
        held = tokens(&fleet);
    }
    drop(keepers);
    let statistics = server.statistics();
    assert_eq!(statistics.requests(Endpoint::OauthToken), 1 + statistics.refreshes, "the code, and no refusal");
    assert!(statistics.refreshes < 10, "{statistics:?}");
}
