//! A server that answers every request with the sample login. It is a process of its own, so that its work is not
//! counted.

use std::env;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::samples;

/// The argument with which this program runs itself as the server.
pub(crate) const SERVED: &str = "served";

/// The server's process. It is killed when this is dropped.
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
        // The process may already have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until stdin ends, so that it does not outlive the process that started it.
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
            // If a client disconnects, the client reports it.
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
