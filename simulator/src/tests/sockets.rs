//! Tests of sockets for trading and for market data.

use super::*;
use crate::{
    endpoint::Endpoint,
    hosts::ApiHosts,
    options::ExpiredSocket,
    sockets::{SocketId, SocketNext},
    user::ApiAccess,
    wrong_hosts::WrongHost,
};

const MARKET_DATA: &str = "md-demo.tradovateapi.com";
const ACME: &str = "acme-demo.eval.ninjatrader.com";
const ACCEPTED: &str = r#"a[{"s":200,"i":1}]"#;
const DEAD: &str = r#"a[{"s":401,"i":1,"d":"Invalid access token"}]"#;
const DENIED: &str = r#"a[{"s":401,"i":1,"d":"Access is denied"}]"#;

impl World {
    /// Connects at the world's host, or returns the status and the body of the refusal.
    fn connect(&mut self) -> Result<SocketId, (u16, String)> {
        let request = Request::get("/v1/websocket").header("host", &self.host).body("").unwrap();
        let refusal = |refusal: Box<http::Response<Vec<u8>>>| {
            (refusal.status().as_u16(), String::from_utf8(refusal.into_body()).unwrap())
        };
        self.simulator.connect(self.now, request).map_err(refusal)
    }

    /// Connects and checks the first frame.
    fn socket(&mut self) -> SocketId {
        let socket = self.connect().unwrap();
        assert_eq!(self.frames(socket), ["o"]);
        socket
    }

    fn frames(&mut self, socket: SocketId) -> Vec<String> {
        self.simulator.socket_poll(self.now, socket).frames
    }

    /// What happens next if nothing is sent.
    fn next(&mut self, socket: SocketId) -> SocketNext {
        self.simulator.socket_poll(self.now, socket).next
    }

    fn request(&mut self, socket: SocketId, text: &str) -> String {
        self.simulator.socket_receive(self.now, socket, text).frames.concat()
    }

    fn authorize(&mut self, socket: SocketId, token: &str) -> String {
        self.request(socket, &format!("authorize\n1\n\n{token}"))
    }

    /// Opens a socket that is authorized with the token of a new login.
    fn authorized(&mut self) -> SocketId {
        let (token, socket) = (self.token(), self.socket());
        assert_eq!(self.authorize(socket, &token), ACCEPTED);
        socket
    }
}

#[test]
fn a_socket_at_an_ip_address_accepts_access_and_market_data_tokens() {
    let mut world = World::new();
    let login = world.login();
    for field in ["accessToken", "mdAccessToken"] {
        let socket = world.socket();
        assert_eq!(world.authorize(socket, &login.text(field)), ACCEPTED, "{field}");
    }
    let statistics = world.simulator.statistics();
    assert_eq!((statistics.trading_sockets, statistics.market_data_sockets), (1, 1));
    assert_eq!((statistics.requests(Endpoint::WebSocket), world.simulator.open_sockets()), (2, 2));
    let log: Vec<_> = statistics.log().skip(1).map(|entry| (entry.method.as_str(), &*entry.path)).collect();
    let one = [("GET", "/v1/websocket"), ("SOCKET", "authorize")];
    assert_eq!(log, [one, one].concat());
    assert!(statistics.log().skip(1).map(|entry| entry.status.as_u16()).eq([101, 200, 101, 200]));
}

#[test]
fn a_socket_host_accepts_only_the_token_for_its_purpose() {
    for (host, access, market_data) in [(DEMO, ACCEPTED, DENIED), (MARKET_DATA, DENIED, ACCEPTED)] {
        let mut world = World::new().at(DEMO);
        let login = world.login();
        let mut world = world.at(host);
        for (field, expected) in [("accessToken", access), ("mdAccessToken", market_data)] {
            let socket = world.socket();
            assert_eq!(world.authorize(socket, &login.text(field)), expected, "{host} {field}");
        }
    }
}

