//! A login over the network as a careful author writes it with `ureq` or `reqwest` and no library.
//!
//! The clients are set as ours are: no idle connections, whose next answer might belong to nothing, no redirects,
//! statuses that are answers, no proxy, a time-out for the whole call, a limit for the answer.

use std::hint::black_box;
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

/// What all of them send, where to, and the time their answers are looked at: one the sample's token lives at.
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

    fn look_at(&self, response: &Response<&[u8]>) -> Answer {
        // The clock is read as it has to be; what it says is replaced, since the sample is as old as it is.
        black_box(Timestamp::now());
        hand_written::typed(response, self.received).expect("a login")
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
        self.call.look_at(&Response::from_parts(parts, &body))
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
        let mut body =
            Vec::with_capacity(usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or(0).min(LONGEST_ANSWER));
        while let Some(chunk) = answer.chunk().await.expect("it is whole") {
            assert!(body.len() + chunk.len() <= LONGEST_ANSWER, "the answer is short");
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(&body[..]);
        *response.status_mut() = answer.status();
        self.call.look_at(&response)
    }
}
