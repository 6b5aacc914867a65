//! Tests of the async source. Callers are tasks, which can be cancelled at each await point.

use std::sync::{Arc, LazyLock, Mutex as Fact};

use http::StatusCode;
use jiff::Timestamp;
use shuttle::future::{JoinHandle, block_on, yield_now};
use tradovate_auth_reqwest::{Client, TokenSource, TokenSourceBuilder, answer_by};
use tradovate_auth_session::{Event, EventKind, StoredSession};
use tradovate_auth_store::SessionName;
use tradovate_auth_token_source::sync_primitives::tokio::sync::watch;
use tradovate_auth_token_source::sync_primitives::{Mutex, mpsc};
use tradovate_auth_token_source::{SharedBudget, Token, TokenError};

use crate::store::{InMemory, InTasks};
use crate::world::{NO_WAIT, World, if_available, in_many_schedules};

/// A shared HTTP client, because building one is slow. It sends nothing.
static CLIENT: LazyLock<Client> = LazyLock::new(|| Client::new(World::environment()).unwrap());

/// A builder of sources in this world. The server of the world answers all sources of the schedule.
fn builder(world: &World) -> TokenSourceBuilder {
    let server = world.clone();
    answer_by(Arc::new(move |path| {
        let server = server.clone();
        Box::pin(async move {
            let request = server.request();
            yield_now().await;
            request.answer(&path)
        })
    }));
    TokenSource::builder(World::environment(), World::credentials())
        .client(CLIENT.clone())
        .budget(SharedBudget::default())
        .clock(world.clock())
}

fn in_many_schedules_of_tasks<F: Future<Output = ()> + 'static>(episode: impl Fn() -> F + Send + Sync + 'static) {
    in_many_schedules(move || block_on(episode()));
}

fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    shuttle::future::spawn(task)
}

fn token(tokens: &TokenSource) -> JoinHandle<Result<Token, TokenError>> {
    let tokens = tokens.clone();
    spawn(async move { tokens.token().await })
}

#[test]
fn callers_without_a_token_share_one_login() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        let callers = [0; 3].map(|_| token(&tokens));
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert_eq!((world.server().logins, world.server().renewals), (1, 0));
    });
}

#[test]
fn the_answer_is_kept_if_one_of_two_callers_is_cancelled() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        let (cancelled, waiting) = (token(&tokens), token(&tokens));
        cancelled.abort();
        waiting.await.unwrap().unwrap();
        let _ = cancelled.await;
        tokens.token().await.unwrap();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn an_exchange_continues_after_all_its_callers_are_cancelled() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        for caller in [0; 2].map(|_| token(&tokens)) {
            caller.abort();
            let _ = caller.await;
        }
        tokens.token().await.unwrap();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn no_caller_gets_an_older_token_after_a_renewal() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        let first = tokens.token().await.unwrap().generation();
        let mut watch = tokens.watch();
        world.pass(70);
        let watcher = spawn(async move { watch.changed().await });
        let callers = [0; 2].map(|_| {
            let tokens = tokens.clone();
            spawn(async move {
                let earlier = tokens.token().await.unwrap().generation();
                yield_now().await;
                (earlier, tokens.token().await.unwrap().generation())
            })
        });
        let keeper = tokens.keep_alive();
        let change = watcher.await.unwrap();
        assert!(change.has_other_token && change.token.unwrap().generation() > first);
        for caller in callers {
            let (earlier, later) = caller.await.unwrap();
            assert!(first <= earlier && earlier <= later, "an older token was published after a newer one");
        }
        assert!(tokens.token().await.unwrap().generation() > first);
        drop(keeper);
        assert_eq!((world.server().logins, world.server().renewals), (1, 1));
    });
}

#[test]
fn a_panic_at_any_point_leaves_no_caller_waiting_forever() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (hook, observer) = (world.clone(), world.clone());
        let tokens = builder(&world)
            .store(move |session: StoredSession| {
                let hook = hook.clone();
                hook.may_panic();
                async move {
                    hook.may_panic();
                    hook.record_stored(session.expires_at());
                    yield_now().await;
                    hook.may_panic();
                    Ok::<_, std::io::Error>(())
                }
            })
            .on_event(move |_| observer.may_panic())
            .token_timeout(NO_WAIT)
            .build()
            .unwrap();
        world.panic_at_one_of(7);
        for caller in [0; 2].map(|_| token(&tokens)) {
            if_available(caller.await.unwrap());
        }
        world.panic_never();
        world.pass(30);
        // The session backs off after the lost result, for less than the time that follows.
        let mut recovered = None;
        for _ in 0..20 {
            world.pass(5);
            recovered = if_available(tokens.token().await);
            if recovered.is_some() {
                break;
            }
        }
        world.assert_stored(&recovered.unwrap());
    });
}

#[test]
fn the_answer_is_kept_if_a_keeper_is_stopped_or_dropped() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        let kept = tokens.clone();
        let stopped = spawn(async move { kept.keep_alive().stop().await });
        let kept = tokens.clone();
        let dropped = spawn(async move { drop(kept.keep_alive()) });
        let caller = token(&tokens);
        stopped.await.unwrap();
        dropped.await.unwrap();
        caller.await.unwrap().unwrap();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn stopping_a_keeper_waits_until_the_answer_in_flight_is_stored() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let hook = world.clone();
        let store = move |session: StoredSession| {
            let hook = hook.clone();
            async move {
                yield_now().await;
                hook.record_stored(session.expires_at());
                Ok::<_, std::io::Error>(())
            }
        };
        let tokens = builder(&world).store(store).build().unwrap();
        let keeper = tokens.keep_alive();
        let caller = token(&tokens);
        let requests = world.requests();
        keeper.stop().await;
        assert!(requests == 0 || world.has_stored(), "an answer was lost");
        world.assert_stored(&caller.await.unwrap().unwrap());
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn stopping_a_keeper_waits_for_the_last_event_callback() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).on_event(|_| shuttle::thread::yield_now()).build().unwrap();
        tokens.token().await.unwrap();
        let keeper = tokens.keep_alive();
        let forgetting = tokens.clone();
        let forgetting_thread = spawn(async move { forgetting.forget() });
        keeper.stop().await;
        forgetting_thread.await.unwrap();
    });
}

