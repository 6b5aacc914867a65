//! Tests of the example web server. The client does what a browser does: it keeps cookies and follows redirects.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use http::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use tradovate_auth_simulator::{Endpoint, Server, SimulatorBuilder};

use crate::support::browser::Browser;
use crate::support::site::{CLIENT_SECRET, PASSWORD, Site, example, vendor};

impl Browser {
    /// Starts a login. Returns the URL to which the browser is redirected.
    fn connect(&mut self) -> String {
        let page = self.post("/connect", &[]);
        assert_eq!(page.status(), 303, "{}", page.text());
        page.header("location").to_owned()
    }

    /// Starts a login that a user allows. Returns the path to which the browser is redirected.
    fn allow(&mut self, world: &World, user: &str) -> String {
        let back = world.vendor.consent(user, &self.connect()).unwrap();
        back.strip_prefix(&self.site).unwrap().to_owned()
    }

    fn log_in(&mut self, world: &World, user: &str) {
        let callback = self.allow(world, user);
        self.get(&callback).leads_to("/me");
        self.sees(200, ["You are logged in"]);
    }

    /// Asserts what the page of the logged-in user says.
    fn sees<const N: usize>(&mut self, status: u16, texts: [&str; N]) {
        self.get("/me").says(status, texts);
    }
}

/// The button of each error page.
const AGAIN: &str = r#"<form method="post" action="/connect"><button id="connect">Connect again</button></form>"#;
const NOBODY: [&str; 1] = ["You are not logged in"];
const NO_LOGIN: [&str; 1] = ["No login was started in this browser"];
const UNKNOWN_NAME: [&str; 1] = ["a user whose name is not known yet"];
const POSTPONED: &str = "postponed by the server: ";
const FORGOTTEN: &str = "session 1: the session stopped, and the program has no token: a program told the session to \
                         forget its tokens: start the program again to log in";

fn state(url: &str) -> String {
    url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

/// A vendor, and the web server, whose database is a file that tests can read and change.
struct World {
    vendor: Server,
    site: Option<Site>,
    directory: TempDir,
    port: String,
}

impl World {
    fn new() -> Self {
        Self::of(vendor())
    }

    fn of(builder: SimulatorBuilder) -> Self {
        let (vendor, directory) = (builder.serve().unwrap(), tempfile::tempdir().unwrap());
        let mut world = Self { vendor, site: None, directory, port: "0".into() };
        world.start();
        world
    }

    fn start(&mut self) {
        self.site = None;
        let variables = [("TRADOVATE_REDIRECT_PORT", self.port.as_str()), ("RUST_LOG", "trace")];
        let site = Site::start_with(&self.vendor, &["--store", &self.file()], &variables);
        site.url().rsplit(':').next().unwrap().clone_into(&mut self.port);
        self.site = Some(site);
    }

    fn site(&self) -> &Site {
        self.site.as_ref().unwrap()
    }

    fn browser(&self) -> Browser {
        Browser::at(self.site().url())
    }

    fn browser_with(&self, cookies: &BTreeMap<String, String>) -> Browser {
        Browser { cookies: cookies.clone(), ..self.browser() }
    }

    fn browser_with_session(&self, secret: &str) -> Browser {
        self.browser_with(&[("session".to_owned(), secret.to_owned())].into())
    }

    /// A browser whose user allowed the app, and the path to which it is redirected.
    fn allowed(&self, user: &str) -> (Browser, String) {
        let mut browser = self.browser();
        let callback = browser.allow(self, user);
        (browser, callback)
    }

    fn logged_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        browser.log_in(self, user);
        browser
    }

    /// A browser whose login the vendor has postponed.
    fn postponed(&self, user: &str, seconds: u64) -> Browser {
        let (mut browser, callback) = self.allowed(user);
        self.vendor.penalize_next(Duration::from_secs(seconds));
        browser.get(&callback).leads_to("/me");
        self.await_line(POSTPONED);
        browser
    }

    fn answer_next(&self, endpoint: Endpoint, status: u16, body: &str) {
        let answer = Response::builder().status(status).body(body.into()).unwrap();
        self.vendor.with(|simulator| simulator.answer_next(endpoint, answer));
    }

    fn exchanges(&self) -> u64 {
        self.vendor.statistics().requests(Endpoint::OauthToken)
    }

    fn await_line(&self, text: &str) -> String {
        self.site().await_line(|line| line.contains(text))
    }

    fn file(&self) -> String {
        self.directory.path().join("database.json").to_str().unwrap().to_owned()
    }

    fn tables(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    /// How many sessions and logins the database has.
    fn counts(&self) -> [usize; 2] {
        ["sessions", "logins"].map(|name| rows(&mut self.tables(), name).count())
    }

    /// Changes the database while the server is stopped.
    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        self.site = None;
        let mut tables = self.tables();
        change(&mut tables);
        std::fs::write(self.file(), tables.to_string()).unwrap();
        self.start();
    }
}

