//! Several sources on one store: to the server they are one client.

use std::sync::mpsc;
use std::time::Duration;

use tradovate_auth::MayLogIn;
use tradovate_auth::ureq::TokenError;
use tradovate_auth::{Event, EventKind, Login, Verdict};
use tradovate_auth_simulator::{Endpoint, Limits, Options, Server, Simulator};

use super::oauth::refresh_token;
use crate::support::{Kind, MemoryStore, Source, app, await_one, await_that};

/// One blocking source and one async one, as often as there are.
fn fleet(server: &Server, store: &MemoryStore, size: usize) -> Vec<Source> {
    Kind::ALL.into_iter().cycle().take(size).map(|kind| kind.of(server).shared(store).build()).collect()
}

fn tokens(fleet: &[Source]) -> Vec<String> {
    let asked: Vec<_> = fleet.iter().map(Source::ask).collect();
    asked.iter().map(|token| await_one(token).unwrap().expose().to_owned()).collect()
}

fn are_one(tokens: &[String]) -> bool {
    tokens.iter().all(|token| *token == tokens[0])
}

#[test]
fn a_fleet_logs_in_once() {
    let server = Simulator::builder().serve().unwrap();
    let store = MemoryStore::default();
    let fleet = fleet(&server, &store, 10);
    assert!(are_one(&tokens(&fleet)));
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn a_token_that_is_held_costs_no_use_of_the_store() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let source = kind.of(&server).shared(&store).build();
        source.token().unwrap();
        let before = store.uses();
        for _ in 0..100 {
            source.token().unwrap();
        }
        assert_eq!(store.uses(), before);
    }
}

#[test]
fn a_process_that_starts_later_uses_what_is_stored() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let first = tokens(&fleet(&server, &store, 1));
        let later = kind.of(&server).shared(&store).build();
        assert_eq!(later.token().unwrap().expose(), first[0]);
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn a_dead_token_that_all_see_is_renewed_once() {
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
fn a_permission_that_all_lack_costs_one_verifying_renewal() {
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
fn keepers_learn_of_what_others_renew() {
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
fn without_the_store_nothing_is_sent_and_what_is_held_is_used() {
    for kind in Kind::ALL {
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
        assert_eq!(cold.token_at_last().expose(), token.expose());
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    }
}

#[test]
fn what_a_store_has_forgotten_is_published_again_by_those_who_hold_it() {
    let is_published_in_time = |kind: Kind| {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let holder = kind.of(&server).shared(&store).build();
        let _keeper = holder.keep_alive();
        holder.token().unwrap();
        store.flush();
        // Until the lease is given back, the holder is still at work.
        await_that(|| store.session().is_some() && !store.is_leased());
        store.flush();
        let cold = kind.of(&server).shared(&store).build();
        // It is the published token, or a renewal of it.
        cold.token().unwrap();
        server.statistics().logins == 1
    };
    for kind in Kind::ALL {
        // The holder has a second of real time, which the threads of other tests can take from it.
        assert!((0..5).any(|_| is_published_in_time(kind)), "{kind:?}");
    }
}

#[test]
fn one_that_never_logs_in_waits_for_one_that_does() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        let follower = kind.of(&server).shared(&store).may_log_in(MayLogIn::Never).build();
        let asked = follower.ask();
        let leader = kind.of(&server).shared(&store).build();
        let token = leader.token().unwrap();
        assert_eq!(await_one(&asked).unwrap().expose(), token.expose());
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn what_cannot_be_read_is_left_alone_unless_a_login_in_its_place_is_allowed() {
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
        assert_eq!(careful.token_at_last().expose(), token.expose());
        assert!(store.session().is_some());
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn while_another_has_the_lease_nothing_is_sent() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        store.block(Duration::from_secs(3600));
        let source = kind.of(&server).shared(&store).token_timeout(Duration::from_millis(1200)).build();
        assert!(source.token().is_err());
        assert_eq!(server.statistics().logins, 0);
    }
}

#[test]
fn a_lease_that_may_end_before_a_request_does_is_used_for_none() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let store = MemoryStore::default();
        store.set_longest_lease(Duration::from_secs(10));
        let source = kind.of(&server).shared(&store).token_timeout(Duration::from_millis(1200)).build();
        let error = source.token().unwrap_err().to_string();
        assert!(error.contains("the store gives its lease for 10 s, and a request may take 45 s"), "{error}");
        assert_eq!(server.statistics().logins, 0);
        assert!(store.uses().leases < 10, "{:?}", store.uses());
    }
}

#[test]
fn refused_credentials_are_tried_once_by_a_whole_fleet() {
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
    let asked: Vec<_> = fleet.iter().map(Source::ask).collect();
    for answer in &asked {
        assert!(await_one(answer).is_err());
    }
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

//= R-REFRESH-1
#[test]
fn refreshes_that_rotate_are_one_after_another() {
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
