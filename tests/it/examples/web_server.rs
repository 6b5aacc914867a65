//! The web server of the examples, by a client that does what a browser does: follows redirects by hand, keeps cookies.

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
    /// Begins a login; the URL it is sent to.
    fn connect(&mut self) -> String {
        let page = self.post("/connect", &[]);
        assert_eq!(page.status(), 303, "{}", page.text());
        page.header("location").to_owned()
    }

    /// Begins a login and lets a user allow it; the path it is sent back to.
    fn allow(&mut self, world: &World, user: &str) -> String {
        let back = world.vendor.consent(user, &self.connect()).unwrap();
        back.strip_prefix(&self.site).unwrap().to_owned()
    }

    fn log_in(&mut self, world: &World, user: &str) {
        let callback = self.allow(world, user);
        self.get(&callback).leads_to("/me");
        self.sees(200, ["You are logged in"]);
    }

    /// Looks at the page of whoever is logged in.
    fn sees<const N: usize>(&mut self, status: u16, texts: [&str; N]) {
        self.get("/me").says(status, texts);
    }
}

/// The way out of each page that says what went wrong.
const AGAIN: &str = r#"<form method="post" action="/connect"><button id="connect">Connect again</button></form>"#;
const NOBODY: [&str; 1] = ["You are not logged in"];
const NO_LOGIN: [&str; 1] = ["No login was begun in this browser"];
const UNKNOWN_NAME: [&str; 1] = ["somebody whose name is not known yet"];
const POSTPONED: &str = "postponed by the server until";
const FORGOTTEN: &str = "session 1: stopped: the session was forgotten";