fn rows<'t>(tables: &'t mut Value, name: &str) -> impl Iterator<Item = &'t mut Value> {
    tables[name].as_object_mut().unwrap().values_mut()
}

fn ago(time: jiff::SignedDuration) -> Value {
    json!(jiff::Timestamp::now() - time)
}

#[test]
fn each_browser_sees_only_its_own_user_until_it_logs_out() {
    let world = World::new();
    let (mut one, callback_of_one) = world.allowed("trader");
    let (mut two, callback_of_two) = world.allowed("other");
    two.get(&callback_of_two).leads_to("/me");
    one.get(&callback_of_one).leads_to("/me");
    for (browser, name, other) in [(&mut one, "Tess Trader", "Otto Other"), (&mut two, "Otto Other", "Tess Trader")] {
        browser.sees(200, [name, "valid until"]);
        for path in ["/", "/me"] {
            let page = browser.get(path);
            assert!(page.text().contains(name) && !page.text().contains(other), "{}", page.text());
        }
    }
    assert_eq!(world.exchanges(), 2);
    one.post("/logout", &[]).leads_to("/");
    two.sees(200, ["Otto Other"]);
    for mut stranger in [one, world.browser(), world.browser_with_session(&"0".repeat(64))] {
        stranger.sees(401, NOBODY);
        stranger.get("/").says(200, ["Connect with Tradovate"]);
        stranger.get("/elsewhere").says(404, ["Page not found"]);
    }
}

#[test]
fn without_a_client_id_the_web_server_uses_a_simulator() {
    let vendor = vendor().serve().unwrap();
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_CLIENT_ID", "")]);
    let said = "TRADOVATE_CLIENT_ID is not set, so the server is a simulator at http://127.0.0.1:";
    assert!(site.printed().starts_with(said), "{}", site.printed());
    assert!(site.printed().contains("sign in there as synthetic-user with synthetic-password"));
    let mut browser = Browser::at(site.url());
    let url = browser.connect();
    let page = browser.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(page.contains("Synthetic Web App") && page.contains("Returns to"), "{page}");
}

#[test]
fn a_login_is_finished_once_by_its_own_redirect_in_its_own_browser() {
    let world = World::new();
    let (mut browser, callback) = world.allowed("trader");
    let mut former = world.browser_with(&browser.cookies);
    for forged in [
        "/callback?code=x&state=forged",
        "/callback?code=x",
        "/callback?error=access_denied&state=forged",
        "/callback",
        &format!("{callback}&code=twice"),
        &format!("{callback}%"),
    ] {
        browser.get(forged).says(400, ["This request does not belong to the login"]);
    }
    for method in ["HEAD", "OPTIONS", "DELETE", "TRACE"] {
        let page = browser.send(method, &callback, &[]);
        assert_eq!((page.status(), page.header("allow")), (405, "GET"), "{method}");
    }
    browser.post(&callback, &[]).says(405, ["Only GET is allowed here."]);
    let mut theirs = world.browser();
    theirs.get(&callback).says(400, NO_LOGIN);
    theirs.connect();
    theirs.get(&callback).says(400, ["This request does not belong to the login"]);
    assert_eq!(world.exchanges(), 0);

    browser.get(&callback).leads_to("/me");
    browser.get(&callback).says(400, NO_LOGIN);
    former.get(&callback).says(400, NO_LOGIN);
    browser.sees(200, ["Tess Trader"]);

    let callback = browser.allow(&world, "trader");
    browser.get(&format!("{callback}&error=access_denied")).says(400, ["a code beside an error"]);
    browser.get(&callback).says(400, NO_LOGIN);
    assert_eq!(world.exchanges(), 1);
}

