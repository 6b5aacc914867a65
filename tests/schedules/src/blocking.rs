//! Tests of the blocking source. Callers are threads.

use std::sync::{Arc, Mutex as Fact};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use shuttle::thread::JoinHandle;
use tradovate_auth_session::{Event, EventKind, StoredSession};
use tradovate_auth_store::SessionName;
use tradovate_auth_token_source::sync_primitives::{Mutex, mpsc, thread};
use tradovate_auth_token_source::{SharedBudget, Token, TokenError};
use tradovate_auth_ureq::{Client, TokenSource, TokenSourceBuilder};
use ureq::middleware::MiddlewareNext;
use ureq::{Agent, Body, SendBody};

use crate::store::InMemory;
use crate::world::{NO_WAIT, World, if_available, in_many_schedules};

const LONG: Duration = Duration::from_secs(3600);

/// A builder of sources in this world.
fn builder(world: &World) -> TokenSourceBuilder {
    let server = world.clone();
    let answer = move |request: http::Request<SendBody>, _: MiddlewareNext| {
        let arrived = server.request();
        let body = arrived.answer(request.uri().path());
        Ok(http::Response::new(Body::builder().data(body)))
    };
    let agent: Agent = Agent::config_builder().middleware(answer).build().into();
    TokenSource::builder(World::environment(), World::credentials())
        .client(Client::new(World::environment()).with_agent(agent))
        .budget(SharedBudget::default())
        .clock(world.clock())
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<Option<T>> {
    thread::Builder::new().spawn(run).unwrap()
}

fn token(tokens: &TokenSource) -> JoinHandle<Option<Result<Token, TokenError>>> {
    let tokens = tokens.clone();
    spawn(move || tokens.token())
}

#[test]
fn callers_without_a_token_share_one_login() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).build();
        let callers = [0; 3].map(|_| token(&tokens));
        let generations = callers.map(|caller| caller.join().unwrap().unwrap().unwrap().generation());
        assert!(generations.iter().all(|generation| *generation == generations[0]));
        assert_eq!((world.server().logins, world.server().renewals), (1, 0));
    });
}

#[test]
fn no_caller_gets_an_older_token_after_a_renewal() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).build();
        let first = tokens.token().unwrap().generation();
        let mut watch = tokens.watch();
        let watcher = spawn(move || watch.changed(LONG).unwrap());
        world.pass(70);
        let callers = [0; 2].map(|_| {
            let tokens = tokens.clone();
            spawn(move || [0; 2].map(|_| tokens.token().unwrap().generation()))
        });
        let keeper = tokens.keep_alive().unwrap();
        let change = watcher.join().unwrap().unwrap();
        assert!(change.has_other_token && change.token.unwrap().generation() > first);
        for caller in callers {
            let [earlier, later] = caller.join().unwrap().unwrap();
            assert!(first <= earlier && earlier <= later, "an older token was published after a newer one");
        }
        assert!(tokens.token().unwrap().generation() > first);
        drop(keeper);
        assert_eq!((world.server().logins, world.server().renewals), (1, 1));
    });
}

#[test]
fn callers_whose_token_has_expired_share_one_request() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).build();
        let first = tokens.token().unwrap().generation();
        world.pass(90);
        let callers = [0; 3].map(|_| token(&tokens));
        for caller in callers {
            assert!(caller.join().unwrap().unwrap().unwrap().generation() > first);
        }
        assert_eq!(world.server().logins + world.server().renewals, 2);
    });
}

