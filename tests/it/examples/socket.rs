//! `socket` and `socket-async` at a server that ends their sockets in each of its ways.

use std::process::Command;
use std::thread;
use std::time::Duration;

use tradovate_auth_simulator::{
    ApiAccess, App, ClosedSession, Endpoint, Limits, Server, Simulator, SimulatorBuilder, User,
};

use super::{failure, variables};
use crate::support::site::{Program, example};
use crate::support::tls::Authority;
use crate::support::{Peer, RUNTIME};

const SOCKETS: [&str; 2] = ["socket", "socket-async"];
const TRADING: &[&str] = &[];
const MARKET_DATA: &[&str] = &["--market-data"];

fn builder() -> SimulatorBuilder {
    let app = App::new("Sample App", "8", "canary-api-secret");
    Simulator::builder().user(User::new("trader", "canary-password")).app(app).options(|options| {
        options.limits = Limits::none();
        options.closed_session = ClosedSession::Unauthorized;
    })
}

/// Runs each example with each of these arguments, all at the same time, each at a server of its own that is prepared
/// before the start.
fn each(
    arguments: &[&[&str]],
    builder: impl Fn() -> SimulatorBuilder + Sync,
    prepare: impl Fn(&mut Simulator) + Sync,
    check: impl Fn(&Server, Program, &[&str]) + Sync,
) {
    let (builder, prepare, check) = (&builder, &prepare, &check);
    thread::scope(|scope| {
        for (name, arguments) in SOCKETS.into_iter().flat_map(|name| arguments.iter().map(move |these| (name, *these)))
        {
            scope.spawn(move || {
                let server = builder().serve().unwrap();
                server.with(prepare);
                let base_url = server.base_url();
                let program = Program::start(Command::new(example(name)), arguments, variables(&base_url));
                check(&server, program, arguments);
            });
        }
    });
}

fn await_authorized(program: &Program, times: usize) {
    program.await_lines(times, |line| line == "authorized\n");
}

/// What ends a socket of each example, and what they say then. A new socket follows.
fn survives(said: &str, end: impl Fn(&mut Simulator) + Sync) {
    each(
        &[TRADING, MARKET_DATA],
        builder,
        |_| {},
        |server, program, _| {
            await_authorized(&program, 1);
            server.with(&end);
            program.await_line(|line| line.contains(said) && line.contains("; connecting again in "));
            await_authorized(&program, 2);
            let printed = program.printed();
            assert!(!["ag_", "md_", "canary"].iter().any(|secret| printed.contains(secret)), "{printed}");
        },
    );
}

/// What refuses the first socket of each example, and what they say then. They come back with the host that a renewal
/// has named.
fn comes_back(said: &str, prepare: impl Fn(&mut Simulator) + Sync) {
    each(&[TRADING, MARKET_DATA], builder, prepare, |server, program, _| {
        program.await_line(|line| line.contains(said) && line.ends_with("; connecting again in 1 s\n"));
        await_authorized(&program, 1);
        assert_eq!((server.statistics().logins, server.statistics().renewals), (1, 1));
    });
}

//= R-SOCKET-2
//= R-SOCKET-6
//= R-SOCKET-7
#[test]
fn a_socket_lives_by_its_heartbeats_until_the_renewal_and_the_next_one_gets_the_new_token() {
    let short = || {
        let builder = builder().lifetime(Duration::from_secs(20));
        builder.options(|options| options.socket_timeout = Duration::from_secs(6))
    };
    each(
        &[TRADING, MARKET_DATA],
        short,
        |_| {},
        |server, program, arguments| {
            await_authorized(&program, 2);
            let printed = program.printed();
            let between: Vec<_> =
                printed.lines().filter(|line| !line.starts_with("connected to ws://127.0.0.1:")).collect();
            assert_eq!(
                between[..3],
                ["authorized", "the token is renewed: the next socket gets the new one", "authorized"]
            );
            let statistics = server.statistics();
            assert_eq!(statistics.logins, 1);
            let sockets = (statistics.trading_sockets, statistics.market_data_sockets);
            assert_eq!(sockets, if arguments == MARKET_DATA { (0, 2) } else { (2, 0) });
        },
    );
}

