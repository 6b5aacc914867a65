//! Sets up a simulator: users, registrations, switches.
//! What is not given has a default, so that `Simulator::builder().build()` is a server one can log in to.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;

use crate::{
    grants::Grants,
    hosts::{ApiHosts, DedicatedHosts},
    lock_outs::LockOuts,
    maintenance::Plan,
    mint::Mint,
    options::Options,
    penalties::Penalties,
    rates::{Callers, Rates},
    registration::{App, OAuthClient},
    script::Script,
    sessions::Sessions,
    side::Side,
    simulator::Simulator,
    sockets::Sockets,
    statistics::Statistics,
    user::User,
    wrong_hosts::WrongHosts,
};

/// The `userId` of the first user that was given none.
const FIRST_USER_ID: i64 = 15460;

/// Sets up a [`Simulator`]. The first user, app and client given replace the default ones; more can be added.
///
/// ```
/// use std::time::Duration;
///
/// use tradovate_auth_simulator::{ApiHosts, Simulator, User};
///
/// let simulator = Simulator::builder()
///     .user(User::new("trader", "correct horse").of_organization("Acme"))
///     .organization("Acme", ApiHosts::standard().with("demo", "acme-demo.example"))
///     .lifetime(Duration::from_secs(300))
///     .build();
/// assert_eq!(simulator.open_sessions("trader"), 0);
/// ```
#[derive(Debug, Default)]
pub struct SimulatorBuilder {
    pub(crate) setup: Setup,
    seed: u64,
    #[cfg(feature = "serve")]
    pub(crate) front: crate::serve::Settings,
}

/// What a simulator begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) users: Vec<User>,
    pub(crate) apps: Vec<App>,
    clients: Vec<OAuthClient>,
    organizations: BTreeMap<String, ApiHosts>,
    options: Options,
}

impl SimulatorBuilder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.setup.users.push(user);
        self
    }

    /// Adds an API key.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.setup.apps.push(app);
        self
    }

    /// Adds an OAuth client.
    #[must_use]
    pub fn oauth_client(mut self, client: OAuthClient) -> Self {
        self.setup.clients.push(client);
        self
    }

    /// Gives an organization hosts of its own.
    #[must_use]
    pub fn organization(mut self, name: &str, hosts: ApiHosts) -> Self {
        self.setup.organizations.insert(name.to_owned(), hosts);
        self
    }

    /// The side played at hosts that are none of the published ones, such as 127.0.0.1: Live unless set.
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.setup.options.default_side = side;
        self
    }

    /// Life of an access token: 80 minutes unless set.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.setup.options.lifetime = lifetime;
        self
    }

    /// How far the server's clock is ahead of the caller's; negative: behind.
    #[must_use]
    pub fn clock_skew(mut self, skew: SignedDuration) -> Self {
        self.setup.options.clock_skew = skew;
        self
    }

    /// The seed of tokens, tickets and codes.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Turns any of the switches.
    ///
    /// ```
    /// use tradovate_auth_simulator::{Limits, Simulator};
    ///
    /// let simulator = Simulator::builder().options(|options| options.limits = Limits::none()).build();
    /// assert_eq!(simulator.options().limits, Limits::none());
    /// ```
    #[must_use]
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.setup.options);
        self
    }

    /// The server, without a front.
    #[must_use]
    pub fn build(mut self) -> Simulator {
        self.setup.fill_in();
        self.setup.start(Mint::new(self.seed))
    }
}

impl Setup {
    /// A simulator to which nothing has happened.
    fn start(self, mint: Mint) -> Simulator {
        let mut dedicated = DedicatedHosts::new();
        for hosts in self.organizations.values().chain(self.users.iter().filter_map(|user| user.hosts.as_ref())) {
            dedicated.learn(hosts);
        }
        let Self { users, apps, clients, organizations, options } = self.clone();
        Simulator {
            setup: self,
            options,
            users,
            apps,
            clients,
            organizations,
            dedicated,
            mint,
            sessions: Sessions::default(),
            grants: Grants::default(),
            devices: BTreeMap::new(),
            penalties: Penalties::default(),
            rates: Rates::default(),
            callers: Callers::default(),
            lock_outs: LockOuts::default(),
            maintenance: Plan::default(),
            script: Script::default(),
            wrong_hosts: WrongHosts::default(),
            sockets: Sockets::default(),
            statistics: Statistics::default(),
            time: None,
        }
    }

    /// Adds the defaults for whatever was not given.
    pub(crate) fn fill_in(&mut self) {
        if self.users.is_empty() {
            self.users.push(User::default());
        }
        if self.apps.is_empty() {
            self.apps.push(App::default());
        }
        if self.clients.is_empty() {
            self.clients.push(OAuthClient::default());
        }
        for (id, user) in (FIRST_USER_ID..).zip(&mut self.users) {
            if user.id == 0 {
                user.id = id;
            }
        }
    }
}

impl Simulator {
    /// Begins anew: with the users, apps, clients and switches that it was built with, without sessions, sockets and
    /// statistics. No token, ticket or code from before is issued again.
    pub fn reset(&mut self) {
        let mut fresh = self.setup.clone().start(std::mem::replace(&mut self.mint, Mint::new(0)));
        fresh.sockets.number_on_from(&self.sockets);
        *self = fresh;
    }
}