#[test]
fn a_panic_at_any_point_leaves_no_caller_waiting_forever() {
    in_many_schedules(|| {
        let world = World::default();
        let budget = SharedBudget::default();
        let (hook, observer, act) = (world.clone(), world.clone(), world.clone());
        let tokens = builder(&world)
            .budget(budget.clone())
            .store(move |session| {
                hook.may_panic();
                hook.record_stored(session.expires_at());
                hook.may_panic();
                Ok::<_, std::io::Error>(())
            })
            .on_event(move |_| observer.may_panic())
            .token_timeout(NO_WAIT)
            .build();
        world.panic_at_one_of(7);
        let callers = [0; 2].map(|_| token(&tokens));
        let panicking = spawn(move || budget.with(|_| act.may_panic()));
        for caller in callers {
            if_available(caller.join().unwrap().expect("no caller panics in the source"));
        }
        panicking.join().unwrap();
        world.panic_never();
        world.pass(30);
        // The session backs off after the lost result, for less than the time that follows.
        let recovered = (0..20).find_map(|_| {
            world.pass(5);
            if_available(tokens.token())
        });
        world.assert_stored(&recovered.unwrap());
    });
}

#[test]
fn the_answer_is_kept_if_a_keeper_is_stopped_or_dropped() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).build();
        let kept = tokens.clone();
        let stopped = spawn(move || kept.keep_alive().unwrap().stop());
        let kept = tokens.clone();
        let dropped = spawn(move || drop(kept.keep_alive().unwrap()));
        let caller = token(&tokens);
        stopped.join().unwrap();
        dropped.join().unwrap();
        caller.join().unwrap().unwrap().unwrap();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn stopping_a_keeper_waits_until_the_answer_in_flight_is_stored() {
    in_many_schedules(|| {
        let world = World::default();
        let hook = world.clone();
        let store = move |session: &StoredSession| {
            hook.record_stored(session.expires_at());
            Ok::<_, std::io::Error>(())
        };
        let tokens = builder(&world).store(store).on_event(|_| shuttle::thread::yield_now()).build();
        let keeper = tokens.keep_alive().unwrap();
        let caller = token(&tokens);
        let requests = world.requests();
        keeper.stop();
        assert!(requests == 0 || world.has_stored(), "an answer was lost");
        world.assert_stored(&caller.join().unwrap().unwrap().unwrap());
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn stopping_a_keeper_waits_for_the_last_event_callback() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).on_event(|_| shuttle::thread::yield_now()).build();
        tokens.token().unwrap();
        let keeper = tokens.keep_alive().unwrap();
        let forgetting = tokens.clone();
        let forgetting_thread = spawn(move || forgetting.forget());
        keeper.stop();
        forgetting_thread.join().unwrap();
    });
}

