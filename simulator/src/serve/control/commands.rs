//! The commands, in the order in which they are listed.

use std::time::Duration;

use http::Response;

use super::{Arguments, Command, Front, Mistake, lock};
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
        does: "puts the clock forward",
        run: |arguments, front| {
            front.advance(arguments.seconds("seconds")?.unwrap_or(Duration::from_secs(3600)));
            Ok(())
        },
    },
    Command {
        name: "penalize",
        example: r#"{"seconds":3,"endpoint":"auth/accesstokenrequest"}"#,
        does: "answers the next request with a penalty ticket; without endpoint, the next of the four in auth",
        run: |arguments, front| {
            let wait = arguments.seconds("seconds")?.unwrap_or(Duration::from_secs(3));
            let endpoint = arguments.endpoint()?;
            front.simulator().penalize_next(endpoint, wait);
            Ok(())
        },
    },
    Command {
        name: "captcha",
        example: r#"{"endpoint":"auth/accesstokenrequest"}"#,
        does: "answers the next request with a captcha and closes the endpoint for an hour",
        run: |arguments, front| {
            let endpoint = arguments.endpoint()?;
            front.simulator().captcha_next(endpoint);
            Ok(())
        },
    },
    Command {
        name: "lock-out",
        example: r#"{"status":429,"retryAfterSeconds":7200}"#,
        does: "answers every request with 429 (or 423) until none has come for an hour; release ends it",
        run: |arguments, front| {
            let mut lock_out = LockOut::too_many_requests();
            lock_out.status = arguments.status("status")?.unwrap_or(lock_out.status);
            lock_out.retry_after = arguments.seconds("retryAfterSeconds")?;
            front.simulator().lock_out(lock_out);
            Ok(())
        },
    },
    Command {
        name: "release",
        example: "{}",
        does: "ends lock-outs, penalties and captchas, and forgets what the limits have counted",
        run: |_, front| {
            front.simulator().release();
            Ok(())
        },
    },
    Command {
        name: "fault",
        example: r#"{"endpoint":"auth/renewaccesstoken","status":500,"body":"","handled":false}"#,
        does: "answers the next request with this; with handled, the request takes effect and its true answer is lost",
        run: fault,
    },
    Command {
        name: "maintenance",
        example: r#"{"on":true,"errorId":false}"#,
        does: "answers every request with 503 and a page of HTML, or with 500 and an error id, until it is off",
        run: |arguments, front| {
            let with_error_id = arguments.flag("errorId")?.unwrap_or_default();
            let kind = if with_error_id { Maintenance::ErrorId } else { Maintenance::Html };
            let is_on = arguments.flag("on")?.unwrap_or(true);
            front.simulator().set_maintenance(is_on.then_some(kind));
            Ok(())
        },
    },
    Command {
        name: "kick",
        example: r#"{"user":"synthetic-user","all":false}"#,
        does: "closes the oldest session of a user, or all of them, with their sockets",
        run: |arguments, front| {
            let all = arguments.flag("all")?.unwrap_or_default();
            of_user(arguments, front, if all { Simulator::close_sessions } else { Simulator::close_oldest_session })
        },
    },
    Command {
        name: "expire",
        example: r#"{"user":"synthetic-user"}"#,
        does: "ends the life of the user's access tokens now",
        run: |arguments, front| of_user(arguments, front, Simulator::expire_sessions),
    },
    Command {
        name: "revoke",
        example: r#"{"user":"synthetic-user"}"#,
        does: "forgets the user's tokens, as if they had never been issued",
        run: |arguments, front| of_user(arguments, front, Simulator::revoke),
    },
    Command {
        name: "move-hosts",
        example: r#"{"user":"synthetic-user","hosts":{"demo":"acme-demo.eval.ninjatrader.com"}}"#,
        does: "names these hosts to the user in place of the shared ones",
        run: |arguments, front| {
            let hosts =
                arguments.hosts()?.iter().fold(ApiHosts::standard(), |hosts, (key, host)| hosts.with(key, host));
            of_user(arguments, front, |simulator, user| simulator.move_hosts(user, hosts))
        },
    },
    Command {
        name: "cut-sockets",
        example: "{}",
        does: "breaks the connections of all sockets",
        run: |_, front| {
            front.simulator().cut_sockets();
            Ok(())
        },
    },
    Command {
        name: "silence-sockets",
        example: "{}",
        does: "lets all open sockets send nothing more, though their connections stay",
        run: |_, front| {
            front.simulator().silence_sockets();
            Ok(())
        },
    },
    Command {
        name: "options",
        example: r#"{"lifetimeSeconds":4800,"emptyErrorText":true,"marketDataOnRenewalOnly":false,"refreshOpensSession":false,"expiredSocket":"stays-open","closedSession":408}"#,
        does: "turns switches; expiredSocket is stays-open, falls-silent or closes; closedSession is 401, 408, 429 or 500",
        run: options,
    },
    Command {
        name: "reset",
        example: "{}",
        does: "begins anew: no sessions, no sockets, an empty log, the switches of the start, and the true time",
        run: |_, front| {
            *lock(&front.ahead) = Duration::ZERO;
            front.simulator().reset();
            Ok(())
        },
    },
];

fn of_user(arguments: &Arguments, front: &Front, act: impl FnOnce(&mut Simulator, &str)) -> Result<(), Mistake> {
    let mut simulator = front.simulator();
    let user = arguments.user(&simulator)?;
    act(&mut simulator, &user);
    Ok(())
}

fn fault(arguments: &Arguments, front: &Front) -> Result<(), Mistake> {
    let endpoint = arguments.endpoint()?;
    let mut response = Response::new(arguments.text("body")?.unwrap_or_default().as_bytes().to_vec());
    *response.status_mut() = arguments.status("status")?.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if arguments.flag("handled")?.unwrap_or_default() {
        front.simulator().lose_next_answer(endpoint, response);
    } else {
        front.simulator().answer_next(endpoint, response);
    }
    Ok(())
}

fn options(arguments: &Arguments, front: &Front) -> Result<(), Mistake> {
    let mut options = front.simulator().options().clone();
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
    *front.simulator().options_mut() = options;
    Ok(())
}
