//! A thousand OAuth users in one process and behind one network address, for one day in virtual time. A copy-trading
//! service could start from this program.
//!
//! An address may send fifteen renewals an hour, so the policy of these sessions is to refresh. The address has room for a thousand refreshes. A `SessionSet` says which session
//! sends next, and spreads the refreshes evenly.

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
    let start_of_day: Timestamp = "2026-11-24T13:00:00Z".parse()?;
    let end_of_day = start_of_day + SignedDuration::from_hours(24);

    let mut builder = Simulator::builder().oauth_client(OAuthClient::public(CLIENT, REDIRECT_URI));
    for user in 0..USERS {
        builder = builder.user(User::new(&name(user), "synthetic-password"));
    }
    let mut server = builder.build();

    let environment = Environment::live();
    let app = OAuthApp::new(CLIENT);
    let mut sessions = SessionSet::new();
    let mut users = Vec::new();
    // The users log in one after the other during the first hour.
    let arrival = |user| start_of_day + Duration::from_millis(3_600_000 * user / USERS);
    let mut arrivals = (0..USERS).map(|user| (arrival(user), user)).peekable();

    let mut requests = 0_u32;
    let mut by_minute = BTreeMap::<i64, u32>::new();
    let mut now = start_of_day;
    while now < end_of_day {
        if let Some((_, user)) = arrivals.next_if(|(comes, _)| *comes <= now) {
            server.set_time(now);
            let code = consent(&mut server, &environment, &app, user)?;
            // A real program uses a random seed.
            let session = Session::new(environment.clone(), Login::code(app.clone(), code), user)
                .with_policy(Policy::default().with_refreshes_preferred(true));
            users.push(sessions.insert("198.51.100.0/24", session)); // all use the same network address
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
            _ => return Err("a session without a store asked to store something".into()),
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

    let is_usable =
        |user: &&SessionKey| sessions.get(**user).is_some_and(|session| session.token(end_of_day).is_some());
    let usable = users.iter().filter(is_usable).count();
    println!("{usable} of {USERS} users have a token at the end of the day");
    println!("{requests} requests: code exchanges and refreshes");
    println!("busiest minute: {} requests", by_minute.values().max().copied().unwrap_or_default());
    println!("simulated one day of {USERS} users in {:.1?}", started.elapsed());
    Ok(())
}

fn name(user: u64) -> String {
    format!("user-{user}")
}

/// Simulates a user's consent. In reality, the user's browser does this.
fn consent(
    server: &mut Simulator,
    environment: &Environment,
    app: &OAuthApp,
    user: u64,
) -> Result<AuthorizedCode, Box<dyn Error>> {
    let mut bytes = [0; Entropy::LENGTH]; // a real program uses random bytes: `entropy()` of a transport
    bytes[..8].copy_from_slice(&user.to_le_bytes());
    let request = AuthorizationRequest::new(app, REDIRECT_URI);
    let (url, mut pending) = request.begin(environment, Entropy::from(bytes))?;
    let redirect = server.consent(&name(user), url.as_str()).ok_or("the page shows an error")?;
    Ok(pending.redirected(&redirect)?)
}
