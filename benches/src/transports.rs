//! A whole login over the network: with our clients, and by hand with the same HTTP libraries.

use jiff::Timestamp;
use tokio::runtime;
use tradovate_auth::{BaseUrl, Environment, reqwest, ureq};

use crate::bare;
use crate::cases::{Case, Table};
use crate::samples;

/// A buffer size that is large enough for a request and its answer.
const SMALL: usize = 8 * 1024;

/// Logins at a [server](crate::loopback) on this machine.
pub(crate) fn all(port: u16) -> Vec<Table> {
    vec![blocking(port), blocking_with_small_buffers(port), on_tokio(port)]
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}/v1")
}

/// A time at which the sample's token is valid.
fn received() -> Timestamp {
    let [_, received] = samples::times();
    received
}

fn environment(port: u16) -> Environment {
    Environment::custom(BaseUrl::parse(&base(port)).expect("a base"))
}

fn blocking(port: u16) -> Table {
    let ours = ureq::Client::new(environment(port));
    blocking_by("A login over the network, by `ureq`", 1.03, ours, bare::Ureq::new(&base(port), received()))
}

/// With small buffers, because `ureq` clears two buffers of 128 KiB for each connection, which is most of the count.
fn blocking_with_small_buffers(port: u16) -> Table {
    let small = || bare::Ureq::config().input_buffer_size(SMALL).output_buffer_size(SMALL);
    let ours = ureq::Client::new(environment(port)).with_agent(small().build().new_agent());
    let bare = bare::Ureq::with_config(small(), &base(port), received());
    blocking_by("A login over the network, by `ureq` with buffers of 8 KiB", 1.03, ours, bare)
}

fn blocking_by(title: &'static str, budget: f64, client: ureq::Client, bare: bare::Ureq) -> Table {
    let credentials = samples::credentials();
    Table {
        title,
        reference: 1,
        budget: Some(budget),
        cases: vec![
            Case::ours(move || client.access_token_request(&credentials).expect("a login")),
            Case::of("`ureq` by hand", move || bare.log_in()),
        ],
    }
}

fn on_tokio(port: u16) -> Table {
    let client = reqwest::Client::new(environment(port)).expect("TLS can be set up");
    let credentials = samples::credentials();
    let bare = bare::Reqwest::new(&base(port), received());
    let runtime = || runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mine, theirs) = (runtime(), runtime());
    Table {
        title: "A login over the network, by `reqwest`",
        reference: 1,
        budget: Some(1.05),
        cases: vec![
            Case::ours(move || mine.block_on(client.access_token_request(&credentials)).expect("a login")),
            Case::of("`reqwest` by hand", move || theirs.block_on(bare.log_in())),
        ],
    }
}
