//! Tests of sockets over HTTP, with the client of another library.

use std::{io::ErrorKind, net::TcpStream, sync::mpsc, time::Duration};

use http::Request;
use jiff::Timestamp;
use tradovate_auth_simulator::{Endpoint, Server, Simulator};
use tungstenite::{Error, Message, WebSocket, stream::MaybeTlsStream};

use crate::client::{get, login, send};

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;
type End = fn(&Server);

fn connect(server: &Server) -> Result<Socket, Box<Error>> {
    let url = format!("ws://{}/v1/websocket", server.address());
    let (socket, response) = tungstenite::connect(url)?;
    assert_eq!(response.status(), 101);
    if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    Ok(socket)
}

fn text(socket: &mut Socket) -> String {
    socket.read().unwrap().into_text().unwrap().to_string()
}

fn authorized(server: &Server) -> Socket {
    let token = login(server.address()).text("accessToken").to_owned();
    let mut socket = connect(server).unwrap();
    assert_eq!(text(&mut socket), "o");
    socket.send(Message::text(format!("authorize\n1\n\n{token}"))).unwrap();
    assert_eq!(text(&mut socket), r#"a[{"s":200,"i":1}]"#);
    socket
}

/// Asserts that the connection ends without a frame and without a close handshake.
fn assert_is_cut(socket: &mut Socket) {
    match socket.read() {
        Err(Error::Io(error)) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "nothing came for 20 s"),
        Err(Error::Protocol(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_websocket_is_authorized_and_gets_heartbeats_by_the_simulators_clock() {
    let server = Simulator::builder().serve().unwrap();
    let mut socket = authorized(&server);
    for _ in 0..3 {
        server.advance(Duration::from_secs(3));
        assert_eq!(text(&mut socket), "h");
        socket.send(Message::text("[]")).unwrap();
        // The answer shows that the heartbeat was received.
        socket.send(Message::text("no/such\n2")).unwrap();
        assert_eq!(text(&mut socket), r#"a[{"s":404,"i":2,"d":"Not found"}]"#);
    }
    assert_eq!(server.statistics().requests(Endpoint::WebSocket), 1);
}

#[test]
fn the_request_callback_is_called_for_requests_on_sockets_even_if_the_log_is_full() {
    let (sender, seen) = mpsc::channel();
    let server =
        Simulator::builder().on_request(move |entry| sender.send(entry.path.clone()).unwrap()).serve().unwrap();
    let mut socket = connect(&server).unwrap();
    assert_eq!(text(&mut socket), "o");
    server.with(|simulator| {
        for _ in 0..10_000 {
            simulator.handle(Timestamp::UNIX_EPOCH, Request::get("/").body("").unwrap());
        }
    });
    socket.send(Message::text("account/list\n1")).unwrap();
    assert!(text(&mut socket).starts_with("a["));
    let seen: Vec<_> = seen.try_iter().collect();
    assert_eq!(seen, ["/v1/websocket", "account/list"]);
}

#[test]
fn silent_and_kicked_clients_get_a_reason_and_a_close_handshake() {
    let server = Simulator::builder().serve().unwrap();
    let ends: [(&str, End); 3] = [
        ("No heartbeat", |server| server.advance(Duration::from_secs(5))),
        ("Session closed", |server| server.with(|simulator| simulator.close_sessions("synthetic-user"))),
        ("Session closed", |server| drop((login(server.address()), login(server.address())))),
    ];
    for (reason, end) in ends {
        let mut socket = authorized(&server);
        end(&server);
        assert_eq!(text(&mut socket), format!("c[3000,\"{reason}\"]"));
        assert!(socket.read().unwrap().is_close());
    }
}

#[test]
fn a_cut_connection_ends_without_a_close_frame() {
    let server = Simulator::builder().serve().unwrap();
    let mut socket = authorized(&server);
    // A silenced socket sends no heartbeat, so no timer wakes it.
    server.with(Simulator::silence_sockets);
    server.advance(Duration::from_secs(1));
    login(server.address()); // when this is answered, the socket knows that it is silenced
    server.with(Simulator::cut_sockets);
    assert_is_cut(&mut socket);
}

#[test]
fn commands_close_cut_and_silence_sockets() {
    let server = Simulator::builder().serve().unwrap();
    let control = |command: &str, body: &str| {
        assert_eq!(send(server.address(), &format!("POST /simulator/{command} HTTP/1.1"), body).unwrap().status, 200);
    };
    let mut socket = authorized(&server);
    control("kick", r#"{"all":true}"#);
    assert_eq!(text(&mut socket), r#"c[3000,"Session closed"]"#);
    let mut socket = authorized(&server);
    control("options", r#"{"expiredSocket":"closes","lifetimeSeconds":1}"#);
    control("expire", "");
    assert_eq!(text(&mut socket), r#"c[3000,"Token expired"]"#);
    control("reset", "");
    let mut socket = authorized(&server);
    control("silence-sockets", "");
    control("advance", r#"{"seconds":3600}"#);
    control("cut-sockets", "");
    assert_is_cut(&mut socket);
}

#[test]
fn a_websocket_that_the_client_closes_is_removed() {
    let server = Simulator::builder().serve().unwrap();
    let mut socket = authorized(&server);
    assert_eq!(server.with(|simulator| simulator.open_sockets()), 1);
    socket.close(None).unwrap();
    assert!(socket.read().unwrap().is_close());
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    assert_eq!(server.with(|simulator| simulator.open_sockets()), 0);
}

#[test]
fn a_refused_websocket_gets_an_http_response() {
    let server = Simulator::builder().serve().unwrap();
    let misdirected = || http::Response::builder().status(421).body(Vec::new()).unwrap();
    server.with(|simulator| simulator.answer_next(Endpoint::WebSocket, misdirected()));
    match connect(&server).map_err(|error| *error) {
        Err(Error::Http(refusal)) => {
            assert_eq!((refusal.status().as_u16(), refusal.body().as_deref()), (421, Some(&[][..])));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(get(server.address(), "/v1/websocket", "").status, 426);
}

#[test]
fn open_websockets_do_not_delay_the_end_of_the_simulator() {
    let server = Simulator::builder().serve().unwrap();
    let mut socket = authorized(&server);
    drop(server);
    assert!(socket.read().is_err());
}
