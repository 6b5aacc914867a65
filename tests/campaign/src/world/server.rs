//! The server of a world: the simulator with its users, the proxies before it, and the other clients of its users.

use std::collections::BTreeMap;

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_simulator::{ApiHosts, Network, OAuthClient, Simulator, User, WrongHost};

use crate::scenario::{Left, Scenario, Storm};

/// The redirect URI of the consent.
pub(super) const REDIRECT_URI: &str = "http://localhost:8888/";

/// The app that a user consents to.
pub(super) fn client_id(user: usize) -> String {
    format!("synthetic-client-{user}")
}

pub(super) struct Server {
    pub(super) simulator: Simulator,
    pub(super) storm: Option<(Storm, Timestamp)>,
    pub(super) maintained_until: Option<Timestamp>,
    /// The hosts that were shut down, by number.
    left: BTreeMap<u8, Left>,
    users: Vec<Account>,
}

struct Account {
    password: String,
    /// The secret of the app that the user has consented to.
    secret: Option<String>,
    hosts: u8,
}

impl Server {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let plan = &scenario.server;
        let mut builder = Simulator::builder()
            .seed(scenario.seed)
            .clock_skew(plan.skew)
            .lifetime(std::time::Duration::from_secs(u64::from(plan.lifetime) * 60))
            .options(|options| {
                options.closed_session = plan.closed_session;
                options.refusal = plan.refusal;
                options.limits.over_limit = plan.over_limit;
                options.renewal_changes_token = plan.renewal_changes_token;
                options.renewal_has_market_data_token = plan.renewal_has_market_data_token;
                options.expiration_fraction = plan.expiration_fraction;
                options.oauth_has_user_id = plan.oauth_has_user_id;
                options.oauth_has_market_data_token = plan.oauth_has_market_data_token;
                options.refresh_opens_session = plan.refresh_opens_session;
            });
        let account = || Account { password: "synthetic-password-0".to_owned(), secret: None, hosts: 0 };
        let users: Vec<Account> = (0..scenario.users).map(|_| account()).collect();
        for (number, user) in users.iter().enumerate() {
            builder = builder.user(User::new(&name(number), &user.password));
            builder = builder.oauth_client(OAuthClient::public(&client_id(number), REDIRECT_URI));
        }
        Self { simulator: builder.build(), storm: None, maintained_until: None, left: BTreeMap::new(), users }
    }

    /// What answers in place of the server at this time, if anything.
    pub(super) fn storm_at(&self, now: Timestamp) -> Option<Storm> {
        self.storm.filter(|(_, until)| now < *until).map(|(storm, _)| storm)
    }

    pub(super) fn is_in_maintenance(&self, now: Timestamp) -> bool {
        self.maintained_until.is_some_and(|until| now < until)
    }

    pub(super) fn password(&self, user: usize) -> &str {
        self.users.get(user).map_or("", |user| &user.password)
    }

    pub(super) fn change_password(&mut self, user: usize) {
        let Some(account) = self.users.get_mut(user) else { return };
        let number: u32 =
            account.password.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        account.password = format!("synthetic-password-{}", number + 1);
        let password = account.password.clone();
        if let Some(user) = self.simulator.user_mut(&name(user)) {
            user.password = password.as_str().into();
        }
    }

    pub(super) fn secret(&self, user: usize) -> Option<&str> {
        self.users.get(user).and_then(|user| user.secret.as_deref())
    }

    /// Gives the app of a user another secret.
    pub(super) fn change_secret(&mut self, user: usize) {
        let Some(account) = self.users.get_mut(user) else { return };
        let number = account.secret.as_deref().and_then(|text| text.rsplit('-').next()?.parse().ok()).unwrap_or(0_u32);
        let secret = format!("synthetic-secret-{}", number + 1);
        if let Some(client) = self.simulator.oauth_client_mut(&client_id(user)) {
            client.client_secret = Some(secret.as_str().into());
        }
        account.secret = Some(secret);
    }

    /// Shuts down the hosts of an organization and moves its users to the vendor's own hosts.
    pub(super) fn leave_hosts(&mut self, hosts: u8, left: Left) {
        self.left.insert(hosts, left);
        let wrong = match left {
            Left::Gone => None,
            Left::NotFound => Some(WrongHost::NotFound),
            Left::WrongClient => Some(WrongHost::WrongClient),
        };
        for side in ["demo", "live"] {
            self.simulator.set_wrong_host(&dedicated(hosts, side), wrong);
        }
        for user in 0..self.users.len() {
            if self.users[user].hosts == hosts {
                self.move_hosts(user, 0);
            }
        }
    }

    /// Whether a user is served on the hosts with this number.
    pub(super) fn is_on(&self, user: usize, hosts: u8) -> bool {
        self.users.get(user).is_some_and(|user| user.hosts == hosts)
    }

    /// Whether a host refuses connections.
    pub(super) fn is_gone(&self, host: &str) -> bool {
        let is_at = |hosts: u8| ["demo", "live"].iter().any(|side| dedicated(hosts, side) == host);
        self.left.iter().any(|(hosts, left)| *left == Left::Gone && is_at(*hosts))
    }

    pub(super) fn move_hosts(&mut self, user: usize, hosts: u8) {
        let hosts = if self.left.contains_key(&hosts) { 0 } else { hosts };
        if let Some(account) = self.users.get_mut(user) {
            account.hosts = hosts;
        }
        let mut there = ApiHosts::standard();
        if hosts > 0 {
            there = there.with("demo", &dedicated(hosts, "demo")).with("live", &dedicated(hosts, "live"));
        }
        if hosts == 3 {
            there = there.with("mdDemo", "evil.example");
        }
        self.simulator.move_hosts(&name(user), there);
    }

    /// Logs in with the password of the user, as another client does.
    pub(super) fn log_in(&mut self, now: Timestamp, user: usize, network: &Network) -> Response<Vec<u8>> {
        let hosts = self.users.get(user).map_or(0, |user| user.hosts);
        let host = if hosts == 0 { "demo.tradovateapi.com".to_owned() } else { dedicated(hosts, "demo") };
        let body = serde_json::json!({
            "name": name(user), "password": self.password(user), "cid": 8, "sec": "synthetic-api-secret",
        });
        let mut request = Request::new(body.to_string().into_bytes());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = format!("https://{host}/v1/auth/accesstokenrequest").parse().unwrap_or_default();
        request.extensions_mut().insert(network.clone());
        self.simulator.handle(now, request)
    }
}

/// A user's name.
pub(super) fn name(user: usize) -> String {
    format!("trader-{user}")
}

/// The network of an address.
pub(super) fn network(address: usize) -> Network {
    Network(format!("198.51.{address}.0/24"))
}

fn dedicated(hosts: u8, side: &str) -> String {
    format!("acme{hosts}-{side}.eval.ninjatrader.com")
}
