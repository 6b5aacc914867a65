//! A minimal HTTP client.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub(crate) const LOGIN_BODY: &str =
    r#"{"name":"synthetic-user","password":"synthetic-password","cid":8,"sec":"synthetic-api-secret"}"#;

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header by its name in lower case; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    /// The text of a JSON field.
    pub(crate) fn text(&self, field: &str) -> &str {
        let (_, rest) = self.body.split_once(&format!("\"{field}\":\"")).unwrap();
        rest.split('"').next().unwrap()
    }
}

pub(crate) fn send(address: SocketAddr, head: &str, body: &str) -> io::Result<Answer> {
    send_as(address, &address.to_string(), head, body)
}

/// Sends a request with this `Host`.
pub(crate) fn send_as(address: SocketAddr, host: &str, head: &str, body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    write!(
        stream,
        "{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

pub(crate) fn login(address: SocketAddr) -> Answer {
    send(address, "POST /v1/auth/accesstokenrequest HTTP/1.1", LOGIN_BODY).unwrap()
}

pub(crate) fn get(address: SocketAddr, path: &str, token: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {token}"), "").unwrap()
}