#[test]
fn incomplete_requests_do_not_block_other_browsers_for_long() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", world.port);
    // More connections than the server accepts at the same time.
    let mut half_open: Vec<_> = (0..150)
        .map(|_| {
            let mut connection = TcpStream::connect(&address).unwrap();
            connection.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            connection
        })
        .collect();
    world.browser().get("/").says(200, ["Welcome"]);
    assert_eq!(half_open[0].read(&mut [0; 1]).unwrap(), 0, "the server closes it");
}

#[test]
fn only_one_of_several_concurrent_redirects_opens_a_session() {
    let world = World::new();
    let (browser, callback) = world.allowed("trader");
    let start = Barrier::new(8);
    let mut pages = thread::scope(|scope| {
        let tabs = [(); 8].map(|()| {
            scope.spawn(|| {
                let mut tab = world.browser_with(&browser.cookies);
                start.wait();
                (tab.get(&callback).status(), tab.get("/me").status())
            })
        });
        tabs.map(|tab| tab.join().unwrap())
    });
    pages.sort_unstable();
    assert_eq!((pages[0], &pages[1..]), ((303, 200), &[(400, 401); 7][..]));
    assert_eq!(world.exchanges(), 1);
}

#[test]
fn a_denial_page_says_who_denied_and_what_to_do() {
    const REFUSED: &str = "<h1>Tradovate’s page could not log you in</h1>";
    let world = World::new();
    let mut browser = world.browser();
    for (error, status, heading, nothing) in [
        ("access_denied", 403, "You did not allow access", "access_denied"),
        ("temporarily_unavailable", 502, REFUSED, "Your account was not connected: try again later."),
        ("invalid_request", 502, REFUSED, "Your account was not connected. "),
        ("something_else", 502, REFUSED, "Your account was not connected. "),
    ] {
        let url = browser.connect();
        let page = browser.get(&format!("/callback?error={error}&error_description=Some+words&state={}", state(&url)));
        page.says(status, [heading, nothing, &format!("{error}: Some words"), AGAIN]);
        assert!(!page.text().contains("client_id"), "{}", page.text());
    }
    // The operator of the site gets all details.
    world.site().await_line(|line| line.contains("invalid_request") && line.contains("client_id"));
    browser.log_in(&world, "trader");
}

#[test]
fn each_login_sets_a_new_session_secret() {
    let world = World::new();
    let planted = "0".repeat(64);
    let mut browser = world.browser_with_session(&planted);
    browser.log_in(&world, "trader");
    let first = browser.cookies["session"].clone();
    browser.log_in(&world, "other");
    assert_ne!(browser.cookies["session"], first);
    for secret in [planted, first] {
        world.browser_with_session(&secret).sees(401, NOBODY);
    }
}

