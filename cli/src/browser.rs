//! Login in the user's browser: OAuth for a program on the user's own machine (RFC 8252).
//!
//! The program listens on loopback. It opens the browser at a page of its own, which redirects to the vendor's login.
//! So the list of processes does not show the `state`. The browser returns with a code.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth::ureq::entropy;
use tradovate_auth::{AuthorizationRequest, AuthorizedCode, Environment, OAuthApp};

use crate::arguments::LoginArguments;
use crate::variables::{REDIRECT_HOST, REDIRECT_PORT, Variables};
use crate::{Failure, say};

const DEFAULT_PORT: u16 = 8765;

/// How long a browser has to send its request, and the longest line of it in bytes.
const READ_WITHIN: Duration = Duration::from_secs(5);
const LINE_LIMIT: u64 = 16 * 1024;

const CLOSE: &str = "You may close this page.";

/// A connection to the browser, which waits for a page in answer to its request.
pub(crate) struct Browser(TcpStream);

impl Browser {
    /// Waits until the user logged in and allowed the app. Returns the code.
    pub(crate) fn authorize(
        environment: &Environment,
        app: &OAuthApp,
        variables: &Variables,
        arguments: &LoginArguments,
    ) -> Result<(Self, AuthorizedCode), Failure> {
        let (requests, base) = listen(variables)?;
        let request = AuthorizationRequest::new(app, format!("{base}/callback"));
        let (url, mut pending) = request.begin(environment, entropy()?)?;
        say(&format!("log in at {}", url.as_str()));
        if !arguments.no_browser && !open(&format!("{base}/login")) {
            say("can't open a browser: open the URL above yourself");
        }
        let begun = Instant::now();
        let mut location = Some(url.as_str());
        loop {
            let left = arguments.timeout.saturating_sub(begun.elapsed());
            let (target, stream) = requests.recv_timeout(left).map_err(|_| {
                format!(
                    "nobody logged in within {} s: run `tradovate-auth login --oauth` again",
                    arguments.timeout.as_secs()
                )
            })?;
            let mut browser = Self(stream);
            match target.split_once('?').unwrap_or((&target, "")) {
                // Redirects once, because only the browser that was opened asks for this page.
                ("/login", _) if location.is_some() => browser.redirect(location.take().unwrap_or_default()),
                ("/callback", query) => match pending.redirected_query(query) {
                    Ok(code) => return Ok((browser, code)),
                    Err(error) if error.ends_login() => {
                        browser.page("400 Bad Request", "Not logged in", &format!("{error}. {CLOSE}"));
                        return Err(error.into());
                    }
                    // Any page in the browser can send such requests. They must not end the login.
                    Err(error) => {
                        say(&error.to_string());
                        browser.page(
                            "400 Bad Request",
                            "This request does not belong to the login",
                            &error.to_string(),
                        );
                    }
                },
                _ => browser.page("404 Not Found", "Page not found", CLOSE),
            }
        }
    }

    /// Shows the last page, with the result of the login.
    pub(crate) fn answer(&mut self, error: Option<String>) {
        match error {
            None => self.page("200 OK", "Logged in", CLOSE),
            Some(error) => self.page("502 Bad Gateway", "Not logged in", &format!("{error}. {CLOSE}")),
        }
    }

    fn redirect(&mut self, location: &str) {
        self.send("302 Found", &format!("location: {location}\r\n"), "");
    }

    fn page(&mut self, status: &str, title: &str, text: &str) {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (title, text) = (escaped(title), escaped(text));
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p>"
        );
        let headers = "content-type: text/html; charset=utf-8\r\ncontent-security-policy: default-src 'none'\r\n";
        self.send(status, headers, &html);
    }

    /// Sends a response. The URL of the page contains the code, so the page is not cached and its URL is not sent as
    /// referrer. A write error is ignored, because the browser may be gone.
    fn send(&mut self, status: &str, headers: &str, body: &str) {
        let _ = write!(
            self.0,
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
    }
}

