//! A headless Chromium, controlled by chromedriver. Each browser has a driver and a profile of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

/// The pause between two looks at a page that is still loading.
const OFTEN: Duration = Duration::from_millis(20);

const LONGEST_FAREWELL: Duration = Duration::from_secs(10);

/// Whether the tests run: a browser is installed, or required.
pub(crate) fn is_there_or_required() -> bool {
    is_there() || env::var("TRADOVATE_AUTH_BROWSER").is_ok_and(|value| value == "required")
}

fn is_there() -> bool {
    program("chromium").is_some() && program("chromedriver").is_some()
}

fn program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// A running driver. It and its browser end when it is dropped, even if the test failed.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    fn start(directory: &Path) -> Self {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = Self { child: driver.unwrap(), url: String::new() };
        let mut lines = BufReader::new(driver.child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        driver.url = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        thread::spawn(move || lines.for_each(drop)); // a full pipe would block the driver
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // If the driver was killed, its browser would continue to run.
        let farewell =
            ureq::get(format!("{}/shutdown", self.url)).config().timeout_global(Some(LONGEST_FAREWELL)).build();
        if farewell.call().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

pub(crate) struct Browser {
    client: Client,
    // Dropped in this order, because the profile is in use until the driver has ended.
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        assert!(is_there(), "the browser tests need chromium and chromedriver");
        let profile = tempfile::tempdir().unwrap();
        let driver = Driver::start(profile.path());
        let options = json!({
            "binary": program("chromium"),
            "args": [
                "--headless",
                        "--no-sandbox", // root can't use the sandbox, and the tests open only their own pages
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-proxy-server",
                "--window-size=480,720",
                format!("--user-data-dir={}", profile.path().display()),
            ],
        });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver.url).await;
        Self { client: client.unwrap(), _driver: driver, _profile: profile }
    }

    pub(crate) async fn quit(self) {
        self.client.close().await.unwrap();
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.client.current_url().await.unwrap().into()
    }

    /// Waits for a page whose heading starts with a text.
    pub(crate) async fn sees(&self, heading: &str) {
        let locator = format!("//h1[starts-with(normalize-space(.), '{heading}')]");
        if let Err(error) = self.client.wait().every(OFTEN).for_element(Locator::XPath(&locator)).await {
            panic!("no {heading:?} at {} ({error}): {}", self.url().await, self.text("main").await);
        }
    }

    async fn element(&self, selector: &str) -> Element {
        self.client.wait().every(OFTEN).for_element(Locator::Css(selector)).await.unwrap()
    }

    /// The visible text of an element.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.element(selector).await.text().await.unwrap()
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.unwrap();
    }

    /// Fills in the form of the vendor's page and allows. An empty name keeps the name in the form.
    pub(crate) async fn sign_in(&self, user: &str, password: &str) {
        for (field, text) in [("#username", user), ("#password", password)] {
            self.element(field).await.send_keys(text).await.unwrap();
        }
        self.click("#allow").await;
    }

    /// The cookies that scripts of the page can read.
    pub(crate) async fn cookies_for_scripts(&self) -> String {
        let cookies = self.client.execute("return document.cookie", Vec::new()).await.unwrap();
        cookies.as_str().unwrap().to_owned()
    }

    /// Makes the current page send an empty form to a URL.
    pub(crate) async fn send_form(&self, url: &str) {
        let script = "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];
            document.body.append(form); form.submit();";
        self.client.execute(script, vec![json!(url)]).await.unwrap();
    }
}
