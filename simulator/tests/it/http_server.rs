use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    time::{Duration, Instant},
};

use tradovate_auth_simulator::{Endpoint, LockOut, Maintenance, Server, Simulator};

use crate::client::{get, login, send};

fn serve() -> Server {
    Simulator::builder().serve().unwrap()
}

#[test]
fn a_token_from_a_login_over_http_works_until_the_clock_passes_its_expiry() {
    let server = serve();
    assert_eq!(server.base_url(), format!("http://127.0.0.1:{}/v1", server.address().port()));
    let token = login(server.address()).text("accessToken").to_owned();
    assert_eq!(get(server.address(), "/v1/account/list", &token).status, 200);
    assert_eq!(server.statistics().requests(Endpoint::AccountList), 1);
    server.advance(Duration::from_secs(10 * 365 * 24 * 60 * 60));
    let answer = get(server.address(), "/v1/account/list", &token);
    assert_eq!((answer.status, answer.body.as_str()), (401, "Expired Access Token"));
    let year = format!(" {} ", server.now().to_string().split('-').next().unwrap());
    assert!(answer.header("date").contains(&year), "the date is the simulator's");
}

#[test]
fn dropping_the_server_frees_its_port() {
    // The server of another test may bind the freed port at once, but not in every try.
    let is_freed = || {
        let server = serve();
        let address = server.address();
        login(address);
        drop(server);
        let refused = TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        refused && Simulator::builder().port(address.port()).serve().is_ok()
    };
    assert!((0..10).any(|_| is_freed()));
}

#[test]
fn open_connections_do_not_delay_the_end_of_the_simulator() {
    let server = serve();
    let silent = TcpStream::connect(server.address()).unwrap();
    let mut halfway = TcpStream::connect(server.address()).unwrap();
    halfway.write_all(b"POST /v1/auth/accesstokenrequest HTTP/1.1\r\ncontent-length: 10\r\n\r\n{").unwrap();
    let mut idle = TcpStream::connect(server.address()).unwrap();
    idle.write_all(b"GET /v1/auth/me HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    let before = Instant::now();
    drop(server);
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    drop((silent, halfway));
}

#[test]
fn the_guard_can_be_used_and_dropped_in_a_runtime_and_on_any_thread() {
    fn is_shareable<T: Send + Sync + 'static>(shared: T) -> T {
        shared
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let server = is_shareable(serve());
        assert_eq!(login(server.address()).status, 200);
    });
}

#[test]
fn the_server_guard_controls_the_simulator() {
    let server = serve();
    server.penalize_next(Duration::from_secs(3));
    assert!(login(server.address()).body.contains(r#""p-time":3"#));
    server.captcha_next(Endpoint::Me);
    assert!(get(server.address(), "/v1/auth/me", "any").body.contains(r#""p-captcha":true"#));
    server.lock_out(LockOut::locked());
    assert_eq!(login(server.address()).status, 423);
    server.release();
    server.set_maintenance(Some(Maintenance::ErrorId));
    assert_eq!(login(server.address()).status, 500);
    server.set_maintenance(None);
    server.with(|simulator| simulator.options_mut().lifetime = Duration::from_secs(60));
    let failed = catch_unwind(AssertUnwindSafe(|| server.with(|_| panic!("on purpose"))));
    let answer = login(server.address());
    assert!(failed.is_err() && answer.status == 200, "a failed assertion of the test leaves the server running");
    assert_eq!(server.statistics().logins, 1);
    assert_ne!(server.issue_code("synthetic-user", "synthetic-client", "http://localhost:8888/", None), "");
    let printed = format!("{server:?}");
    assert!(!printed.contains("synthetic-password") && !printed.contains(answer.text("accessToken")), "{printed}");
}

/// The URL of the server's page for a request with this `state`.
fn page(server: &Server, state: &str) -> String {
    format!(
        "{}?response_type=code&client_id=synthetic-client&redirect_uri=http%3A%2F%2Flocalhost%3A8888%2F&state={state}",
        server.authorize_url()
    )
}

#[test]
fn the_page_works_over_http_and_the_guard_can_consent_without_a_browser() {
    let server = serve();
    let url = page(&server, "a%26b");
    assert_eq!(server.environment().authorize_url().unwrap().to_string(), server.authorize_url());
    let (_, target) = url.split_once(&server.address().to_string()).unwrap();
    let form = "username=synthetic-user&password=synthetic-password&decision=allow";
    let answer = send(server.address(), &format!("POST {target} HTTP/1.1"), form).unwrap();
    assert_eq!(answer.status, 303);
    for location in [answer.header("location").to_owned(), server.consent("synthetic-user", &url).unwrap()] {
        assert!(
            location.starts_with("http://localhost:8888/?code=") && location.ends_with("&state=a%26b"),
            "{location}"
        );
    }
    assert!(server.deny(&url).unwrap().starts_with("http://localhost:8888/?error=access_denied"));
}

#[test]
fn an_oversized_request_gets_413_and_the_server_continues() {
    let server = serve();
    let long = "x".repeat((1 << 20) + 1);
    for (head, body, status) in [
        (format!("GET /oauth?state={long} HTTP/1.1"), "", 400..500),
        ("POST /v1/auth/accesstokenrequest HTTP/1.1".to_owned(), long.as_str(), 413..414),
    ] {
        // The server may close the connection before all of the body is written.
        if let Ok(answer) = send(server.address(), &head, body) {
            assert!(status.contains(&answer.status), "{}", answer.status);
        }
    }
    assert_eq!(login(server.address()).status, 200);
}

#[test]
fn the_request_callback_is_called_for_each_request() {
    let (sender, seen) = mpsc::channel();
    let server = Simulator::builder()
        .on_request(move |entry| sender.send(format!("{} {}", entry.path, entry.status)).unwrap())
        .serve()
        .unwrap();
    login(server.address());
    assert_eq!(seen.recv_timeout(Duration::from_secs(5)).unwrap(), "/v1/auth/accesstokenrequest 200 OK");
}

#[test]
fn the_login_request_in_the_readme_works() {
    let readme = include_str!("../../README.md");
    let body = readme.split_once("-d '").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0;
    let answer = send(serve().address(), "POST /v1/auth/accesstokenrequest HTTP/1.1", body);
    assert!(answer.unwrap().text("accessToken").starts_with("ag_"));
}
