//! A server on a raw socket. It reads and records one request per connection, and answers with any bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A plain or encrypted connection.
pub(crate) trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

/// A running peer. It stops when it is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Peer {
    /// Answers each request with these bytes, then closes the connection.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::acting(move |connection, _| drop(connection.write_all(&answer)))
    }

    /// Answers each request with an action, which gets the connection and the request.
    pub(crate) fn acting(act: impl Fn(&mut dyn Connection, &str) + Send + Sync + 'static) -> Self {
        Self::start(None, act)
    }

    /// Like `acting`, but with TLS.
    pub(crate) fn encrypted(
        config: Arc<ServerConfig>,
        act: impl Fn(&mut dyn Connection, &str) + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(config), act)
    }

    fn start(tls: Option<Arc<ServerConfig>>, act: impl Fn(&mut dyn Connection, &str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (seen, stop) = (Arc::clone(&requests), Arc::clone(&stopped));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.unwrap(), tls.as_ref(), |connection| {
                    if let Some(request) = read_request(connection) {
                        seen.lock().unwrap().push(request.clone());
                        act(connection, &request);
                        drop(connection.flush());
                    }
                });
            }
        });
        Self { address, requests, stopped, acceptor: Some(acceptor) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far, as text.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        let acceptor = self.acceptor.take().unwrap();
        // A panic in an action must fail the test.
        let ended = acceptor.join();
        assert!(ended.is_ok() || thread::panicking(), "the peer failed");
    }
}

fn serve(stream: TcpStream, tls: Option<&Arc<ServerConfig>>, answer: impl Fn(&mut dyn Connection)) {
    let Some(config) = tls else { return answer(&mut &stream) };
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream);
    answer(&mut stream);
    stream.conn.send_close_notify();
    drop(stream.flush());
}

/// Reads a head, and a body of the announced length. `None` if the client closes the connection or sends nothing.
pub(crate) fn read_request(connection: &mut dyn Connection) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let length = connection.read(&mut chunk).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

/// A peer that sends some bytes and then nothing until the client disconnects.
pub(crate) fn silent_after(sent: impl Into<Vec<u8>>) -> Peer {
    let sent = sent.into();
    Peer::acting(move |connection, _| {
        connection.write_all(&sent).unwrap();
        connection.flush().unwrap();
        let hung_up = connection.read(&mut [0; 1]);
        assert!(!matches!(hung_up, Ok(1..)), "the client disconnects");
    })
}

/// A response with a body of known length, as bytes.
pub(crate) fn response(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let headers: String = headers.iter().map(|header| (*header).to_owned() + "\r\n").collect();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
