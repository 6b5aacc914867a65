//! Tests of a login in a real browser: the example web server, the simulator's page, and Chromium.
//!
//! They need Chromium and its driver (Debian: `chromium`, `chromium-driver`). Without these, the tests are ignored,
//! unless `TRADOVATE_AUTH_BROWSER=required` is set.

#[path = "../it/support/site.rs"]
#[allow(dead_code, reason = "what the other tests need of it")]
mod site;

mod chromium;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tradovate_auth_simulator::{Endpoint, Server};

use chromium::{Browser, is_there_or_required};
use site::{PASSWORD, Site, vendor};

const TESTS: [(&str, fn()); 3] = [
    ("a_user_can_allow_log_in_and_log_out", a_user_can_allow_log_in_and_log_out),
    ("a_user_who_denies_or_mistypes_can_try_again", a_user_who_denies_or_mistypes_can_try_again),
    ("another_site_cannot_log_a_user_out", another_site_cannot_log_a_user_out),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ignored = !is_there_or_required();
    if is_ignored {
        eprintln!("not run: the browser tests need chromium and chromedriver (Debian: chromium, chromium-driver)");
    }
    let trial = |(name, test): (&str, fn())| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored)
    };
    libtest_mimic::run(&arguments, TESTS.map(trial).into()).exit_code()
}

/// The servers of a test.
struct World {
    vendor: Server,
    site: Site,
}

/// Runs a test with a browser of its own, which is closed afterwards.
fn with_browser(test: impl AsyncFnOnce(&World, &Browser)) {
    let vendor = vendor().serve().unwrap();
    // For a browser, `localhost` and `127.0.0.1` are two sites, like the vendor's site and the web server's.
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_REDIRECT_HOST", "localhost")]);
    Runtime::new().unwrap().block_on(async {
        let browser = Browser::start().await;
        test(&World { vendor, site }, &browser).await;
        browser.quit().await;
    });
}

impl World {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url())
    }

    fn exchanges(&self) -> u64 {
        self.vendor.statistics().requests(Endpoint::OauthToken)
    }

    /// Starts a login with the button, and waits for the vendor's page.
    async fn connect(&self, browser: &Browser) {
        browser.open(&self.url("/")).await;
        browser.click("#connect").await;
        browser.sees("Allow Synthetic Web App to use your account?").await;
    }

    async fn log_in(&self, browser: &Browser) {
        self.connect(browser).await;
        browser.sign_in("trader", PASSWORD).await;
        browser.sees("You are logged in").await;
    }
}

fn a_user_can_allow_log_in_and_log_out() {
    with_browser(async |world, browser| {
        world.log_in(browser).await;
        assert_eq!(browser.url().await, world.url("/me"));
        assert_eq!(browser.text("#user").await, "Tess Trader");
        assert_eq!(browser.cookies_for_scripts().await, "");
        assert_eq!(world.exchanges(), 1);
        browser.click("#logout").await;
        browser.sees("Welcome").await;
        browser.open(&world.url("/me")).await;
        browser.sees("You are not logged in").await;
    });
}

fn a_user_who_denies_or_mistypes_can_try_again() {
    with_browser(async |world, browser| {
        world.connect(browser).await;
        browser.click("#deny").await;
        browser.sees("You did not allow access").await;
        assert_eq!(browser.text("#said").await, "access_denied: The user denied access");
        browser.click("#connect").await;
        browser.sees("Allow Synthetic Web App").await;
        browser.sign_in("trader", "wrong").await;
        assert!(browser.text("#error").await.starts_with("Incorrect username or password"));
        assert!(browser.url().await.starts_with(&world.vendor.authorize_url()));
        browser.sign_in("", PASSWORD).await; // the form still has the name
        browser.sees("You are logged in").await;
        assert_eq!(browser.text("#user").await, "Tess Trader");
    });
}

fn another_site_cannot_log_a_user_out() {
    with_browser(async |world, browser| {
        world.log_in(browser).await;
        browser.open(&world.vendor.authorize_url()).await;
        browser.send_form(&world.url("/logout")).await;
        browser.sees("Request refused").await;
        browser.open(&world.url("/me")).await;
        assert_eq!(browser.text("#user").await, "Tess Trader");
    });
}
