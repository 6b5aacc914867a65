//! Tests of both transports with the simulator: the calls that a program makes. The tests of the core and the campaign
//! cover the server's other answers.

use std::time::Duration;

use tradovate_auth::{
    AccessTokenRequest, BodyFormat, CallError, CaptchaAnswer, Error, Me, OAuthGrant, RefusalKind, RenewAccessToken,
};
use tradovate_auth_simulator::{Endpoint, Server, Simulator};

use crate::support::{Transport, app, consent};

/// Runs a test with each transport, each with a server of its own.
fn each(test: impl Fn(&Server, &Transport)) {
    for index in [0, 1] {
        let server = Simulator::builder().serve().unwrap();
        test(&server, &Transport::both(&server.environment())[index]);
    }
}

#[test]
fn a_login_a_me_call_and_a_renewal_use_one_server_session() {
    each(|server, transport| {
        let credentials = server.credentials();
        let grant = transport.call(&AccessTokenRequest::new(&credentials)).unwrap().grant().unwrap();
        let me = transport.call(&Me::new(grant.access_token.clone())).unwrap().value;
        assert_eq!((me.user_id, me.name.as_deref()), (grant.user_id, Some(credentials.name())));

        server.advance(Duration::from_secs(65 * 60));
        let renewal = transport.call(&RenewAccessToken::new(grant.access_token.clone())).unwrap();
        assert!(renewal.grant_after(&grant).unwrap().expires_at > grant.expires_at);
        assert_eq!(server.statistics().logins, 1);
    });
}

#[test]
fn an_oauth_code_is_exchanged_once_and_refreshed() {
    for format in [BodyFormat::Json, BodyFormat::Form] {
        each(|server, transport| {
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

//= R-PENALTY-5
#[test]
fn a_captcha_answer_after_the_wait_completes_the_login() {
    each(|server, transport| {
        let credentials = server.credentials();
        let login = |ticket| transport.call(&AccessTokenRequest::new(&credentials).with_ticket(ticket));
        let demanded = |answer| match answer {
            Err(CallError::Server(Error::Captcha { ticket: Some(ticket), .. })) => ticket,
            other => panic!("{other:?}"),
        };
        server.captcha_next(Endpoint::AccessTokenRequest);
        let ticket = demanded(login(None));
        assert_eq!(ticket.wait(), Duration::from_secs(19));
        server.advance(ticket.wait());
        let ticket = demanded(login(Some(ticket.with_captcha_answer(CaptchaAnswer::new("canary-wrong-answer")))));
        server.advance(ticket.wait());
        let answered = ticket.with_captcha_answer(CaptchaAnswer::new(Simulator::CAPTCHA_ANSWER));
        assert!(!format!("{answered:?} {answered}").contains(Simulator::CAPTCHA_ANSWER));
        assert!(login(Some(answered)).unwrap().grant().is_ok());
        assert_eq!(server.statistics().logins, 1);
        // The captcha is over: a login without an answer works too.
        assert!(login(None).is_ok());
    });
}