#[test]
fn a_callback_may_ask_its_own_source_for_a_token() {
    in_many_schedules(|| {
        let world = World::default();
        let own = Arc::new(Fact::new(None::<TokenSource>));
        let used = Arc::clone(&own);
        let on_event = move |_: &Event| {
            let tokens = used.lock().unwrap().clone();
            if let Some(tokens) = tokens {
                if_available(tokens.token());
                drop(tokens.snapshot());
                tokens.adopt(tokens.snapshot());
            }
        };
        let tokens = builder(&world).on_event(on_event).build();
        *own.lock().unwrap() = Some(tokens.clone());
        let callers = [0; 2].map(|_| token(&tokens));
        for caller in callers {
            caller.join().unwrap().unwrap().unwrap();
        }
        own.lock().unwrap().take();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn callers_get_their_token_while_a_callback_runs() {
    in_many_schedules(|| {
        let world = World::default();
        let (has_token, awaited) = mpsc::channel();
        let awaited = Mutex::new(awaited);
        let on_event = move |event: &Event| {
            if let EventKind::LoggedIn { .. } = event.kind {
                awaited.lock().unwrap().recv().unwrap();
            }
        };
        let tokens = builder(&world).on_event(on_event).build();
        let callers = [0; 2].map(|_| {
            let (tokens, has_token) = (tokens.clone(), has_token.clone());
            spawn(move || {
                tokens.token().unwrap();
                has_token.send(()).unwrap();
            })
        });
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_token_that_several_callers_reject_is_replaced_once() {
    in_many_schedules(|| {
        let world = World::default();
        let tokens = builder(&world).build();
        let first = tokens.token().unwrap();
        let mut watch = tokens.watch();
        let callers = [0; 3].map(|_| {
            let (tokens, rejected) = (tokens.clone(), first.clone());
            spawn(move || {
                let _ = tokens.rejected(&rejected, StatusCode::UNAUTHORIZED, b"");
                tokens.token().unwrap().generation()
            })
        });
        let change = watch.changed(LONG).unwrap();
        assert!(change.has_other_token);
        for caller in callers {
            assert!(caller.join().unwrap().unwrap() >= first.generation());
        }
        assert!(tokens.token().unwrap().generation() > first.generation());
        assert_eq!(world.server().logins + world.server().renewals, 2);
    });
}

#[test]
fn no_caller_gets_a_token_before_it_is_stored() {
    in_many_schedules(|| {
        let world = World::default();
        let (go_on, waits) = mpsc::channel();
        let waits = Mutex::new(waits);
        let hook = world.clone();
        let store = move |session: &StoredSession| {
            waits.lock().unwrap().recv().unwrap();
            hook.record_stored(session.expires_at());
            Ok::<_, std::io::Error>(())
        };
        let tokens = builder(&world).store(store).build();
        let callers = [0; 3].map(|_| {
            let (world, tokens) = (world.clone(), tokens.clone());
            spawn(move || world.assert_stored(&tokens.token().unwrap()))
        });
        for _ in 0..4 {
            go_on.send(()).unwrap();
        }
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
        drop(go_on);
        assert_eq!(world.server().logins, 1);
    });
}

/// Creates two sources on one store, with a token that an earlier process stored this many minutes ago. Also returns
/// the expiry of that token.
fn on_one_store(world: &World, minutes: u64) -> (InMemory, Timestamp, [TokenSource; 2]) {
    let earlier = builder(world).user_key("app/trader").build();
    let first = earlier.token().unwrap().expires_at();
    // After this, no thread of the earlier source renews.
    earlier.keep_alive().unwrap().stop();
    let store = InMemory::with(world, earlier.snapshot());
    world.pass(minutes);
    let name = || SessionName::new("app", "trader");
    let source = |()| builder(world).shared(store.clone(), name()).user_key("app/trader").build();
    let sources = [(); 2].map(source);
    (store, first, sources)
}

#[test]
fn sources_that_share_a_store_send_one_renewal() {
    in_many_schedules(|| {
        let world = World::default();
        let (store, first, sources) = on_one_store(&world, 70);
        let callers = sources.map(|tokens| {
            spawn(move || {
                let keeper = tokens.keep_alive().unwrap();
                let mut watch = tokens.watch();
                while tokens.token().unwrap().expires_at() == first {
                    watch.changed(LONG).unwrap();
                }
                (keeper, tokens)
            })
        });
        let kept = callers.map(|caller| caller.join().unwrap().unwrap());
        assert_eq!(kept[0].1.token().unwrap().expose(), kept[1].1.token().unwrap().expose());
        assert_eq!((world.server().logins, world.server().renewals), (1, 1));
        store.close();
    });
}

#[test]
fn stopping_a_keeper_releases_the_lease() {
    in_many_schedules(|| {
        let world = World::default();
        let (store, _, [tokens, _]) = on_one_store(&world, 70);
        let keeper = tokens.keep_alive().unwrap();
        tokens.token().unwrap();
        keeper.stop();
        assert!(!store.is_leased());
        store.close();
    });
}

#[test]
fn forget_stops_all_sources_that_share_the_store() {
    in_many_schedules(|| {
        let world = World::default();
        let (store, _, [tokens, other]) = on_one_store(&world, 0);
        let keeper = other.keep_alive().unwrap();
        let mut watch = other.watch();
        // If this source asked for a token only after `forget`, it would log in.
        other.token().unwrap();
        tokens.token().unwrap();
        tokens.forget();
        while watch.changed(LONG).unwrap().stopped.is_none() {}
        store.close();
        drop(keeper);
    });
}
