//! Tests of the program `tradovate-auth` with real processes and the simulator. They need Unix.

#![cfg_attr(not(unix), allow(unused))]

#[cfg(unix)]
mod exit_codes;
#[cfg(unix)]
mod languages;
#[cfg(unix)]
mod oauth;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod sharing;
#[cfg(unix)]
mod support;
#[cfg(target_os = "linux")]
mod terminal;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

macro_rules! trials {
    ($($module:ident: $($test:ident),* $(,)?);* $(;)?) => {
        [$($(trial(concat!(stringify!($module), "::", stringify!($test)), $module::$test),)*)*]
    };
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait most of the time: a program that finds no session waits a second before it logs in.
    arguments.test_threads.get_or_insert(8);
    let mut trials: Vec<Trial> = Vec::new();
    #[cfg(unix)]
    trials.extend(trials![
        exit_codes:
            the_exit_code_of_status_tells_the_state,
            the_status_command_reports_that_the_session_has_stopped,
            the_status_command_reports_a_postponed_login_and_sends_nothing,
            wrong_arguments_exit_with_one_and_help_with_zero;
        languages:
            the_python_program_in_the_docs_works,
            the_javascript_program_in_the_docs_works,
            the_shell_program_in_the_docs_works;
        oauth:
            after_a_login_in_the_browser_other_processes_get_tokens,
            the_token_command_refreshes_an_expired_token_of_an_oauth_login,
            the_redirect_host_can_be_localhost_or_a_loopback_address,
            a_consent_fails_if_another_program_uses_the_redirect_port,
            a_missing_browser_is_reported,
            a_user_who_does_not_consent_ends_the_login,
            the_token_command_of_an_app_without_consent_advises_to_log_in;
        secrets:
            no_output_contains_a_secret_at_any_log_level;
        sharing:
            ten_concurrent_shells_log_in_once,
            helper_process_that_gets_a_token,
            a_rust_program_with_the_users_store_shares_one_login_with_the_command_line,
            the_keep_command_resumes_without_a_login_after_it_was_killed,
            the_keep_command_ends_on_sigterm_and_releases_the_lease,
            the_status_command_names_the_holder_of_the_lease,
            a_wrong_password_is_sent_once_however_often_the_program_runs,
            the_token_command_needs_no_variables_after_a_login,
            the_token_command_without_a_password_advises_to_log_in_after_the_session_ended,
            the_rejected_command_prints_the_verdict_on_a_refused_call,
            the_rejected_command_prints_moved_captcha_asked_and_locked_out,
            the_forget_command_stops_running_processes,
            a_sealed_store_can_be_read_only_with_its_key,
            the_password_can_be_read_from_a_file,
            the_store_argument_accepts_a_directory_and_refuses_a_url_with_a_password,
            the_simulator_is_a_subcommand;
    ]);
    #[cfg(target_os = "linux")]
    trials.extend(trials![terminal: login_asks_for_credentials_at_the_terminal_and_shows_no_secret]);
    libtest_mimic::run(&arguments, trials).exit_code()
}
