//! A program of a world: its session, its store, and the planned disturbances of its requests.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use oorandom::Rand64;
use tradovate_auth_core::{AuthorizationRequest, ClientId, ClientSecret, Credentials, Entropy, Environment, OAuthApp};
use tradovate_auth_session::{Policy, Session, SessionKey, SessionToken};

use super::server::{REDIRECT_URI, Server, client_id, name};
use crate::journal::Seen;
use crate::mutants::{Mutant, Tamper};
use crate::names::Name;
use crate::scenario::{Login, LoginStep, Moment, Program as Plan, Trouble};

#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is asked for by its name")]
pub(super) struct Program {
    pub(super) plan: Plan,
    /// `None` while the program is down, and if a set has the session.
    pub(super) session: Option<Session>,
    /// The key of the session in its set. `None` while the program is down, and if no set has the session.
    pub(super) key: Option<SessionKey>,
    /// The next halts: the moment, whether it is a crash, and how long it lasts.
    pub(super) halts: VecDeque<(Moment, bool, SignedDuration)>,
    /// How far the login of a program with its own store has got.
    pub(super) login_step: Option<LoginStep>,
    /// The next crashes at a login: the step, whether the whole process crashes, and how long it is down.
    pub(super) login_crashes: VecDeque<(LoginStep, bool, SignedDuration)>,
    /// The program is paused until this time.
    pub(super) paused_until: Option<Timestamp>,
    /// How often the program has started.
    pub(super) life: u32,
    /// The number of the only wake-up that is still valid.
    pub(super) stamp: u64,
    /// The latest time until which an answer may be in flight.
    pub(super) under_way: Option<Timestamp>,
    pub(super) random: Rand64,
    pub(super) tamper: Tamper,
    pub(super) password: String,
    /// The secret of an app, if it has one.
    pub(super) secret: Option<String>,
    /// Whether the settings are wrong until a restart with the right ones.
    pub(super) awaits_correction: bool,
    /// Whether the operator has changed the settings while the program was down. The session learns that at the start.
    pub(super) is_corrected: bool,
    /// The program whose snapshot this one finds at its start.
    pub(super) foreign: Option<usize>,
    pub(super) seen: Option<Seen>,
    /// Callers wait until this time because one of their calls got a penalty.
    pub(super) call_after: Option<Timestamp>,
    /// The token that callers use without asking the session.
    pub(super) published: Option<SessionToken>,
    /// The stored snapshot: its number and its text.
    pub(super) stored: Option<(usize, String)>,
    /// Until when the store has trouble. `true` if it does not answer, `false` if it fails.
    pub(super) store_trouble: Option<(bool, Timestamp)>,
    /// The planned disturbances of the next requests.
    pub(super) troubles: VecDeque<Trouble>,
    pub(super) is_stopped: bool,
    pub(super) is_helped: bool,
    /// The refresh token that the program holds, by the answers that it has received.
    pub(super) refresh: Option<Name>,
    /// The number of minutes without a token and without a refresh token that the server knows.
    pub(super) missing: u32,
    /// Whether an answer has named the user.
    pub(super) knows_user: bool,
    /// The server has asked the program to wait until this time of the program's clock.
    pub(super) postponed_until: Option<Timestamp>,
    /// Good credentials were refused, so the program waits until this time of its clock.
    pub(super) refused_until: Option<Timestamp>,
    /// Refusals of its refresh token in a row.
    pub(super) refusals: u32,
    /// The last fault that affected the program.
    pub(super) last_fault: &'static str,
    pub(super) logins: u64,
    /// Whether the program is usable after the end of the faults.
    pub(super) is_usable: bool,
}

