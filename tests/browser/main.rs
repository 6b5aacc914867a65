//! A login in a real browser: the web server of the examples, the simulator's page, and Chromium in between.
//!
//! It needs Chromium and its driver (Debian: `chromium`, `chromium-driver`). Without them the tests are ignored, unless
//! `TRADOVATE_AUTH_BROWSER=required` is set.

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

macro_rules! trials {
    ($($test:ident),* $(,)?) => { vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*] };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = trials![
        a_user_allows_and_is_logged_in,
        a_user_denies_and_tries_again,
        a_wrong_password_is_refused_at_the_vendors_page,
        a_redirect_that_is_played_again_is_refused_and_the_session_stands,
        a_forged_redirect_is_refused_and_the_login_can_still_be_finished,
        two_users_log_in_at_once_and_each_sees_itself,
        a_user_logs_out,
        another_site_can_not_log_a_user_out,
    ];
    let is_ignored = !is_there_or_required();
    if is_ignored {
        eprintln!("not run: the browser tests need chromium and chromedriver (Debian: chromium, chromium-driver)");
    }
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(is_ignored)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a test is about.
struct World {
    vendor: Server,
    site: Site,
}

/// Runs a test with browsers of its own, each with its own profile; all of them are gone afterwards.
fn with_browsers<const N: usize>(test: impl AsyncFnOnce(&World, [&Browser; N])) {
    let vendor = vendor().serve().unwrap();
    // To a browser `localhost` and `127.0.0.1` are two sites, as the vendor's and the web server's are.
    let site = Site::start_with(&vendor, &[], &[("TRADOVATE_REDIRECT_HOST", "localhost")]);
    Runtime::new().unwrap().block_on(async {
        let mut browsers = Vec::new();
        for _ in 0..N {
            browsers.push(Browser::start().await);
        }
        test(&World { vendor, site }, std::array::from_fn(|number| &browsers[number])).await;
        for browser in browsers {
            browser.quit().await;
        }
    });
}

impl World {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url())
    }

    fn exchanges(&self) -> u64 {
        self.vendor.statistics().requests(Endpoint::OauthToken)
    }

    /// Begins a login by the button, up to the vendor's page.
    async fn connect(&self, browser: &Browser) {
        browser.open(&self.url("/")).await;
        browser.click("#connect").await;
        browser.sees("Allow Synthetic Web App to use your account?").await;
    }

    async fn log_in(&self, browser: &Browser, user: &str) {
        self.connect(browser).await;
        browser.sign_in(user, PASSWORD).await;
        browser.sees("You are logged in").await;
    }

    /// What the vendor would send the browser back to, which is at the vendor's page.
    async fn way_back(&self, browser: &Browser) -> String {
        self.vendor.consent("trader", &browser.url().await).unwrap()
    }
}

fn a_user_allows_and_is_logged_in() {
    with_browsers(async |world, [browser]| {
        world.log_in(browser, "trader").await;
        assert_eq!(browser.url().await, world.url("/me"));
        assert_eq!(browser.text("#user").await, "Tess Trader");
        assert_eq!(browser.cookies_for_scripts().await, "");
        assert_eq!(world.exchanges(), 1);
    });
}

fn a_user_denies_and_tries_again() {
    with_browsers(async |world, [browser]| {
        world.connect(browser).await;
        browser.click("#deny").await;
        browser.sees("You did not allow it").await;
        assert_eq!(browser.text("#said").await, "access_denied: The user denied access");
        browser.click("#connect").await;
        browser.sees("Allow Synthetic Web App").await;
        browser.sign_in("trader", PASSWORD).await;
        browser.sees("You are logged in").await;
    });
}

fn a_wrong_password_is_refused_at_the_vendors_page() {
    with_browsers(async |world, [browser]| {
        world.connect(browser).await;
        browser.sign_in("trader", "wrong").await;
        assert!(browser.text("#error").await.starts_with("Incorrect username or password"));
        assert!(browser.url().await.starts_with(&world.vendor.authorize_url()));
        browser.sign_in("", PASSWORD).await; // the name is still there
        browser.sees("You are logged in").await;
        assert_eq!(browser.text("#user").await, "Tess Trader");
    });
}

fn a_redirect_that_is_played_again_is_refused_and_the_session_stands() {
    with_browsers(async |world, [browser]| {
        world.connect(browser).await;
        let callback = world.way_back(browser).await;
        browser.open(&callback).await;
        browser.sees("You are logged in").await;
        browser.open(&callback).await;
        browser.sees("There is no login to finish").await;
        assert_eq!(world.exchanges(), 1);
        browser.open(&world.url("/me")).await;
        assert_eq!(browser.text("#user").await, "Tess Trader");
    });
}

fn a_forged_redirect_is_refused_and_the_login_can_still_be_finished() {
    with_browsers(async |world, [browser]| {
        world.connect(browser).await;
        browser.open(&world.url("/callback?code=x&state=forged")).await;
        browser.sees("This was not the answer").await;
        assert_eq!(world.exchanges(), 0);
        browser.back().await;
        browser.sees("Allow Synthetic Web App").await;
        browser.sign_in("trader", PASSWORD).await;
        browser.sees("You are logged in").await;
    });
}

fn two_users_log_in_at_once_and_each_sees_itself() {
    with_browsers(async |world, [one, two]| {
        tokio::join!(world.log_in(one, "trader"), world.log_in(two, "other"));
        for (browser, name) in [(one, "Tess Trader"), (two, "Otto Other")] {
            browser.open(&world.url("/me")).await;
            assert_eq!(browser.text("#user").await, name);
        }
    });
}

fn a_user_logs_out() {
    with_browsers(async |world, [browser]| {
        world.log_in(browser, "trader").await;
        browser.click("#logout").await;
        browser.sees("Welcome").await;
        browser.open(&world.url("/me")).await;
        browser.sees("You are not logged in").await;
    });
}

fn another_site_can_not_log_a_user_out() {
    with_browsers(async |world, [browser]| {
        world.log_in(browser, "trader").await;
        browser.open(&world.vendor.authorize_url()).await;
        browser.send_form(&world.url("/logout")).await;
        browser.sees("Not from here").await;
        browser.open(&world.url("/me")).await;
        assert_eq!(browser.text("#user").await, "Tess Trader");
    });
}
