//! Tests that all processes share one login.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs};

use rustix::process::Signal;
use tradovate_auth::store::{FileStore, SessionName, Store as _};
use tradovate_auth::ureq::{TokenSource, from_env};
use tradovate_auth::{BaseUrl, Credentials, Environment};

use crate::support::{PASSWORD, Running, USER, run, run_with_input, user};

pub(crate) fn ten_concurrent_shells_log_in_once() {
    let user = user();
    let shells: Vec<_> = (0..10).map(|_| user.program(&["token"]).spawn().unwrap()).collect();
    let tokens: Vec<_> = shells.into_iter().map(|shell| shell.wait_with_output().unwrap()).collect();
    assert!(tokens.iter().all(|output| output.status.success() && output.stdout == tokens[0].stdout), "{tokens:?}");
    assert_eq!((user.logins(), user.renewals()), (1, 0));
    assert!(user.server.with(|server| server.accepts(String::from_utf8_lossy(&tokens[0].stdout).trim_end())));
}

const IS_BOT: &str = "IS_BOT_OF_THE_TEST";

/// Stands for another program: the next test runs this function as a process of its own.
pub(crate) fn helper_process_that_gets_a_token() {
    if env::var_os(IS_BOT).is_some() {
        let (environment, credentials) = from_env().unwrap();
        let tokens = TokenSource::shared(FileStore::user().unwrap(), environment, credentials);
        println!("token {}", tokens.token().unwrap().expose());
        tokens.keep_alive().unwrap().stop();
    }
}

pub(crate) fn a_rust_program_with_the_users_store_shares_one_login_with_the_command_line() {
    let user = user();
    let mut bot = user.bare(env::current_exe().unwrap().to_str().unwrap());
    bot.args(["--exact", "sharing::helper_process_that_gets_a_token", "--nocapture"])
        .envs(user.variables())
        .env(IS_BOT, "");
    let of_bot = run(&mut bot).stdout;
    let token = user.token();
    assert!(of_bot.contains(&format!("token {token}\n")), "{of_bot}");
    assert_eq!(user.logins(), 1);
}

pub(crate) fn the_keep_command_resumes_without_a_login_after_it_was_killed() {
    let user = user();
    let mut keep = Running::start(&mut user.program(&["keep"]));
    keep.wait_for("logged in: the token is valid until");
    let token = user.token();
    keep.child.kill().unwrap();
    keep.child.wait().unwrap();

    let keep = Running::start(&mut user.program(&["keep"]));
    keep.wait_for("adopted a token: it is valid until");
    assert_eq!((user.token(), user.logins()), (token, 1));
    keep.signal(Signal::TERM);
    assert_eq!(keep.end(), (0, String::new()));
}

pub(crate) fn the_keep_command_ends_on_sigterm_and_releases_the_lease() {
    let user = user();
    let keep = Running::start(&mut user.program(&["keep"]));
    // The program holds the lease now.
    keep.wait_for("logged in");
    keep.signal(Signal::TERM);
    assert_eq!(keep.end(), (0, String::new()));
    let status = run(&mut user.program(&["status"]));
    assert!(status.stdout.contains("lease holder:      nobody\n"), "{}", status.stdout);
}

pub(crate) fn the_status_command_names_the_holder_of_the_lease() {
    let user = user();
    user.token();
    let store = FileStore::in_directory(user.home.path().join(".local/state/tradovate-auth")).unwrap();
    let environment = Environment::custom(BaseUrl::parse(&user.server.base_url()).unwrap());
    let name = SessionName::of_user(&environment, &Credentials::new(USER, ""));
    let lease = store.lease(&name, Duration::from_secs(60)).unwrap().unwrap();
    let status = run(&mut user.program(&["status"]));
    let holder = format!("lease holder:      process {}, for at most ", std::process::id());
    assert!(status.code == 0 && status.stdout.contains(&holder), "{}", status.stdout);
    // `status` does not disturb the holder, which can still save.
    let stored = store.load(&name).unwrap().unwrap();
    assert!(store.save(&name, &stored.session.unwrap(), Some(stored.revision), lease).unwrap().is_some());
    store.release(&name, lease).unwrap();
}

pub(crate) fn a_wrong_password_is_sent_once_however_often_the_program_runs() {
    let user = user();
    let wrong = || run(user.program(&["token"]).env("TRADOVATE_PASSWORD", "mistyped"));
    let first = wrong();
    assert!(first.code == 2 && first.stderr.contains("Incorrect username or password"), "{first:?}");
    for again in [wrong(), wrong(), wrong()] {
        assert_eq!((again.code, again.stdout.as_str()), (2, ""));
        assert!(again.stderr.contains("`tradovate-auth login --another-try`"), "{}", again.stderr);
    }
    assert_eq!(user.logins(), 1);

    assert_eq!(run(&mut user.program(&["login"])).code, 2);
    assert_eq!(run(&mut user.program(&["login", "--another-try"])).code, 0);
    assert_eq!(user.logins(), 2);
}

