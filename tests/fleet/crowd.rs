//! A thousand callers at once, of both transports, while the server comes and goes: no token that it would not accept, no
//! thread or task that stays behind, and no memory that grows.
//!
//! It runs in a process of its own, so that the threads and the memory that it counts are its own.

use std::env;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tradovate_auth::ureq::{SharedBudget, Token, TokenError};
use tradovate_auth_simulator::{Limits, Maintenance, Server, Simulator};

const CALLERS: usize = 500;
const TIME: Duration = Duration::from_secs(30);
const FLAP: Duration = Duration::from_millis(100);
/// Between two calls of one caller: all of them together ask ten thousand times a second.
const PAUSE: Duration = Duration::from_millis(100);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The argument that makes the test's program the process of the crowd.
const ARGUMENT: &str = "--crowd-in-this-process";

/// Runs the crowd if this is its process.
pub(crate) fn in_this_process() -> Option<ExitCode> {
    (env::args().nth(1)? == ARGUMENT).then(|| {
        a_thousand_callers_meet_a_server();
        ExitCode::SUCCESS
    })
}

pub(crate) fn a_thousand_callers_meet_a_server_that_comes_and_goes() {
    let status = Command::new(env::current_exe().unwrap()).arg(ARGUMENT).status().unwrap();
    assert!(status.success(), "the process of the crowd ended with {status}");
}

/// What the callers have met.
#[derive(Default)]
struct Met {
    tokens: AtomicU64,
    waits: AtomicU64,
    is_over: AtomicBool,
}

impl Met {
    /// A token must be one that the server accepts at the moment, or has replaced while the caller looked at it.
    fn judge(&self, server: &Server, answer: Result<Token, TokenError>, again: impl FnOnce() -> Option<Token>) {
        match answer {
            Ok(token) => {
                self.tokens.fetch_add(1, Ordering::Relaxed);
                let is_good = server.with(|simulator| simulator.accepts(token.expose()));
                let is_replaced = || again().is_some_and(|newer| newer.generation() > token.generation());
                assert!(is_good || is_replaced(), "a token that the server does not accept");
            }
            Err(TokenError::NotYet { .. }) => {
                self.waits.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Threads and memory of this process, in kilobytes, where the system tells.
fn resources() -> Option<(usize, usize)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let number =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    Some((number("Threads:")?, number("VmRSS:")?))
}

fn flap(server: &Server, met: &Met) {
    let (start, mut is_down) = (Instant::now(), false);
    while start.elapsed() < TIME {
        is_down = !is_down;
        server.set_maintenance(is_down.then_some(Maintenance::Html));
        thread::sleep(FLAP);
    }
    server.set_maintenance(None);
    met.is_over.store(true, Ordering::SeqCst);
}

fn a_thousand_callers_meet_a_server() {
    // Renewed at half their life, in the midst of it all, and never lost: a login is not had for the asking.
    let limits = |options: &mut tradovate_auth_simulator::Options| options.limits = Limits::none();
    let server = Arc::new(Simulator::builder().lifetime(Duration::from_secs(40)).options(limits).serve().unwrap());
    let met = Arc::new(Met::default());
    let budget = SharedBudget::default();
    let blocking = tradovate_auth::ureq::TokenSource::builder(server.environment(), server.credentials())
        .budget(budget.clone())
        .build();
    let asynchronous = tradovate_auth::reqwest::TokenSource::builder(server.environment(), server.credentials())
        .budget(budget)
        .build()
        .unwrap();
    blocking.token().unwrap();
    RUNTIME.block_on(asynchronous.token()).unwrap();
    let _keepers = (blocking.keep_alive().unwrap(), {
        let _context = RUNTIME.enter();
        asynchronous.keep_alive()
    });
    let before = resources();

    let threads: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (server, met, tokens) = (Arc::clone(&server), Arc::clone(&met), blocking.clone());
            let call = move || {
                while !met.is_over.load(Ordering::SeqCst) {
                    met.judge(&server, tokens.token(), || tokens.token().ok());
                    thread::sleep(PAUSE);
                }
            };
            thread::Builder::new().stack_size(256 * 1024).spawn(call).unwrap()
        })
        .collect();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (server, met, tokens) = (Arc::clone(&server), Arc::clone(&met), asynchronous.clone());
            RUNTIME.spawn(async move {
                while !met.is_over.load(Ordering::SeqCst) {
                    let answer = tokens.token().await;
                    let newer = tokens.token().await.ok();
                    met.judge(&server, answer, || newer);
                    tokio::time::sleep(PAUSE).await;
                }
            })
        })
        .collect();
    flap(&server, &met);
    for thread in threads {
        thread.join().unwrap();
    }
    RUNTIME.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });

    assert!(blocking.token().is_ok() && RUNTIME.block_on(asynchronous.token()).is_ok());
    let after = resources();
    let statistics = server.statistics();
    println!(
        "{} tokens and {} waits for {} callers in {} s; {} logins, {} renewals, {} requests in all",
        met.tokens.load(Ordering::SeqCst),
        met.waits.load(Ordering::SeqCst),
        2 * CALLERS,
        TIME.as_secs(),
        statistics.logins,
        statistics.renewals,
        statistics.log().len()
    );
    assert_eq!(statistics.logins, 2, "one for each source");
    // The keeper's own task is left; one that carries a request may just be ending.
    let end = Instant::now() + TIME;
    while RUNTIME.metrics().num_alive_tasks() > 1 {
        assert!(Instant::now() < end, "a task stays behind");
        thread::sleep(PAUSE);
    }
    assert!(met.tokens.load(Ordering::SeqCst) > 0);
    if let (Some((threads, memory)), Some((threads_after, memory_after))) = (before, after) {
        println!(
            "threads: {threads} before, {threads_after} after; memory: {memory} KiB before, {memory_after} KiB after"
        );
        assert!(threads_after <= threads + 1, "a thread stays behind: {threads} before, {threads_after} after");
        // What a thousand callers at once have needed is kept by the allocator; what leaks grows with each of the calls.
        assert!(memory_after < memory + 64 * 1024, "memory has grown from {memory} to {memory_after} KiB");
    }
}
