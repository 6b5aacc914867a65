//! The commands, in the order in which `GET /simulator` lists them.

use std::time::Duration;

use http::Response;

use super::{Arguments, Command, ControlledSimulator, Mistake};
use crate::{
    hosts::ApiHosts,
    lock_outs::LockOut,
    maintenance::Maintenance,
    options::{ClosedSession, ExpiredSocket},
    simulator::Simulator,
};

pub(super) const COMMANDS: [Command; 15] = [
    Command {
        name: "advance",
        example: r#"{"seconds":3600}"#,
        does: "moves the clock forward",
        run: |arguments, controlled| {
            controlled.advance(arguments.seconds("seconds")?.unwrap_or(Duration::from_secs(3600)));
            Ok(())
        },
    },
    Command {
        name: "penalize",
        example: r#"{"seconds":3,"endpoint":"auth/accesstokenrequest"}"#,
        does: "answers the next request with a penalty ticket; without endpoint, the next of the four in auth",
        run: |arguments, controlled| {
            let wait = arguments.seconds("seconds")?.unwrap_or(Duration::from_secs(3));
            let endpoint = arguments.endpoint()?;
            controlled.simulator.penalize_next(endpoint, wait);
            Ok(())
        },
    },
    Command {
        name: "captcha",
        example: r#"{"endpoint":"auth/accesstokenrequest"}"#,
        does: "answers the next request with a captcha, which closes the endpoint for an hour",
        run: |arguments, controlled| {
            let endpoint = arguments.endpoint()?;
            controlled.simulator.captcha_next(endpoint);
            Ok(())
        },
    },
    Command {
        name: "lock-out",
        example: r#"{"status":429,"retryAfterSeconds":7200}"#,
        does: "answers every request with 429 (or 423) until no request came for an hour; release ends it",
        run: |arguments, controlled| {
            let mut lock_out = LockOut::too_many_requests();
            lock_out.status = arguments.status("status")?.unwrap_or(lock_out.status);
            lock_out.retry_after = arguments.seconds("retryAfterSeconds")?;
            controlled.simulator.lock_out(lock_out);
            Ok(())
        },
    },
    Command {
        name: "release",
        example: "{}",
        does: "ends lock-outs, penalties and captchas, and forgets what the limits have counted",
        run: |_, controlled| {
            controlled.simulator.release();
            Ok(())
        },
    },
    Command {
        name: "fault",
        example: r#"{"endpoint":"auth/renewaccesstoken","status":500,"body":"","handled":false}"#,
        does: "answers the next request with this response; with handled, the request takes effect and its real answer is lost",
        run: fault,
    },
    Command {
        name: "maintenance",
        example: r#"{"on":true,"errorId":false}"#,
        does: "answers every request with 503 and an HTML page, or with 500 and an error id, until it is switched off",
        run: |arguments, controlled| {
            let with_error_id = arguments.flag("errorId")?.unwrap_or_default();
            let kind = if with_error_id { Maintenance::ErrorId } else { Maintenance::Html };
            let is_on = arguments.flag("on")?.unwrap_or(true);
            controlled.simulator.set_maintenance(is_on.then_some(kind));
            Ok(())
        },
    },
    Command {
        name: "kick",
        example: r#"{"user":"synthetic-user","all":false}"#,
        does: "closes the oldest session of a user, or all sessions, with their sockets",
        run: |arguments, controlled| {
            let all = arguments.flag("all")?.unwrap_or_default();
            of_user(
                arguments,
                controlled,
                if all { Simulator::close_sessions } else { Simulator::close_oldest_session },
            )
        },
    },
    Command {
        name: "expire",
        example: r#"{"user":"synthetic-user"}"#,
        does: "makes the user's access tokens expire now",
        run: |arguments, controlled| of_user(arguments, controlled, Simulator::expire_sessions),
    },
    Command {
        name: "revoke",
        example: r#"{"user":"synthetic-user"}"#,
        does: "forgets the user's tokens, as if they had never been issued",
        run: |arguments, controlled| of_user(arguments, controlled, Simulator::revoke),
    },
    Command {
        name: "move-hosts",
        example: r#"{"user":"synthetic-user","hosts":{"demo":"acme-demo.eval.ninjatrader.com"}}"#,
        does: "assigns these hosts to the user in place of the shared ones",
        run: |arguments, controlled| {
            let hosts =
                arguments.hosts()?.iter().fold(ApiHosts::standard(), |hosts, (key, host)| hosts.with(key, host));
            of_user(arguments, controlled, |simulator, user| simulator.move_hosts(user, hosts))
        },
    },
    Command {
        name: "cut-sockets",
        example: "{}",
        does: "breaks the connections of all sockets",
        run: |_, controlled| {
            controlled.simulator.cut_sockets();
            Ok(())
        },
    },
    Command {
        name: "silence-sockets",
        example: "{}",
        does: "stops all open sockets from sending, and keeps their connections",
        run: |_, controlled| {
            controlled.simulator.silence_sockets();
            Ok(())
        },
    },
    Command {
        name: "options",
        example: r#"{"lifetimeSeconds":4800,"emptyErrorText":true,"marketDataOnRenewalOnly":false,"refreshOpensSession":false,"expiredSocket":"stays-open","closedSession":408}"#,
        does: "changes options; expiredSocket is stays-open, falls-silent or closes; closedSession is 401, 408, 429 or 500",
        run: options,
    },
    Command {
        name: "reset",
        example: "{}",
        does: "returns to the start: no sessions, no sockets, an empty log, the initial options, and the real time",
        run: |_, controlled| {
            controlled.advanced_by = Duration::ZERO;
            controlled.simulator.reset();
            Ok(())
        },
    },
];

