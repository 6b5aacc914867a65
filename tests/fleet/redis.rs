//! A Redis server for a test, and a network in front of it that can be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) fn is_there() -> bool {
    Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Tests start servers one after another, so that none of them takes another's port before it is in use.
static STARTING: Mutex<()> = Mutex::new(());

/// A running Redis server. It saves nothing by itself, so a restart loses all data since the last backup.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    process: Child,
    directory: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        Self { port, process: run(port, &directory), directory }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.process = run(self.port, &self.directory);
    }

    /// Saves the current data. The next start reads it.
    pub(crate) fn back_up(&self) {
        assert_eq!(self.ask("SAVE"), "+OK");
    }

    /// Removes the lease of the only session.
    pub(crate) fn remove_lease(&self) {
        let script = "for _, key in ipairs(redis.call('KEYS', '*:lease')) do redis.call('DEL', key) end";
        assert_eq!(self.ask(&format!("EVAL \"{script}\" 0")), "$-1");
    }

    /// Makes the server refuse writes that need more memory than this. It always does.
    pub(crate) fn limit_memory(&self, limit: Option<u64>) {
        assert_eq!(self.ask(&format!("CONFIG SET maxmemory {}", limit.unwrap_or(0))), "+OK");
    }

    /// Its memory is full, and it evicts all keys. Then it has space again.
    pub(crate) fn evict(&self) {
        assert_eq!(self.ask("CONFIG SET maxmemory-policy allkeys-lru"), "+OK");
        self.limit_memory(Some(1));
        assert_eq!(self.ask("DBSIZE"), ":0");
        self.limit_memory(None);
    }

    pub(crate) fn flush(&self) {
        assert_eq!(self.ask("FLUSHALL"), "+OK");
    }

    fn ask(&self, command: &str) -> String {
        ask(self.port, command).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(port: u16, directory: &TempDir) -> Child {
    let process = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while ask(port, "PING").ok().as_deref() != Some("+PONG") {
        assert!(begun.elapsed() < Duration::from_secs(30), "redis-server does not start");
        thread::sleep(Duration::from_millis(20));
    }
    process
}

/// The first line of the answer to a command.
fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned())
}

/// The network between the processes and their server.
#[derive(Debug)]
pub(crate) struct Network {
    port: u16,
    target: Arc<AtomicU16>,
    /// Whether the network drops everything in both directions without an error.
    is_cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    pub(crate) fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(AtomicU16::new(redis.port())),
            is_cut: Arc::default(),
            streams: Arc::default(),
        };
        let (target, is_cut, streams) =
            (Arc::clone(&network.target), Arc::clone(&network.is_cut), Arc::clone(&network.streams));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target.load(Ordering::SeqCst))) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    streams.lock().unwrap().push(from.try_clone().unwrap());
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || pass(from, to, &is_cut));
                }
            }
        });
        network
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// Connects to another server from now on, and closes the existing connections.
    pub(crate) fn fail_over(&self, redis: &Redis) {
        self.target.store(redis.port(), Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            // The connection may already be closed.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if is_cut.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other end may already be closed.
    let _ = to.shutdown(Shutdown::Both);
}
