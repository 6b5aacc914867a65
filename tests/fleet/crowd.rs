//! A thousand concurrent callers of both transports, while the server goes down and up again. The server accepts every
//! token that they get, no thread or task is left at the end, and the memory does not grow.
//!
//! The test runs in a process of its own, so that it counts only its own threads and memory.

use std::env;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tradovate_auth::ureq::{SharedBudget, Token, TokenError};
use tradovate_auth_simulator::{Limits, Maintenance, Server, Simulator};

use crate::times;

const CALLERS: usize = 500;
const FLAP_INTERVAL: Duration = Duration::from_millis(100);
/// The pause between two calls of a caller. All callers together make ten thousand calls a second.
const PAUSE: Duration = Duration::from_millis(100);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The argument that makes this program run the crowd.
const ARGUMENT: &str = "--crowd-in-this-process";

/// Runs the crowd if this is the crowd's process.
pub(crate) fn in_this_process() -> Option<ExitCode> {
    (env::args().nth(1)? == ARGUMENT).then(|| {
        a_thousand_callers_meet_a_server();
        ExitCode::SUCCESS
    })
}

pub(crate) fn a_thousand_callers_get_only_valid_tokens_from_a_flapping_server() {
    let status = Command::new(env::current_exe().unwrap()).arg(ARGUMENT).status().unwrap();
    assert!(status.success(), "the process of the crowd ended with {status}");
}

/// What the callers observed.
#[derive(Default)]
struct Observations {
    tokens: AtomicU64,
    waits: AtomicU64,
    is_over: AtomicBool,
}

impl Observations {
    /// Asserts that the server accepts a token now, or that it was replaced while the caller checked it.
    fn check(&self, server: &Server, answer: Result<Token, TokenError>, again: impl FnOnce() -> Option<Token>) {
        match answer {
            Ok(token) => {
                self.tokens.fetch_add(1, Ordering::Relaxed);
                let is_good = server.with(|simulator| simulator.accepts(token.expose()));
                let is_replaced = || again().is_some_and(|newer| newer.generation() > token.generation());
                assert!(is_good || is_replaced(), "a caller got a token that the server does not accept");
            }
            Err(TokenError::NotYet { .. }) => {
                self.waits.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The number of threads and the memory of this process in KiB, if the system reports them.
fn resources() -> Option<(usize, usize)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let number =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    Some((number("Threads:")?, number("VmRSS:")?))
}

fn flap(server: &Server, observations: &Observations) {
    let (start, mut is_down) = (Instant::now(), false);
    while start.elapsed() < Duration::from_secs(10 * times()) {
        is_down = !is_down;
        server.set_maintenance(is_down.then_some(Maintenance::Html));
        thread::sleep(FLAP_INTERVAL);
    }
    server.set_maintenance(None);
    observations.is_over.store(true, Ordering::SeqCst);
}

fn a_thousand_callers_meet_a_server() {
    // Tokens are renewed after half of their lifetime during the test. The sessions are never lost, so there is no
    // second login.
    let limits = |options: &mut tradovate_auth_simulator::Options| options.limits = Limits::none();
    let server = Arc::new(Simulator::builder().lifetime(Duration::from_secs(40)).options(limits).serve().unwrap());
    let observations = Arc::new(Observations::default());
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
            let (server, observations, tokens) = (Arc::clone(&server), Arc::clone(&observations), blocking.clone());
            let call = move || {
                while !observations.is_over.load(Ordering::SeqCst) {
                    observations.check(&server, tokens.token(), || tokens.token().ok());
                    thread::sleep(PAUSE);
                }
            };
            thread::Builder::new().stack_size(256 * 1024).spawn(call).unwrap()
        })
        .collect();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (server, observations, tokens) = (Arc::clone(&server), Arc::clone(&observations), asynchronous.clone());
            RUNTIME.spawn(async move {
                while !observations.is_over.load(Ordering::SeqCst) {
                    let answer = tokens.token().await;
                    let newer = tokens.token().await.ok();
                    observations.check(&server, answer, || newer);
                    tokio::time::sleep(PAUSE).await;
                }
            })
        })
        .collect();
    flap(&server, &observations);
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
        observations.tokens.load(Ordering::SeqCst),
        observations.waits.load(Ordering::SeqCst),
        2 * CALLERS,
        10 * times(),
        statistics.logins,
        statistics.renewals,
        statistics.log().len()
    );
    assert_eq!(statistics.logins, 2, "one for each source");
    // The keeper's task remains. A task that sends a request may just be ending.
    let end = Instant::now() + Duration::from_secs(30);
    while RUNTIME.metrics().num_alive_tasks() > 1 {
        assert!(Instant::now() < end, "a task is left");
        thread::sleep(PAUSE);
    }
    assert!(observations.tokens.load(Ordering::SeqCst) > 0);
    if let (Some((threads, memory)), Some((threads_after, memory_after))) = (before, after) {
        println!(
            "threads: {threads} before, {threads_after} after; memory: {memory} KiB before, {memory_after} KiB after"
        );
        assert!(threads_after <= threads + 1, "a thread is left: {threads} before, {threads_after} after");
        // The allocator keeps what a thousand concurrent callers needed. A leak would grow with every call.
        assert!(memory_after < memory + 64 * 1024, "memory has grown from {memory} to {memory_after} KiB");
    }
}
