//! Measures a valid token: the cost of getting it and of adding it to a request.
//!
//! Times depend on the machine, so they are only printed, as multiples of reading a clock and loading from an `ArcSwap`.
//! The test requires that creating a header neither allocates nor copies the token.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
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

/// An operation.
struct Step {
    name: &'static str,
    work: Box<dyn FnMut()>,
}

impl Step {
    fn new<S: Clone + 'static>(name: &'static str, shared: &S, work: fn(&S)) -> Self {
        let shared = shared.clone();
        Self { name, work: Box::new(move || work(&shared)) }
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

    let mut steps = [
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

    println!("\nA token that is held: times as multiples of reading the clock and loading\n");
    println!("| | time | allocations: new + grown, bytes |");
    println!("|---|---|---|");
    let times = steps.each_mut().map(|step| fastest(&mut *step.work));
    let reference: f64 =
        steps.iter().zip(times).filter(|(step, _)| [CLOCK, LOAD].contains(&step.name)).map(|(_, time)| time).sum();
    for (Step { name, work }, time) in steps.iter_mut().zip(times) {
        println!("| {name} | {:.1} | {} |", time / reference, Allocations::of(&mut **work));
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

/// The time of a call in the fastest batch, in nanoseconds.
fn fastest(work: &mut dyn FnMut()) -> f64 {
    (0..BATCHES).map(|_| batch(work)).fold(f64::INFINITY, f64::min)
}

fn batch(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}
