//! The subcommand `status`: shows the stored session and sends nothing.

use std::process::ExitCode;

use serde_json::{Value, json};
use tradovate_auth::store::HeldLease;
use tradovate_auth::ureq::now;
use tradovate_auth::{Action, EventKind, Operation, Purpose};

use crate::arguments::StatusArguments;
use crate::session::{SharedSession, purposes};
use crate::store::describe_holder;
use crate::{Failure, print};

/// The state of the session, which is the exit code of `status`. Codes and names never change.
#[derive(Clone, Copy)]
enum State {
    Good = 0,
    Stopped = crate::STOPPED as isize,
    Expired = 3,
    Locked = 4,
    NothingStored = 5,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::NothingStored => "nothing-stored",
        }
    }
}

pub(crate) fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let (state, lines) = match SharedSession::find_if_any(&arguments.store)? {
        Some(session) => read(&session)?,
        None => (State::NothingStored, Vec::new()),
    };
    let lines = [("state", json!(state.name()))].into_iter().chain(lines);
    if arguments.json {
        let object = lines.map(|(name, value)| (name.to_owned(), value)).collect();
        print(&Value::Object(object).to_string())?;
    } else {
        for (name, value) in lines.filter(|(name, value)| !value.is_null() && *name != "purposes") {
            print(&format!("{:<18} {}", label(name), value.as_str().map_or_else(|| value.to_string(), Into::into)))?;
        }
    }
    Ok((state as u8).into())
}

/// Names and values to print.
type Lines = Vec<(&'static str, Value)>;

/// Reads the stored session and describes it.
fn read(shared: &SharedSession) -> Result<(State, Lines), Failure> {
    let stored = shared.store.load(&shared.name)?;
    let now = now();
    let expires_at = stored.as_ref().and_then(tradovate_auth::StoredSession::expires_at);
    let Some(stored) = stored else { return Ok((State::NothingStored, Vec::new())) };
    let lease = shared.store.held_lease(&shared.name)?;
    let (mut session, mut budget) = shared.read(stored);
    while let Some(event) = session.next_event() {
        if let EventKind::SnapshotNotUsed { .. } = event.kind {
            return Err(event.to_string().into());
        }
    }
    let token = session.token(now);
    let locked_until = budget.locked_until(now);
    let postponed = session.postponed_until(now);
    // `poll` may return a request. It is dropped here, and is due again when a process asks for a token.
    let (next_at, stopped) = match session.poll(now, &mut budget) {
        Action::Wait { until } => (Some(until), None),
        Action::Stopped { reason, .. } => (None, Some(reason)),
        _ => (None, None),
    };
    let state = match (&stopped, locked_until, &token, expires_at) {
        (Some(_), ..) => State::Stopped,
        (_, Some(_), ..) => State::Locked,
        (_, _, Some(_), _) => State::Good,
        (_, _, None, Some(_)) => State::Expired,
        (_, _, None, None) => State::NothingStored,
    };
    let second = |at| json!(format!("{at:.0}"));
    let closed = [Operation::LogIn, Operation::Renew, Operation::Refresh].into_iter().filter_map(|operation| {
        let until = budget.closed_until(now, operation)?;
        Some(format!("{operation} until {until:.0}"))
    });
    let closed: Vec<_> = closed.collect();
    let postponed = postponed.map(|(operation, until)| format!("{operation} until {until:.0}"));
    let base = shared.environment.base_url(Purpose::Login).map(ToString::to_string);
    Ok((
        state,
        vec![
            ("name", json!(shared.user())),
            ("userId", json!(session.user_id())),
            ("loginUrl", json!(base)),
            ("expiresAt", expires_at.map(second).into()),
            ("hasMarketDataToken", token.map(|token| token.market_data_token.is_some()).into()),
            ("lockedUntil", locked_until.map(second).into()),
            ("postponed", json!(postponed)),
            ("closedByCaptcha", if closed.is_empty() { Value::Null } else { json!(closed.join(", ")) }),
            ("nextChangeAt", next_at.map(second).into()),
            ("stopped", json!(stopped.map(|reason| reason.to_string()))),
            ("leaseHolder", json!(describe_holder(lease))),
            ("leaseSecondsLeft", json!(lease.map(|HeldLease { time_left, .. }| time_left.as_secs()))),
            ("purposes", purposes(session.environment())),
        ],
    ))
}

/// A JSON name as a label for people: `lockedUntil` becomes `locked until:`.
fn label(name: &str) -> String {
    let word = |c: char| if c.is_ascii_uppercase() { format!(" {}", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(word).collect::<String>() + ":"
}
