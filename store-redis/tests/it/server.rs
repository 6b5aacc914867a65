//! A Redis of its own for a test, which ends with it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, process, thread};

const PROGRAM: &str = "redis-server";

/// Tests start servers one after another, so that none of them takes another's port before it is in use.
static STARTING: Mutex<()> = Mutex::new(());

/// Whether there is a Redis to test with, or has to be.
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

    /// One with more arguments; they may name files in its directory.
    pub(crate) fn start_with(arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("tradovate-auth-redis-{}-{number}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let arguments = arguments(&directory);
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        // Another program may take the port in between.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

    /// A connection to do with as a test likes.
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

    /// It has forgotten everything.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.directory, &self.arguments).expect("it starts at the same port");
    }

    /// Lets it neither answer nor refuse, as when packets are dropped on the way.
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

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Option<Child> {
    let is_tls = arguments.iter().any(|argument| argument == "--tls-port");
    let in_the_clear = if is_tls { 0 } else { port };
    let mut child = Command::new(PROGRAM)
        .args(["--port", &in_the_clear.to_string()])
        .args(arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())))
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
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
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
