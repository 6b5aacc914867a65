//! Tests of the control interface over HTTP, as a program in any language uses it.

use serde_json::{Value, json};
use tradovate_auth_simulator::{Endpoint, Server, Simulator};

use crate::client::{Answer, get, login, send, send_as};

const RENEW: &str = "/v1/auth/renewaccesstoken";
const ACCOUNTS: &str = "/v1/account/list";

fn serve() -> Server {
    Simulator::builder().serve().unwrap()
}

fn post(server: &Server, command: &str, body: &str) -> Answer {
    send(server.address(), &format!("POST /simulator/{command} HTTP/1.1"), body).unwrap()
}

/// Sends a command and asserts that it is executed.
fn control(server: &Server, command: &str, body: &str) {
    let answer = post(server, command, body);
    assert_eq!(answer.status, 200, "{command} {body}: {}", answer.body);
    let now: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(now["now"].as_str().unwrap().starts_with("20"), "{now}");
}

/// The status and the body of a request with a token.
fn call(server: &Server, path: &str, token: &str) -> (u16, String) {
    let answer = get(server.address(), path, token);
    (answer.status, answer.body)
}

fn token(server: &Server) -> String {
    login(server.address()).text("accessToken").to_owned()
}

fn json_at(server: &Server, path: &str) -> Value {
    let answer = get(server.address(), path, "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn every_listed_command_works_with_its_example_body() {
    let server = serve();
    let listed = json_at(&server, "/simulator");
    let listed = listed.as_array().unwrap();
    let commands: Vec<_> = listed.iter().filter(|command| command["method"] == "POST").collect();
    assert_eq!((commands.len(), listed.len()), (15, 16));
    for command in commands {
        let name = command["path"].as_str().unwrap().strip_prefix("/simulator/").unwrap();
        assert!(command["does"].as_str().unwrap().len() > 10 && command["body"].is_object(), "{command}");
        control(&server, name, &command["body"].to_string());
        control(&server, name, "");
    }
    assert_eq!(login(server.address()).status, 200, "the last one is a reset");
}

#[test]
fn the_curl_commands_in_the_readme_work() {
    let server = serve();
    let readme = include_str!("../../README.md");
    let mut lines = 0;
    for line in readme.lines().filter(|line| line.starts_with("curl -X POST http://127.0.0.1:8085/simulator/")) {
        let (_, command) = line.split_once("/simulator/").unwrap();
        let (name, body) = command.split_once(" -d ").unwrap_or((command, ""));
        control(&server, name, body.trim_matches('\''));
        lines += 1;
    }
    assert_eq!(lines, 17);
}

#[test]
fn commands_advance_the_clock_and_end_sessions() {
    let server = serve();
    for (command, body, status, text) in [
        ("advance", r#"{"seconds":4800}"#, 401, "Expired Access Token"),
        ("advance", r#"{"seconds":4799.5}"#, 200, "SIM00001"),
        ("expire", "", 401, "Expired Access Token"),
        ("revoke", r#"{"user":"synthetic-user"}"#, 401, "Invalid access token"),
        ("kick", "", 408, ""),
        ("kick", r#"{"all":true}"#, 408, ""),
    ] {
        control(&server, "reset", "");
        let (first, second) = (token(&server), token(&server));
        control(&server, command, body);
        let (answered, answer_text) = call(&server, ACCOUNTS, &first);
        assert!(answered == status && answer_text.contains(text), "{command} {body}: {answered} {answer_text}");
        let other = if (command, body) == ("kick", "") { 200 } else { status };
        assert_eq!(call(&server, ACCOUNTS, &second).0, other, "{command} {body}");
    }
}

#[test]
fn commands_penalize_lock_out_and_release_logins() {
    let server = serve();
    for (command, body, status, text) in [
        ("penalize", r#"{"seconds":7}"#, 200, r#""p-time":7"#),
        ("penalize", r#"{"seconds":7,"endpoint":"me"}"#, 200, "accessToken"),
        ("captcha", r#"{"endpoint":"/v1/auth/accessTokenRequest"}"#, 200, r#""p-captcha":true"#),
        ("captcha", r#"{"endpoint":"auth/renewaccesstoken"}"#, 200, "accessToken"),
        ("lock-out", "", 429, ""),
        ("lock-out", r#"{"status":423}"#, 423, ""),
        ("maintenance", "", 503, "<h1>503"),
        ("maintenance", r#"{"errorId":true}"#, 500, "Internal Server Error, error id: "),
        ("fault", r#"{"status":502,"body":"boom"}"#, 502, "boom"),
        ("fault", r#"{"endpoint":"account/list"}"#, 200, "accessToken"),
        ("fault", r#"{"endpoint":"accesstokenrequest"}"#, 500, ""),
    ] {
        control(&server, command, body);
        let answer = login(server.address());
        assert!(answer.status == status && answer.body.contains(text), "{command} {body}: {}", answer.body);
        control(&server, "release", "");
        control(&server, "maintenance", r#"{"on":false}"#);
        if !["captcha", "penalize"].contains(&command) {
            assert_eq!(login(server.address()).status, 200, "after {command} {body}");
        }
        control(&server, "reset", "");
    }
    control(&server, "lock-out", r#"{"retryAfterSeconds":90}"#);
    assert_eq!(login(server.address()).header("retry-after"), "90");
}

#[test]
fn the_fault_command_can_lose_the_answer_of_a_handled_request() {
    let server = serve();
    for (handled, logins) in [("false", 0), ("true", 1)] {
        control(&server, "fault", &format!(r#"{{"status":504,"handled":{handled}}}"#));
        assert_eq!(login(server.address()).status, 504);
        assert_eq!(server.statistics().logins, logins);
    }
}

#[test]
fn commands_change_hosts_and_options() {
    let server = serve();
    control(&server, "move-hosts", r#"{"hosts":{"demo":"acme.example"}}"#);
    let answer = login(server.address());
    assert_eq!((answer.text("demo"), answer.text("live")), ("acme.example", "live.tradovateapi.com"));
    control(&server, "options", r#"{"lifetimeSeconds":60,"emptyErrorText":false,"marketDataOnRenewalOnly":true}"#);
    let answer = login(server.address());
    assert!(!answer.body.contains("errorText") && !answer.body.contains("mdAccessToken"), "{}", answer.body);
    let renewed = call(&server, RENEW, answer.text("accessToken")).1;
    assert!(renewed.contains("mdAccessToken"), "{renewed}");
    control(&server, "advance", r#"{"seconds":61}"#);
    assert_eq!(call(&server, RENEW, answer.text("accessToken")).0, 401);
    control(&server, "options", r#"{"refreshOpensSession":true}"#);
    assert!(server.with(|simulator| simulator.options().refresh_opens_session));
    control(&server, "reset", "");
    for status in [401, 408, 429, 500] {
        control(&server, "options", &json!({ "closedSession": status }).to_string());
        let token = token(&server);
        control(&server, "kick", r#"{"all":true}"#);
        assert_eq!(call(&server, ACCOUNTS, &token).0, status);
    }
}

#[test]
fn the_log_command_shows_requests_without_secrets_and_without_commands() {
    let server = serve();
    let token = token(&server);
    get(server.address(), "/v1/account/list?x=canary", &token);
    control(&server, "advance", "");
    let log = json_at(&server, "/simulator/log");
    let [login, accounts] = log.as_array().unwrap().as_slice() else { panic!("{log}") };
    assert_eq!(
        [&login["method"], &login["path"], &login["host"], &login["status"], &login["hasToken"]],
        [&json!("POST"), &json!("/v1/auth/accesstokenrequest"), &json!("127.0.0.1"), &json!(200), &json!(false)]
    );
    let secret = json!("[redacted]");
    let expected = json!({ "name": "synthetic-user", "password": secret, "cid": "8", "sec": secret });
    assert_eq!(login["fields"], expected);
    assert_eq!([&accounts["path"], &accounts["hasToken"]], [&json!("/v1/account/list"), &json!(true)]);
    let text = log.to_string();
    for secret in ["synthetic-password", "synthetic-api-secret", &token, "canary"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn the_reset_command_undoes_all_changes_and_restores_the_clock() {
    let server = serve();
    let before = server.now();
    let token = token(&server);
    control(&server, "advance", r#"{"seconds":360000}"#);
    control(&server, "maintenance", "");
    control(&server, "reset", "");
    assert_eq!(call(&server, ACCOUNTS, &token), (401, "Invalid access token".to_owned()));
    assert!(server.now().duration_since(before).as_secs() < 3600);
    assert_eq!((server.statistics().logins, server.statistics().requests(Endpoint::AccountList)), (0, 1));
}

#[test]
fn web_pages_of_other_origins_and_rebound_host_names_cannot_send_commands() {
    let server = serve();
    let port = server.address().port();
    let own = format!("127.0.0.1:{port}");
    for (host, header, status) in [
        (own.as_str(), String::new(), 200),
        (own.as_str(), format!("origin: http://{own}"), 200),
        (own.as_str(), "sec-fetch-site: same-origin".to_owned(), 200),
        (&format!("localhost:{port}"), String::new(), 200),
        (&format!("[::1]:{port}"), String::new(), 200),
        (own.as_str(), "origin: http://evil.example".to_owned(), 403),
        (own.as_str(), "origin: null".to_owned(), 403),
        (own.as_str(), "origin: http://127.0.0.1:1".to_owned(), 403),
        (own.as_str(), format!("origin: https://{own}"), 403),
        (own.as_str(), "sec-fetch-site: cross-site".to_owned(), 403),
        (own.as_str(), "sec-fetch-site: same-site".to_owned(), 403),
        ("evil.example", String::new(), 403),
        ("evil.example", "origin: http://evil.example".to_owned(), 403),
        ("127.0.0.1.evil.example", String::new(), 403),
        ("198.51.100.1", String::new(), 403),
        ("", String::new(), 403),
    ] {
        let header = if header.is_empty() { header } else { format!("\r\n{header}") };
        for request in ["POST /simulator/maintenance", "GET /simulator/log", "GET /simulator"] {
            let answer = send_as(server.address(), host, &format!("{request} HTTP/1.1{header}"), "").unwrap();
            assert_eq!(answer.status, status, "{request} {host} {header}");
            assert_eq!(answer.header("access-control-allow-origin"), "");
            let is_on = request.starts_with("POST") && status == 200;
            assert_eq!(login(server.address()).status == 503, is_on, "{request} {host} {header}");
            server.set_maintenance(None);
        }
        server.with(Simulator::reset);
    }
    let preflight =
        "OPTIONS /simulator/kick HTTP/1.1\r\norigin: http://evil.example\r\naccess-control-request-method: POST";
    assert_eq!(send(server.address(), preflight, "").unwrap().status, 403);
}

#[test]
fn an_invalid_command_is_explained_and_changes_nothing() {
    let server = serve();
    for (command, body, status, why) in [
        ("kick", r#"{"usr":"synthetic-user"}"#, 400, r#"there is no field \"usr\"; the body is like {"#),
        ("kick", r#"{"user":"nobody"}"#, 400, "there is no user of this name"),
        ("kick", r#"{"user":7}"#, 400, "user must be a text"),
        ("kick", r#"{"all":"yes"}"#, 400, "all must be true or false"),
        ("kick", "user=synthetic-user", 400, "the body must be JSON such as {"),
        ("advance", r#"{"seconds":-1}"#, 400, "seconds must be a number of seconds"),
        ("advance", r#"{"seconds":1e300}"#, 400, "seconds must be a number of seconds"),
        ("fault", r#"{"status":101}"#, 400, "status must be a status from 200 to 999"),
        ("penalize", r#"{"endpoint":"order/place"}"#, 400, "endpoint must be a path such as"),
        ("move-hosts", r#"{"hosts":{"demo":1}}"#, 400, "hosts must be an object of texts"),
        ("options", r#"{"lifetimeSeconds":1,"expiredSocket":"dies"}"#, 400, "expiredSocket must be stays-open"),
        ("options", r#"{"lifetimeSeconds":1,"closedSession":404}"#, 400, "closedSession must be 401"),
        ("explode", "", 404, "no such command; GET /simulator lists them"),
        ("log", "", 405, ""),
        ("", "", 405, ""),
    ] {
        let token = token(&server);
        let answer = post(&server, command, body);
        assert!(answer.status == status && answer.body.contains(why), "{command} {body}: {}", answer.body);
        assert_eq!(call(&server, ACCOUNTS, &token).0, 200, "{command} {body}");
    }
    assert_eq!(get(server.address(), "/simulator/kick", "").status, 405);
    assert_eq!(get(server.address(), "/simulators", "").status, 404);
}

#[test]
fn a_server_on_all_addresses_accepts_commands_under_any_host_name() {
    let server = Simulator::builder().listen("0.0.0.0".parse().unwrap()).serve().unwrap();
    assert!(server.address().ip().is_loopback());
    let answer = send_as(server.address(), "simulator:8085", "GET /simulator HTTP/1.1", "").unwrap();
    assert_eq!(answer.status, 200);
    let foreign = "GET /simulator HTTP/1.1\r\norigin: http://evil.example";
    assert_eq!(send_as(server.address(), "simulator:8085", foreign, "").unwrap().status, 403);
    let other = Simulator::builder().listen("198.51.100.1".parse().unwrap()).serve();
    assert_eq!(other.unwrap_err().to_string(), "can't listen at 198.51.100.1: use 0.0.0.0, ::, or a loopback address");
}
