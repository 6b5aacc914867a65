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
    Action, AuthorizationRequest, AuthorizedCode, Entropy, Environment, EventKind, OAuthApp, RateBudget, Session,
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

    let environment = Environment::live();
    let app = OAuthApp::new(CLIENT);
    let mut budget = RateBudget::default(); // one for all: they leave by the same address
    let mut sessions: Vec<Session> = Vec::new();
    let mut agenda = BinaryHeap::new();
    // The users come over the first hour of the day, one after the other.
    for user in 0..USERS {
        let comes = opening + SignedDuration::from_secs(i64::try_from(user * 3600 / USERS)?);
        agenda.push(Reverse((comes, usize::try_from(user)?)));
    }

    let mut requests = 0_u32;
    let mut by_minute = BTreeMap::<i64, u32>::new();
    while let Some(Reverse((now, index))) = agenda.pop().filter(|Reverse((now, _))| *now < closing) {
        if index == sessions.len() {
            server.set_time(now);
            let code = consent(&mut server, &environment, &app, index as u64)?;
            sessions.push(Session::from_code(environment.clone(), app.clone(), code, index as u64));
        }
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
                EventKind::LoggedIn { .. } | EventKind::Refreshed { .. } | EventKind::ConsentDueBy { .. } => {}
                other => println!("{}: {other}", name(index as u64)),
            }
        }
    }

    let usable = sessions.iter().filter(|session| session.token(closing).is_some()).count();
    println!("{usable} of {USERS} users have a token at the end of the day");
    println!("{requests} requests: the exchange of each user's code, and refreshes");
    println!("busiest minute: {} requests", by_minute.values().max().copied().unwrap_or_default());
    println!("one day of {USERS} users in {:.1?}", started.elapsed());
    Ok(())
}

fn name(user: u64) -> String {
    format!("user-{user}")
}

/// A user's consent: what the browser does in between is the simulator's part.
fn consent(
    server: &mut Simulator,
    environment: &Environment,
    app: &OAuthApp,
    user: u64,
) -> Result<AuthorizedCode, Box<dyn Error>> {
    let mut bytes = [0; Entropy::LENGTH]; // of the system's randomness in a real program: `entropy()` of a transport
    bytes[..8].copy_from_slice(&user.to_le_bytes());
    let request = AuthorizationRequest::new(app, REDIRECT_URI);
    let (url, mut pending) = request.begin(environment, Entropy::from(bytes))?;
    let redirect = server.consent(&name(user), url.as_str()).ok_or("the page shows an error")?;
    Ok(pending.redirected(&redirect)?)
}