#[test]
fn cookies_are_http_only_and_with_https_secure_and_bound_to_the_host() {
    let vendor = vendor().serve().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    // A TLS proxy connects to 127.0.0.1, whatever the site's host name is.
    let public = [
        ("TRADOVATE_REDIRECT_HOST", "app.example"),
        ("TRADOVATE_PUBLIC_URL", "https://app.example/"),
        ("TRADOVATE_REDIRECT_PORT", &free),
    ];
    for (variables, prefix, secure) in [(&[][..], "", ""), (&public, "__Host-", " Secure;")] {
        let site = Site::start_with(&vendor, &[], variables);
        let local = format!("http://127.0.0.1:{free}");
        let mut browser = Browser::at(if variables.is_empty() { site.url() } else { &local });
        let begun = browser.post("/connect", &[("origin", site.url())]);
        let back = vendor.consent("trader", begun.header("location")).unwrap();
        let done = browser.get(back.strip_prefix(site.url()).unwrap());
        done.leads_to("/me");
        browser.sees(200, ["Tess Trader"]);
        let cookies = [begun.set_cookies(), done.set_cookies()].concat();
        for (cookie, name, length, age) in [
            (cookies[0], "login", 64, 600),
            (cookies[1], "session", 64, 604_800),
            (cookies[2], "login", 0, 0),
            (browser.post("/logout", &[]).set_cookies()[0], "session", 0, 0),
        ] {
            let (secret, attributes) = cookie.split_once(';').unwrap();
            assert_eq!(secret.strip_prefix(&format!("{prefix}{name}=")).map(str::len), Some(length), "{cookie}");
            assert_eq!(attributes, format!(" Path=/; HttpOnly; SameSite=Lax;{secure} Max-Age={age}"));
        }
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn post_requests_from_other_sites_are_refused() {
    let world = World::new();
    let mut browser = world.logged_in("trader");
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/connect", "/logout"] {
            browser.post(path, &[foreign]).says(403, ["Another site sent this request"]);
        }
    }
    browser.sees(200, ["Tess Trader"]);
    for own in [("origin", world.site().url()), ("sec-fetch-site", "same-origin")] {
        assert_eq!(browser.post("/connect", &[own]).status(), 303);
    }
    // A link or an image can't change anything, because it sends a GET.
    assert_eq!((browser.get("/connect").status(), browser.get("/logout").status()), (405, 405));
}

#[test]
fn every_response_has_security_headers() {
    let world = World::new();
    let (mut browser, callback) = world.allowed("trader");
    for path in ["/", "/me", "/callback?code=x&state=forged", &callback, "/me", "/connect", "/nowhere"] {
        let page = browser.get(path);
        let guards = ["cache-control", "referrer-policy", "content-security-policy"].map(|name| page.header(name));
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(guards, ["no-store", "strict-origin", policy], "{path}");
    }
}

