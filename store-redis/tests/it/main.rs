//! The store against a real Redis, in both forms.
//!
//! It needs `redis-server` (Debian: `redis-server`). Without it the tests are ignored, unless
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
use tradovate_auth_store_redis::RedisStore;

use party::Form;

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

/// All checks of the contract, on one server, as a user that has only the rights which the documentation gives it.
fn conformance(form: Form) -> Vec<Trial> {
    let server = LazyLock::new(secrets::server_with_least_rights as fn() -> _);
    let suite = Arc::new(form.suite(move || RedisStore::new(&secrets::url_of_app(&server)).unwrap()));
    let trial = |name| {
        let suite = Arc::clone(&suite);
        Trial::test(format!("conformance::{form:?}::{name}"), move || Ok(suite.check(name)?))
    };
    suite.names().map(trial).collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait most of the time, and the variable `RUST_TEST_THREADS` means nothing to this harness.
    arguments.test_threads.get_or_insert(16);
    let trials = trials![
        sharing:
            for_how_long_the_lease_is_held_is_said_without_a_change,
            prefixes_keep_sessions_apart,
            a_lease_of_another_name_has_another_fence,
            a_record_expires_and_a_lease_is_forgotten;
        trouble:
            after_a_flush_an_old_lease_can_not_save_and_a_new_one_can,
            after_a_flush_no_number_comes_again,
            a_clock_that_was_put_back_makes_no_number_come_again,
            a_restart_is_survived,
            scripts_that_were_flushed_are_loaded_again,
            a_server_that_is_down_is_told_soon,
            a_server_that_does_not_answer_is_told_soon_to_all,
            a_key_of_something_else_is_left_alone,
            a_record_that_misses_something_is_left_alone,
            a_record_that_is_damaged_is_told,
            a_replica_is_told,
            a_server_without_memory_is_told,
            a_server_that_lacks_its_replicas_is_told,
            connections_that_the_server_closes_are_replaced;
        watching:
            the_same_record_is_waited_for_until_the_time_is_over,
            the_known_record_is_waited_for_until_the_time_is_over,
            a_save_of_another_session_is_not_told,
            a_lease_by_another_shows_that_the_record_is_gone,
            a_server_that_goes_down_is_told_to_who_waits,
            a_server_that_freezes_is_told_to_who_waits,
            many_wait_on_one_connection,
            after_a_long_rest_all_is_as_before;
        memory:
            a_record_that_was_evicted_can_be_saved_again_and_no_number_comes_twice,
            a_lease_that_was_evicted_lets_its_holder_save_nothing;
        secrets:
            a_password_is_used_and_never_shown,
            a_wrong_or_missing_password_is_told,
            a_user_that_lacks_a_right_is_told_which_rights_it_needs,
            a_user_without_rights_is_told,
            a_command_that_a_server_repeats_is_not_printed;
        tls:
            a_server_is_trusted_by_its_authority,
            another_authority_is_not_trusted,
            a_client_shows_its_certificate;
    ];
    let of_contract = [Form::Blocking, Form::Async].into_iter().flat_map(conformance);
    let of_async = [
        trial("runtimes::a_store_outlives_its_runtime", |_| runtimes::a_store_outlives_its_runtime(), Form::Async),
        trial("runtimes::several_share_a_store", |_| runtimes::several_share_a_store(), Form::Async),
        trial("runtimes::a_wait_that_is_given_up_leaves_nothing", |_| runtimes::a_wait_that_is_given_up(), Form::Async),
    ];
    let is_ignored = !server::is_there_or_required();
    if is_ignored {
        eprintln!("not run: the tests of the store need redis-server (Debian: redis-server)");
    }
    let trials = trials
        .into_iter()
        .chain(of_contract)
        .chain(of_async)
        .map(|trial| trial.with_ignored_flag(is_ignored))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
