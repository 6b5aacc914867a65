//! The web server of the examples, by a client that does what a browser does: follows redirects by hand, keeps cookies.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tradovate_auth_simulator::{Endpoint, LockOut, Server};
use ureq::http::{Response, header};
use ureq::{Agent, Body};

use crate::support::site::{CLIENT_SECRET, Directory, PASSWORD, Site, example, vendor};

/// A browser, as far as HTTP sees it.
struct Browser {
    agent: Agent,
    site: String,
    cookies: BTreeMap<String, String>,
}

/// What a browser is answered.
struct Page {
    status: u16,
    location: String,
    set_cookies: Vec<String>,
    guards: Vec<Option<String>>,
    text: String,
}

const GUARDS: [&str; 5] = ["cache-control", "referrer-policy", "content-security-policy", "retry-after", "allow"];

impl Browser {
    fn at(site: &Site) -> Self {
        let agent = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .proxy(None)
            .build();
        Self { agent: agent.into(), site: site.url().to_owned(), cookies: BTreeMap::new() }
    }

    fn get(&mut self, path: &str) -> Page {
        let request = self.agent.get(format!("{}{path}", self.site)).header("cookie", self.cookie_header());
        let response = request.call().unwrap();
        self.receive(response)
    }

    fn post(&mut self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.post(format!("{}{path}", self.site)).header("cookie", self.cookie_header());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send_empty().unwrap();
        self.receive(response)
    }

    /// Sends what no browser sends.
    fn send(&mut self, method: &str, path: &str) -> Page {
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.site));
        let request = request.header("cookie", self.cookie_header());
        let response = self.agent.run(request.body(()).unwrap()).unwrap();
        self.receive(response)
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn receive(&mut self, mut response: Response<Body>) -> Page {
        let text = |value: &header::HeaderValue| value.to_str().unwrap().to_owned();
        let set_cookies: Vec<_> = response.headers().get_all("set-cookie").iter().map(text).collect();
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page {
            status: response.status().as_u16(),
            location: response.headers().get("location").map(text).unwrap_or_default(),
            set_cookies,
            guards: GUARDS.map(|name| response.headers().get(name).map(text)).to_vec(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    /// Begins a login; the URL it is sent to.
    fn connect(&mut self) -> String {
        let page = self.post("/connect", &[]);
        assert_eq!(page.status, 303, "{}", page.text);
        page.location
    }

    /// Begins a login and lets a user allow it; the path it is sent back to.
    fn allow(&mut self, vendor: &Server, user: &str) -> String {
        let back = vendor.consent(user, &self.connect()).unwrap();
        back.strip_prefix(&self.site).unwrap().to_owned()
    }

    fn log_in(&mut self, vendor: &Server, user: &str) {
        let callback = self.allow(vendor, user);
        let page = self.get(&callback);
        assert_eq!((page.status, page.location.as_str()), (303, "/me"), "{}", page.text);
        self.get("/me").says(200, "You are logged in");
    }
}

impl Page {
    fn says(&self, status: u16, text: &str) {
        assert!(self.status == status && self.text.contains(text), "{} {}", self.status, self.text);
    }
}

/// The way out of each page that says what went wrong.
const AGAIN: &str = r#"<form method="post" action="/connect"><button id="connect">Connect again</button></form>"#;

fn state(url: &str) -> String {
    url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

fn exchanges(vendor: &Server) -> u64 {
    vendor.statistics().requests(Endpoint::OauthToken)
}

fn world() -> (Server, Site) {
    let vendor = vendor().serve().unwrap();
    let site = Site::start(&vendor);
    (vendor, site)
}

#[test]
fn a_user_connects_sees_who_it_is_and_logs_out() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    browser.get("/").says(200, "Connect with Tradovate");
    browser.log_in(&vendor, "trader");
    browser.get("/me").says(200, "Tess Trader");
    browser.get("/me").says(200, "good until");
    browser.get("/").says(200, "Tess Trader");
    assert_eq!(exchanges(&vendor), 1);
    let page = browser.post("/logout", &[]);
    assert_eq!((page.status, page.location.as_str()), (303, "/"));
    browser.get("/").says(200, "Connect with Tradovate");
}

#[test]
fn a_stranger_sees_nobody() {
    let (vendor, site) = world();
    Browser::at(&site).log_in(&vendor, "trader");
    let mut stranger = Browser::at(&site);
    stranger.get("/me").says(401, "You are not logged in");
    stranger.cookies.insert("session".into(), "0".repeat(64));
    stranger.get("/me").says(401, "You are not logged in");
    stranger.get("/elsewhere").says(404, "Nothing here");
}

#[test]
fn without_credentials_it_runs_on_a_simulator_and_says_so() {
    let vendor = vendor().serve().unwrap();
    vendor.with(|simulator| simulator.oauth_client_mut("web-app").unwrap().redirect_uris.clear());
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_CLIENT_ID", "")]);
    assert!(
        site.printed().starts_with("TRADOVATE_CLIENT_ID is not set, so the server is a simulator at http://127.0.0.1:")
    );
    assert!(site.printed().contains("sign in there as synthetic-user with synthetic-password"));
    let mut browser = Browser::at(&site);
    let url = browser.connect();
    let page = browser.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(page.contains("Synthetic Web App") && page.contains("Returns to"), "{page}");
}

#[test]
fn a_forged_redirect_is_refused_and_the_real_one_still_works() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    for forged in [
        "/callback?code=x&state=forged",
        "/callback?code=x",
        "/callback?error=access_denied&state=forged",
        "/callback",
        &format!("{callback}&code=twice"),
        &format!("{callback}%"),
    ] {
        browser.get(forged).says(400, "This was not the answer");
    }
    assert_eq!(exchanges(&vendor), 0);
    assert_eq!(browser.get(&callback).location, "/me");
}

#[test]
fn a_redirect_that_is_played_again_is_refused_and_the_session_stands() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    let mut former = Browser { cookies: browser.cookies.clone(), ..Browser::at(&site) };
    assert_eq!(browser.get(&callback).status, 303);
    browser.get(&callback).says(400, "No login was begun in this browser");
    former.get(&callback).says(400, "No login was begun in this browser");
    browser.get("/me").says(200, "Tess Trader");
    assert_eq!(exchanges(&vendor), 1);
}

