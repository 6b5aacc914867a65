//! Measures a valid token: the cost of getting it and of adding it to a request, with one thread and with two.
//!
//! Times depend on the machine, so they are only printed, as multiples of reading a clock and loading from an `ArcSwap`.
//! The test requires that creating a header neither allocates nor copies the token.

use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::HeaderMap;
use jiff::Timestamp;
use tokio::runtime;
use tradovate_auth::{reqwest, ureq};
use tradovate_auth_simulator::Simulator;

use crate::allocations::Allocations;
use crate::report::Report;

/// The calls in a batch, and the number of batches. The fastest batch counts, because other work on the machine can only
/// slow a batch down.
const CALLS: u32 = 10_000;
const BATCHES: usize = 150;

/// The two operations whose sum is the reference.
const CLOCK: &str = "`Timestamp::now`";
const LOAD: &str = "`ArcSwap::load_full`";

type Work = Box<dyn FnMut()>;

/// An operation, and how another thread gets a worker that performs it.
struct Step {
    name: &'static str,
    worker: Arc<dyn Fn() -> Work + Send + Sync>,
}

impl Step {
    fn new<S: Clone + Send + Sync + 'static>(name: &'static str, shared: &S, work: fn(&S)) -> Self {
        let shared = shared.clone();
        let worker = move || {
            let shared = shared.clone();
            Box::new(move || work(&shared)) as Work
        };
        Self { name, worker: Arc::new(worker) }
    }
}

/// Prints the table, and checks the requirements.
pub(crate) fn measure(report: &mut Report) {
    let server = Simulator::builder().serve().expect("a port is free");
    let blocking = ureq::TokenSource::new(server.environment(), server.credentials());
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = reqwest::TokenSource::new(server.environment(), server.credentials()).expect("a client");
    let token = blocking.token().expect("the simulator logs in");
    runtime.block_on(tasks.token()).expect("the simulator logs in");

    let steps = [
        Step::new(CLOCK, &(), |()| _ = black_box(Timestamp::now())),
        Step::new("`Instant::now`", &(), |()| _ = black_box(Instant::now())),
        Step::new("`Arc::clone`", &Arc::new(0_u64), |shared| drop(black_box(Arc::clone(shared)))),
        Step::new(LOAD, &Arc::new(ArcSwap::from_pointee(0_u64)), |swap| {
            drop(black_box(swap.load_full()));
        }),
        Step::new("`Token::header`", &token, |token| drop(black_box(token.header()))),
        Step::new("`token`, `ureq`", &blocking, |tokens| drop(black_box(tokens.token()))),
        Step::new("`token`, `ureq`, and its header", &blocking, |tokens| {
            drop(black_box(tokens.token().map(|token| token.header())));
        }),
        Step::new("`token`, `ureq`, and `authorize`", &blocking, |tokens| {
            let mut headers = HeaderMap::new();
            tokens.token().expect("one is held").authorize(&mut headers);
            black_box(headers);
        }),
        Step::new("`token`, `reqwest`", &tasks, |tokens| drop(black_box(at_once(tokens.token())))),
        Step::new("`token`, `reqwest`, and its header", &tasks, |tokens| {
            drop(black_box(at_once(tokens.token()).map(|token| token.header())));
        }),
    ];

    println!("\nA token that is held: times as multiples of reading the clock and loading, in one thread\n");
    println!("| | one thread | two threads | allocations: new + grown, bytes |");
    println!("|---|---|---|---|");
    let reference: f64 =
        steps.iter().filter(|step| [CLOCK, LOAD].contains(&step.name)).map(|step| fastest(1, &step.worker)).sum();
    for Step { name, worker } in &steps {
        let [alone, both] = [1, 2].map(|threads| fastest(threads, worker) / reference);
        let mut work = worker();
        println!("| {name} | {alone:.1} | {both:.1} | {} |", Allocations::of(&mut *work));
    }

    let allocations = Allocations::of(|| drop(black_box(token.header())));
    report.expect(allocations == Allocations::NONE, "a header of a held token allocates");
    let copies = token.header().as_bytes().as_ptr() != token.header().as_bytes().as_ptr();
    report.expect(!copies, "a header copies the token");
    let allocations = Allocations::of(|| drop(black_box(blocking.token().map(|token| token.header()))));
    report.expect(allocations == Allocations::NONE, "to ask for a held token allocates");
}

/// The result of a future that is ready at once, as for a valid token. It needs no runtime.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a held token is there at once"),
    }
}

/// The time of a call in the fastest batch, in nanoseconds, if this many threads make it at the same time.
fn fastest(threads: usize, worker: &Arc<dyn Fn() -> Work + Send + Sync>) -> f64 {
    let barrier = Arc::new(Barrier::new(threads));
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let (barrier, worker) = (Arc::clone(&barrier), Arc::clone(worker));
            thread::spawn(move || {
                let mut work = worker();
                barrier.wait();
                (0..BATCHES).map(|_| batch(&mut *work)).fold(f64::INFINITY, f64::min)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("nothing panics")).fold(0.0, f64::max)
}

fn batch(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}