#[test]
fn a_failed_login_is_explained_and_stores_nothing() {
    let world = World::new();
    let mismatch = r#"{"error":"invalid_client","error_description":"do not match existing setup"}"#;
    for (status, body, texts) in [
        (200, mismatch, ["<h1>The site could not log you in</h1>", "client_secret", AGAIN]),
        (500, "", ["<h1>The site could not log you in</h1>", "the server answered 500", AGAIN]),
    ] {
        let (mut browser, callback) = world.allowed("trader");
        world.answer_next(Endpoint::OauthToken, status, body);
        browser.get(&callback).leads_to("/me");
        let page = browser.get("/me");
        page.says(502, texts);
        assert_eq!(page.set_cookies(), ["session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]);
        assert!(browser.cookies.is_empty());
        assert_eq!(world.counts(), [0, 0]);
        browser.sees(401, NOBODY);
    }
    assert_eq!(world.exchanges(), 2);
}

#[test]
fn html_in_names_and_refusals_is_escaped() {
    let world = World::new();
    let name = r#"<script>alert("x")</script>&'"#;
    world.vendor.with(|simulator| simulator.user_mut("trader").unwrap().full_name = name.into());
    let mut browser = world.logged_in("trader");
    for path in ["/me", "/"] {
        let page = browser.get(path);
        page.says(200, ["&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;"]);
        assert!(!page.text().contains("<script"), "{}", page.text());
    }
    let state = state(&browser.connect());
    let refusal = format!("/callback?error=%3Cimg%20src=x%3E&error_description=%3Cb%3Ebold%3C/b%3E&state={state}");
    let page = browser.get(&refusal);
    assert!(page.status() == 502 && !page.text().contains("<img") && !page.text().contains("<b>"), "{}", page.text());
}

#[test]
fn a_lock_out_of_one_user_stops_the_requests_of_all_users() {
    let no_token = (502, ["<h1>The login was not finished</h1>"]);
    for (endpoint, (status, texts)) in [(Endpoint::OauthToken, no_token), (Endpoint::Me, (200, UNKNOWN_NAME))] {
        let world = World::new();
        let (mut one, callback_of_one) = world.allowed("trader");
        let (mut two, callback_of_two) = world.allowed("other");
        world.answer_next(endpoint, 429, "");
        one.get(&callback_of_one).leads_to("/me");
        one.sees(status, texts);
        assert_eq!(world.vendor.statistics().requests(endpoint), 1);
        two.get(&callback_of_two).leads_to("/me");
        two.sees(502, ["<h1>The login was not finished</h1>", AGAIN]);
        assert_eq!(world.exchanges(), 1);
    }
}

#[test]
fn a_missing_user_name_is_requested_again_until_it_is_known() {
    let world = World::new();
    world.answer_next(Endpoint::Me, 503, "");
    let (mut browser, callback) = world.allowed("trader");
    browser.get(&callback);
    for texts in [UNKNOWN_NAME, ["Tess Trader"], ["Tess Trader"]] {
        browser.sees(200, texts);
    }
    assert_eq!(world.vendor.statistics().requests(Endpoint::Me), 2);
}

#[test]
fn a_penalty_during_the_exchange_does_not_end_the_login() {
    let world = World::new();
    // Longer than a browser request waits.
    let mut browser = world.postponed("trader", 25);
    browser.get("/").leads_to("/me");
    let page = browser.get("/me");
    page.says(503, ["<h1>Still logging in</h1>", r#"<a id="reload" href="/me">"#, AGAIN]);
    let retry_after = page.header("retry-after").parse::<u64>().unwrap();
    assert!((20..=25).contains(&retry_after), "{retry_after}");
    thread::sleep(Duration::from_secs(6));
    browser.sees(200, ["Tess Trader"]);
    assert_eq!(world.exchanges(), 2);
    assert_eq!(world.counts(), [1, 0]);
}

#[test]
fn a_session_with_a_long_wait_can_be_replaced_by_a_new_login() {
    let world = World::new();
    let mut browser = world.postponed("trader", 300);
    let page = browser.get("/me");
    page.says(503, ["Still logging in"]);
    assert_eq!(page.header("retry-after"), "");
    world.vendor.release();
    browser.log_in(&world, "trader");
    world.await_line(FORGOTTEN);
    assert_eq!(world.counts(), [1, 0]);
}

#[test]
fn a_page_that_waits_for_a_replaced_session_redirects_to_the_new_one() {
    let world = World::new();
    // Short enough for a browser request to wait for it.
    let mut browser = world.postponed("trader", 15);
    let mut tab = world.browser_with(&browser.cookies);
    let page = thread::scope(|scope| {
        let waiting = scope.spawn(move || tab.get("/me"));
        thread::sleep(Duration::from_secs(2)); // by then it has sent its request
        world.vendor.release();
        browser.log_in(&world, "trader");
        waiting.join().unwrap()
    });
    page.leads_to("/me");
    assert!(page.set_cookies().is_empty());
    browser.sees(200, ["Tess Trader"]);
}

#[test]
fn the_site_renews_idle_sessions_and_needs_a_login_after_a_revocation() {
    let world = World::of(vendor().lifetime(Duration::from_secs(6)));
    let mut browser = world.logged_in("trader");
    let is_kept = |line: &str| {
        line.contains("refreshed: the token is valid until") || line.contains("renewed: the token is valid until")
    };
    world.site().await_line(|line| line.contains("Z session 1: ") && is_kept(line));
    world.vendor.with(|simulator| simulator.revoke("trader"));
    let page = loop {
        let page = browser.get("/me");
        if page.status() != 200 {
            break page;
        }
        thread::sleep(Duration::from_millis(300));
    };
    page.says(503, ["<h1>No access at the moment</h1>", AGAIN]);
    browser.get("/").leads_to("/me");
    browser.log_in(&world, "trader");
    world.await_line(FORGOTTEN);
}

#[test]
fn the_site_redirects_requests_with_another_host_name_to_its_own() {
    let world = World::new();
    let start = format!("{}/", world.site().url());
    let mut browser = Browser::at(&format!("http://localhost:{}", world.port));
    for path in ["/", "/me", "//evil.example/", "/callback?code=x&state=y"] {
        browser.get(path).leads_to(&start);
    }
    let page = browser.post("/connect", &[]);
    assert_eq!((page.header("location"), page.set_cookies().len()), (start.as_str(), 0));
    let page = browser.agent.get(world.site().url()).header("host", "evil.example").call().unwrap();
    assert_eq!(page.headers()["location"].to_str().unwrap(), start);
}

#[test]
fn sessions_and_logins_survive_a_restart_and_a_logout_removes_them() {
    let mut world = World::new();
    let mut one = world.logged_in("trader");
    let (mut two, callback) = world.allowed("other");
    world.start();
    one.sees(200, ["Tess Trader"]);
    world.await_line("Z session 1: adopted a token");
    assert_eq!(world.exchanges(), 1);
    two.get(&callback).leads_to("/me");
    two.sees(200, ["Otto Other"]);
    assert_eq!(world.counts(), [2, 0]);

    let cookies = one.cookies.clone();
    one.post("/logout", &[]);
    assert_eq!(world.counts(), [1, 0]);
    world.await_line(FORGOTTEN);
    world.browser_with(&cookies).sees(401, NOBODY);
    world.start();
    world.browser_with(&cookies).sees(401, NOBODY);
}

#[test]
fn logins_sessions_and_sessions_without_tokens_expire() {
    let mut world = World::new();
    let mut old = world.logged_in("trader");
    let mut codeless = world.postponed("other", 300);
    codeless.sees(503, ["Still logging in"]);
    let (mut slow, callback) = world.allowed("other");
    world.change(|tables| {
        rows(tables, "logins").for_each(|row| row["began"] = ago(jiff::SignedDuration::from_mins(11)));
        assert_eq!(rows(tables, "sessions").filter(|row| row["snapshot"].is_null()).count(), 1);
        for row in rows(tables, "sessions") {
            let life = if row["snapshot"].is_null() { 15 } else { 7 * 24 * 60 };
            row["began"] = ago(jiff::SignedDuration::from_mins(life + 1));
        }
    });
    old.sees(401, NOBODY);
    codeless.sees(401, NOBODY);
    slow.get(&callback).says(400, NO_LOGIN);
    slow.connect();
    assert_eq!(world.counts(), [0, 1]);
}

#[test]
fn an_idle_browser_session_ends_at_its_maximum_age() {
    let mut world = World::new();
    let mut browser = world.logged_in("trader");
    let nearly = ago(jiff::SignedDuration::from_hours(7 * 24) - jiff::SignedDuration::from_secs(6));
    world.change(|tables| rows(tables, "sessions").for_each(|row| row["began"] = nearly.clone()));
    browser.sees(200, ["Tess Trader"]);
    thread::sleep(Duration::from_secs(6));
    world.browser_with_session(&"0".repeat(64)).sees(401, NOBODY);
    world.await_line(FORGOTTEN);
    browser.sees(401, NOBODY);
}

#[test]
#[cfg(unix)]
fn the_database_file_is_private_and_written_only_after_changes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let world = World::new();
    let directory = world.directory.path();
    let neighbour = directory.join("database.new");
    std::fs::write(&neighbour, "somebody else's").unwrap();
    world.browser().connect();
    std::fs::set_permissions(world.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (mut browser, callback) = world.allowed("trader");
    let file = || std::fs::metadata(world.file()).unwrap();
    assert_eq!(file().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(neighbour).unwrap(), "somebody else's");
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 2, "nothing is left over");
    browser.get(&callback);
    browser.sees(200, ["Tess Trader"]);

    let mut begun = world.browser();
    begun.connect();
    // Each write creates a new file, which could get an old inode number.
    let version = || (file().ino(), file().mtime(), file().mtime_nsec());
    let before = version();
    let mut stranger = world.browser();
    let mut guesser = world.browser_with(&["login", "session"].map(|name| (name.to_owned(), "0".repeat(64))).into());
    for browser in [&mut browser, &mut stranger, &mut guesser, &mut begun] {
        for path in ["/", "/me", "/callback?code=x&state=y", "/callback", "/nowhere"] {
            browser.get(path);
        }
    }
    stranger.post("/logout", &[]);
    guesser.post("/logout", &[]);
    assert_eq!(version(), before);
}

/// Also tests file names that could collide with the name of the new file.
#[test]
#[cfg(unix)]
fn a_failed_write_leaves_the_database_file_unchanged() {
    let vendor = vendor().serve().unwrap();
    for name in ["database.json", "database.new", "new", ".new"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name).to_str().unwrap().to_owned();
        let site = Site::start_with(&vendor, &["--store", &file], &[]);
        Browser::at(site.url()).connect();
        drop(site);
        let before = std::fs::read(&file).unwrap();

        // No file can have any content, so every write fails.
        let mut full = Command::new("/bin/sh");
        full.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#]).arg(example("oauth-web-server"));
        let site = Site::start_by(full, &vendor, &["--store", &file], &[]);
        assert_eq!(Browser::at(site.url()).post("/connect", &[]).status(), 500, "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{name}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn the_number_of_logins_in_progress_is_limited() {
    let mut world = World::new();
    let (mut browser, callback) = world.allowed("trader");
    world.change(|tables| {
        let row = rows(tables, "logins").next().unwrap().clone();
        for number in 0..10_000 {
            tables["logins"][number.to_string()] = row.clone();
        }
        // The oldest login is removed for a new one.
        tables["logins"]["77"]["began"] = ago(jiff::SignedDuration::from_mins(5));
    });
    world.browser().connect();
    assert_eq!((world.counts(), world.tables()["logins"].get("77")), ([0, 10_000], None));
    browser.get(&callback).leads_to("/me");
}

#[test]
fn no_secret_is_printed_or_shown_even_at_trace_level() {
    let world = World::new();
    let mut secrets = vec![CLIENT_SECRET.to_owned(), PASSWORD.to_owned()];
    let mut shown = String::new();

    let (mut browser, callback) = world.allowed("trader");
    secrets.extend(browser.cookies.values().cloned());
    let login = rows(&mut world.tables(), "logins").next().unwrap()["authorization"].as_str().unwrap().to_owned();
    let login: Value = serde_json::from_str(&login).unwrap();
    secrets.extend(["state", "codeVerifier"].map(|name| login["awaited"][name].as_str().unwrap().to_owned()));
    secrets.push(callback.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned());
    for path in [&format!("{callback}&code=twice"), &callback, &callback, "/me", "/"] {
        shown.push_str(browser.get(path).text());
    }
    secrets.extend(browser.cookies.values().cloned());
    let session = rows(&mut world.tables(), "sessions").next().unwrap()["snapshot"].as_str().unwrap().to_owned();
    let session: Value = serde_json::from_str(&session).unwrap();
    secrets.extend(["access", "refresh"].map(|name| session[name]["token"].as_str().unwrap().to_owned()));
    browser.post("/logout", &[]);
    world.await_line(FORGOTTEN);

    world.await_line("tradovate_auth{endpoint="); // there is a log
    shown.push_str(&world.site().printed());
    assert_eq!(secrets.len(), 9);
    for secret in secrets {
        assert!(secret.len() > 8 && !shown.contains(&secret), "{secret} in {shown}");
    }
}