#[test]
fn a_code_is_exchanged_on_get_only() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    for method in ["HEAD", "OPTIONS", "DELETE", "TRACE"] {
        let page = browser.send(method, &callback);
        assert_eq!((page.status, page.guards[4].as_deref()), (405, Some("GET")), "{method}");
    }
    browser.post(&callback, &[]).says(405, "A redirect is a GET.");
    assert_eq!(exchanges(&vendor), 0);
    assert_eq!(browser.get(&callback).location, "/me");
    browser.get("/me").says(200, "Tess Trader");
    assert_eq!(exchanges(&vendor), 1);
}

#[test]
fn half_sent_requests_keep_nobody_out_for_long() {
    let (_vendor, site) = world();
    let address = site.url().strip_prefix("http://").unwrap();
    // More than it serves at the same time.
    let mut half_open: Vec<_> = (0..150)
        .map(|_| {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            connection
        })
        .collect();
    Browser::at(&site).get("/").says(200, "Welcome");
    assert_eq!(half_open[0].read(&mut [0; 1]).unwrap(), 0, "the server closes it");
}

#[test]
fn of_redirects_at_the_same_time_one_is_answered() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    let cookies = &browser.cookies;
    let start = Barrier::new(8);
    let pages = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut tab = Browser { cookies: cookies.clone(), ..Browser::at(&site) };
                    start.wait();
                    (tab.get(&callback).status, tab.get("/me").status)
                })
            })
            .collect();
        tries.into_iter().map(|tab| tab.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(pages.iter().filter(|page| **page == (303, 200)).count(), 1, "{pages:?}");
    assert_eq!(pages.iter().filter(|page| **page == (400, 401)).count(), 7, "{pages:?}");
    assert_eq!(exchanges(&vendor), 1);
}

#[test]
fn a_login_is_finished_in_the_browser_that_began_it_and_in_no_other() {
    let (vendor, site) = world();
    let (mut mine, mut theirs) = (Browser::at(&site), Browser::at(&site));
    let callback = mine.allow(&vendor, "trader");
    theirs.get(&callback).says(400, "No login was begun in this browser");
    theirs.connect();
    theirs.get(&callback).says(400, "This was not the answer");
    assert_eq!(exchanges(&vendor), 0);
    assert_eq!(mine.get(&callback).location, "/me");
}

#[test]
fn a_code_beside_an_error_is_not_used_and_ends_the_login() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    browser.get(&format!("{callback}&error=access_denied")).says(400, "a code beside an error");
    browser.get(&callback).says(400, "No login was begun in this browser");
    assert_eq!(exchanges(&vendor), 0);
}