//= R-SESSION-2
#[test]
fn a_kick_leads_to_one_login() {
    survives("the server has closed the socket: [3000,\"Session closed\"]", |simulator| {
        simulator.close_sessions("trader");
    });
}

#[test]
fn a_connection_that_breaks_is_followed_by_another() {
    survives("", Simulator::cut_sockets); // each system and library says it in its own words
}

#[test]
fn a_server_that_falls_silent_is_left() {
    survives("the server is silent", Simulator::silence_sockets);
}

//= R-HOST-7
//= R-SOCKET-4
#[test]
fn a_host_that_serves_others_leads_to_the_hosts_of_a_renewal() {
    comes_back("refused with 421: Moved", |simulator| {
        let refusal = http::Response::builder().status(421).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    });
}

#[test]
fn a_host_that_does_not_know_the_path_is_a_wrong_host() {
    comes_back("refused with 404: Moved", |simulator| {
        let refusal = http::Response::builder().status(404).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    });
}

#[test]
fn a_redirect_is_not_followed() {
    comes_back("refused with 307: Moved", |simulator| {
        let refusal = http::Response::builder().status(307).header("location", "ws://127.0.0.1:1/v1/websocket");
        simulator.answer_next(Endpoint::WebSocket, refusal.body(Vec::new()).unwrap());
    });
}

//= R-SOCKET-3
#[test]
fn a_dead_token_is_reported_and_the_next_socket_gets_that_of_a_login() {
    each(
        &[TRADING, MARKET_DATA],
        builder,
        |_| {},
        |server, program, _| {
            await_authorized(&program, 1);
            server.with(|simulator| simulator.revoke("trader"));
            program.await_line(|line| line.starts_with("refused with 401: Dead; connecting again in "));
            await_authorized(&program, 2);
            assert_eq!(server.statistics().logins, 2);
        },
    );
}

#[test]
fn a_user_who_may_not_have_a_socket_is_told_so_after_one_renewal() {
    let deny = |simulator: &mut Simulator| simulator.user_mut("trader").unwrap().api_access = ApiAccess::Denied;
    each(&[TRADING], builder, deny, |server, program, _| {
        program.await_line(|line| line.starts_with("refused with 401: BeingChecked; connecting again in 1 s"));
        assert_eq!(failure(&program.end()), "refused with 401: Forbidden");
        assert_eq!((server.statistics().logins, server.statistics().renewals), (1, 1));
    });
}

#[test]
fn a_lock_out_is_reported_and_nothing_is_sent() {
    let prepare = |simulator: &mut Simulator| {
        let refusal = http::Response::builder().status(429).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    };
    each(&[TRADING], builder, prepare, |server, program, _| {
        program.await_line(|line| line == "refused with 429: LockedOut; connecting again in an hour\n");
        assert_eq!(server.statistics().requests(Endpoint::WebSocket), 1);
    });
}

//= R-SOCKET-8
#[test]
fn without_a_market_data_token_no_socket_is_connected() {
    let prepare = |simulator: &mut Simulator| simulator.user_mut("trader").unwrap().market_data = false;
    each(&[MARKET_DATA], builder, prepare, |server, program, _| {
        program.await_line(|line| line == "there is no market data token yet; connecting again in 2 s\n");
        assert_eq!(server.statistics().requests(Endpoint::WebSocket), 0);
    });
}

/// The examples connect by these functions, with these features. A certificate that is not trusted is as far as a test
/// can get; without TLS or without its cryptography they would fail before.
#[test]
fn both_libraries_connect_over_tls() {
    let config = Authority::new().server(&["localhost"]);
    let peer = Peer::encrypted(config, |_, _| {});
    let url = format!("wss://localhost:{}/v1/websocket", peer.address().port());
    let stream = std::net::TcpStream::connect(peer.address()).unwrap();
    let blocking = tungstenite::client_tls(&url, stream).unwrap_err().to_string();
    let asynchronous = RUNTIME.block_on(tokio_tungstenite::connect_async(&url)).unwrap_err().to_string();
    for error in [blocking, asynchronous] {
        assert!(error.contains("invalid peer certificate: UnknownIssuer"), "{error}");
    }
}
