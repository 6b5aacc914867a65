//! A server that answers every request with the sample login, in a process of its own: what it does is not counted.

use std::env;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::samples;

/// The argument this program calls itself with.
pub(crate) const SERVED: &str = "served";

/// The other process, which ends with this value.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(env::current_exe().expect("this program is a file"))
            .arg(SERVED)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let mut port = String::new();
        BufReader::new(process.stdout.take().expect("it was asked for"))
            .read_line(&mut port)
            .expect("it tells its port");
        Self { port: port.trim().parse().expect("a port"), process }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the other process does, until its input ends: it outlives nobody who has started it.
pub(crate) fn serve() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    println!("{}", listener.local_addr().expect("it is bound").port());
    thread::spawn(move || {
        let body = samples::login();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nDate: {}\r\nConnection: close\r\n\
             \r\n{body}",
            body.len(),
            samples::DATE,
        );
        for connection in listener.incoming().flatten() {
            // A client that breaks off notices it itself.
            let _ = exchange(&connection, answer.as_bytes());
        }
    });
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}

fn exchange(mut connection: &TcpStream, answer: &[u8]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    connection.write_all(answer)
}
