//! Tests of the login in the browser. The tests play the browser.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use tradovate_auth_simulator::{OAuthClient, Server, Simulator, SimulatorBuilder};

use crate::support::{Running, USER, User, run, user_of};

const CLIENT: &str = "synthetic-desktop";
const SECRET: &str = "canary-client-secret";

fn user() -> User {
    user_with(Simulator::builder())
}

fn user_with(builder: SimulatorBuilder) -> User {
    // The redirect URI must be registered before the program listens, so the test picks a free port for it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let mut client = OAuthClient::public(CLIENT, &redirect);
    client.client_secret = Some(SECRET.into());
    let user = user_of(builder.oauth_client(client));
    fs::write(user.home.path().join("port"), port.to_string()).unwrap();
    user
}

fn variables(user: &User) -> [(&'static str, String); 6] {
    [
        ("TRADOVATE_API_URL", user.server.base_url()),
        ("TRADOVATE_AUTHORIZE_URL", user.server.authorize_url()),
        ("TRADOVATE_TOKEN_URL", user.server.base_url() + "/auth/oauthtoken"),
        ("TRADOVATE_CLIENT_ID", CLIENT.into()),
        ("TRADOVATE_CLIENT_SECRET", SECRET.into()),
        ("TRADOVATE_REDIRECT_PORT", fs::read_to_string(user.home.path().join("port")).unwrap()),
    ]
}

/// Writes a program that replaces `xdg-open` and records its variables and the URL. Returns a `PATH` with it.
fn browser(user: &User) -> String {
    let directory = user.home.path().join("bin");
    fs::create_dir(&directory).unwrap();
    let script = directory.join("xdg-open");
    let text = "#!/bin/sh\n/usr/bin/env >\"$HOME/environment\"\nprintf %s \"$1\" >\"$HOME/url.part\"\nmv \"$HOME/url.part\" \"$HOME/url\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", directory.display())
}

/// The URL that the browser is opened with.
fn opened(user: &User) -> String {
    let (begun, url) = (Instant::now(), user.home.path().join("url"));
    while !url.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::read_to_string(url).unwrap()
}

/// Sends a GET and returns the status, the `Location` header and the body.
fn get(url: &str) -> (u16, String, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
    let mut answer = agent.get(url).call().unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default(), answer.body_mut().read_to_string().unwrap())
}

fn consent(server: &Server, url: &str) -> String {
    server.consent(USER, url).expect("the simulator knows the app")
}

pub(crate) fn after_a_login_in_the_browser_other_processes_get_tokens() {
    let user = user();
    let path = browser(&user);
    let login = Running::start(user.without_variables(&["login", "--oauth"]).envs(variables(&user)).env("PATH", path));
    let opened = opened(&user);
    let environment = fs::read_to_string(user.home.path().join("environment")).unwrap();
    assert!(!environment.contains("TRADOVATE_") && !environment.contains("canary"), "{environment}");

    assert!(opened.starts_with("http://127.0.0.1:") && opened.ends_with("/login"), "no state is shown: {opened}");
    let (status, authorize, _) = get(&opened);
    assert_eq!(status, 302);
    assert_eq!(get(&opened).0, 404, "the page redirects once");
    let back = consent(&user.server, &authorize);
    let (wrong, _) = back.split_once("state=").unwrap();
    assert_eq!(get(&format!("{wrong}state=another")).0, 400);
    let (status, _, page) = get(&back);
    assert!(status == 200 && page.contains("Logged in"), "{page}");
    login.wait_for("logged in");
    let (code, stderr) = login.end();
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("canary"), "{stderr}");
    assert!(stderr.contains("at least every 12 hours") && !stderr.contains("password"), "{stderr}");

    // The last login stored the app's name, so only the client secret has to be a variable.
    let token = run(user.without_variables(&["token"]).env("TRADOVATE_CLIENT_SECRET", SECRET));
    assert!(user.server.with(|server| server.accepts(token.stdout.trim_end())), "{token:?}");
    assert_eq!(run(user.without_variables(&["status"]).env("TRADOVATE_CLIENT_SECRET", SECRET)).code, 0);
    let without = run(&mut user.without_variables(&["token"]));
    assert!(without.code == 1 && without.stderr.starts_with("TRADOVATE_CLIENT_SECRET is not set"), "{without:?}");
    assert_eq!(user.logins(), 0);
}

