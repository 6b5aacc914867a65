use http::Response;
use tradovate_auth_core::{AccessTokenRequest, Endpoint as _, HibpHint, UserStatus};

use crate::stored_session::OwnerMismatch;

use super::*;

/// The error for a login with this answer.
fn refused(body: &str) -> Error {
    AccessTokenRequest::parse(Response::new(body)).unwrap_err()
}

/// Every kind of event, once for each form of its message.
fn events() -> Vec<EventKind> {
    let at = later(start(), minutes(60));
    let end = Some(later(start(), minutes(80)));
    let failed = |operation, failure, cause: Option<&str>, usable_until| {
        let trouble = Trouble::Io { failure, host: "demo.tradovateapi.com".into(), cause: cause.map(Into::into) };
        EventKind::Failed { operation, trouble, retry_at: at, usable_until }
    };
    let page = Trouble::Server(refused("<html></html>"));
    let bad_password = || refused(r#"{"errorText":"Incorrect username or password."}"#);
    let wrong_client = || refused(r#"{"errorText":"Wrong client_id"}"#);
    [
        EventKind::LoggedIn { expires_at: at },
        EventKind::Renewed { expires_at: at },
        EventKind::Refreshed { expires_at: at },
        EventKind::Adopted { expires_at: at },
        EventKind::SnapshotNotUsed { mismatch: OwnerMismatch::LoginName },
        failed(Operation::Renew, Failure::NotSent, Some("connection refused"), end),
        failed(Operation::Renew, Failure::MaybeSent, None, end),
        failed(Operation::Renew, Failure::Oversized, None, None),
        failed(Operation::Refresh, Failure::Truncated, None, end),
        failed(Operation::ExchangeCode, Failure::NotSent, None, None),
        EventKind::Failed { operation: Operation::LogIn, trouble: page, retry_at: at, usable_until: None },
        EventKind::Postponed { operation: Operation::LogIn, until: at, usable_until: None },
        EventKind::Postponed { operation: Operation::Renew, until: at, usable_until: end },
        EventKind::Postponed { operation: Operation::ExchangeCode, until: at, usable_until: None },
        EventKind::CaptchaAsked { operation: Operation::LogIn, until: at, usable_until: None },
        EventKind::CaptchaAsked { operation: Operation::Refresh, until: at, usable_until: end },
        EventKind::LockedOut { until: at, usable_until: None },
        EventKind::LockedOut { until: at, usable_until: end },
        EventKind::Refused { error: bad_password(), retry_at: at, usable_until: None },
        EventKind::Refused { error: bad_password(), retry_at: at, usable_until: end },
        EventKind::SessionLost,
        EventKind::PossiblyKicked { until: at },
        EventKind::HostsChanged,
        EventKind::HostNotFollowed { key: "demo".into() },
        EventKind::AccountNeedsAttention { status: UserStatus::TemporaryLocked },
        EventKind::PasswordExpires { at, within_days: 7 },
        EventKind::PasswordExpires { at, within_days: 1 },
        EventKind::PasswordExpired { at },
        EventKind::PasswordCompromised { hint: HibpHint::PasswordCompromised },
        EventKind::ConsentDueBy { at },
        EventKind::RefreshRefused { until: Some(at), usable_until: None },
        EventKind::RefreshRefused { until: Some(at), usable_until: end },
        EventKind::RefreshRefused { until: None, usable_until: end },
        EventKind::AppRefused { error: wrong_client(), usable_until: None },
        EventKind::AppRefused { error: wrong_client(), usable_until: end },
        EventKind::RefreshOutcomeUnknown,
        EventKind::StoreFailed { error: disk_full(), retry_at: at, usable_until: end },
        EventKind::StoreFailed { error: disk_full(), retry_at: at, usable_until: None },
        EventKind::StoreRestored,
        EventKind::Stopped(StopReason::ConsentRequired),
        EventKind::Stopped(StopReason::Forgotten),
    ]
    .into()
}

#[test]
fn every_kind_of_event_has_a_name() {
    let mut names: Vec<_> = events().iter().map(EventKind::name).collect();
    names.dedup();
    insta::assert_snapshot!(names.join("\n"), @"
    logged_in
    renewed
    refreshed
    adopted
    snapshot_not_used
    failed
    postponed
    captcha_asked
    locked_out
    refused
    session_lost
    possibly_kicked
    hosts_changed
    host_not_followed
    account_needs_attention
    password_expires
    password_expired
    password_compromised
    consent_due_by
    refresh_refused
    app_refused
    refresh_outcome_unknown
    store_failed
    store_restored
    stopped
    ");
}

#[test]
fn every_event_has_a_message() {
    let at = later(start(), minutes(60));
    let error = || Error::Contradiction(Contradiction::OtherUser);
    let lines: Vec<String> = events().into_iter().map(|kind| Event { at: start(), kind }.to_string()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    logged in: the token is valid until 2026-11-24T15:00:00Z
    renewed: the token is valid until 2026-11-24T15:00:00Z
    refreshed: the token is valid until 2026-11-24T15:00:00Z
    adopted a token: it is valid until 2026-11-24T15:00:00Z
    the session uses no token of the stored session: the snapshot is for another login name; the session continues without it: check which stored session the program gives it
    renewal failed: nothing was sent to demo.tradovateapi.com: connection refused; the session tries again after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z
    renewal failed: no answer came from demo.tradovateapi.com; the session tries again after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z
    renewal failed: the answer from demo.tradovateapi.com was too long; the session tries again after 2026-11-24T15:00:00Z; the program has no token
    refresh failed: the answer from demo.tradovateapi.com was incomplete; the session tries again after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z
    exchange of the authorization code failed: nothing was sent to demo.tradovateapi.com; the session tries again after 2026-11-24T15:00:00Z; the program has no token
    login failed: the answer is an HTML page, perhaps of a proxy or for maintenance; the session tries again after 2026-11-24T15:00:00Z; the program has no token
    login postponed by the server: the session sends it again after 2026-11-24T15:00:00Z; the program has no token
    renewal postponed by the server: the session sends it again after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z
    exchange of the authorization code postponed by the server: the session sends it again after 2026-11-24T15:00:00Z; the program has no token
    the server asks for a captcha: the session sends no login before 2026-11-24T15:00:00Z; if the server asks again after that, a person has to solve the captcha; the program has no token
    the server asks for a captcha: the session sends no refresh before 2026-11-24T15:00:00Z; if the server asks again after that, a person has to solve the captcha; the token is usable until 2026-11-24T15:20:00Z
    the server locked out this network address: the session sends nothing before 2026-11-24T15:00:00Z; let no program at this address send anything before then, not even with a token; the program has no token
    the server locked out this network address: the session sends nothing before 2026-11-24T15:00:00Z; let no program at this address send anything before then, not even with a token; the token is usable until 2026-11-24T15:20:00Z
    the server refused credentials that worked before (refused by the server with "Incorrect username or password."): the session sends them once more after 2026-11-24T15:00:00Z; the program has no token; check the credentials
    the server refused credentials that worked before (refused by the server with "Incorrect username or password."): the session sends them once more after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z; check the credentials
    the server no longer accepts the token: the program has no token until the session gets a new one
    the server closed the server session more than once: the program has no token, and the session neither logs in nor refreshes before 2026-11-24T15:00:00Z; another program may log in as the same user: end that program
    the user's hosts have changed: the program has to connect to the new hosts
    the server named a host for `demo` that is not a usable host of the vendor, so the session does not use it: if this happens again, ask the vendor
    the account is not active: ask the vendor about its status TemporaryLocked
    the password expires within 7 days, at 2026-11-24T15:00:00Z: set a new one at the vendor before then, and give it to the program
    the password expires within 1 day, at 2026-11-24T15:00:00Z: set a new one at the vendor before then, and give it to the program
    the password expired at 2026-11-24T15:00:00Z: the token stays valid, but the next login needs a new password; set one at the vendor, and give it to the program
    the password is in a known data breach (PasswordCompromised): set a new one at the vendor, and give it to the program
    the refresh token expires at 2026-11-24T15:00:00Z: if no refresh of the session succeeds before then, the user has to authorize the app again
    the server refused the refresh token: the session sends it again after 2026-11-24T15:00:00Z, and only renews before then; the program has no token; if the program needs a token before then, the user has to authorize the app again
    the server refused the refresh token: the session sends it again after 2026-11-24T15:00:00Z, and only renews before then; the token is usable until 2026-11-24T15:20:00Z; if it can't renew before then, the user has to authorize the app again
    the server refused the refresh token: the session does not send it again, and renews as long as it can; the token is usable until 2026-11-24T15:20:00Z; let the user authorize the app again
    the server refused the app (refused by the server with "Wrong client_id"): the session only renews, and stops when it can no longer renew; the program has no token; correct the app's settings and restart the program
    the server refused the app (refused by the server with "Wrong client_id"): the session only renews, and stops when it can no longer renew; the token is usable until 2026-11-24T15:20:00Z; correct the app's settings and restart the program
    the answer to a refresh was lost, and the server may have replaced the refresh token: the session renews, if it can, before it sends the refresh token again
    the store can't be written: the disk is full; the session asks the store again after 2026-11-24T15:00:00Z; the token is usable until 2026-11-24T15:20:00Z
    the store can't be written: the disk is full; the session asks the store again after 2026-11-24T15:00:00Z; the program has no token
    the store works again
    the session stopped, and the program has no token: the session has no valid refresh token: the user has to authorize the app again
    the session stopped, and the program has no token: a program told the session to forget its tokens: start the program again to log in
    "#);
    for kind in [
        EventKind::Failed {
            operation: Operation::LogIn,
            trouble: Trouble::Server(error()),
            retry_at: at,
            usable_until: None,
        },
        EventKind::Refused { error: error(), retry_at: at, usable_until: None },
        EventKind::Stopped(StopReason::Refused(error())),
    ] {
        assert!(kind.to_string().contains(&error().to_string()) == matches!(kind, EventKind::Stopped(_)), "{kind}");
        assert!(kind.to_string().contains("the answer is for another user"), "{kind}");
    }
}

#[test]
fn a_failure_names_its_host_and_a_cause_without_secrets() {
    for (cause, shown) in [
        ("connection refused", Some("connection refused")),
        ("certificate of https://user:canary-secret@proxy/ expired", Some("certificate of […]")),
        ("no route\nto\u{202e} host", Some("no route to host")),
        ("canary-password-canary-password", None),
        ("", None),
    ] {
        let mut budget = RateBudget::default();
        let mut session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 0);
        let Action::Send { id, .. } = session.poll(start(), &mut budget) else { panic!("nothing is sent") };
        session.failed_because(start(), id, Failure::NotSent, cause, &mut budget);
        let event = session.next_event().unwrap();
        let EventKind::Failed { trouble: Trouble::Io { host, cause, .. }, .. } = &event.kind else { panic!("{event}") };
        assert_eq!((host.as_str(), cause.as_deref()), ("demo.tradovateapi.com", shown));
        assert!(!event.to_string().contains("canary"));
    }
}