#[test]
fn a_dead_token_and_a_denied_call_get_different_texts_on_a_socket() {
    let mut world = World::new();
    let (token, socket) = (world.token(), world.socket());
    assert_eq!(world.authorize(socket, "unknown"), DEAD);
    assert_eq!(world.authorize(socket, ""), DEAD);
    world.simulator.user_mut(USER).unwrap().api_access = ApiAccess::Denied;
    assert_eq!(world.authorize(socket, &token), DENIED);
    world.simulator.user_mut(USER).unwrap().api_access = ApiAccess::DeniedSilently;
    assert_eq!(world.authorize(socket, &token), r#"a[{"s":401,"i":1,"d":""}]"#);
    world.simulator.user_mut(USER).unwrap().api_access = ApiAccess::Granted;
    let ends: [fn(&mut World); 3] = [
        |world| world.simulator.close_sessions(USER),
        |world| world.simulator.revoke(USER),
        |world| world.wait(80 * 60),
    ];
    for end in ends {
        let login = world.login();
        end(&mut world);
        let socket = world.socket();
        for field in ["accessToken", "mdAccessToken"] {
            assert_eq!(world.authorize(socket, &login.text(field)), DEAD, "{field}");
        }
    }
}

#[test]
fn a_live_socket_refuses_a_token_from_demo() {
    let mut world = World::new().at(DEMO);
    let token = world.token();
    let mut world = world.at(LIVE);
    let socket = world.socket();
    assert_eq!(world.authorize(socket, &token), DEAD);
    world.simulator.options_mut().live_accepts_demo_tokens = true;
    assert_eq!(world.authorize(socket, &token), ACCEPTED);
}

#[test]
fn a_socket_denies_requests_before_it_is_authorized() {
    let mut world = World::new();
    let socket = world.socket();
    assert_eq!(world.request(socket, "order/list\n1\n\n"), DENIED);
    assert_eq!(world.request(socket, "[]"), "");
    assert_eq!(
        world.request(socket, "authorize\nfirst\n\n"),
        r#"a[{"s":400,"i":0,"d":"the second line is not a number"}]"#
    );
    let socket = world.authorized();
    assert_eq!(world.request(socket, "no/such\n9"), r#"a[{"s":404,"i":9,"d":"Not found"}]"#);
}

#[test]
fn a_client_can_read_its_start_data_on_a_socket() {
    let mut world = World::new();
    let login = world.login();
    let (token, socket) = (login.text("accessToken"), world.socket());
    world.authorize(socket, &token);
    for name in ["user/list", "account/list", "order/list"] {
        let list = world.get(&format!("/v1/{name}"), &token).body;
        assert_eq!(world.request(socket, &format!("{name}\n2\n\n")), format!(r#"a[{{"s":200,"i":2,"d":{list}}}]"#));
    }
    let answer = world.request(socket, "user/syncRequest\n3\n\n{\"users\":[15460]}");
    let answer: Value = serde_json::from_str(&answer[1..]).unwrap();
    let data = &answer[0]["d"];
    assert_eq!((&answer[0]["s"], &answer[0]["i"]), (&json!(200), &json!(3)));
    assert_eq!((&data["users"][0]["name"], &data["accounts"][0]["name"]), (&json!(USER), &json!("SIM00001")));
    assert_eq!((&data["orders"], &data["positions"]), (&json!([]), &json!([])));
}

#[test]
fn a_market_data_socket_has_no_trading_requests() {
    let mut world = World::new();
    let (token, socket) = (world.login().text("mdAccessToken"), world.socket());
    world.authorize(socket, &token);
    for name in ["user/list", "user/syncrequest"] {
        assert_eq!(world.request(socket, &format!("{name}\n2")), r#"a[{"s":404,"i":2,"d":"Not found"}]"#);
    }
}

#[test]
fn the_server_sends_a_heartbeat_after_2500_ms_without_another_frame() {
    let mut world = World::new();
    let socket = world.authorized();
    let start = world.now;
    let due = later(start, Duration::from_millis(2500));
    assert_eq!(world.next(socket), SocketNext::Open(Some(due)));
    world.wait(2);
    assert_eq!(world.frames(socket), [""; 0]);
    assert_eq!(world.authorize(socket, "unknown"), DEAD);
    world.now = due;
    assert_eq!(world.frames(socket), [""; 0], "the answer was a sign of life");
    world.wait(2);
    assert_eq!(world.frames(socket), ["h"]);
    assert_eq!(world.frames(socket), [""; 0]);
    world.wait(3);
    assert_eq!(world.authorize(socket, "unknown"), DEAD, "an answer needs no heartbeat beside it");
}

#[test]
fn a_socket_is_closed_if_its_client_sends_nothing_for_five_seconds() {
    let mut world = World::new();
    let socket = world.authorized();
    for _ in 0..10 {
        world.wait(4);
        assert_eq!(world.request(socket, "[]"), "h");
    }
    world.wait(4);
    assert_eq!(world.frames(socket), ["h"]);
    let due = later(world.now, Duration::from_secs(1));
    assert_eq!(world.next(socket), SocketNext::Open(Some(due)));
    world.now = due;
    let output = world.simulator.socket_poll(due, socket);
    assert_eq!((output.frames.concat(), output.next), (r#"c[3000,"No heartbeat"]"#.to_owned(), SocketNext::Closed));
    assert_eq!((world.next(socket), world.simulator.open_sockets()), (SocketNext::Closed, 0));
}

#[test]
fn a_socket_whose_session_has_ended_answers_no_request() {
    let mut world = World::new();
    let socket = world.authorized();
    world.simulator.revoke(USER);
    assert_eq!(world.request(socket, "account/list\n2"), r#"c[3000,"Session closed"]"#);

    world.simulator.options_mut().expired_socket = ExpiredSocket::Closes;
    let socket = world.authorized();
    world.simulator.expire_sessions(USER);
    assert_eq!(world.request(socket, "account/list\n2"), r#"c[3000,"Token expired"]"#);
}

#[test]
fn a_socket_is_closed_when_its_session_ends() {
    let kicks: [fn(&mut World); 4] = [
        |world| world.simulator.close_oldest_session(USER),
        |world| world.simulator.close_sessions(USER),
        |world| world.simulator.revoke(USER),
        |world| drop((world.token(), world.token())),
    ];
    for field in ["accessToken", "mdAccessToken"] {
        for kick in kicks {
            let mut world = World::new();
            let (token, socket) = (world.login().text(field), world.socket());
            world.authorize(socket, &token);
            let fresh = world.socket();
            kick(&mut world);
            let output = world.simulator.socket_poll(world.now, socket);
            assert_eq!(
                (output.frames.concat(), output.next),
                (r#"c[3000,"Session closed"]"#.into(), SocketNext::Closed)
            );
            assert!(matches!(world.next(fresh), SocketNext::Open(_)), "it belongs to no session yet");
        }
    }
}

#[test]
fn an_option_decides_what_a_socket_does_when_its_token_expires() {
    for (way, frames, next) in [
        (ExpiredSocket::StaysOpen, "h", true),
        (ExpiredSocket::FallsSilent, "", true),
        (ExpiredSocket::Closes, r#"c[3000,"Token expired"]"#, false),
    ] {
        let mut world = World::with_options(|options| {
            options.expired_socket = way;
            options.socket_timeout = HOUR * 2;
        });
        let login = world.login();
        let (socket, token) = (world.socket(), login.text("accessToken"));
        world.authorize(socket, &token);
        world.wait(60 * 60);
        world.get(RENEW, &token);
        assert_eq!(world.frames(socket), ["h"]);
        world.now = login.text("expirationTime").parse().unwrap();
        let output = world.simulator.socket_poll(world.now, socket);
        assert_eq!((&*output.frames.concat(), matches!(output.next, SocketNext::Open(_))), (frames, next), "{way:?}");
        if way == ExpiredSocket::FallsSilent {
            assert_eq!(world.request(socket, "no/such\n9"), "");
        }
    }
}

#[test]
fn poll_names_the_expiry_of_the_token_in_the_callers_time() {
    for (way, due) in
        [(ExpiredSocket::Closes, 1000), (ExpiredSocket::FallsSilent, 1000), (ExpiredSocket::StaysOpen, 2500)]
    {
        let mut world = World::with_options(|options| {
            options.expired_socket = way;
            options.socket_timeout = HOUR * 2;
        });
        world.simulator.options_mut().clock_skew = jiff::SignedDuration::from_secs(90);
        let socket = world.authorized();
        world.wait(80 * 60 - 1);
        assert_eq!(world.frames(socket), ["h"]);
        let due = later(world.now, Duration::from_millis(due));
        assert_eq!(world.next(socket), SocketNext::Open(Some(due)), "{way:?}");
    }
}

#[test]
fn sockets_can_be_cut_and_silenced_without_affecting_new_ones() {
    let mut world = World::new();
    let socket = world.authorized();
    world.simulator.silence_sockets();
    world.wait(60);
    let output = world.simulator.socket_poll(world.now, socket);
    assert_eq!((output.frames.len(), output.next), (0, SocketNext::Open(None)));
    assert_eq!(world.request(socket, "authorize\n1\n\nunknown"), "");
    let later = world.authorized();
    world.simulator.cut_sockets();
    for socket in [socket, later] {
        let output = world.simulator.socket_poll(world.now, socket);
        assert_eq!((output.frames.len(), output.next), (0, SocketNext::Cut));
    }
    world.authorized();
    assert_eq!(world.simulator.open_sockets(), 1);
}

#[test]
fn a_socket_is_removed_when_its_client_disconnects() {
    let mut world = World::new();
    let socket = world.authorized();
    world.simulator.socket_hung_up(socket);
    assert_eq!((world.next(socket), world.simulator.open_sockets()), (SocketNext::Closed, 0));
    assert_eq!(world.request(socket, "[]"), "");
}

#[test]
fn a_host_without_users_refuses_sockets_with_421() {
    let mut world = World::new().at(DEMO);
    let token = world.token();
    let hosts = ApiHosts::standard().with("demo", ACME).with("mdDemo", "acme-md.eval.ninjatrader.com");
    world.simulator.move_hosts(USER, hosts);
    for (host, refused) in [
        (DEMO, true),
        (MARKET_DATA, true),
        (LIVE, false),
        ("md.tradovateapi.com", false),
        (ACME, false),
        ("acme-md.eval.ninjatrader.com", false),
        ("127.0.0.1:8080", false),
        ("a-container:8080", false),
    ] {
        world = world.at(host);
        assert_eq!(world.connect().err(), refused.then(|| (421, String::new())), "{host}");
    }
    let mut world = world.at(ACME);
    let socket = world.socket();
    assert_eq!(world.authorize(socket, &token), ACCEPTED);
}

#[test]
fn a_host_of_other_users_refuses_the_authorization_with_421() {
    let member = User::new("member", "synthetic-password").of_organization("Acme");
    let hosts = ApiHosts::standard().with("demo", ACME);
    let builder = Simulator::builder().user(User::default()).user(member).organization("Acme", hosts);
    let mut world = World::of(builder).at(ACME);
    let token = world.post(LOGIN, &with(credentials(), "name", "member")).text("accessToken");
    let mut world = world.at(DEMO);
    let socket = world.socket();
    assert_eq!(world.authorize(socket, &token), r#"a[{"s":421,"i":1,"d":"Misdirected Request"}]"#);
}

#[test]
fn lock_outs_maintenance_and_scripted_answers_apply_to_sockets() {
    let mut world = World::new();
    world.simulator.set_wrong_host("127.0.0.1", Some(WrongHost::NotFound));
    assert_eq!(world.connect(), Err((404, String::new())));
    world.simulator.set_wrong_host("127.0.0.1", None);
    world.simulator.lock_out(crate::lock_outs::LockOut::locked());
    assert_eq!(world.connect(), Err((423, String::new())));
    world.simulator.release();
    world.simulator.set_maintenance(Some(crate::maintenance::Maintenance::Html));
    assert_eq!(world.connect().unwrap_err().0, 503);
    world.simulator.set_maintenance(None);
    let misdirected = http::Response::builder().status(421).body(Vec::new()).unwrap();
    world.simulator.answer_next(Endpoint::WebSocket, misdirected);
    assert_eq!(world.login().status, 200);
    assert_eq!(world.connect(), Err((421, String::new())));
    world.socket();
}

#[test]
fn a_websocket_request_without_an_upgrade_gets_426() {
    let answer = World::new().method(&Method::GET, "/v1/websocket");
    assert_eq!((answer.status, answer.header("upgrade")), (426, "websocket"));
}

#[test]
fn the_log_shows_no_token_from_a_frame() {
    let mut world = World::new();
    let (token, socket) = (world.token(), world.socket());
    for frame in [token.clone(), format!("authorize {token}\n1"), format!("authorize\n1\n\n{token}")] {
        world.request(socket, &frame);
    }
    let log = format!("{:?} {:?}", world.simulator.statistics(), world.simulator);
    assert!(!log.contains(&token) && log.contains("\"?\""), "{log}");
}