#[test]
fn a_user_who_denies_can_try_again() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let back = vendor.deny(&browser.connect()).unwrap();
    let callback = back.strip_prefix(site.url()).unwrap();
    let page = browser.get(callback);
    page.says(403, "The user denied access");
    page.says(403, "You did not allow it");
    page.says(403, AGAIN);
    browser.log_in(&vendor, "trader");
}

#[test]
fn who_says_no_and_what_to_do_is_told_by_the_kind_of_the_denial() {
    let (_vendor, site) = world();
    let mut browser = Browser::at(&site);
    for (error, nothing) in [
        ("temporarily_unavailable", "Nothing was connected: try again later."),
        ("invalid_request", "Nothing was connected. "),
        ("something_else", "Nothing was connected. "),
    ] {
        let url = browser.connect();
        let page = browser.get(&format!("/callback?error={error}&state={}", state(&url)));
        for text in ["<h1>Tradovate’s page could not log you in</h1>", nothing, error, AGAIN] {
            page.says(502, text);
        }
        assert!(!page.text.contains("client_id"), "{}", page.text);
    }
    // The owner of the site sees all of it.
    site.await_line(|line| line.contains("invalid_request") && line.contains("client_id"));
}

#[test]
fn two_users_see_themselves_only() {
    let (vendor, site) = world();
    let (mut one, mut two) = (Browser::at(&site), Browser::at(&site));
    let (callback_of_one, callback_of_two) = (one.allow(&vendor, "trader"), two.allow(&vendor, "other"));
    assert_eq!(two.get(&callback_of_two).status, 303);
    assert_eq!(one.get(&callback_of_one).status, 303);
    let (page_of_one, page_of_two) = (one.get("/me"), two.get("/me"));
    assert!(page_of_one.text.contains("Tess Trader") && !page_of_one.text.contains("Otto Other"));
    assert!(page_of_two.text.contains("Otto Other") && !page_of_two.text.contains("Tess Trader"));
    one.post("/logout", &[]);
    one.get("/me").says(401, "You are not logged in");
    two.get("/me").says(200, "Otto Other");
}

#[test]
fn a_login_brings_a_new_secret_and_a_planted_one_is_worth_nothing() {
    let (vendor, site) = world();
    let planted = "0".repeat(64);
    let mut browser = Browser::at(&site);
    browser.cookies.insert("session".into(), planted.clone());
    browser.log_in(&vendor, "trader");
    let first = browser.cookies["session"].clone();
    assert_ne!(first, planted);

    browser.log_in(&vendor, "other");
    assert_ne!(browser.cookies["session"], first);
    for secret in [planted, first] {
        let mut thief = Browser::at(&site);
        thief.cookies.insert("session".into(), secret);
        thief.get("/me").says(401, "You are not logged in");
    }
}

