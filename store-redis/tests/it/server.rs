//! [`Server`]: a Redis server of one test. It stops when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

const PROGRAM: &str = "redis-server";

/// Whether `redis-server` is installed, or the tests must fail without it.
pub(crate) fn is_there_or_required() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(PROGRAM).is_file())
        || env::var("TRADOVATE_AUTH_REDIS").is_ok_and(|value| value == "required")
}

pub(crate) struct Server {
    child: Child,
    port: u16,
    directory: PathBuf,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// Starts a server with further arguments. They may name files in its directory.
    pub(crate) fn start_with(arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("tradovate-auth-redis-{}-{number}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let arguments = arguments(&directory);
        // Another program may use the port.
        for _ in 0..100 {
            let port = next_port();
            if let Some(child) = spawn(port, &directory, &arguments) {
                return Self { child, port, directory, arguments };
            }
        }
        panic!("{PROGRAM} doesn't start");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A connection for the commands of a test.
    pub(crate) fn raw(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn flush(&self) {
        redis::cmd("FLUSHALL").exec(&mut self.raw()).unwrap();
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server again at the same port, without data.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.directory, &self.arguments).expect("it starts at the same port");
    }

    /// Stops the process, so that the server neither answers nor refuses, as if packets were lost.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("sh").arg("-c").arg(format!("kill {signal} {}", self.child.id())).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port that the system gives to no connection and to no listener, so that a stopped server can start again at its
/// port. Each server of this process gets another one.
fn next_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + process::id() * 131;
    10_000 + u16::try_from(number % 20_000).unwrap()
}

/// `None` if the server ends at once, for example because another program uses the port.
fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Option<Child> {
    let is_tls = arguments.iter().any(|argument| argument == "--tls-port");
    let in_the_clear = if is_tls { 0 } else { port };
    let log = directory.join("log");
    let _ = fs::remove_file(&log);
    let mut child = Command::new(PROGRAM)
        .args(["--port", &in_the_clear.to_string()])
        .args(arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())))
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--logfile", "log"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept connections")) {
            return Some(child);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
