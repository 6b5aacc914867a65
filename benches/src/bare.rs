//! A login over the network as a careful author writes it with `ureq` or `reqwest` and without this library.
//!
//! The clients have the settings of the library's clients: no idle connections, no redirects, statuses that are not
//! errors, no proxy, a timeout for the whole call, and a size limit for the answer.

use std::hint::black_box;
use std::mem;
use std::time::Duration;

use http::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::Timestamp;
use tradovate_auth::reqwest::http_client_builder;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::hand_written::{self, Answer, JSON, Login};

const USER_AGENT: &str = concat!("tradovate-auth/", env!("CARGO_PKG_VERSION"));
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: usize = 256 * 1024;

/// What both clients share: the login, its URL, and the time for checking answers, at which the sample's token is
/// valid.
struct Call {
    login: Login,
    url: String,
    received: Timestamp,
}

pub(crate) struct Ureq {
    agent: Agent,
    call: Call,
}

pub(crate) struct Reqwest {
    client: reqwest::Client,
    call: Call,
}

impl Call {
    fn new(base: &str, received: Timestamp) -> Self {
        Self { login: Login::sample(), url: format!("{base}/auth/accesstokenrequest"), received }
    }

    fn check(&self, response: &Response<&[u8]>) -> Answer {
        // Reads the clock, because a real program has to. The time is then replaced, because the sample's token has
        // expired.
        black_box(Timestamp::now());
        hand_written::typed(response, hand_written::time_of(response, self.received)).expect("a login")
    }
}

impl Ureq {
    pub(crate) fn config() -> ConfigBuilder<AgentScope> {
        Agent::config_builder()
            .user_agent(USER_AGENT)
            .max_idle_connections(0)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
    }

    pub(crate) fn new(base: &str, received: Timestamp) -> Self {
        Self::with_config(Self::config(), base, received)
    }

    pub(crate) fn with_config(config: ConfigBuilder<AgentScope>, base: &str, received: Timestamp) -> Self {
        Self { agent: config.build().new_agent(), call: Call::new(base, received) }
    }

    pub(crate) fn log_in(&self) -> Answer {
        let body = self.call.login.body();
        let request = self.agent.post(&self.call.url).header(ACCEPT, JSON).header(CONTENT_TYPE, JSON);
        let (parts, mut body) = request.send(&body[..]).expect("it is answered").into_parts();
        let body = body.with_config().limit(LONGEST_ANSWER as u64).read_to_vec().expect("it is whole");
        self.call.check(&Response::from_parts(parts, &body))
    }
}

impl Reqwest {
    pub(crate) fn new(base: &str, received: Timestamp) -> Self {
        let client = http_client_builder()
            .expect("TLS can be set up")
            .user_agent(USER_AGENT)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .timeout(TIMEOUT);
        Self { client: client.build().expect("TLS can be set up"), call: Call::new(base, received) }
    }

    pub(crate) async fn log_in(&self) -> Answer {
        let request = self.client.post(&self.call.url).header(ACCEPT, JSON).header(CONTENT_TYPE, JSON);
        let mut answer = request.body(self.call.login.body()).send().await.expect("it is answered");
        let headers = mem::take(answer.headers_mut());
        let mut body =
            Vec::with_capacity(usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or(0).min(LONGEST_ANSWER));
        while let Some(chunk) = answer.chunk().await.expect("it is whole") {
            assert!(body.len() + chunk.len() <= LONGEST_ANSWER, "the answer is short");
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(&body[..]);
        *response.status_mut() = answer.status();
        *response.headers_mut() = headers;
        self.call.check(&response)
    }
}
