//! A thousand OAuth users in one process, behind one network address, for one day in virtual time: what a copy-trading
//! service would start from.
//!
//! Renewals are limited to fifteen an hour per address, so the policy of these sessions is to refresh, of which there is
//! room for a thousand. A set of them says whose turn it is, and has their refreshes follow one another evenly.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tradovate_auth::{
    AuthorizationRequest, AuthorizedCode, Entropy, Environment, EventKind, Login, OAuthApp, Policy, Session,
    SessionKey, SessionSet, SetAction, SetEvent,
};
use tradovate_auth_simulator::{OAuthClient, Simulator, User};

const USERS: u64 = 1000;
const CLIENT: &str = "copy-trader";
const REDIRECT_URI: &str = "https://copy-trader.example/callback";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
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
    let mut sessions = SessionSet::new();
    let mut users = Vec::new();
    // The users come over the first hour of the day, one after the other.
    let arrival = |user| opening + Duration::from_millis(3_600_000 * user / USERS);
    let mut arrivals = (0..USERS).map(|user| (arrival(user), user)).peekable();

    let mut requests = 0_u32;
    let mut by_minute = BTreeMap::<i64, u32>::new();
    let mut now = opening;
    while now < closing {
        if let Some((_, user)) = arrivals.next_if(|(comes, _)| *comes <= now) {
            server.set_time(now);
            let code = consent(&mut server, &environment, &app, user)?;
            let session = Session::new(environment.clone(), Login::code(app.clone(), code), user) // in a real program the seed is random
                .with_policy(Policy::default().with_refreshes_preferred(true));
            users.push(sessions.insert("198.51.100.0/24", session)); // all leave by the same address
        }
        match sessions.poll(now) {
            SetAction::Send { session, id, request } => {
                requests += 1;
                *by_minute.entry(now.as_second() / 60).or_default() += 1;
                let response = server.handle(now, request);
                sessions.receive(now, session, id, response);
            }
            SetAction::Wait { until } => now = arrivals.peek().map_or(until, |(comes, _)| until.min(*comes)),
            SetAction::Stopped { reason, .. } => return Err(reason.into()),
            _ => return Err("a session has no store, and asks to store something".into()),
        }
        while let Some(event) = sessions.next_event() {
            match event {
                SetEvent::Session { event, session } => match event.kind {
                    EventKind::LoggedIn { .. } | EventKind::Refreshed { .. } | EventKind::ConsentDueBy { .. } => {}
                    other => println!("{session:?}: {other}"),
                },
                other => println!("{other:?}"),
            }
        }
    }

    let is_usable = |user: &&SessionKey| sessions.get(**user).is_some_and(|session| session.token(closing).is_some());
    let usable = users.iter().filter(is_usable).count();
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
