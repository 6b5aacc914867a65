//! Makes the calls of a run, in order, and records the shapes of requests and answers.

use std::time::Duration;

use tradovate_auth::http::{Request, Response};
use tradovate_auth::jiff::civil::Date;
use tradovate_auth::{
    AccessToken, AccessTokenRequest, AccessTokenResponse, ApiHosts, AuthorizedCode, Credentials, Endpoint, Environment,
    Error, Failure, Me, OAuthApp, PenaltyTicket, RenewAccessToken, RequestBody,
};

use crate::report::{Answer, Call, EnvironmentKind, Lost, Origin, Report, ServerKind, Step};
use crate::rules::judge;
use crate::shape::{Seen, host_kind};

/// The longest penalty for which the doctor waits.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The input and output that a run needs: network, clock and user.
pub trait Outside {
    /// Sends a request without following redirects.
    ///
    /// # Errors
    /// If no complete answer came: how far the request got.
    fn send(&mut self, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure>;

    /// Waits for a time.
    fn wait(&mut self, time: Duration);

    /// Asks the user to authorize the app in a browser. Returns `None` if the user does not.
    fn authorize(&mut self, app: &OAuthApp) -> Option<AuthorizedCode>;
}

/// The account to examine.
#[derive(Debug)]
pub struct Account {
    /// The day of the run, by the local clock.
    pub day: Date,
    /// The kind of server that answers.
    pub server: ServerKind,
    /// The kind of environment.
    pub environment_kind: EnvironmentKind,
    /// The environment for the login with a password.
    pub environment: Environment,
    /// The credentials, if there is a password.
    pub credentials: Option<Credentials>,
    /// The OAuth app and its environment, if there is an app.
    pub app: Option<(Environment, OAuthApp)>,
}

/// Makes the calls and reports their shapes: with a password, a login, `me` and a renewal; with an app, the exchange of
/// a code and a renewal. A request is repeated at most once after a penalty and once after a redirect. After a
/// lock-out, nothing more is sent.
pub fn examine(account: &Account, outside: &mut impl Outside) -> Report {
    let mut run = Run { outside, seen: Seen::default(), steps: Vec::new(), is_locked_out: false };
    if let Some(credentials) = &account.credentials {
        let mut environment = account.environment.clone();
        let login = |ticket| AccessTokenRequest::new(credentials).with_ticket(ticket);
        if let Some(AccessTokenResponse { access_token: Some(token), api_hosts, .. }) =
            run.call(&environment, Call::Login, Origin::Password, login)
        {
            follow(&mut environment, &api_hosts);
            run.call(&environment, Call::Me, Origin::Password, |_| Me::new(token.clone()));
            run.renew(&environment, Origin::Password, &token);
        }
    }
    if let Some((environment, app)) = account.app.as_ref().filter(|_| !run.is_locked_out)
        && let Some(code) = run.outside.authorize(app)
    {
        run.seen.forget_user();
        let mut environment = environment.clone();
        let exchange = |ticket| app.exchange(code.clone()).with_ticket(ticket);
        if let Some(answer) = run.call(&environment, Call::Exchange, Origin::App, exchange)
            && let Some(token) = answer.access_token
        {
            follow(&mut environment, &answer.api_hosts);
            run.renew(&environment, Origin::App, &token);
        }
    }
    let steps = run.steps;
    let (server, environment) = (account.server, account.environment_kind);
    Report { format: 1, day: account.day, server, environment, rules: judge(&steps), steps }
}

/// Follows the named hosts. The report shows untrusted hosts, so the result is ignored.
fn follow(environment: &mut Environment, hosts: &ApiHosts) {
    let _ = environment.follow(hosts);
}

struct Run<'o, O> {
    outside: &'o mut O,
    seen: Seen,
    steps: Vec<Step>,
    is_locked_out: bool,
}

impl<O: Outside> Run<'_, O> {
    fn renew(&mut self, environment: &Environment, origin: Origin, token: &AccessToken) {
        self.call(environment, Call::Renewal, origin, |_| RenewAccessToken::new(token.clone()));
    }

    fn call<E: Endpoint>(
        &mut self,
        environment: &Environment,
        call: Call,
        origin: Origin,
        build: impl Fn(Option<PenaltyTicket>) -> E,
    ) -> Option<E::Response> {
        let (mut redirected, mut after_penalty) = (false, false);
        let mut request = build(None).request(environment).ok()?;
        while !self.is_locked_out {
            match self.exchange::<E>(&request, call, origin, (redirected, after_penalty))? {
                Ok(value) => return Some(value),
                Err(Error::LockedOut { .. }) => self.is_locked_out = true,
                Err(Error::Moved(to)) if !redirected => {
                    request = environment.redirect(&request, &to)?;
                    redirected = true;
                }
                Err(Error::Penalty(ticket)) if !after_penalty && ticket.wait() <= LONGEST_WAIT => {
                    self.outside.wait(ticket.wait());
                    let host = request.uri().clone();
                    request = build(Some(ticket)).request(environment).ok()?;
                    *request.uri_mut() = host;
                    after_penalty = true;
                }
                Err(_) => return None,
            }
        }
        None
    }

    fn exchange<E: Endpoint>(
        &mut self,
        request: &Request<RequestBody>,
        call: Call,
        origin: Origin,
        (redirected, after_penalty): (bool, bool),
    ) -> Option<Result<E::Response, Error>> {
        let host = host_kind(request.uri().host().unwrap_or_default());
        let sent = self.seen.sent(request.body().as_ref());
        let response = self.outside.send(request);
        let answer = match &response {
            Ok(response) => Answer::Came(self.seen.came(response)),
            Err(Failure::NotSent) => Answer::Lost(Lost::NotSent),
            Err(Failure::Oversized | Failure::Truncated) => Answer::Lost(Lost::Broken),
            Err(_) => Answer::Lost(Lost::MaybeSent),
        };
        self.steps.push(Step { call, origin, host, redirected, after_penalty, sent, answer });
        Some(E::parse(response.ok()?).map(|reply| reply.value))
    }
}
