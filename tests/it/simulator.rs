//! Both transports against the simulator: the calls as a program makes them, and what the server says instead.

use std::time::Duration;

use tradovate_auth::{
    AccessTokenRequest, AccessTokenResponse, Answer, BodyFormat, CallError, Contradiction, Credentials, Error, Me,
    OAuthGrant, RefusalKind, RenewAccessToken,
};
use tradovate_auth_simulator::{ApiHosts, Endpoint, LockOut, Maintenance, Server, Side, Simulator, SimulatorBuilder};

use crate::support::{Transport, app, consent};

type Login = Result<Answer<AccessTokenResponse>, CallError>;

/// A server of its own for each transport, since each test leaves traces in it, and its login.
fn each(builder: impl Fn() -> SimulatorBuilder, test: impl Fn(&Server, &Transport, &dyn Fn() -> Login)) {
    for index in [0, 1] {
        let server = builder().serve().unwrap();
        let transport = &Transport::both(&server.environment())[index];
        let credentials = server.credentials();
        test(&server, transport, &|| transport.call(&AccessTokenRequest::new(&credentials)));
    }
}

#[test]
fn log_in_who_am_i_and_renew_open_one_session() {
    each(Simulator::builder, |server, transport, log_in| {
        let grant = log_in().unwrap().grant().unwrap();
        let me = transport.call(&Me::new(grant.access_token.clone())).unwrap().value;
        assert_eq!((me.user_id, me.name.as_deref()), (grant.user_id, Some(server.credentials().name())));

        server.advance(Duration::from_secs(65 * 60));
        let renewal = transport.call(&RenewAccessToken::new(grant.access_token.clone())).unwrap();
        assert!(renewal.grant_after(&grant).unwrap().expires_at > grant.expires_at);
        assert_eq!(server.statistics().logins, 1);
    });
}

#[test]
fn an_oauth_code_is_exchanged_once_and_refreshed() {
    for format in [BodyFormat::Json, BodyFormat::Form] {
        each(Simulator::builder, |server, transport, _| {
            let exchange = |grant: OAuthGrant| transport.call(&app().with_body_format(format).exchange(grant));
            let code = OAuthGrant::from(consent(server));
            let grant = exchange(code.clone()).unwrap().grant().unwrap();
            let refreshed = exchange(grant.refresh.clone().unwrap().token.into()).unwrap().grant_after(&grant).unwrap();
            assert_ne!(refreshed.access_token.expose(), grant.access_token.expose());

            let again = exchange(code).unwrap_err();
            let used = matches!(&again, CallError::Server(Error::Refused(r)) if r.kind == RefusalKind::InvalidGrant);
            assert!(used, "{again:?}");
        });
    }
}

#[test]
fn a_penalty_is_over_after_its_wait_with_its_ticket() {
    each(Simulator::builder, |server, transport, log_in| {
        server.penalize_next(Duration::from_secs(3));
        let Err(CallError::Server(Error::Penalty(ticket))) = log_in() else { panic!() };
        assert_eq!(ticket.wait(), Duration::from_secs(3));
        server.advance(ticket.wait());
        assert!(transport.call(&AccessTokenRequest::new(&server.credentials()).with_ticket(ticket)).is_ok());
    });
}

#[test]
fn refusal_captcha_lock_out_maintenance_and_a_wrong_environment_are_told_apart() {
    each(Simulator::builder, |server, transport, log_in| {
        let is_server_error = |login: Login, is: fn(&Error) -> bool| {
            assert!(matches!(&login, Err(CallError::Server(error)) if is(error)), "{login:?}");
        };
        let wrong = Credentials::new(server.credentials().name(), "wrong");
        let refused = transport.call(&AccessTokenRequest::new(&wrong));
        is_server_error(
            refused,
            |error| matches!(error, Error::Refused(r) if r.kind == RefusalKind::IncorrectCredentials),
        );
        assert_eq!(server.statistics().logins, 0);
        let grant = log_in().unwrap().grant().unwrap();
        server.with(|simulator| simulator.options_mut().default_side = Side::Demo);
        let me = transport.call(&Me::new(grant.access_token)).unwrap_err();
        assert!(matches!(&me, CallError::Server(Error::WrongEnvironment { .. })), "{me:?}");
        server.captcha_next(Endpoint::AccessTokenRequest);
        is_server_error(log_in(), |error| matches!(error, Error::Captcha { .. }));
        server.set_maintenance(Some(Maintenance::Html));
        is_server_error(log_in(), |error| matches!(error, Error::Status { .. }));
        server.set_maintenance(None);
        server.lock_out(LockOut::locked());
        is_server_error(log_in(), |error| matches!(error, Error::LockedOut { .. }));
    });
}

#[test]
fn hosts_of_an_organization_come_with_the_grant() {
    each(Simulator::builder, |server, _, log_in| {
        let hosts = ApiHosts::standard().with("demo", "acme-demo.eval.ninjatrader.com").with("live", "not a host");
        server.with(|simulator| simulator.move_hosts(server.credentials().name(), hosts));
        let grant = log_in().unwrap().grant().unwrap();
        assert_eq!(grant.hosts.get("demo"), Some("acme-demo.eval.ninjatrader.com"));
        assert_eq!(grant.hosts.refused(), ["live"]);
    });
}

#[test]
fn a_server_clock_that_is_wrong_by_ten_minutes_is_followed() {
    for minutes in [-10, 10] {
        let skew = jiff::SignedDuration::from_mins(minutes);
        let skewed = || Simulator::builder().clock_skew(skew).lifetime(Duration::from_secs(60));
        each(skewed, |_, _, log_in| {
            let login = log_in().unwrap();
            let (offset, received) = (login.exchange.offset(), login.exchange.received);
            assert!((offset - skew).abs() < jiff::SignedDuration::from_secs(5), "{offset}");
            let remaining = login.grant().unwrap().remaining(received);
            assert!((55..=65).contains(&remaining.as_secs()), "{remaining:?}");
        });
    }
}

#[test]
fn an_expired_answer_is_no_grant() {
    let expired = || Simulator::builder().lifetime(Duration::ZERO).options(|o| o.expiration_fraction = false);
    each(expired, |_, _, log_in| {
        let error = log_in().unwrap().grant().unwrap_err();
        let expired = matches!(error, CallError::Server(Error::Contradiction(Contradiction::ExpiredAlready)));
        assert!(expired, "{error:?}");
    });
}
