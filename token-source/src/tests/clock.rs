//! Sources of a process whose wall clock is changed while they run.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use tradovate_auth_core::{BaseUrl, Credentials, Environment};
use tradovate_auth_session::{Operation, Session};

use crate::clock::tests::Simulated;
use crate::{Clock, Idle, Settings, Shared, SharedBudget, Storage};

/// A simulated process: one budget and one clock for all of its sources.
struct Process {
    system: Simulated,
    clock: Clock,
    budget: SharedBudget,
}

impl Process {
    fn start() -> Self {
        let system = Simulated::new();
        Self { clock: Clock::anchored(system.clone()), system, budget: SharedBudget::default() }
    }

    fn source(&self) -> Arc<Shared> {
        let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
        let settings =
            Settings { budget: self.budget.clone(), clock: self.clock.clone(), ..Settings::new(&environment) };
        let session = Session::new(environment, Credentials::new("trader", "password"), 7);
        Arc::new(Shared::new(session, Storage::None, settings, || ()))
    }
}

fn lock_out(source: &Arc<Shared>) {
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(super::answer(StatusCode::LOCKED.as_u16(), None, "")));
}

/// How long the source is idle. The change before makes it poll again.
fn wait(source: &Arc<Shared>) -> Duration {
    source.adopt(source.snapshot());
    match source.next() {
        Err(Idle::Wait(time)) => time,
        other => panic!("it does not wait: {other:?}"),
    }
}

const AN_HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_step_of_the_wall_clock_does_not_end_a_lock_out() {
    for step in [SignedDuration::from_hours(1), SignedDuration::from_hours(-1), SignedDuration::from_hours(48)] {
        let process = Process::start();
        let [first, second] = [process.source(), process.source()];
        lock_out(&first);
        process.system.set_wall(step);
        for source in [&first, &second, &process.source()] {
            assert!(wait(source) >= AN_HOUR, "{step}");
        }
        process.system.pass(AN_HOUR + Duration::from_secs(60));
        assert!(second.next().is_ok(), "{step}");
    }
}

#[test]
fn a_source_started_after_a_clock_step_back_does_not_end_a_lock_out_early() {
    let process = Process::start();
    let first = process.source();
    process.system.set_wall(SignedDuration::from_hours(-2));
    let second = process.source();
    lock_out(&second);
    assert!(wait(&first) >= AN_HOUR);
}

#[test]
fn clock_steps_do_not_change_how_requests_of_the_last_hour_are_counted() {
    let process = Process::start();
    let mut sources = Vec::new();
    for step in [0, -3, 5, -1] {
        process.system.set_wall(SignedDuration::from_hours(step));
        process.system.pass(Duration::from_secs(60));
        let source = process.source();
        let (permit, _) = source.next().unwrap();
        permit.answered(Ok(super::answer(200, None, r#"{"errorText":"Incorrect username or password"}"#)));
        sources.push(source);
    }
    // Four logins have failed. The first one was three minutes ago and counts for an hour and one per cent.
    let now = process.clock.now();
    let earliest = process.budget.with(|budget| budget.earliest(now, Operation::LogIn));
    assert_eq!(earliest.duration_since(now), SignedDuration::from_secs(3636 - 180));
}

#[test]
fn a_lock_out_also_runs_while_the_machine_is_suspended() {
    let process = Process::start();
    let source = process.source();
    lock_out(&source);
    process.system.pass(Duration::from_secs(1800));
    assert!(wait(&source) <= Duration::from_secs(1836));
}

#[test]
fn the_default_settings_use_the_clock_of_the_process() {
    let settings = || Settings::new(&Environment::demo());
    assert!(settings().clock.is(&settings().clock) && settings().clock.is(&Clock::of_process()));
}
