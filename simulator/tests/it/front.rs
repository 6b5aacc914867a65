use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::{Duration, Instant},
};

use tradovate_auth_core::{AccessTokenRequest, Endpoint as _};
use tradovate_auth_simulator::{Endpoint, LockOut, Maintenance, Server, Simulator};

use crate::client::{get, login, send};

fn serve() -> Server {
    Simulator::builder().serve().unwrap()
}

#[test]
fn a_login_over_http_brings_a_token_that_works() {
    let server = serve();
    let token = login(server.address()).text("accessToken").to_owned();
    assert_eq!(get(server.address(), "/v1/account/list", &token).status, 200);
    assert_eq!(server.statistics().requests(Endpoint::AccountList), 1);
}

#[test]
fn the_base_url_is_on_loopback() {
    let server = serve();
    assert_eq!(server.base_url(), format!("http://127.0.0.1:{}/v1", server.address().port()));
}

#[test]
fn the_date_is_the_simulators() {
    let server = serve();
    server.advance(Duration::from_secs(10 * 365 * 24 * 60 * 60));
    let year = format!(" {} ", server.now().to_string().split('-').next().unwrap());
    assert!(login(server.address()).header("date").contains(&year));
}

#[test]
fn a_browsers_preflight_is_answered() {
    let server = serve();
    let answer = send(
        server.address(),
        "OPTIONS /v1/auth/accesstokenrequest HTTP/1.1\r\norigin: https://app.example\r\n\
         access-control-request-method: POST\r\naccess-control-request-headers: content-type",
        "",
    )
    .unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type");
}

#[test]
fn dropping_the_server_frees_its_port() {
    // A server of another test may get the free port at once, but not each time.
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
fn open_connections_do_not_hold_up_the_end() {
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
fn a_guard_can_live_and_die_inside_a_runtime_and_on_any_thread() {
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
fn a_taken_port_is_an_error() {
    let server = serve();
    let error = Simulator::builder().port(server.address().port()).serve().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn the_clock_can_be_put_forward() {
    let server = serve();
    let token = login(server.address()).text("accessToken").to_owned();
    server.advance(Duration::from_secs(80 * 60));
    let answer = get(server.address(), "/v1/account/list", &token);
    assert_eq!((answer.status, answer.body.as_str()), (401, "Expired Access Token"));
}

#[test]
fn the_guard_controls_the_simulator() {
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
    assert_eq!(login(server.address()).status, 200);
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn a_code_issued_by_the_guard_can_be_exchanged() {
    let server = serve();
    let code = server.issue_code("synthetic-user", "synthetic-client", "http://localhost:8888/", None);
    let body = format!(
        r#"{{"grant_type":"authorization_code","code":"{code}","client_id":"synthetic-client",
            "redirect_uri":"http://localhost:8888/"}}"#
    );
    let answer = send(server.address(), "POST /v1/auth/oauthtoken HTTP/1.1", &body).unwrap();
    assert!(!answer.text("access_token").is_empty());
}

/// The page of the server for a request with this `state`.
fn page(server: &Server, state: &str) -> String {
    format!(
        "{}?response_type=code&client_id=synthetic-client&redirect_uri=http%3A%2F%2Flocalhost%3A8888%2F&state={state}",
        server.authorize_url()
    )
}

/// The target of a request line.
fn target(url: &str) -> &str {
    url.find("/oauth").map(|at| &url[at..]).unwrap()
}

#[test]
fn the_environment_knows_the_page() {
    let server = serve();
    let url = format!("http://127.0.0.1:{}/oauth", server.address().port());
    assert_eq!(server.environment().authorize_url().unwrap().to_string(), url);
    assert_eq!(server.authorize_url(), url);
}

#[test]
fn the_page_is_shown_over_http() {
    let server = serve();
    let url = page(&server, "a1");
    let answer = send(server.address(), &format!("GET {} HTTP/1.1", target(&url)), "").unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.body.contains(r#"id="allow""#), "{}", answer.body);
}

#[test]
fn the_form_of_the_page_is_taken_over_http() {
    let server = serve();
    let form = "username=synthetic-user&password=synthetic-password&decision=allow";
    let head = format!("POST {} HTTP/1.1", target(&page(&server, "a%26b")));
    let answer = send(server.address(), &head, form).unwrap();
    let location = answer.header("location");
    assert_eq!(answer.status, 303);
    assert!(location.starts_with("http://localhost:8888/?code=") && location.ends_with("&state=a%26b"), "{location}");
}

#[test]
fn an_oversized_request_for_the_page_leaves_the_server_running() {
    let server = serve();
    let head = format!("GET {} HTTP/1.1", target(&page(&server, &"s".repeat(1 << 20))));
    // The connection may be closed before all of it is written.
    if let Ok(answer) = send(server.address(), &head, "") {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    assert_eq!(login(server.address()).status, 200);
}

#[test]
fn the_guard_stands_in_for_the_browser() {
    let server = serve();
    let url = page(&server, "a1");
    assert!(server.consent("synthetic-user", &url).unwrap().starts_with("http://localhost:8888/?code="));
    assert!(server.deny(&url).unwrap().starts_with("http://localhost:8888/?error=access_denied"));
}

#[test]
fn a_failed_assertion_of_the_test_leaves_the_server_running() {
    let server = serve();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.with(|_| panic!("on purpose"))));
    assert!(failed.is_err());
    assert_eq!(login(server.address()).status, 200);
}

#[test]
fn requests_can_be_watched() {
    let (sender, seen) = mpsc::channel();
    let server = Simulator::builder()
        .on_request(move |entry| sender.send(format!("{} {}", entry.path, entry.status)).unwrap())
        .serve()
        .unwrap();
    login(server.address());
    assert_eq!(seen.recv_timeout(Duration::from_secs(5)).unwrap(), "/v1/auth/accesstokenrequest 200 OK");
}

#[test]
fn an_oversized_body_is_refused() {
    let server = serve();
    let body = "x".repeat((1 << 20) + 1);
    let head = "POST /v1/auth/accesstokenrequest HTTP/1.1";
    // The connection may be closed before all of the body is written.
    if let Ok(answer) = send(server.address(), head, &body) {
        assert_eq!(answer.status, 413);
    }
    assert_eq!(login(server.address()).status, 200);
}

#[test]
fn what_the_guard_hands_out_is_accepted() {
    let server = serve();
    let request = AccessTokenRequest::new(&server.credentials()).request(&server.environment()).unwrap();
    assert_eq!(request.uri().to_string(), format!("{}/auth/accesstokenrequest", server.base_url()));
    let body = String::from_utf8(request.body().as_ref().to_vec()).unwrap();
    let answer = send(server.address(), "POST /v1/auth/accesstokenrequest HTTP/1.1", &body).unwrap();
    assert!(answer.text("accessToken").starts_with("ag_"), "{}", answer.body);
}

#[test]
fn a_guard_does_not_print_secrets() {
    let server = serve();
    let token = login(server.address()).text("accessToken").to_owned();
    let printed = format!("{server:?}");
    assert!(!printed.contains("synthetic-password") && !printed.contains(&token), "{printed}");
}

#[test]
fn the_login_of_the_readme_works() {
    let readme = include_str!("../../README.md");
    let body = readme.split_once("-d '").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0;
    let answer = send(serve().address(), "POST /v1/auth/accesstokenrequest HTTP/1.1", body);
    assert!(answer.unwrap().text("accessToken").starts_with("ag_"));
}