fn of_user(
    arguments: &Arguments,
    controlled: &mut ControlledSimulator,
    act: impl FnOnce(&mut Simulator, &str),
) -> Result<(), Mistake> {
    let user = arguments.user(&controlled.simulator)?;
    act(&mut controlled.simulator, &user);
    Ok(())
}

fn fault(arguments: &Arguments, controlled: &mut ControlledSimulator) -> Result<(), Mistake> {
    let endpoint = arguments.endpoint()?;
    let mut response = Response::new(arguments.text("body")?.unwrap_or_default().as_bytes().to_vec());
    *response.status_mut() = arguments.status("status")?.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if arguments.flag("handled")?.unwrap_or_default() {
        controlled.simulator.lose_next_answer(endpoint, response);
    } else {
        controlled.simulator.answer_next(endpoint, response);
    }
    Ok(())
}

fn options(arguments: &Arguments, controlled: &mut ControlledSimulator) -> Result<(), Mistake> {
    let mut options = controlled.simulator.options().clone();
    if let Some(lifetime) = arguments.seconds("lifetimeSeconds")? {
        options.lifetime = lifetime;
    }
    if let Some(is_sent) = arguments.flag("emptyErrorText")? {
        options.empty_error_text = is_sent;
    }
    if let Some(on_renewal_only) = arguments.flag("marketDataOnRenewalOnly")? {
        options.login_has_market_data_token = !on_renewal_only;
    }
    if let Some(opens_session) = arguments.flag("refreshOpensSession")? {
        options.refresh_opens_session = opens_session;
    }
    options.expired_socket = match arguments.text("expiredSocket")? {
        None => options.expired_socket,
        Some("stays-open") => ExpiredSocket::StaysOpen,
        Some("falls-silent") => ExpiredSocket::FallsSilent,
        Some("closes") => ExpiredSocket::Closes,
        Some(_) => return Err(Mistake("expiredSocket must be stays-open, falls-silent or closes".to_owned())),
    };
    options.closed_session = match arguments.number("closedSession")? {
        None => options.closed_session,
        Some(401) => ClosedSession::Unauthorized,
        Some(408) => ClosedSession::RequestTimeout,
        Some(429) => ClosedSession::TooManyRequests,
        Some(500) => ClosedSession::InternalServerError,
        Some(_) => return Err(Mistake("closedSession must be 401, 408, 429 or 500".to_owned())),
    };
    *controlled.simulator.options_mut() = options;
    Ok(())
}
