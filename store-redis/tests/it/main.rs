//! The store against a real Redis, in both forms.
//!
//! They need the program `redis-server` (Debian: package `redis-server`). Without it the tests are ignored, unless
//! `TRADOVATE_AUTH_REDIS=required` is set.

#[path = "../../../store/tests/it/helpers.rs"]
mod helpers;
mod memory;
mod party;
mod runtimes;
mod secrets;
mod server;
mod sharing;
mod tls;
mod trouble;
mod watching;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};

use party::{Form, patient_store};

macro_rules! trials {
    ($($module:ident: $($test:ident),* $(,)?);* $(;)?) => {
        vec![$($(
            trial(concat!(stringify!($module), "::blocking::", stringify!($test)), $module::$test, Form::Blocking),
            trial(concat!(stringify!($module), "::nonblocking::", stringify!($test)), $module::$test, Form::Async),
        )*)*]
    };
}

fn trial(name: &str, test: fn(Form), form: Form) -> Trial {
    Trial::test(name, move || {
        test(form);
        Ok(())
    })
}

/// All checks of the conformance suite, on one server, as a user who has only the documented rights.
fn conformance(form: Form) -> Vec<Trial> {
    let server = LazyLock::new(secrets::server_with_least_rights as fn() -> _);
    let suite = Arc::new(form.suite(move || patient_store(&secrets::url_of_app(&server))));
    let trial = |name| {
        let suite = Arc::clone(&suite);
        Trial::test(format!("conformance::{form:?}::{name}"), move || Ok(suite.check(name)?))
    };
    suite.names().map(trial).collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests wait most of the time. This harness ignores the variable `RUST_TEST_THREADS`.
    arguments.test_threads.get_or_insert(16);
    let trials = trials![
        sharing:
            held_lease_returns_the_time_left_and_changes_nothing,
            prefixes_keep_sessions_apart,
            a_lease_of_another_name_has_another_fence,
            a_record_expires_and_a_lease_is_forgotten;
        trouble:
            after_a_flush_an_old_lease_can_not_save_and_a_new_one_can,
            no_revision_or_fence_is_used_again_after_a_flush,
            no_revision_or_fence_is_used_again_after_the_clock_was_set_back,
            the_store_connects_again_after_a_restart_of_the_server,
            scripts_that_were_flushed_are_loaded_again,
            a_server_that_is_down_is_an_error_within_the_time_outs,
            a_server_that_does_not_answer_is_an_error_for_all_callers_within_the_time_outs,
            a_key_that_holds_no_session_is_an_error,
            an_incomplete_record_is_an_error,
            a_damaged_record_is_unreadable,
            a_replica_is_an_error,
            a_server_without_memory_is_an_error,
            a_server_that_lacks_its_replicas_is_an_error,
            connections_that_the_server_closes_are_replaced;
        watching:
            a_wait_longer_than_the_idle_limit_of_the_connection_ends_in_time,
            changed_waits_until_its_time_is_over_if_the_record_stays_the_same,
            a_save_of_another_session_does_not_end_the_wait,
            a_lease_of_another_process_ends_the_wait_for_a_lost_record,
            a_waiting_caller_gets_an_error_if_the_server_goes_down,
            a_waiting_caller_gets_an_error_if_the_server_freezes,
            many_waiting_callers_share_one_connection;
        memory:
            an_evicted_record_can_be_saved_again_under_a_new_revision,
            the_holder_of_an_evicted_lease_can_not_save;
        secrets:
            a_password_is_used_and_never_shown,
            a_wrong_or_missing_password_is_an_error,
            a_user_that_lacks_a_right_gets_an_error_that_lists_the_rights,
            a_user_without_rights_gets_an_error,
            a_command_that_a_server_repeats_is_not_printed;
        tls:
            a_server_with_a_certificate_of_the_given_authority_is_trusted,
            a_server_with_a_certificate_of_another_authority_is_not_trusted,
            a_client_shows_its_certificate;
    ];
    let of_conformance = [Form::Blocking, Form::Async].into_iter().flat_map(conformance);
    let of_async = [
        trial("runtimes::a_store_outlives_its_runtime", |_| runtimes::a_store_outlives_its_runtime(), Form::Async),
        trial("runtimes::several_runtimes_share_a_store", |_| runtimes::several_runtimes_share_a_store(), Form::Async),
        trial(
            "runtimes::dropped_waits_leave_no_connection_behind",
            |_| runtimes::dropped_waits_leave_no_connection_behind(),
            Form::Async,
        ),
    ];
    let is_ignored = !server::is_there_or_required();
    if is_ignored {
        eprintln!("not run: the tests of the store need redis-server (Debian: redis-server)");
    }
    let trials = trials
        .into_iter()
        .chain(of_conformance)
        .chain(of_async)
        .map(|trial| trial.with_ignored_flag(is_ignored))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
