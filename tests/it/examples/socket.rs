//! Tests of the examples `socket` and `socket-async` with a server that ends their sockets in different ways.

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

/// Runs each example with each of these arguments, all at the same time. Each has a server of its own, which is
/// prepared before the program starts.
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

/// Asserts that after `end`, each example prints `said` and connects a new socket.
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

/// Asserts that each example prints `said` when its first socket is refused, and that it connects again after one
/// renewal, which names the hosts.
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
fn a_socket_stays_open_until_the_renewal_and_reconnects_with_the_new_token() {
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
                ["authorized", "the token was renewed: connecting again with the new token", "authorized"]
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
fn a_kick_is_followed_by_one_login_and_a_new_socket() {
    survives("the server closed the socket: [3000,\"Session closed\"]", |simulator| {
        simulator.close_sessions("trader");
    });
}

#[test]
fn a_broken_connection_is_followed_by_a_new_socket() {
    survives("", Simulator::cut_sockets); // the text depends on the system and the library
}

#[test]
fn the_socket_example_connects_again_if_the_server_is_silent() {
    survives("the server sent nothing for 8 s", Simulator::silence_sockets);
}

//= R-HOST-7
//= R-SOCKET-4
#[test]
fn after_a_421_a_renewal_names_the_hosts() {
    comes_back("the server refused the socket with 421, verdict: Moved", |simulator| {
        let refusal = http::Response::builder().status(421).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    });
}

#[test]
fn a_404_at_connect_is_handled_as_a_wrong_host() {
    comes_back("the server refused the socket with 404, verdict: Moved", |simulator| {
        let refusal = http::Response::builder().status(404).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    });
}

#[test]
fn a_redirect_of_a_socket_is_not_followed() {
    comes_back("the server refused the socket with 307, verdict: Moved", |simulator| {
        let refusal = http::Response::builder().status(307).header("location", "ws://127.0.0.1:1/v1/websocket");
        simulator.answer_next(Endpoint::WebSocket, refusal.body(Vec::new()).unwrap());
    });
}

//= R-SOCKET-3
#[test]
fn after_a_dead_token_the_next_socket_uses_the_token_of_a_new_login() {
    each(
        &[TRADING, MARKET_DATA],
        builder,
        |_| {},
        |server, program, _| {
            await_authorized(&program, 1);
            server.with(|simulator| simulator.revoke("trader"));
            program.await_line(|line| {
                line.starts_with("the server refused the socket with 401, verdict: Dead; connecting again in ")
            });
            await_authorized(&program, 2);
            assert_eq!(server.statistics().logins, 2);
        },
    );
}

#[test]
fn a_user_without_permission_gets_an_error_after_one_renewal() {
    let deny = |simulator: &mut Simulator| simulator.user_mut("trader").unwrap().api_access = ApiAccess::Denied;
    each(&[TRADING], builder, deny, |server, program, _| {
        program.await_line(|line| {
            line.starts_with("the server refused the socket with 401, verdict: BeingChecked; connecting again in 1 s")
        });
        assert_eq!(failure(&program.end()), "the server refused the socket with 401, verdict: Forbidden");
        assert_eq!((server.statistics().logins, server.statistics().renewals), (1, 1));
    });
}

#[test]
fn after_a_lock_out_no_socket_is_connected_for_an_hour() {
    let prepare = |simulator: &mut Simulator| {
        let refusal = http::Response::builder().status(429).body(Vec::new()).unwrap();
        simulator.answer_next(Endpoint::WebSocket, refusal);
    };
    each(&[TRADING], builder, prepare, |server, program, _| {
        program.await_line(|line| {
            line == "the server refused the socket with 429, verdict: LockedOut; connecting again in an hour\n"
        });
        assert_eq!(server.statistics().requests(Endpoint::WebSocket), 1);
    });
}

//= R-SOCKET-8
#[test]
fn without_a_market_data_token_no_market_data_socket_is_connected() {
    let prepare = |simulator: &mut Simulator| simulator.user_mut("trader").unwrap().market_data = false;
    each(&[MARKET_DATA], builder, prepare, |server, program, _| {
        program.await_line(|line| line == "there is no market data token yet; connecting again in 2 s\n");
        assert_eq!(server.statistics().requests(Endpoint::WebSocket), 0);
    });
}

/// The examples connect with these functions and features. The error shows that TLS works up to the check of the
/// certificate. Without TLS or its cryptography, the connection would fail earlier.
#[test]
fn both_websocket_libraries_connect_over_tls() {
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
