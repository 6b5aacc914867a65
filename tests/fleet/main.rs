//! Tests of many processes with one store: in files, and in a Redis server that the tests start (Debian:
//! `redis-server`). Without Redis its tests are ignored, unless `TRADOVATE_AUTH_REDIS=required` is set. A test with
//! many callers in one process runs at the same time, because all these tests mostly wait.

mod anywhere;
mod clocks;
mod crowd;
mod failures;
mod files;
mod in_redis;
mod members;
mod redis;
mod shared_store;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use shared_store::SharedStore;

/// How often each failure is tested, and how long the processes of the other tests run, in units of the shortest test. The
/// variable `FLEET_TIMES` sets it. The default is 1.
fn times() -> u64 {
    std::env::var("FLEET_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

macro_rules! trials {
    ($module:ident: $($test:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || { $module::$test(); Ok(()) })),*]
    };
}

/// The tests that are the same with every store.
fn anywhere(name: &str, store: fn() -> SharedStore) -> Vec<Trial> {
    let trial = |what: &str, test: fn(SharedStore)| {
        Trial::test(format!("{name}::{what}"), move || {
            test(store());
            Ok(())
        })
    };
    let mut trials = vec![
        trial("one_process_logs_in_once", anywhere::one_process_logs_in_once),
        trial("ten_processes_share_one_login", anywhere::ten_processes_share_one_login),
        trial(
            "ten_processes_with_wrong_clocks_share_one_login",
            anywhere::ten_processes_with_wrong_clocks_share_one_login,
        ),
        trial(
            "a_paused_lease_holder_changes_nothing_when_it_continues",
            anywhere::a_paused_lease_holder_changes_nothing_when_it_continues,
        ),
    ];
    for (what, test) in [
        (
            "a_process_with_a_clock_ahead_opens_no_second_session",
            clocks::a_process_with_a_clock_ahead_opens_no_second_session as fn(SharedStore),
        ),
        (
            "a_clock_that_is_further_ahead_at_each_start_opens_no_second_session",
            clocks::a_clock_that_is_further_ahead_at_each_start_opens_no_second_session,
        ),
        ("a_clock_ahead_does_not_shorten_a_lock_out", clocks::a_clock_ahead_does_not_shorten_a_lock_out),
        (
            "a_process_with_a_clock_behind_returns_no_dead_token",
            clocks::a_process_with_a_clock_behind_returns_no_dead_token,
        ),
        ("a_first_start_with_a_clock_behind_logs_in_once", clocks::a_first_start_with_a_clock_behind_logs_in_once),
    ] {
        trials.push(trial(what, test));
    }
    let failure = |what: &str, test: fn(fn() -> SharedStore)| {
        Trial::test(format!("{name}::{what}"), move || {
            test(store);
            Ok(())
        })
    };
    for (what, test) in [
        (
            "a_store_that_comes_back_empty_causes_no_login",
            failures::a_store_that_comes_back_empty_causes_no_login as fn(fn() -> SharedStore),
        ),
        (
            "a_restored_backup_with_an_expired_token_causes_no_login",
            failures::a_restored_backup_with_an_expired_token_causes_no_login,
        ),
        (
            "losing_the_lease_during_the_first_login_causes_no_second_login",
            failures::losing_the_lease_during_the_first_login_causes_no_second_login,
        ),
        (
            "a_token_that_cannot_be_stored_is_used_by_its_process_and_stored_later",
            failures::a_token_that_cannot_be_stored_is_used_by_its_process_and_stored_later,
        ),
        (
            "after_a_kill_during_the_first_login_another_process_logs_in",
            failures::after_a_kill_during_the_first_login_another_process_logs_in,
        ),
        (
            "a_forgotten_session_is_not_written_back_by_other_processes",
            failures::a_forgotten_session_is_not_written_back_by_other_processes,
        ),
    ] {
        trials.push(failure(what, test));
    }
    // Four fleets, with three kills each.
    for fleet in ["one", "two", "three", "four"] {
        let what = format!("a_killed_lease_holder_is_replaced_in_fleet_{fleet}");
        trials.push(trial(&what, anywhere::a_killed_lease_holder_is_replaced));
    }
    trials
}

fn main() -> ExitCode {
    if let Some(code) = crowd::in_this_process() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // The tests mostly wait, so they run all at once, with more threads than tests.
    arguments.test_threads.get_or_insert(64);
    let mut trials = trials![crowd: a_thousand_callers_get_only_valid_tokens_from_a_flapping_server];
    trials.extend(anywhere("files", SharedStore::files));
    trials.extend(trials![files:
        a_process_with_a_full_disk_uses_the_session_and_leaves_the_record_unchanged,
        a_process_with_a_read_only_disk_uses_the_session_and_leaves_the_record_unchanged,
        a_damaged_record_is_not_replaced_and_causes_no_login,
    ]);
    trials.extend(trials![clocks:
        a_machine_clock_set_ahead_causes_no_second_session,
        a_machine_clock_set_back_does_not_delay_the_replacement_of_a_dead_token,
    ]);
    let is_ignored = !redis::is_there() && std::env::var_os("TRADOVATE_AUTH_REDIS").is_none();
    if is_ignored {
        eprintln!("not run: the tests of fleets on Redis need redis-server (Debian: redis-server)");
    }
    let mut redis = anywhere("in_redis", SharedStore::redis);
    redis.extend(trials![in_redis:
        a_redis_restart_without_data_causes_no_login,
        a_redis_flush_causes_no_login,
        a_redis_eviction_causes_no_login,
        during_a_network_partition_the_valid_token_is_used,
        a_fail_over_to_an_empty_replica_causes_no_login,
    ]);
    trials.extend(redis.into_iter().map(|trial| trial.with_ignored_flag(is_ignored)));
    libtest_mimic::run(&arguments, trials).exit_code()
}
