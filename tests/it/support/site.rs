//! The examples as child processes, and the example web server with a simulator as its vendor.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tradovate_auth_simulator::{OAuthClient, Server, Simulator, SimulatorBuilder, User};

pub(crate) const CLIENT_ID: &str = "web-app";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret";
pub(crate) const PASSWORD: &str = "canary-password";

/// A simulator with two users, `trader` and `other`, and the web server's client.
pub(crate) fn vendor() -> SimulatorBuilder {
    let user = |name: &str, full_name: &str| {
        let mut user = User::new(name, PASSWORD);
        full_name.clone_into(&mut user.full_name);
        user
    };
    // The real redirect URI is registered when the web server's port is known.
    let client = OAuthClient::confidential(CLIENT_ID, CLIENT_SECRET, "http://127.0.0.1/").named("Synthetic Web App");
    Simulator::builder().user(user("trader", "Tess Trader")).user(user("other", "Otto Other")).oauth_client(client)
}

/// A running program and its output so far. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    printed: Arc<Printed>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Printed {
    stdout_and_stderr: Mutex<[String; 2]>,
    more: Condvar,
}

/// How long a test waits for something that must happen.
const LONG: Duration = Duration::from_secs(60);

impl Program {
    /// Starts a command with these additional arguments, and with no environment variables except these.
    pub(crate) fn start<'v>(
        mut command: Command,
        arguments: &[&str],
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Self {
        command.args(arguments).env_clear().envs(variables);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut program = Self { child, printed: Arc::default(), readers: Vec::new() };
        program.follow(0, stdout);
        program.follow(1, stderr);
        program
    }

    fn follow(&mut self, index: usize, stream: impl Read + Send + 'static) {
        let printed = Arc::clone(&self.printed);
        self.readers.push(thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                printed.stdout_and_stderr.lock().unwrap()[index].push_str(&String::from_utf8_lossy(&line));
                printed.more.notify_all();
                line.clear();
            }
        }));
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.stdout_and_stderr.lock().unwrap().concat()
    }

    /// Waits for a complete line of its output that satisfies a condition.
    pub(crate) fn await_line(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.await_lines(1, is_it)
    }

    /// Waits for `count` such lines, and returns the last one.
    pub(crate) fn await_lines(&self, count: usize, is_it: impl Fn(&str) -> bool) -> String {
        let find = |texts: &[String; 2]| {
            let lines = texts.iter().flat_map(|text| text.split_inclusive('\n'));
            lines.filter(|line| line.ends_with('\n') && is_it(line)).nth(count - 1).map(str::to_owned)
        };
        let texts = self.printed.stdout_and_stderr.lock().unwrap();
        let (texts, _) = self.printed.more.wait_timeout_while(texts, LONG, |texts| find(texts).is_none()).unwrap();
        find(&texts).unwrap_or_else(|| panic!("not printed: {}", texts.concat())).trim_end().to_owned()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the program ends.
    pub(crate) fn end(mut self) -> Output {
        let start = Instant::now();
        while self.is_running() {
            assert!(start.elapsed() < LONG, "it does not end: {}", self.printed());
            thread::sleep(Duration::from_millis(5));
        }
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let [stdout, stderr] = std::mem::take(&mut *self.printed.stdout_and_stderr.lock().unwrap());
        Output { status: self.child.wait().unwrap(), stdout: stdout.into(), stderr: stderr.into() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running web server. It is killed when it is dropped.
pub(crate) struct Site {
    program: Program,
    url: String,
}

impl Site {
    /// Starts the web server with these arguments, and with these variables besides the usual ones.
    pub(crate) fn start_with(vendor: &Server, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(example("oauth-web-server")), vendor, arguments, variables)
    }

    /// Like `start_with`, but with another command, to which the arguments are added.
    pub(crate) fn start_by(command: Command, vendor: &Server, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let usual = [
            ("TRADOVATE_API_URL", &*vendor.base_url()),
            ("TRADOVATE_AUTHORIZE_URL", &vendor.authorize_url()),
            ("TRADOVATE_CLIENT_ID", CLIENT_ID),
            ("TRADOVATE_CLIENT_SECRET", CLIENT_SECRET),
            ("TRADOVATE_REDIRECT_PORT", "0"),
        ];
        let program = Program::start(command, arguments, usual.into_iter().chain(variables.iter().copied()));
        let line = program.await_line(|line| line.starts_with("open "));
        let url = line.trim_start_matches("open ").trim_end_matches('/').to_owned();
        let redirect_uri = format!("{url}/callback");
        vendor.with(|simulator| simulator.oauth_client_mut(CLIENT_ID).unwrap().redirect_uris.push(redirect_uri));
        Self { program, url }
    }

    /// The URL of the web server, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn printed(&self) -> String {
        self.program.printed()
    }

    pub(crate) fn await_line(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.program.await_line(is_it)
    }
}

/// The path of an example's program. The manifest of these tests builds it.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_example-day"))
        .with_file_name(format!("example-{name}{}", std::env::consts::EXE_SUFFIX))
}