#[test]
fn an_event_callback_can_adopt_a_snapshot_in_its_own_source() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let own = Arc::new(Fact::new(None::<TokenSource>));
        let used = Arc::clone(&own);
        let on_event = move |_: &Event| {
            let tokens = used.lock().unwrap().clone();
            if let Some(tokens) = tokens {
                tokens.adopt(tokens.snapshot());
            }
        };
        let tokens = builder(&world).on_event(on_event).build().unwrap();
        *own.lock().unwrap() = Some(tokens.clone());
        for caller in [0; 2].map(|_| token(&tokens)) {
            caller.await.unwrap().unwrap();
        }
        own.lock().unwrap().take();
        assert_eq!(world.server().logins, 1);
    });
}

#[test]
fn callers_get_their_token_while_a_callback_runs() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (has_token, awaited) = mpsc::channel();
        let awaited = Mutex::new(awaited);
        let on_event = move |event: &Event| {
            if let EventKind::LoggedIn { .. } = event.kind {
                awaited.lock().unwrap().recv().unwrap();
            }
        };
        let tokens = builder(&world).on_event(on_event).build().unwrap();
        let callers = [0; 2].map(|_| {
            let (tokens, has_token) = (tokens.clone(), has_token.clone());
            spawn(async move {
                tokens.token().await.unwrap();
                has_token.send(()).unwrap();
            })
        });
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

#[test]
fn a_token_that_several_callers_reject_is_replaced_once() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let tokens = builder(&world).build().unwrap();
        let first = tokens.token().await.unwrap();
        let mut watch = tokens.watch();
        let callers = [0; 3].map(|_| {
            let (tokens, rejected) = (tokens.clone(), first.clone());
            spawn(async move {
                let _ = tokens.rejected(&rejected, StatusCode::UNAUTHORIZED, b"");
                tokens.token().await.unwrap().generation()
            })
        });
        assert!(watch.changed().await.has_other_token);
        for caller in callers {
            assert!(caller.await.unwrap() >= first.generation());
        }
        assert!(tokens.token().await.unwrap().generation() > first.generation());
        assert_eq!(world.server().logins + world.server().renewals, 2);
    });
}

#[test]
fn no_caller_gets_a_token_before_it_is_stored() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (go_on, waits) = watch::channel(());
        let hook = world.clone();
        let store = move |session: StoredSession| {
            let (hook, mut waits) = (hook.clone(), waits.clone());
            async move {
                waits.changed().await.unwrap();
                hook.record_stored(session.expires_at());
                Ok::<_, std::io::Error>(())
            }
        };
        let tokens = builder(&world).store(store).build().unwrap();
        let callers = [0; 3].map(|_| {
            let (world, tokens) = (world.clone(), tokens.clone());
            spawn(async move { world.assert_stored(&tokens.token().await.unwrap()) })
        });
        go_on.send_replace(());
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(world.server().logins, 1);
    });
}

/// Creates two sources on one store, with a token that an earlier process stored this many minutes ago. Also returns
/// the expiry of that token.
async fn on_one_store(world: &World, minutes: u64) -> (InMemory, Timestamp, [TokenSource; 2]) {
    let earlier = builder(world).user_key("app/trader").build().unwrap();
    let first = earlier.token().await.unwrap().expires_at();
    earlier.keep_alive().stop().await;
    let store = InMemory::with(world, earlier.snapshot());
    world.pass(minutes);
    let name = || SessionName::new("app", "trader");
    let source = |()| builder(world).shared(InTasks(store.clone()), name()).user_key("app/trader").build().unwrap();
    let sources = [(); 2].map(source);
    (store, first, sources)
}

#[test]
fn sources_that_share_a_store_send_one_renewal() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (store, first, sources) = on_one_store(&world, 70).await;
        let callers = sources.map(|tokens| {
            spawn(async move {
                let keeper = tokens.keep_alive();
                let mut watch = tokens.watch();
                while tokens.token().await.unwrap().expires_at() == first {
                    watch.changed().await;
                }
                (keeper, tokens)
            })
        });
        let mut kept = Vec::new();
        for caller in callers {
            kept.push(caller.await.unwrap());
        }
        assert_eq!(kept[0].1.token().await.unwrap().expose(), kept[1].1.token().await.unwrap().expose());
        assert_eq!((world.server().logins, world.server().renewals), (1, 1));
        store.close();
    });
}

#[test]
fn stopping_a_keeper_releases_the_lease() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (store, _, [tokens, _]) = on_one_store(&world, 70).await;
        let keeper = tokens.keep_alive();
        tokens.token().await.unwrap();
        keeper.stop().await;
        assert!(!store.is_leased());
        store.close();
    });
}

#[test]
fn forget_stops_all_sources_that_share_the_store() {
    in_many_schedules_of_tasks(async || {
        let world = World::default();
        let (store, _, [tokens, other]) = on_one_store(&world, 0).await;
        let keeper = other.keep_alive();
        let mut watch = other.watch();
        // If this source asked for a token only after `forget`, it would log in.
        other.token().await.unwrap();
        tokens.token().await.unwrap();
        tokens.forget();
        while watch.changed().await.stopped.is_none() {}
        drop(keeper);
        store.close();
    });
}