pub(crate) fn the_token_command_needs_no_variables_after_a_login() {
    let user = user();
    let login = run(&mut user.program(&["login"]));
    assert!(login.stdout.starts_with("logged in as synthetic-user (user "), "{login:?}");
    assert!(login.stderr.contains("at least once an hour") && !login.stderr.contains("refresh"), "{login:?}");
    let token = run(&mut user.without_variables(&["token"]));
    assert_eq!((token.stdout.trim_end(), user.logins()), (user.token().as_str(), 1));

    let last_login = user.home.path().join(".local/state/tradovate-auth/last-login.json");
    assert_eq!(last_login.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(last_login).unwrap();
    let secrets = user.variables().into_iter().filter(|(name, _)| name.ends_with("PASSWORD") || name.ends_with("SEC"));
    assert!(secrets.into_iter().all(|(name, value)| !text.contains(&value) && !text.contains(name)), "{text}");
}

pub(crate) fn the_token_command_without_a_password_advises_to_log_in_after_the_session_ended() {
    let user = user();
    run(&mut user.program(&["login"]));
    let rejected = |text: &str| run_with_input(&mut user.without_variables(&["rejected", "--status", "401"]), text);
    user.server.with(|server| server.close_sessions("synthetic-user"));
    assert_eq!(rejected("Expired Access Token").stdout, "dead\n");
    let token = run(&mut user.without_variables(&["token"]));
    assert_eq!((token.code, token.stdout.as_str()), (1, ""));
    assert!(token.stderr.ends_with("log in with `tradovate-auth login`\n"), "{}", token.stderr);
    assert_eq!(run(&mut user.program(&["token", "--no-login"])).code, 1);
    assert_eq!(user.logins(), 1);
    assert_eq!(run(&mut user.program(&["token"])).code, 0);
    assert_eq!(user.logins(), 2);
}

pub(crate) fn the_rejected_command_prints_the_verdict_on_a_refused_call() {
    let user = user();
    let token = user.token();
    let report =
        |status: &str, body: &str| run_with_input(&mut user.program(&["rejected", "--status", status]), body).stdout;
    assert_eq!(report("200", "{}"), "not-about-the-token\n");
    assert_eq!(report("200", r#"{"p-ticket":"x","p-time":15}"#), "postponed\n");
    assert_eq!(report("401", "Access is denied"), "being-checked\n");
    assert_eq!((user.renewals(), user.token() == token), (1, false));
    assert_eq!(report("401", "Access is denied"), "forbidden\n");
    assert_eq!((user.renewals(), user.logins()), (1, 1));
}

pub(crate) fn the_rejected_command_prints_moved_captcha_asked_and_locked_out() {
    let user = user();
    user.token();
    let report =
        |status: &str, body: &str| run_with_input(&mut user.program(&["rejected", "--status", status]), body).stdout;
    assert_eq!(report("421", ""), "moved\n");
    assert_eq!(report("200", r#"{"p-captcha":true}"#), "captcha-asked\n");
    assert_eq!(report("429", ""), "locked-out\n");
}

pub(crate) fn the_forget_command_stops_running_processes() {
    let user = user();
    run(&mut user.program(&["login"]));
    let keep = Running::start(&mut user.without_variables(&["keep"]));
    keep.wait_for("adopted a token");
    assert_eq!(run(&mut user.without_variables(&["forget"])).code, 0);
    assert_eq!(
        keep.end(),
        (2, "a program told the session to forget its tokens: start the program again to log in\n".into())
    );
    assert_eq!(run(&mut user.without_variables(&["token"])).code, 1);
    assert_eq!(user.logins(), 1);
}

pub(crate) fn a_sealed_store_can_be_read_only_with_its_key() {
    let user = user();
    let key = user.home.path().join("key");
    fs::write(&key, "4a".repeat(32) + "\n").unwrap();
    let key = key.to_str().unwrap();
    let token = run(&mut user.program(&["token", "--key-file", key])).stdout;
    let unsealed = run(&mut user.program(&["status"]));
    assert_eq!(unsealed.code, 1);
    assert_eq!(unsealed.stderr, "the stored session is sealed: give the key it was sealed with\n");
    let by_variable = run(user.program(&["token"]).env("TRADOVATE_SEALING_KEY_FILE", key));
    assert_eq!((by_variable.stdout, user.logins()), (token, 1));
}

pub(crate) fn the_password_can_be_read_from_a_file() {
    let user = user();
    let file = user.home.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mut token = user.program(&["token"]);
    let token = run(token.env_remove("TRADOVATE_PASSWORD").env("TRADOVATE_PASSWORD_FILE", file));
    assert_eq!((token.code, user.logins()), (0, 1), "{}", token.stderr);
}

pub(crate) fn the_store_argument_accepts_a_directory_and_refuses_a_url_with_a_password() {
    let user = user();
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("trader@home");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let store = format!("file:{}", directory.display());
    assert_eq!(run(&mut user.program(&["token", "--store", &store])).code, 0);
    assert!(!user.home.path().join(".local").exists());
    let url = run(&mut user.program(&["token", "--store", "redis://app:canary@127.0.0.1/"]));
    assert_eq!(url.code, 1);
    assert!(url.stderr.contains("set TRADOVATE_STORE") && !url.stderr.contains("canary"), "{}", url.stderr);
    // A port on which nobody listens.
    let redis = run(&mut user.program(&["token", "--timeout", "3", "--store", "redis://127.0.0.1:1/"]));
    assert!(redis.code == 1 && redis.stderr.contains("Redis can't be reached"), "{}", redis.stderr);
}

pub(crate) fn the_simulator_is_a_subcommand() {
    let user = user();
    let simulator = Running::start(user.without_variables(&["simulate"]).stderr(Stdio::piped()));
    simulator.wait_for("export TRADOVATE_CLIENT_ID=");
    simulator.signal(Signal::TERM);
    assert_eq!(simulator.end(), (0, String::new()));
}