#[test]
fn cookies_are_for_this_site_and_not_for_scripts() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let begun = browser.post("/connect", &[]);
    let login = begun.set_cookies[0].split_once(';').unwrap();
    assert_eq!(login.1, " Path=/; HttpOnly; SameSite=Lax; Max-Age=600");
    assert_eq!(login.0.len(), "login=".len() + 64);
    let back = vendor.consent("trader", &begun.location).unwrap();
    let done = browser.get(back.strip_prefix(site.url()).unwrap());
    let session = done.set_cookies[0].split_once(';').unwrap();
    assert_eq!(session.1, " Path=/; HttpOnly; SameSite=Lax; Max-Age=604800");
    assert_eq!(session.0.len(), "session=".len() + 64);
    assert_eq!(done.set_cookies[1], "login=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    let over = browser.post("/logout", &[]);
    assert_eq!(over.set_cookies, ["session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]);
}

#[test]
fn with_https_cookies_are_secure_and_bound_to_the_host() {
    let vendor = vendor().serve().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let site = Site::start_with(
        &vendor,
        &[],
        &[("TRADOVATE_PUBLIC_URL", "https://app.example/"), ("TRADOVATE_REDIRECT_PORT", &port)],
    );
    assert_eq!(site.url(), "https://app.example");
    // What stands in front of it with TLS comes from this machine.
    let mut browser = Browser { site: format!("http://127.0.0.1:{port}"), ..Browser::at(&site) };
    let begun = browser.post("/connect", &[("origin", "https://app.example")]);
    assert!(begun.location.contains("redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&"), "{}", begun.location);
    let cookie = &begun.set_cookies[0];
    assert!(cookie.starts_with("__Host-login="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"), "{cookie}");
    let back = vendor.consent("trader", &begun.location).unwrap();
    assert_eq!(browser.get(back.strip_prefix("https://app.example").unwrap()).location, "/me");
    assert!(browser.cookies.contains_key("__Host-session"));
    browser.get("/me").says(200, "Tess Trader");
}

#[test]
fn what_another_site_sends_is_refused() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    browser.log_in(&vendor, "trader");
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        browser.post("/connect", &[foreign]).says(403, "Another site has sent this request");
        browser.post("/logout", &[foreign]).says(403, "Another site has sent this request");
    }
    browser.get("/me").says(200, "Tess Trader");
    for own in [("origin", site.url()), ("sec-fetch-site", "same-origin")] {
        assert_eq!(browser.post("/connect", &[own]).status, 303);
    }
    // A link or an image can't change anything.
    assert_eq!((browser.get("/connect").status, browser.get("/logout").status), (405, 405));
}

#[test]
fn every_answer_is_guarded() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    let pages = ["/", "/me", "/callback?code=x&state=forged", &callback, "/me", "/connect", "/nowhere"]
        .map(|path| browser.get(path));
    for page in pages {
        let guards = page.guards.iter().map(|guard| guard.as_deref().unwrap_or_default()).collect::<Vec<_>>();
        assert_eq!(guards[..2], ["no-store", "strict-origin"]);
        assert_eq!(guards[2], "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
    }
}

#[test]
fn a_wrong_client_secret_is_told_in_words() {
    let vendor = vendor().serve().unwrap();
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_CLIENT_SECRET", "canary-wrong")]);
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    assert_eq!(browser.get(&callback).location, "/me");
    let page = browser.get("/me");
    for text in ["<h1>The site could not log you in</h1>", "client_secret", AGAIN] {
        page.says(502, text);
    }
    assert_eq!(page.set_cookies, ["session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]);
    browser.get("/me").says(401, "You are not logged in");
}

#[test]
fn html_in_a_name_or_a_refusal_is_text() {
    let (vendor, site) = world();
    let name = r#"<script>alert("x")</script>&'"#;
    vendor.with(|simulator| simulator.user_mut("trader").unwrap().full_name = name.into());
    let mut browser = Browser::at(&site);
    browser.log_in(&vendor, "trader");
    for path in ["/me", "/"] {
        let page = browser.get(path);
        page.says(200, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;");
        assert!(!page.text.contains("<script"), "{}", page.text);
    }
    let state = state(&browser.connect());
    let refusal = format!("/callback?error=%3Cimg%20src=x%3E&error_description=%3Cb%3Ebold%3C/b%3E&state={state}");
    let page = browser.get(&refusal);
    assert!(page.status == 502 && !page.text.contains("<img") && !page.text.contains("<b>"), "{}", page.text);
}

#[test]
fn a_lock_out_holds_back_every_user() {
    let (vendor, site) = world();
    let (mut one, mut two) = (Browser::at(&site), Browser::at(&site));
    let (callback_of_one, callback_of_two) = (one.allow(&vendor, "trader"), two.allow(&vendor, "other"));
    vendor.lock_out(LockOut::too_many_requests());
    for (browser, callback) in [(&mut one, callback_of_one), (&mut two, callback_of_two)] {
        assert_eq!(browser.get(&callback).location, "/me");
        let page = browser.get("/me");
        page.says(502, "<h1>The login was not finished</h1>");
        page.says(502, AGAIN);
        assert_eq!(exchanges(&vendor), 1);
        vendor.release();
    }
}

#[test]
fn a_lock_out_that_the_question_who_it_is_meets_holds_back_every_user() {
    let (vendor, site) = world();
    let (mut one, mut two) = (Browser::at(&site), Browser::at(&site));
    let callback_of_two = two.allow(&vendor, "other");
    let lock_out = Response::builder().status(429).body(Vec::new()).unwrap();
    vendor.with(|simulator| simulator.answer_next(Endpoint::Me, lock_out));
    one.log_in(&vendor, "trader");
    one.get("/me").says(200, "somebody whose name is not known yet");
    assert_eq!(vendor.statistics().requests(Endpoint::Me), 1);
    assert_eq!(two.get(&callback_of_two).location, "/me");
    two.get("/me").says(502, "The login was not finished");
    assert_eq!(exchanges(&vendor), 1);
}

#[test]
fn a_name_that_is_missing_at_first_is_asked_for_again() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let fault = Response::builder().status(503).body(Vec::new()).unwrap();
    vendor.with(|simulator| simulator.answer_next(Endpoint::Me, fault));
    let callback = browser.allow(&vendor, "trader");
    browser.get(&callback);
    browser.get("/me").says(200, "somebody whose name is not known yet");
    browser.get("/me").says(200, "Tess Trader");
    browser.get("/me").says(200, "Tess Trader");
    assert_eq!(vendor.statistics().requests(Endpoint::Me), 2);
}

#[test]
fn a_wait_that_the_vendor_asks_for_costs_no_consent() {
    let world = Stored::new("wait");
    let mut browser = Browser::at(world.site());
    let callback = browser.allow(&world.vendor, "trader");
    // Longer than a browser is made to wait.
    world.vendor.penalize_next(Duration::from_secs(25));
    let page = browser.get(&callback);
    assert_eq!((page.status, page.location.as_str()), (303, "/me"));
    world.site().await_line(|line| line.contains("postponed by the server until"));
    assert_eq!(browser.get("/").location, "/me");
    let page = browser.get("/me");
    for text in ["<h1>Still logging in</h1>", r#"<a id="reload" href="/me">"#, AGAIN] {
        page.says(503, text);
    }
    let retry_after = page.guards[3].as_ref().unwrap().parse::<u64>().unwrap();
    assert!((20..=25).contains(&retry_after), "{retry_after}");
    thread::sleep(Duration::from_secs(6));
    browser.get("/me").says(200, "Tess Trader");
    assert_eq!(exchanges(&world.vendor), 2);
    assert_eq!(rows(&mut world.tables(), "sessions").count(), 1);
}

#[test]
fn a_long_wait_is_not_announced_and_another_login_replaces_it() {
    let world = Stored::new("long-wait");
    let mut browser = Browser::at(world.site());
    let callback = browser.allow(&world.vendor, "trader");
    world.vendor.penalize_next(Duration::from_secs(300));
    browser.get(&callback);
    world.site().await_line(|line| line.contains("postponed by the server until"));
    let page = browser.get("/me");
    page.says(503, "Still logging in");
    assert_eq!(page.guards[3], None);
    world.vendor.release();
    browser.log_in(&world.vendor, "trader");
    world.site().await_line(|line| line.contains("session 1: stopped: the session was forgotten"));
    assert_eq!(rows(&mut world.tables(), "sessions").count(), 1);
}

#[test]
fn a_login_that_is_lost_leaves_nothing_behind() {
    let world = Stored::new("lost");
    let mut browser = Browser::at(world.site());
    let callback = browser.allow(&world.vendor, "trader");
    let fault = Response::builder().status(500).body(Vec::new()).unwrap();
    world.vendor.with(|simulator| simulator.answer_next(Endpoint::OauthToken, fault));
    browser.get(&callback);
    browser.get("/me").says(502, AGAIN);
    assert_eq!(exchanges(&world.vendor), 1);
    let tables = world.tables();
    assert_eq!((&tables["sessions"], &tables["logins"]), (&json!({}), &json!({})));
    assert!(browser.cookies.is_empty());
}

#[test]
fn who_waits_for_a_session_that_another_login_replaces_is_shown_the_new_one() {
    let (vendor, site) = world();
    let mut browser = Browser::at(&site);
    let callback = browser.allow(&vendor, "trader");
    // A wait that a browser does wait for.
    vendor.penalize_next(Duration::from_secs(15));
    browser.get(&callback);
    site.await_line(|line| line.contains("postponed by the server until"));
    let mut tab = Browser { cookies: browser.cookies.clone(), ..Browser::at(&site) };
    let page = thread::scope(|scope| {
        let waiting = scope.spawn(move || tab.get("/me"));
        thread::sleep(Duration::from_secs(2)); // it has asked by then
        vendor.release();
        browser.log_in(&vendor, "trader");
        waiting.join().unwrap()
    });
    assert_eq!((page.status, page.location.as_str(), page.set_cookies.len()), (303, "/me", 0));
    browser.get("/me").says(200, "Tess Trader");
}

#[test]
fn after_the_consent_is_gone_another_login_replaces_the_session() {
    let vendor = vendor().lifetime(Duration::from_secs(6)).serve().unwrap();
    let site = Site::start(&vendor);
    let mut browser = Browser::at(&site);
    browser.log_in(&vendor, "trader");
    vendor.with(|simulator| simulator.revoke("trader"));
    let page = loop {
        let page = browser.get("/me");
        if page.status != 200 {
            break page;
        }
        thread::sleep(Duration::from_millis(300));
    };
    page.says(503, "<h1>No access at the moment</h1>");
    page.says(503, AGAIN);
    assert_eq!(browser.get("/").location, "/me");
    browser.log_in(&vendor, "trader");
    site.await_line(|line| line.contains("session 1: stopped: the session was forgotten"));
}

#[test]
fn it_is_used_by_one_name_and_sends_those_to_it_who_come_by_another() {
    let (_vendor, site) = world();
    let port = site.url().rsplit(':').next().unwrap();
    let mut browser = Browser { site: format!("http://localhost:{port}"), ..Browser::at(&site) };
    let start = format!("{}/", site.url());
    for path in ["/", "/me", "//evil.example/", "/callback?code=x&state=y"] {
        let page = browser.get(path);
        assert_eq!((page.status, page.location.as_str()), (303, start.as_str()), "{path}");
    }
    let page = browser.post("/connect", &[]);
    assert_eq!((page.location.as_str(), page.set_cookies.len()), (start.as_str(), 0));
    let page = browser.agent.get(site.url()).header("host", "evil.example").call().unwrap();
    assert_eq!(page.headers()["location"].to_str().unwrap(), start);
}

#[test]
fn it_listens_where_its_redirect_uri_leads() {
    let vendor = vendor().serve().unwrap();
    let has_v6 = TcpListener::bind("[::1]:0").is_ok();
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_REDIRECT_HOST", "localhost")]);
    let port = site.url().strip_prefix("http://localhost:").unwrap().to_owned();
    for address in ["127.0.0.1", "[::1]"].into_iter().filter(|address| has_v6 || *address == "127.0.0.1") {
        assert!(TcpStream::connect(format!("{address}:{port}")).is_ok(), "{address}");
    }
    // A proxy in front comes to 127.0.0.1, whatever the host.
    let variables = [("TRADOVATE_REDIRECT_HOST", "app.example"), ("TRADOVATE_PUBLIC_URL", "https://app.example")];
    assert_eq!(Site::start_with(&vendor, &[], &variables).url(), "https://app.example");
}

#[test]
fn a_session_is_kept_alive_while_nobody_looks() {
    let vendor = vendor().lifetime(Duration::from_secs(6)).serve().unwrap();
    let site = Site::start(&vendor);
    Browser::at(&site).log_in(&vendor, "trader");
    let line = site.await_line(|line| line.contains("refreshed, good until") || line.contains("renewed, good until"));
    assert!(line.contains("Z session 1: "), "{line}");
}

/// A web server whose database is a file, to look into and to start again with.
struct Stored {
    directory: Directory,
    vendor: Server,
    site: Option<Site>,
    port: String,
}

impl Stored {
    fn new(name: &str) -> Self {
        let mut stored =
            Self { directory: Directory::new(name), vendor: vendor().serve().unwrap(), site: None, port: "0".into() };
        stored.start();
        stored
    }

    fn file(&self) -> String {
        self.directory.path().join("database.json").to_str().unwrap().to_owned()
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

    fn tables(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file()).unwrap()).unwrap()
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

#[test]
fn a_session_and_a_login_live_through_a_restart() {
    let mut world = Stored::new("restart");
    let (mut one, mut two) = (Browser::at(world.site()), Browser::at(world.site()));
    one.log_in(&world.vendor, "trader");
    let callback = two.allow(&world.vendor, "other");
    world.start();
    one.get("/me").says(200, "Tess Trader");
    world.site().await_line(|line| line.contains("Z session 1: adopted a token"));
    assert_eq!(exchanges(&world.vendor), 1);
    assert_eq!(two.get(&callback).location, "/me");
    two.get("/me").says(200, "Otto Other");
}

#[test]
fn logging_out_leaves_nothing_behind() {
    let mut world = Stored::new("logout");
    let mut browser = Browser::at(world.site());
    browser.log_in(&world.vendor, "trader");
    let cookies = browser.cookies.clone();
    assert_eq!(world.tables()["sessions"].as_object().unwrap().len(), 1);
    browser.post("/logout", &[]);
    assert_eq!((&world.tables()["sessions"], &world.tables()["logins"]), (&json!({}), &json!({})));
    assert!(browser.cookies.is_empty());
    world.site().await_line(|line| line.contains("session 1: stopped: the session was forgotten"));
    let mut again = Browser { cookies: cookies.clone(), ..Browser::at(world.site()) };
    again.get("/me").says(401, "You are not logged in");
    world.start();
    let mut again = Browser { cookies, ..Browser::at(world.site()) };
    again.get("/me").says(401, "You are not logged in");
}

#[test]
fn a_login_that_took_too_long_and_a_session_that_is_too_old_are_over() {
    let mut world = Stored::new("age");
    let (mut one, mut two) = (Browser::at(world.site()), Browser::at(world.site()));
    one.log_in(&world.vendor, "trader");
    let callback = two.allow(&world.vendor, "other");
    let long_ago = |minutes: i64| json!(world.vendor.now() - jiff::SignedDuration::from_mins(minutes));
    let (login, session) = (long_ago(11), long_ago(7 * 24 * 60 + 1));
    world.change(|tables| {
        rows(tables, "logins").for_each(|row| row["began"] = login.clone());
        rows(tables, "sessions").for_each(|row| row["began"] = session.clone());
    });
    one.get("/me").says(401, "You are not logged in");
    two.get(&callback).says(400, "No login was begun in this browser");
}

#[test]
fn a_session_ends_with_its_time_whoever_asks() {
    let mut world = Stored::new("over");
    let mut browser = Browser::at(world.site());
    browser.log_in(&world.vendor, "trader");
    let nearly = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24) + jiff::SignedDuration::from_secs(6);
    world.change(|tables| rows(tables, "sessions").for_each(|row| row["began"] = json!(nearly)));
    browser.get("/me").says(200, "Tess Trader");
    thread::sleep(Duration::from_secs(6));
    let mut stranger = Browser::at(world.site());
    stranger.cookies.insert("session".into(), "0".repeat(64));
    stranger.get("/me").says(401, "You are not logged in");
    world.site().await_line(|line| line.contains("session 1: stopped: the session was forgotten"));
    browser.get("/me").says(401, "You are not logged in");
}

#[test]
fn a_session_without_tokens_is_gone_after_the_life_of_a_code() {
    let mut world = Stored::new("codeless");
    let mut browser = Browser::at(world.site());
    let callback = browser.allow(&world.vendor, "trader");
    world.vendor.penalize_next(Duration::from_secs(300));
    browser.get(&callback);
    world.site().await_line(|line| line.contains("postponed by the server until"));
    browser.get("/me").says(503, "Still logging in");
    let long_ago = json!(jiff::Timestamp::now() - jiff::SignedDuration::from_mins(16));
    world.change(|tables| {
        rows(tables, "sessions").for_each(|row| {
            assert_eq!(row["snapshot"], Value::Null);
            row["began"] = long_ago.clone();
        });
    });
    browser.get("/me").says(401, "You are not logged in");
    browser.connect();
    assert_eq!(world.tables()["sessions"], json!({}));
}

#[test]
#[cfg(unix)]
fn the_file_is_its_owners_and_written_for_changes_only() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let world = Stored::new("file");
    let mut browser = Browser::at(world.site());
    let neighbour = world.directory.path().join("database.new");
    std::fs::write(&neighbour, "somebody else's").unwrap();
    browser.connect();
    std::fs::set_permissions(world.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let callback = browser.allow(&world.vendor, "trader");
    let file = || std::fs::metadata(world.file()).unwrap();
    assert_eq!(file().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(neighbour).unwrap(), "somebody else's");
    assert_eq!(std::fs::read_dir(world.directory.path()).unwrap().count(), 2, "nothing is left over");
    browser.get(&callback);
    browser.get("/me").says(200, "Tess Trader");

    // Each writing makes another file, whose number may be an older one's.
    let version = || (file().ino(), file().mtime(), file().mtime_nsec());
    let before = version();
    let mut stranger = Browser::at(world.site());
    let mut guesser = Browser::at(world.site());
    guesser.cookies.extend(["login", "session"].map(|name| (name.to_owned(), "0".repeat(64))));
    for browser in [&mut browser, &mut stranger, &mut guesser] {
        for path in ["/", "/me", "/callback?code=x&state=y", "/callback", "/nowhere"] {
            browser.get(path);
        }
    }
    stranger.post("/logout", &[]);
    guesser.post("/logout", &[]);
    assert_eq!(version(), before);
    let mut begun = Browser::at(world.site());
    begun.connect();
    let before = version();
    begun.get("/callback?code=x&state=forged").says(400, "This was not the answer");
    assert_eq!(version(), before);
}

/// Whatever its name is: no name of a new file is that of the old one.
#[test]
#[cfg(unix)]
fn a_file_that_can_not_be_written_stays_as_it_was() {
    let vendor = vendor().serve().unwrap();
    for name in ["database.json", "database.new", "new", ".new"] {
        let directory = Directory::new(&format!("full-{name}"));
        let file = directory.path().join(name).to_str().unwrap().to_owned();
        let site = Site::start_with(&vendor, &["--store", &file], &[]);
        Browser::at(&site).connect();
        drop(site);
        let before = std::fs::read(&file).unwrap();

        // Files are full as soon as they are made.
        let mut full = Command::new("/bin/sh");
        full.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#]).arg(example("oauth-web-server"));
        let site = Site::start_by(full, &vendor, &["--store", &file], &[]);
        assert_eq!(Browser::at(&site).post("/connect", &[]).status, 500, "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{name}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn strangers_can_not_fill_the_memory_with_logins() {
    let mut world = Stored::new("many");
    let mut browser = Browser::at(world.site());
    let callback = browser.allow(&world.vendor, "trader");
    world.change(|tables| {
        let row = rows(tables, "logins").next().unwrap().clone();
        for number in 0..10_000 {
            tables["logins"][number.to_string()] = row.clone();
        }
        // The oldest makes room.
        tables["logins"]["77"]["began"] = json!(jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5));
    });
    Browser::at(world.site()).connect();
    let tables = world.tables();
    let logins = tables["logins"].as_object().unwrap();
    assert_eq!((logins.len(), logins.contains_key("77")), (10_000, false));
    assert_eq!(browser.get(&callback).status, 303);
}

#[test]
fn no_secret_is_printed_or_shown_even_at_trace_level() {
    let world = Stored::new("secrets");
    let mut browser = Browser::at(world.site());
    let mut secrets = vec![CLIENT_SECRET.to_owned(), PASSWORD.to_owned()];
    let mut shown = String::new();

    let callback = browser.allow(&world.vendor, "trader");
    secrets.extend(browser.cookies.values().cloned());
    let login = rows(&mut world.tables(), "logins").next().unwrap()["authorization"].as_str().unwrap().to_owned();
    let login: Value = serde_json::from_str(&login).unwrap();
    secrets.extend(["state", "codeVerifier"].map(|name| login["awaited"][name].as_str().unwrap().to_owned()));
    secrets.push(callback.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned());
    for path in [&format!("{callback}&code=twice"), &callback, &callback, "/me", "/"] {
        shown.push_str(&browser.get(path).text);
    }
    secrets.extend(browser.cookies.values().cloned());
    let session = rows(&mut world.tables(), "sessions").next().unwrap()["snapshot"].as_str().unwrap().to_owned();
    let session: Value = serde_json::from_str(&session).unwrap();
    secrets.extend(["access", "refresh"].map(|name| session[name]["token"].as_str().unwrap().to_owned()));
    browser.post("/logout", &[]);
    world.site().await_line(|line| line.contains("the session was forgotten"));

    world.site().await_line(|line| line.contains("tradovate_auth{endpoint=")); // there is a log to look at
    shown.push_str(&world.site().printed());
    assert_eq!(secrets.len(), 9);
    for secret in secrets {
        assert!(secret.len() > 8 && !shown.contains(&secret), "{secret} in {shown}");
    }
}

#[test]
fn what_it_can_not_start_with_is_told_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = Command::new(example("oauth-web-server"))
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr
    };
    let said = run(&[], &[("TRADOVATE_REDIRECT_PORT", &port)]);
    assert!(said.starts_with(&format!("can't listen at port {port} of 127.0.0.1, free it, or")), "{said}");
    if let Ok(other) = TcpListener::bind("[::1]:0") {
        let port = other.local_addr().unwrap().port().to_string();
        let said = run(&[], &[("TRADOVATE_REDIRECT_HOST", "localhost"), ("TRADOVATE_REDIRECT_PORT", &port)]);
        assert!(said.starts_with(&format!("can't listen at port {port} of ")), "{said}");
    }
    let said = run(&[], &[("TRADOVATE_REDIRECT_HOST", "0.0.0.0"), ("TRADOVATE_REDIRECT_PORT", "0")]);
    assert!(said.starts_with("TRADOVATE_REDIRECT_HOST must be 127.0.0.1, localhost or [::1]"), "{said}");
    let said = run(&[], &[("TRADOVATE_REDIRECT_PORT", "many")]);
    assert!(said.starts_with("TRADOVATE_REDIRECT_PORT must be a number"), "{said}");
    assert!(run(&["--from"], &[]).starts_with(r#""--from" is no option; usage: oauth-web-server"#));
    assert!(run(&["--store"], &[]).starts_with("--store needs a file; usage: oauth-web-server"));
    let pinned = [
        ("TRADOVATE_REDIRECT_PORT", "0"),
        ("TRADOVATE_CLIENT_ID", "web-app"),
        ("TRADOVATE_API_URL", "http://127.0.0.1:1/v1"),
    ];
    let said = run(&[], &pinned);
    assert!(said.contains("no authorize URL is known"), "{said}");
}
