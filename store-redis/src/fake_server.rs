//! [`FakeServer`]: speaks the protocol of Redis to the unit tests. A test decides what it answers to scripts and pings.

use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_store::SessionName;

use crate::RedisStore;
use crate::waiters::lock;

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The answer of a script that finds nothing.
pub(crate) const NOTHING: &str = "$-1\r\n";

/// The answer of a server that became a replica.
pub(crate) const READ_ONLY: &str = "-READONLY You can't write against a read only replica.\r\n";

/// What the server does after a command.
pub(crate) enum Reply {
    Send(&'static str),
    /// Answers as Redis does.
    Usual,
    Silence,
    Close,
}

/// A command, and the number of the connection that sent it. The first connection has the number 1.
pub(crate) struct Received {
    pub(crate) connection: usize,
    pub(crate) command: String,
}

pub(crate) struct FakeServer {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl FakeServer {
    /// `reply` decides about `EVALSHA` and `PING`.
    pub(crate) fn start(reply: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
        };
        let (received, connections, open) =
            (Arc::clone(&server.received), Arc::clone(&server.connections), Arc::clone(&server.open));
        let reply = Arc::new(reply);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (received, open, reply) = (Arc::clone(&received), Arc::clone(&open), Arc::clone(&reply));
                let connection = connections.fetch_add(1, Ordering::SeqCst) + 1;
                open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let _ = serve(stream, connection, &received, &*reply);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// A server whose scripts find nothing.
    pub(crate) fn empty() -> Self {
        Self::start(|received| if received.command == "EVALSHA" { Reply::Send(NOTHING) } else { Reply::Usual })
    }

    /// A server that closes its first connection after a command, and then has no records.
    pub(crate) fn closing_once() -> Self {
        Self::start(|received| if received.connection == 1 { Reply::Close } else { Reply::Send(NOTHING) })
    }

    /// A server that has become a replica, and sends `reply` to the commands of later connections.
    pub(crate) fn replica_once(reply: &'static str) -> Self {
        Self::start(move |received| Reply::Send(if received.connection == 1 { READ_ONLY } else { reply }))
    }

    /// A store with time-outs of one minute, so that tests pass while the machine is busy.
    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(&format!("redis://127.0.0.1:{}/", self.port)).unwrap().time_outs(LONG, LONG)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until the clients have closed all connections but this many.
    pub(crate) fn wait_for_open_connections(&self, count: usize) {
        wait_until("the connections are closed", || self.open.load(Ordering::SeqCst) <= count);
    }

    /// How often the clients sent a command.
    pub(crate) fn count(&self, command: &str) -> usize {
        lock(&self.received).iter().filter(|received| received.command == command).count()
    }

    /// Waits until the clients have sent a command this often.
    pub(crate) fn wait_for(&self, command: &str, count: usize) {
        wait_until(command, || self.count(command) >= count);
    }
}

fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    received: &Mutex<Vec<Received>>,
    reply: &dyn Fn(&Received) -> Reply,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut is_resp3, mut is_subscribed) = (false, false);
    loop {
        let words = read_command(&mut reader)?;
        let command = words[0].to_uppercase();
        let (push, argument) = (if is_resp3 { '>' } else { '*' }, words.get(1).map_or("", String::as_str));
        let usual = match command.as_str() {
            "HELLO" => {
                is_resp3 = true;
                "%1\r\n+server\r\n+redis\r\n".into()
            }
            "SUBSCRIBE" => {
                is_subscribed = true;
                format!("{push}3\r\n+subscribe\r\n+{argument}\r\n:1\r\n")
            }
            "UNSUBSCRIBE" | "PUNSUBSCRIBE" => format!("{push}3\r\n+{}\r\n$-1\r\n:0\r\n", command.to_lowercase()),
            "PING" if is_subscribed && !is_resp3 => "*2\r\n+pong\r\n$0\r\n\r\n".into(),
            "PING" => "+PONG\r\n".into(),
            _ => "+OK\r\n".into(),
        };
        let now = Received { connection, command };
        let reply = if ["EVALSHA", "PING"].contains(&now.command.as_str()) { reply(&now) } else { Reply::Usual };
        lock(received).push(now);
        match reply {
            Reply::Send(text) => stream.write_all(text.as_bytes())?,
            Reply::Usual => stream.write_all(usual.as_bytes())?,
            Reply::Silence => {}
            Reply::Close => return Ok(()),
        }
    }
}

/// Reads a command: an array of strings.
fn read_command(reader: &mut impl io::BufRead) -> io::Result<Vec<String>> {
    let number = |reader: &mut dyn io::BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        line.trim_end()
            .get(1..)
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    let count: usize = number(reader)?;
    let word = |_| {
        let mut bytes = vec![0; number(reader)? + 2];
        reader.read_exact(&mut bytes)?;
        bytes.truncate(bytes.len() - 2);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    (0..count).map(word).collect()
}

pub(crate) fn name() -> SessionName {
    SessionName::new("demo", "trader")
}