fn state(url: &str) -> String {
    url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

/// A vendor and the web server, whose database is a file to look into and to start again with.
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

    /// A browser whose user has allowed, and the path it is sent back to.
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

    /// The rows of the sessions and of the logins.
    fn counts(&self) -> [usize; 2] {
        ["sessions", "logins"].map(|name| rows(&mut self.tables(), name).count())
    }

    /// Changes what is in the file while the server is away.
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
fn two_users_see_themselves_until_they_log_out_and_a_stranger_sees_nobody() {
    let world = World::new();
    let (mut one, callback_of_one) = world.allowed("trader");
    let (mut two, callback_of_two) = world.allowed("other");
    two.get(&callback_of_two).leads_to("/me");
    one.get(&callback_of_one).leads_to("/me");
    for (browser, name, other) in [(&mut one, "Tess Trader", "Otto Other"), (&mut two, "Otto Other", "Tess Trader")] {
        browser.sees(200, [name, "good until"]);
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
        stranger.get("/elsewhere").says(404, ["Nothing here"]);
    }
}

#[test]
fn without_credentials_it_runs_on_a_simulator_and_says_so() {
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
fn a_login_is_finished_once_by_the_real_redirect_in_the_browser_that_began_it() {
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
        browser.get(forged).says(400, ["This was not the answer"]);
    }
    for method in ["HEAD", "OPTIONS", "DELETE", "TRACE"] {
        let page = browser.send(method, &callback, &[]);
        assert_eq!((page.status(), page.header("allow")), (405, "GET"), "{method}");
    }
    browser.post(&callback, &[]).says(405, ["A redirect is a GET."]);
    let mut theirs = world.browser();
    theirs.get(&callback).says(400, NO_LOGIN);
    theirs.connect();
    theirs.get(&callback).says(400, ["This was not the answer"]);
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
fn half_sent_requests_keep_nobody_out_for_long() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", world.port);
    // More than it serves at the same time.
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
fn of_redirects_at_the_same_time_one_is_answered() {
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
fn who_says_no_and_what_to_do_is_told_by_the_kind_of_the_denial() {
    const REFUSED: &str = "<h1>Tradovate’s page could not log you in</h1>";
    let world = World::new();
    let mut browser = world.browser();
    for (error, status, heading, nothing) in [
        ("access_denied", 403, "You did not allow it", "access_denied"),
        ("temporarily_unavailable", 502, REFUSED, "Nothing was connected: try again later."),
        ("invalid_request", 502, REFUSED, "Nothing was connected. "),
        ("something_else", 502, REFUSED, "Nothing was connected. "),
    ] {
        let url = browser.connect();
        let page = browser.get(&format!("/callback?error={error}&error_description=Some+words&state={}", state(&url)));
        page.says(status, [heading, nothing, &format!("{error}: Some words"), AGAIN]);
        assert!(!page.text().contains("client_id"), "{}", page.text());
    }
    // The owner of the site sees all of it.
    world.site().await_line(|line| line.contains("invalid_request") && line.contains("client_id"));
    browser.log_in(&world, "trader");
}

#[test]
fn a_login_brings_a_new_secret_and_a_planted_one_is_worth_nothing() {
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
fn cookies_are_for_this_site_and_not_for_scripts_and_by_https_they_are_secure_and_bound_to_the_host() {
    let vendor = vendor().serve().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    // What stands in front of the site with TLS comes to 127.0.0.1, whatever the host is called.
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
fn what_another_site_sends_is_refused() {
    let world = World::new();
    let mut browser = world.logged_in("trader");
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/connect", "/logout"] {
            browser.post(path, &[foreign]).says(403, ["Another site has sent this request"]);
        }
    }
    browser.sees(200, ["Tess Trader"]);
    for own in [("origin", world.site().url()), ("sec-fetch-site", "same-origin")] {
        assert_eq!(browser.post("/connect", &[own]).status(), 303);
    }
    // A link or an image can't change anything.
    assert_eq!((browser.get("/connect").status(), browser.get("/logout").status()), (405, 405));
}

#[test]
fn every_answer_is_guarded() {
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
fn a_login_that_fails_is_told_in_words_and_leaves_nothing_behind() {
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
fn html_in_a_name_or_a_refusal_is_text() {
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
fn a_lock_out_that_one_user_meets_holds_back_every_user() {
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
fn a_name_that_is_missing_at_first_is_asked_for_again() {
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
fn a_wait_that_the_vendor_asks_for_costs_no_consent() {
    let world = World::new();
    // Longer than a browser is made to wait.
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
fn a_long_wait_is_not_announced_and_another_login_replaces_it() {
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
fn who_waits_for_a_session_that_another_login_replaces_is_shown_the_new_one() {
    let world = World::new();
    // A wait that a browser does wait for.
    let mut browser = world.postponed("trader", 15);
    let mut tab = world.browser_with(&browser.cookies);
    let page = thread::scope(|scope| {
        let waiting = scope.spawn(move || tab.get("/me"));
        thread::sleep(Duration::from_secs(2)); // it has asked by then
        world.vendor.release();
        browser.log_in(&world, "trader");
        waiting.join().unwrap()
    });
    page.leads_to("/me");
    assert!(page.set_cookies().is_empty());
    browser.sees(200, ["Tess Trader"]);
}

#[test]
fn a_session_is_kept_alive_while_nobody_looks_and_without_its_consent_another_login_replaces_it() {
    let world = World::of(vendor().lifetime(Duration::from_secs(6)));
    let mut browser = world.logged_in("trader");
    let is_kept = |line: &str| line.contains("refreshed, good until") || line.contains("renewed, good until");
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
fn it_is_used_by_one_name_and_sends_those_to_it_who_come_by_another() {
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
fn a_session_and_a_login_live_through_a_restart_and_after_a_logout_nothing_is_left() {
    let mut world = World::new();
    let mut one = world.logged_in("trader");
    let (mut two, callback) = world.allowed("other");
    world.start();
    one.sees(200, ["Tess Trader"]);
    world.await_line("Z session 1: took over a token");
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
fn a_login_a_session_and_a_session_without_tokens_have_an_end() {
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
fn a_session_ends_with_its_time_whoever_asks() {
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
fn the_file_is_its_owners_and_written_for_changes_only() {
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
    // Each writing makes another file, whose number may be an older one's.
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

/// Whatever its name is: no name of a new file is that of the old one.
#[test]
#[cfg(unix)]
fn a_file_that_can_not_be_written_stays_as_it_was() {
    let vendor = vendor().serve().unwrap();
    for name in ["database.json", "database.new", "new", ".new"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name).to_str().unwrap().to_owned();
        let site = Site::start_with(&vendor, &["--store", &file], &[]);
        Browser::at(site.url()).connect();
        drop(site);
        let before = std::fs::read(&file).unwrap();

        // Files are full as soon as they are made.
        let mut full = Command::new("/bin/sh");
        full.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#]).arg(example("oauth-web-server"));
        let site = Site::start_by(full, &vendor, &["--store", &file], &[]);
        assert_eq!(Browser::at(site.url()).post("/connect", &[]).status(), 500, "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{name}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn strangers_can_not_fill_the_memory_with_logins() {
    let mut world = World::new();
    let (mut browser, callback) = world.allowed("trader");
    world.change(|tables| {
        let row = rows(tables, "logins").next().unwrap().clone();
        for number in 0..10_000 {
            tables["logins"][number.to_string()] = row.clone();
        }
        // The oldest makes room.
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

    world.await_line("tradovate_auth{endpoint="); // there is a log to look at
    shown.push_str(&world.site().printed());
    assert_eq!(secrets.len(), 9);
    for secret in secrets {
        assert!(secret.len() > 8 && !shown.contains(&secret), "{secret} in {shown}");
    }
}
