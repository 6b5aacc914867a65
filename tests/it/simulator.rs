//! Both transports against the simulator: the calls as a program makes them, and what the server says instead.

use std::time::Duration;

use tradovate_auth::{
    AccessTokenRequest, BodyFormat, CallError, Contradiction, Error, Me, OAuthGrant, RefusalKind, RenewAccessToken,
};
use tradovate_auth_simulator::{ApiHosts, Endpoint, LockOut, Maintenance, Server, Side, Simulator, SimulatorBuilder};

use crate::support::{Transport, app, consent};

/// A server of its own for each transport, since each test leaves traces in it.
fn each(builder: impl Fn() -> SimulatorBuilder, test: impl Fn(&Server, &Transport)) {
    for index in [0, 1] {
        let server = builder().serve().unwrap();
        test(&server, &Transport::both(&server.environment())[index]);
    }
}

#[test]
fn log_in_who_am_i_and_renew_open_one_session() {
    each(Simulator::builder, |server, transport| {
        let credentials = server.credentials();
        let login = transport.call(&AccessTokenRequest::new(&credentials)).unwrap();
        let grant = login.grant().unwrap();
        let me = transport.call(&Me::new(grant.access_token.clone())).unwrap().value;
        assert_eq!((me.user_id, me.name.as_deref()), (grant.user_id, Some(credentials.name())));

        server.advance(Duration::from_secs(65 * 60));
        let renewal = transport.call(&RenewAccessToken::new(grant.access_token.clone())).unwrap();
        let renewed = renewal.grant_after(&grant).unwrap();
        assert!(renewed.expires_at > grant.expires_at);
        assert_eq!(server.statistics().logins, 1);
    });
}

#[test]
fn an_oauth_code_is_exchanged_once_and_refreshed() {
    for format in [BodyFormat::Json, BodyFormat::Form] {
        each(Simulator::builder, |server, transport| {
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
    each(Simulator::builder, |server, transport| {
        server.penalize_next(Duration::from_secs(3));
        let credentials = server.credentials();
        let login = AccessTokenRequest::new(&credentials);
        let Err(CallError::Server(Error::Penalty(ticket))) = transport.call(&login) else { panic!() };
        assert_eq!(ticket.wait(), Duration::from_secs(3));
        server.advance(ticket.wait());
        assert!(transport.call(&login.with_ticket(ticket)).is_ok());
    });
}

#[test]
fn a_wrong_password_is_a_refusal_and_no_session() {
    each(Simulator::builder, |server, transport| {
        let credentials = tradovate_auth::Credentials::new(server.credentials().name(), "wrong");
        let error = transport.call(&AccessTokenRequest::new(&credentials)).unwrap_err();
        let refused =
            matches!(&error, CallError::Server(Error::Refused(r)) if r.kind == RefusalKind::IncorrectCredentials);
        assert!(refused, "{error:?}");
        assert_eq!(server.statistics().logins, 0);
    });
}

#[test]
fn captcha_lock_out_and_maintenance_are_told_apart() {
    each(Simulator::builder, |server, transport| {
        let credentials = server.credentials();
        let log_in = || transport.call(&AccessTokenRequest::new(&credentials)).unwrap_err();
        server.captcha_next(Endpoint::AccessTokenRequest);
        assert!(matches!(log_in(), CallError::Server(Error::Captcha { .. })));
        server.set_maintenance(Some(Maintenance::Html));
        assert!(matches!(log_in(), CallError::Server(Error::Status { .. })));
        server.set_maintenance(None);
        server.lock_out(LockOut::locked());
        assert!(matches!(log_in(), CallError::Server(Error::LockedOut { .. })));
    });
}

#[test]
fn who_am_i_on_demo_is_the_wrong_environment() {
    each(
        || Simulator::builder().side(Side::Demo),
        |server, transport| {
            let credentials = server.credentials();
            let grant = transport.call(&AccessTokenRequest::new(&credentials)).unwrap().grant().unwrap();
            let error = transport.call(&Me::new(grant.access_token)).unwrap_err();
            assert!(matches!(&error, CallError::Server(Error::WrongEnvironment { .. })), "{error:?}");
        },
    );
}

#[test]
fn hosts_of_an_organization_come_with_the_grant() {
    each(Simulator::builder, |server, transport| {
        let credentials = server.credentials();
        server.with(|simulator| {
            let hosts = ApiHosts::standard().with("demo", "acme-demo.eval.ninjatrader.com").with("live", "not a host");
            simulator.move_hosts(credentials.name(), hosts);
        });
        let grant = transport.call(&AccessTokenRequest::new(&credentials)).unwrap().grant().unwrap();
        assert_eq!(grant.hosts.get("demo"), Some("acme-demo.eval.ninjatrader.com"));
        assert_eq!(grant.hosts.refused(), ["live"]);
    });
}

#[test]
fn a_server_clock_that_is_wrong_by_ten_minutes_is_followed() {
    for minutes in [-10, 10] {
        let skew = jiff::SignedDuration::from_mins(minutes);
        each(
            || Simulator::builder().clock_skew(skew).lifetime(Duration::from_secs(60)),
            |server, transport| {
                let credentials = server.credentials();
                let login = transport.call(&AccessTokenRequest::new(&credentials)).unwrap();
                let (offset, received) = (login.exchange.offset(), login.exchange.received);
                assert!((offset - skew).abs() < jiff::SignedDuration::from_secs(5), "{offset}");
                let remaining = login.grant().unwrap().remaining(received);
                assert!((55..=65).contains(&remaining.as_secs()), "{remaining:?}");
            },
        );
    }
}

#[test]
fn an_expired_answer_is_no_grant() {
    each(
        || Simulator::builder().lifetime(Duration::ZERO).options(|options| options.expiration_fraction = false),
        |server, transport| {
            let credentials = server.credentials();
            let error = transport.call(&AccessTokenRequest::new(&credentials)).unwrap().grant().unwrap_err();
            let expired = matches!(error, CallError::Server(Error::Contradiction(Contradiction::ExpiredAlready)));
            assert!(expired, "{error:?}");
        },
    );
}
