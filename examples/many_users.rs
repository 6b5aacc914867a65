//! A thousand OAuth users in one process, behind one network address, for one day in virtual time: what a copy-trading
//! service would start from.
//!
//! Renewals are limited to fifteen an hour per address, so these sessions refresh, which is not; a heap says which of
//! them is next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::error::Error;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth::{
    Action, AuthorizationCode, Endpoint, Environment, EventKind, Grant, OAuthApp, OAuthGrant, OAuthToken, RateBudget,
    Session,
};
use tradovate_auth_simulator::{OAuthClient, Simulator, User};

const USERS: u64 = 1000;
const CLIENT: &str = "copy-trader";
const REDIRECT_URI: &str = "https://copy-trader.example/callback";

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let opening: Timestamp = "2026-11-24T13:00:00Z".parse()?;
    let closing = opening + SignedDuration::from_hours(24);

    let mut builder = Simulator::builder().oauth_client(OAuthClient::public(CLIENT, REDIRECT_URI));
    for user in 0..USERS {
        builder = builder.user(User::new(&name(user), "synthetic-password"));
    }
    let mut server = builder.build();

    // Each user has come back from the consent page with a code, over the first hour of the day.
    let app = OAuthApp::new(CLIENT);
    let mut budget = RateBudget::default(); // one for all: they leave by the same address
    let mut sessions = Vec::new();
    let mut agenda = BinaryHeap::new();
    for user in 0..USERS {
        let now = opening + SignedDuration::from_secs(i64::try_from(user)? * 3600 / i64::try_from(USERS)?);
        let grant = connect(&mut server, &app, &name(user), now)?;
        agenda.push(Reverse((now, sessions.len())));
        sessions.push(Session::from_grant(Environment::live(), app.clone(), grant, user));
    }

    let mut requests = 0_u32;
    let mut by_minute = BTreeMap::<i64, u32>::new();
    while let Some(Reverse((now, index))) = agenda.pop().filter(|Reverse((now, _))| *now < closing) {
        let session = &mut sessions[index];
        match session.poll(now, &mut budget) {
            Action::Send { id, request } => {
                requests += 1;
                *by_minute.entry(now.as_second() / 60).or_default() += 1;
                let response = server.handle(now, request);
                session.receive(now, id, response, &mut budget);
                agenda.push(Reverse((now, index)));
            }
            Action::Wait { until } => agenda.push(Reverse((until, index))),
            Action::Stopped(reason) => return Err(reason.into()),
            other => unreachable!("a session without a store asks for nothing else: {other:?}"),
        }
        while let Some(event) = session.next_event() {
            match event.kind {
                EventKind::Refreshed { .. } | EventKind::ConsentDueBy { .. } => {}
                other => println!("{}: {other}", name(index as u64)),
            }
        }
    }

    let usable = sessions.iter().filter(|session| session.token(closing).is_some()).count();
    println!("{usable} of {USERS} users have a token at the end of the day");
    println!("{requests} refreshes after {USERS} exchanges of a code");
    println!("busiest minute: {} requests", by_minute.values().max().copied().unwrap_or_default());
    println!("one day of {USERS} users in {:.1?}", started.elapsed());
    Ok(())
}

fn name(user: u64) -> String {
    format!("user-{user}")
}

/// Exchanges the code that a user has come back with.
fn connect(server: &mut Simulator, app: &OAuthApp, user: &str, now: Timestamp) -> Result<Grant, Box<dyn Error>> {
    server.set_time(now);
    let code = server.issue_code(user, CLIENT, REDIRECT_URI, None);
    let exchange = app.exchange(OAuthGrant::AuthorizationCode {
        code: AuthorizationCode::new(code),
        redirect_uri: REDIRECT_URI.into(),
        code_verifier: None,
    });
    let response = server.handle(now, exchange.request(&Environment::live())?);
    Ok(Grant::from_oauth(OAuthToken::parse(response)?, now, now, None)?)
}