impl Program {
    pub(super) fn new(number: usize, plan: &Plan, seed: u64, tamper: Tamper) -> Self {
        let mixed = (u128::from(seed) << 16) ^ number as u128;
        let mut plan = plan.clone();
        if tamper.is(Mutant::IgnoresSharedPace) {
            plan.set = None;
        }
        Self {
            plan,
            session: None,
            key: None,
            halts: VecDeque::new(),
            login_step: None,
            login_crashes: VecDeque::new(),
            paused_until: None,
            life: 0,
            stamp: 0,
            under_way: None,
            random: Rand64::new(mixed),
            tamper,
            password: "synthetic-password-0".to_owned(),
            seen: None,
            published: None,
            call_after: None,
            secret: None,
            awaits_correction: false,
            is_corrected: false,
            foreign: None,
            stored: None,
            store_trouble: None,
            troubles: VecDeque::new(),
            is_stopped: false,
            is_helped: false,
            refresh: None,
            missing: 0,
            knows_user: false,
            postponed_until: None,
            refused_until: None,
            refusals: 0,
            last_fault: "nothing",
            logins: 0,
            is_usable: false,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.session.is_some() || self.key.is_some()
    }

    pub(super) fn is_app(&self) -> bool {
        self.plan.login == Login::OAuth
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(name(self.plan.user), self.password.clone())
            .with_app("Synthetic App", "1.0")
            .with_api_key(ClientId::Number(8), "synthetic-api-secret")
    }

    pub(super) fn app(&self) -> OAuthApp {
        let app = OAuthApp::new(client_id(self.plan.user));
        match &self.secret {
            Some(secret) => app.with_client_secret(ClientSecret::new(secret.clone())),
            None => app,
        }
    }

    /// The configured login host.
    pub(super) fn login_host(&self) -> &'static str {
        match self.plan.login {
            Login::Demo => "demo.tradovateapi.com",
            Login::Live | Login::Evaluation | Login::OAuth => "live.tradovateapi.com",
        }
    }

    /// A session without any knowledge. For an app, it waits for a snapshot.
    pub(super) fn blank(&mut self) -> Session {
        let seed = self.random.rand_u64();
        let session = match self.plan.login {
            Login::Demo => Session::new(Environment::demo(), self.credentials(), seed),
            Login::Live => Session::new(Environment::live(), self.credentials(), seed),
            Login::Evaluation => Session::new(Environment::evaluation(), self.credentials(), seed),
            Login::OAuth => Session::new(Environment::live(), tradovate_auth_session::Login::app(self.app()), seed),
        };
        self.set_up(session)
    }

    /// Gives a session its policy and its store, if it has one.
    fn set_up(&self, session: Session) -> Session {
        let prefers_refreshes = self.plan.prefers_refreshes || self.tamper.is(Mutant::AlwaysRefreshes);
        let session = session.with_policy(Policy::default().with_refreshes_preferred(prefers_refreshes));
        match self.plan.member {
            Some(member) => session.with_shared_store(member.may_log_in),
            None if self.plan.has_store => session.with_store(),
            None => session,
        }
    }

    /// A session of a new consent. `None` if the user cannot complete it.
    pub(super) fn consented(&mut self, server: &mut Server) -> Option<Session> {
        let (app, environment) = (self.app(), Environment::live());
        let mut bytes = [0; Entropy::LENGTH];
        bytes.fill_with(|| u8::try_from(self.random.rand_range(0..256)).unwrap_or_default());
        let request = AuthorizationRequest::new(&app, REDIRECT_URI);
        let (url, mut pending) = request.begin(&environment, Entropy::from(bytes)).ok()?;
        let back = server.simulator.consent(&name(self.plan.user), url.as_str())?;
        let code = pending.redirected(&back).ok()?;
        let session = Session::new(environment, tradovate_auth_session::Login::code(app, code), self.random.rand_u64());
        Some(self.set_up(session))
    }

    /// The time that a message takes one way.
    pub(super) fn latency(&mut self) -> SignedDuration {
        let most = if self.random.rand_range(0..50) == 0 { 3000 } else { 150 };
        SignedDuration::from_millis(10 + i64::try_from(self.random.rand_range(0..most)).unwrap_or_default())
    }
}
