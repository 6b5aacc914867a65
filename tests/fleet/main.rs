//! Fleets of real processes on one store: in files, and in a Redis that these tests start (Debian: `redis-server`).
//! Without Redis its tests are ignored, unless `TRADOVATE_AUTH_REDIS=required` is set. A crowd of callers in one process
//! runs beside them, because it waits most of its time too.

mod anywhere;
mod clocks;
mod crowd;
mod failures;
mod files;
mod in_redis;
mod members;
mod place;
mod redis;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use place::Place;

macro_rules! trials {
    ($module:ident: $($test:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || { $module::$test(); Ok(()) })),*]
    };
}

/// The trials that are the same with every store.
fn anywhere(name: &str, place: fn() -> Place) -> Vec<Trial> {
    let trial = |what: &str, test: fn(Place)| {
        Trial::test(format!("{name}::{what}"), move || {
            test(place());
            Ok(())
        })
    };
    let mut trials = vec![
        trial("one_process_is_one_client", anywhere::one_process_is_one_client),
        trial("ten_processes_are_one_client", anywhere::ten_processes_are_one_client),
        trial(
            "ten_processes_whose_clocks_differ_and_are_set_are_one_client",
            anywhere::ten_processes_whose_clocks_differ_and_are_set_are_one_client,
        ),
        trial(
            "a_stopped_leader_changes_nothing_when_it_wakes",
            anywhere::a_stopped_leader_changes_nothing_when_it_wakes,
        ),
    ];
    for (what, test) in [
        (
            "a_clock_that_is_ahead_opens_no_session_beside_a_good_one",
            clocks::a_clock_that_is_ahead_opens_no_session_beside_a_good_one as fn(Place),
        ),
        (
            "a_clock_that_is_further_ahead_at_each_start_opens_no_other_session",
            clocks::a_clock_that_is_further_ahead_at_each_start_opens_no_other_session,
        ),
        ("a_clock_that_is_ahead_ends_no_lock_out", clocks::a_clock_that_is_ahead_ends_no_lock_out),
        (
            "a_clock_that_was_set_back_hands_out_no_dead_token",
            clocks::a_clock_that_was_set_back_hands_out_no_dead_token,
        ),
        ("a_first_start_with_a_slow_clock_logs_in_once", clocks::a_first_start_with_a_slow_clock_logs_in_once),
    ] {
        trials.push(trial(what, test));
    }
    let failure = |what: &str, test: fn(fn() -> Place)| {
        Trial::test(format!("{name}::{what}"), move || {
            test(place);
            Ok(())
        })
    };
    for (what, test) in [
        (
            "a_store_that_comes_back_empty_while_a_renewal_is_due_costs_no_login",
            failures::a_store_that_comes_back_empty_while_a_renewal_is_due_costs_no_login as fn(fn() -> Place),
        ),
        (
            "a_backup_with_a_token_that_has_ended_costs_no_login",
            failures::a_backup_with_a_token_that_has_ended_costs_no_login,
        ),
        (
            "a_lease_that_is_lost_during_the_first_login_costs_no_second_one",
            failures::a_lease_that_is_lost_during_the_first_login_costs_no_second_one,
        ),
        (
            "a_token_that_can_not_be_stored_is_used_by_its_own_process_and_stored_later",
            failures::a_token_that_can_not_be_stored_is_used_by_its_own_process_and_stored_later,
        ),
        (
            "a_process_that_is_killed_during_the_first_login_is_replaced",
            failures::a_process_that_is_killed_during_the_first_login_is_replaced,
        ),
        (
            "a_session_that_one_process_forgets_is_written_back_by_none",
            failures::a_session_that_one_process_forgets_is_written_back_by_none,
        ),
    ] {
        trials.push(failure(what, test));
    }
    // Four fleets at a time, three kills each.
    for fleet in ["one", "two", "three", "four"] {
        let what = format!("a_killed_leader_is_replaced_in_fleet_{fleet}");
        trials.push(trial(&what, anywhere::a_killed_leader_is_replaced));
    }
    trials
}

fn main() -> ExitCode {
    if let Some(code) = crowd::in_this_process() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // They wait most of the time: all of them at once take as long as the longest.
    arguments.test_threads.get_or_insert(32);
    let mut trials = trials![crowd: a_thousand_callers_meet_a_server_that_comes_and_goes];
    trials.extend(anywhere("files", Place::files));
    trials.extend(trials![files:
        with_a_full_disk_the_session_is_used_and_left_as_it_is,
        with_a_read_only_disk_the_session_is_used_and_left_as_it_is,
        what_is_damaged_is_left_alone_and_nobody_logs_in,
    ]);
    trials.extend(trials![clocks:
        a_machine_whose_clock_was_set_ahead_opens_no_other_session,
        a_machine_whose_clock_was_set_back_replaces_a_dead_token_at_once,
    ]);
    let is_ignored = !redis::is_there() && std::env::var_os("TRADOVATE_AUTH_REDIS").is_none();
    if is_ignored {
        eprintln!("not run: the tests of fleets on Redis need redis-server (Debian: redis-server)");
    }
    let mut redis = anywhere("in_redis", Place::redis);
    redis.extend(trials![in_redis:
        a_restart_that_loses_everything_costs_no_login,
        a_flush_costs_no_login,
        an_eviction_costs_no_login,
        a_partition_is_sat_out_with_the_token_that_is_held,
        a_fail_over_to_an_empty_replica_costs_no_login,
    ]);
    trials.extend(redis.into_iter().map(|trial| trial.with_ignored_flag(is_ignored)));
    libtest_mimic::run(&arguments, trials).exit_code()
}
