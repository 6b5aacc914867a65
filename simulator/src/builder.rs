//! The builder of a simulator: users, registrations and options. Everything has a default, so
//! `Simulator::builder().build()` is a server that accepts logins.

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

/// The `userId` of the first user without an id of its own.
const FIRST_USER_ID: i64 = 15460;

/// Builds a [`Simulator`]. The first user, app and client that you add replace the default ones; more can follow.
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
    pub(crate) settings: crate::serve::Settings,
}

/// The state with which a simulator starts, and to which [`Simulator::reset`] returns.
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

    /// Adds a user. The first one replaces [`User::default`].
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.setup.users.push(user);
        self
    }

    /// Adds an API key. The first one replaces [`App::default`].
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.setup.apps.push(app);
        self
    }

    /// Adds an OAuth client. The first one replaces [`OAuthClient::default`].
    #[must_use]
    pub fn oauth_client(mut self, client: OAuthClient) -> Self {
        self.setup.clients.push(client);
        self
    }

    /// Registers the dedicated hosts of an organization.
    #[must_use]
    pub fn organization(mut self, name: &str, hosts: ApiHosts) -> Self {
        self.setup.organizations.insert(name.to_owned(), hosts);
        self
    }

    /// Sets which side is simulated at hosts that the vendor has not published, such as 127.0.0.1. Default:
    /// [`Side::Live`].
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.setup.options.default_side = side;
        self
    }

    /// Sets the lifetime of an access token. Default: 80 minutes.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.setup.options.lifetime = lifetime;
        self
    }

    /// Sets how far the server's clock is ahead of the caller's; negative if it is behind. Default: zero.
    #[must_use]
    pub fn clock_skew(mut self, skew: SignedDuration) -> Self {
        self.setup.options.clock_skew = skew;
        self
    }

    /// Sets the seed for tokens, tickets and codes. Default: a fixed seed, so equal tests get equal tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Changes any of the [`Options`].
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

    /// Builds the simulator without an HTTP server.
    #[must_use]
    pub fn build(mut self) -> Simulator {
        self.setup.fill_in();
        self.setup.start(Mint::new(self.seed))
    }
}

impl Setup {
    /// A simulator in its start state.
    fn start(self, mint: Mint) -> Simulator {
        let mut dedicated = DedicatedHosts::new();
        for hosts in self.organizations.values().chain(self.users.iter().filter_map(|user| user.hosts.as_ref())) {
            dedicated.add(hosts);
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

    /// Adds the default user, app and client if none was given.
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
    /// Returns to the start state: the users, apps, clients and options of the builder, without sessions, sockets and
    /// statistics. Tokens, tickets and codes from before are not issued again.
    pub fn reset(&mut self) {
        let mut fresh = self.setup.clone().start(std::mem::replace(&mut self.mint, Mint::new(0)));
        fresh.sockets.continue_ids_of(&self.sockets);
        *self = fresh;
    }
}