pub(crate) fn the_token_command_refreshes_an_expired_token_of_an_oauth_login() {
    let lifetime = Duration::from_secs(2);
    let user = user_with(Simulator::builder().lifetime(lifetime));
    let path = browser(&user);
    let login = Running::start(user.without_variables(&["login", "--oauth"]).envs(variables(&user)).env("PATH", path));
    let (_, authorize, _) = get(&opened(&user));
    get(&consent(&user.server, &authorize));
    assert_eq!(login.end().0, 0);

    let after_login = |command| run(user.without_variables(&[command]).env("TRADOVATE_CLIENT_SECRET", SECRET));
    let begun = Instant::now();
    // `status` says that the token has expired a moment before the server does.
    while after_login("status").code != 3 || begun.elapsed() < lifetime {
        assert!(begun.elapsed() < Duration::from_secs(20), "the token does not expire");
    }
    assert_eq!(user.server.statistics().refreshes, 0);
    assert_eq!(after_login("token").code, 0);
    assert_eq!(user.server.statistics().refreshes, 1);
}

pub(crate) fn the_redirect_host_can_be_localhost_or_a_loopback_address() {
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let user = user();
        let path = browser(&user);
        let mut command = user.without_variables(&["login", "--oauth"]);
        let _login =
            Running::start(command.envs(variables(&user)).env("PATH", path).env("TRADOVATE_REDIRECT_HOST", host));
        let opened = opened(&user);
        assert!(opened.starts_with(&format!("http://{host}:")), "{opened}");
        assert_eq!(get(&opened).0, 302, "{host}");
    }
}

pub(crate) fn a_consent_fails_if_another_program_uses_the_redirect_port() {
    let user = user();
    let taken = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut login = user.without_variables(&["login", "--oauth", "--no-browser", "--timeout", "1"]);
    login.envs(variables(&user)).env("TRADOVATE_REDIRECT_PORT", &port).env("TRADOVATE_REDIRECT_HOST", "localhost");
    let login = run(&mut login);
    assert_eq!(login.code, 1);
    assert!(login.stderr.starts_with(&format!("can't listen at ::1 port {port}")), "{}", login.stderr);
}

pub(crate) fn a_missing_browser_is_reported() {
    let user = user();
    let path = browser(&user);
    for (arguments, path, is_reported) in [
        (&["login", "--oauth", "--timeout", "1"][..], "/nowhere", true),
        (&["login", "--oauth", "--timeout", "1"], &path, false),
    ] {
        let login = run(user.without_variables(arguments).envs(variables(&user)).env("PATH", path));
        assert!(login.code == 1 && login.stderr.contains("nobody logged in within 1 s"), "{}", login.stderr);
        assert_eq!(login.stderr.contains("can't open a browser"), is_reported, "{}", login.stderr);
    }
}

pub(crate) fn a_user_who_does_not_consent_ends_the_login() {
    let user = user();
    let path = browser(&user);
    let login = Running::start(user.without_variables(&["login", "--oauth"]).envs(variables(&user)).env("PATH", path));
    let opened = opened(&user);
    let (_, authorize, _) = get(&opened);
    let (_, state) = authorize.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap();
    let callback = opened.replace("/login", "/callback");
    let (status, _, page) = get(&format!("{callback}?error=access_denied&state={state}"));
    assert!(status == 400 && page.contains("<h1>Not logged in</h1>"), "{page}");
    let (code, stderr) = login.end();
    assert!(code == 1 && stderr.contains("access_denied"), "{stderr}");
}

pub(crate) fn the_token_command_of_an_app_without_consent_advises_to_log_in() {
    let user = user();
    let token = run(user.without_variables(&["token"]).envs(variables(&user)));
    assert_eq!((token.code, token.stdout.as_str()), (2, ""));
    assert!(token.stderr.ends_with("log in with `tradovate-auth login --oauth`\n"), "{}", token.stderr);
}
