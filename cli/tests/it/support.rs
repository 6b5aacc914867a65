//! A user's environment for tests: a home directory, a simulator, and the program.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tradovate_auth_simulator::{App, ClosedSession, Endpoint, Server, Simulator, SimulatorBuilder};

pub(crate) const USER: &str = "synthetic-user";
pub(crate) const PASSWORD: &str = "canary-password";
pub(crate) const SEC: &str = "canary-sec";

pub(crate) struct User {
    pub(crate) server: Server,
    pub(crate) home: TempDir,
}

pub(crate) fn user() -> User {
    user_of(Simulator::builder())
}

pub(crate) fn user_of(builder: SimulatorBuilder) -> User {
    let account = tradovate_auth_simulator::User::new(USER, PASSWORD);
    // The token of a closed server session gets 401, so that the program knows that it is dead.
    let builder = builder
        .options(|options| options.closed_session = ClosedSession::Unauthorized)
        .user(account)
        .app(App::new("Synthetic App", "8", SEC));
    User { server: builder.serve().unwrap(), home: tempfile::tempdir().unwrap() }
}

impl User {
    /// The variables for a password login.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let values = [
            ("TRADOVATE_API_URL", self.server.base_url()),
            ("TRADOVATE_USERNAME", USER.into()),
            ("TRADOVATE_PASSWORD", PASSWORD.into()),
            ("TRADOVATE_APP_ID", "Synthetic App".into()),
            ("TRADOVATE_APP_VERSION", "1.0".into()),
            ("TRADOVATE_CID", "8".into()),
            ("TRADOVATE_SEC", SEC.into()),
            ("TRADOVATE_DEVICE_ID", "synthetic-device".into()),
        ];
        values.into()
    }

    /// A command with this user's home and without other variables.
    pub(crate) fn bare(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The program without variables for a login.
    pub(crate) fn without_variables(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(env!("CARGO_BIN_EXE_tradovate-auth"));
        command.args(arguments);
        command
    }

    /// The program with the variables for a password login.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_variables(arguments);
        command.envs(self.variables());
        command
    }

    pub(crate) fn token(&self) -> String {
        let result = run(&mut self.program(&["token"]));
        assert_eq!(result.code, 0, "{}", result.stderr);
        result.stdout.trim_end().into()
    }

    pub(crate) fn logins(&self) -> u64 {
        self.server.statistics().requests(Endpoint::AccessTokenRequest)
    }

    pub(crate) fn renewals(&self) -> u64 {
        self.server.statistics().requests(Endpoint::RenewAccessToken)
    }
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    command.output().unwrap().into()
}

/// Runs a command with an input.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// A running program and the lines of its stdout. It is killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Waits for a line that contains a text.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no line has {words}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for the program's exit. Returns the exit code and its stderr.
    pub(crate) fn end(mut self) -> (i32, String) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
