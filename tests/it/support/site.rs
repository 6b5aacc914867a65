//! The web server of the examples as a child process, in front of a simulator of the test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tradovate_auth_simulator::{OAuthClient, Server, Simulator, SimulatorBuilder, User};

pub(crate) const CLIENT_ID: &str = "web-app";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret";
pub(crate) const PASSWORD: &str = "canary-password";

/// A simulator with two users, `trader` and `other`, and the client of the web server.
pub(crate) fn vendor() -> SimulatorBuilder {
    let user = |name: &str, full_name: &str| {
        let mut user = User::new(name, PASSWORD);
        full_name.clone_into(&mut user.full_name);
        user
    };
    // Where the web server is reached is known once it runs.
    let client = OAuthClient::confidential(CLIENT_ID, CLIENT_SECRET, "http://127.0.0.1/").named("Synthetic Web App");
    Simulator::builder().user(user("trader", "Tess Trader")).user(user("other", "Otto Other")).oauth_client(client)
}

/// A web server that runs until this is dropped.
pub(crate) struct Site {
    child: Child,
    printed: Arc<Printed>,
    url: String,
}

#[derive(Default)]
struct Printed {
    text: Mutex<String>,
    more: Condvar,
}

impl Site {
    /// Starts it with these arguments and these variables besides the usual ones.
    pub(crate) fn start_with(vendor: &Server, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(example("oauth-web-server")), vendor, arguments, variables)
    }

    /// The same by a command of the test's own, which the arguments are added to.
    pub(crate) fn start_by(
        mut command: Command,
        vendor: &Server,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = command
            .args(arguments)
            .env_clear()
            .env("TRADOVATE_API_URL", vendor.base_url())
            .env("TRADOVATE_AUTHORIZE_URL", vendor.authorize_url())
            .env("TRADOVATE_CLIENT_ID", CLIENT_ID)
            .env("TRADOVATE_CLIENT_SECRET", CLIENT_SECRET)
            .env("TRADOVATE_REDIRECT_PORT", "0")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Printed::default());
        printed.follow(child.stdout.take().unwrap());
        printed.follow(child.stderr.take().unwrap());
        let mut site = Self { child, printed, url: String::new() };
        let line = site.await_line(|line| line.starts_with("open "));
        line.trim_start_matches("open ").trim_end_matches('/').clone_into(&mut site.url);
        let redirect_uri = format!("{}/callback", site.url);
        vendor.with(|simulator| simulator.oauth_client_mut(CLIENT_ID).unwrap().redirect_uris.push(redirect_uri));
        site
    }

    /// Where browsers find it, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// All it has printed so far.
    pub(crate) fn printed(&self) -> String {
        self.printed.text.lock().unwrap().clone()
    }

    /// The first whole line like this that it prints.
    pub(crate) fn await_line(&self, is_it: impl Fn(&str) -> bool) -> String {
        let find =
            |text: &str| text.split_inclusive('\n').find(|line| line.ends_with('\n') && is_it(line)).map(str::to_owned);
        let text = self.printed.text.lock().unwrap();
        let longest = Duration::from_secs(30);
        let (text, _) = self.printed.more.wait_timeout_while(text, longest, |text| find(text).is_none()).unwrap();
        find(&text).unwrap_or_else(|| panic!("not printed: {text}")).trim_end().to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Printed {
    fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let printed = Arc::clone(self);
        thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                printed.text.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                printed.more.notify_all();
                line.clear();
            }
        });
    }
}

/// The built program of an example: see the manifest of these tests.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_example-day"))
        .with_file_name(format!("example-{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A directory for one test, gone with this.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tradovate-auth-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
