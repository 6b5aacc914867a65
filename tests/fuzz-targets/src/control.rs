//! The fuzz target for the control interface of a running simulator, over HTTP.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;
use tradovate_auth_simulator::{Server, Simulator};

use crate::SIMULATED_LOGIN;

static CLIENT: LazyLock<Mutex<Client>> = LazyLock::new(|| {
    let server = Simulator::builder().serve().expect("a server");
    let connection = Client::connect(&server).expect("a connection");
    Mutex::new(Client { server, connection })
});

/// Reads each line of the input as a command with its JSON body. A login follows each command, so that ordered answers,
/// lock-outs and options take effect. At the end, `reset` must bring the simulator back to its start.
pub fn control(input: &[u8]) {
    let mut client = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    for line in input.split(|&byte| byte == b'\n').take(16) {
        let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let (name, body) = line.split_at(space);
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-/_.".contains(byte);
        let Some(name) = str::from_utf8(name).ok().filter(|name| name.bytes().all(|byte| is_name(&byte))) else {
            continue;
        };
        let (status, answer) = client.send("POST", &format!("/simulator/{name}"), body);
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match status {
            200 => assert!(answer["now"].as_str().is_some_and(is_time), "{answer}"),
            400 | 404 => assert!(answer["error"].as_str().is_some_and(|why| !why.is_empty()), "{answer}"),
            405 => {}
            _ => panic!("{status} {answer}"),
        }
        client.send("POST", "/v1/auth/accesstokenrequest", SIMULATED_LOGIN.as_bytes());
    }
    let (status, log) = client.send("GET", "/simulator/log", b"");
    assert!(status == 200 && serde_json::from_slice::<Vec<Value>>(&log).is_ok());
    assert_eq!(client.send("POST", "/simulator/reset", b"").0, 200);
    let (status, login) = client.send("POST", "/v1/auth/accesstokenrequest", SIMULATED_LOGIN.as_bytes());
    let login: Value = serde_json::from_slice(&login).expect("the answer to a login is JSON");
    assert!(status == 200 && login["accessToken"].is_string(), "{status} {login}");
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

struct Client {
    server: Server,
    connection: BufReader<TcpStream>,
}

impl Client {
    fn connect(server: &Server) -> io::Result<BufReader<TcpStream>> {
        let connection = TcpStream::connect(server.address())?;
        connection.set_nodelay(true)?;
        Ok(BufReader::new(connection))
    }

    /// The status and the body of the answer. The server may close the connection between two requests.
    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        if let Ok(answer) = self.exchange(method, path, body) {
            return answer;
        }
        self.connection = Self::connect(&self.server).expect("a connection");
        self.exchange(method, path, body).expect("an answer")
    }

    fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        self.connection.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let status =
            self.line()?.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(stated) = line.strip_prefix("content-length:") {
                length = stated.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
            }
        }
        let mut answer = vec![0; if matches!(status, 204 | 304) { 0 } else { length }];
        self.connection.read_exact(&mut answer)?;
        Ok((status, answer))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
