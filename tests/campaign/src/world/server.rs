//! The server of a world: the simulator with its users, what stands before it, and what others do there.

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_simulator::{ApiHosts, Network, OAuthClient, Simulator, User};

use crate::scenario::{Scenario, Storm};

/// The way back from the consent.
pub(super) const REDIRECT_URI: &str = "http://localhost:8888/";

/// The app that users consent to.
pub(super) const CLIENT_ID: &str = "synthetic-client";

pub(super) struct Server {
    pub(super) simulator: Simulator,
    pub(super) storm: Option<(Storm, Timestamp)>,
    pub(super) maintained_until: Option<Timestamp>,
    users: Vec<Account>,
}

struct Account {
    password: String,
    hosts: u8,
}

impl Server {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let plan = &scenario.server;
        let mut builder = Simulator::builder()
            .seed(scenario.seed)
            .clock_skew(plan.skew)
            .lifetime(std::time::Duration::from_secs(u64::from(plan.lifetime) * 60))
            .oauth_client(OAuthClient::public(CLIENT_ID, REDIRECT_URI))
            .options(|options| {
                options.closed_session = plan.closed_session;
                options.refusal = plan.refusal;
                options.limits.over_limit = plan.over_limit;
                options.renewal_changes_token = plan.renewal_changes_token;
                options.renewal_has_market_data_token = plan.renewal_has_market_data_token;
                options.expiration_fraction = plan.expiration_fraction;
                options.oauth_has_user_id = plan.oauth_has_user_id;
                options.oauth_has_market_data_token = plan.oauth_has_market_data_token;
            });
        let account = || Account { password: "synthetic-password-0".to_owned(), hosts: 0 };
        let users: Vec<Account> = (0..scenario.users).map(|_| account()).collect();
        for (number, user) in users.iter().enumerate() {
            builder = builder.user(User::new(&name(number), &user.password));
        }
        Self { simulator: builder.build(), storm: None, maintained_until: None, users }
    }

    /// What is in force instead of the server.
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

    pub(super) fn move_hosts(&mut self, user: usize, hosts: u8) {
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

    /// Somebody logs in with the password of the user.
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