/// Listens on loopback. Returns the targets of incoming requests, and the base of the URLs.
fn listen(variables: &Variables) -> Result<(Receiver<(String, TcpStream)>, String), Failure> {
    let host = variables.given(REDIRECT_HOST).unwrap_or_else(|| "127.0.0.1".into());
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match host.as_str() {
        "127.0.0.1" => vec![v4],
        "[::1]" => vec![v6],
        "localhost" => vec![v4, v6], // browsers use either
        _ => return Err(format!("{REDIRECT_HOST} must be 127.0.0.1, localhost or [::1]").into()),
    };
    let port = match variables.given(REDIRECT_PORT) {
        Some(port) => port.parse().map_err(|_| format!("{REDIRECT_PORT} must be a number from 0 to 65535"))?,
        None => DEFAULT_PORT,
    };
    let (listeners, port) = bind_all(&addresses, port, TcpListener::bind)?;
    let (sender, requests) = mpsc::channel();
    for listener in listeners {
        let sender = sender.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // Each connection has a thread, because browsers open connections on which they send nothing.
                thread::spawn(move || target(&stream).map(|target| sender.send((target, stream))));
            }
        });
    }
    Ok((requests, format!("http://{host}:{port}")))
}

/// Listens at all addresses, on the same port. Returns the port too, because 0 selects a free one.
fn bind_all(
    addresses: &[IpAddr],
    mut port: u16,
    bind: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<(Vec<TcpListener>, u16), Failure> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match bind((address, port).into()) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // A machine may have no IPv6. But if another program listens on the port, that program would get the code.
            Err(error) if !listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => {
                let advice = format!("free the port, or set {REDIRECT_PORT} to another port that is registered");
                return Err(format!("can't listen at {address} port {port}: {advice} ({error})").into());
            }
        }
    }
    Ok((listeners, port))
}

/// The target of a GET request; `None` if the request is another one or incomplete.
fn target(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(READ_WITHIN)).ok()?;
    let mut reader = BufReader::new(stream.take(LINE_LIMIT));
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    // Closing a connection with unread data can discard the response.
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let mut words = first.split(' ');
    (words.next() == Some("GET")).then(|| words.next()).flatten().map(Into::into)
}

/// Opens the browser without the variables that can contain secrets.
fn open(url: &str) -> bool {
    open::commands(url).into_iter().any(|mut command| {
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRADOVATE_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

    /// Binds as a machine would on which listening at some addresses fails. Returns how many listeners there are.
    fn bind_without(fails: fn(SocketAddr) -> bool, kind: io::ErrorKind) -> Result<usize, String> {
        let bind = |address| if fails(address) { Err(kind.into()) } else { TcpListener::bind("127.0.0.1:0") };
        let bound = bind_all(&ADDRESSES, 0, bind);
        bound.map(|(listeners, _)| listeners.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_machine_without_ipv6_listens_at_the_other_address() {
        assert_eq!(bind_without(|address| address.is_ipv6(), io::ErrorKind::AddrNotAvailable), Ok(1));
        assert_eq!(bind_without(|_| false, io::ErrorKind::AddrNotAvailable), Ok(2));
    }

    #[test]
    fn a_machine_that_can_not_listen_is_an_error() {
        for (fails, kind, address) in [
            ((|address| address.is_ipv6()) as fn(SocketAddr) -> bool, io::ErrorKind::AddrInUse, "::1"),
            (|_| true, io::ErrorKind::AddrNotAvailable, "127.0.0.1"),
        ] {
            let error = bind_without(fails, kind).unwrap_err();
            assert!(error.starts_with(&format!("can't listen at {address} port ")), "{error}");
        }
    }

    /// Sends a request, and reads its target as the program does. The second value is the program's connection.
    fn target_of(request: &str) -> (Option<String>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut browser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        browser.write_all(request.as_bytes()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        (target(&stream), stream)
    }

    #[test]
    fn the_longest_code_that_the_server_can_issue_is_read() {
        let back = format!("/callback?code={}", "c".repeat(8192));
        assert_eq!(target_of(&format!("GET {back} HTTP/1.1\r\n\r\n")).0, Some(back));
    }

    #[test]
    fn a_request_is_read_to_its_end() {
        let cookies = "c".repeat(15_000);
        let request = format!("GET /login HTTP/1.1\r\nhost: localhost\r\ncookie: {cookies}\r\n\r\n");
        let (target, mut stream) = target_of(&request);
        assert_eq!(target, Some("/login".into()));
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "unread bytes");
    }

    #[test]
    fn only_get_requests_have_a_target() {
        assert_eq!(target_of("GET /login HTTP/1.1\r\n\r\n").0, Some("/login".into()));
        assert_eq!(target_of("POST /callback HTTP/1.1\r\n\r\n").0, None);
        assert_eq!(target_of("GET\r\n\r\n").0, None);
    }
}
