//! The login in the user's browser: OAuth for a program on the user's own machine (RFC 8252).
//!
//! The program listens on loopback. It opens the browser at a page of its own that leads to the vendor's login, so that
//! the list of processes shows no `state`. The browser comes back with a code.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
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

/// A browser sends its request at once. A line of it is not longer than this.
const READ_WITHIN: Duration = Duration::from_secs(5);
const LINE_LIMIT: u64 = 16 * 1024;

const CLOSE: &str = "You may close this page.";

/// The browser that has come back, and waits for a page.
pub(crate) struct Browser(TcpStream);

impl Browser {
    /// Has the user log in and allow it, and returns the code.
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
            say("no browser could be opened: open the URL by hand");
        }
        let begun = Instant::now();
        let mut location = Some(url.as_str());
        loop {
            let left = arguments.timeout.saturating_sub(begun.elapsed());
            let (target, stream) = requests.recv_timeout(left).map_err(|_| {
                format!("nobody has logged in within {} s: start it again", arguments.timeout.as_secs())
            })?;
            let mut browser = Self(stream);
            match target.split_once('?').unwrap_or((&target, "")) {
                // Once: only the browser that was opened asks for it.
                ("/login", _) if location.is_some() => browser.redirect(location.take().unwrap_or_default()),
                ("/callback", query) => match pending.redirected_query(query) {
                    Ok(code) => return Ok((browser, code)),
                    Err(error) if error.ends_login() => {
                        browser.page("400 Bad Request", "Not logged in", &format!("{error}. {CLOSE}"));
                        return Err(error.into());
                    }
                    // Any page in the browser can send others, and those must not end it.
                    Err(error) => {
                        say(&error.to_string());
                        browser.page("400 Bad Request", "Not the answer to this login", &error.to_string());
                    }
                },
                _ => browser.page("404 Not Found", "Nothing is here", CLOSE),
            }
        }
    }

    /// The last page: what came of the login.
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

    /// The code is in the URL of the page, so the page is not kept and its URL is not passed on. A browser that has gone needs
    /// no answer.
    fn send(&mut self, status: &str, headers: &str, body: &str) {
        let _ = write!(
            self.0,
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
    }
}

/// Listens on this machine, for this machine alone. Returns the requests that come (their targets), and the base of the URLs.
fn listen(variables: &Variables) -> Result<(Receiver<(String, TcpStream)>, String), Failure> {
    let host = variables.given(REDIRECT_HOST).unwrap_or_else(|| "127.0.0.1".into());
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match host.as_str() {
        "127.0.0.1" => vec![v4],
        "[::1]" => vec![v6],
        "localhost" => vec![v4, v6], // browsers take either
        _ => return Err(format!("{REDIRECT_HOST} must be 127.0.0.1, localhost or [::1]").into()),
    };
    let mut port = match variables.given(REDIRECT_PORT) {
        Some(port) => port.parse().map_err(|_| format!("{REDIRECT_PORT} must be a number up to 65535"))?,
        None => DEFAULT_PORT,
    };
    let (sender, requests) = mpsc::channel();
    let mut count = 0;
    for address in addresses {
        let listener = match TcpListener::bind((address, port)) {
            Ok(listener) => listener,
            // A machine may be without IPv6; but if another program has the port, it would get the code.
            Err(error) if count > 0 && error.kind() != io::ErrorKind::AddrInUse => continue,
            Err(error) => {
                let advice = format!("free it, or set {REDIRECT_PORT} to another one that is registered");
                return Err(format!("can't listen at port {port} of {address}, {advice}: {error}").into());
            }
        };
        port = listener.local_addr()?.port();
        count += 1;
        let sender = sender.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // A browser opens connections on which nothing comes.
                thread::spawn(move || target(&stream).map(|target| sender.send((target, stream))));
            }
        });
    }
    Ok((requests, format!("http://{host}:{port}")))
}

/// The target of a GET.
fn target(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(READ_WITHIN)).ok()?;
    let mut reader = BufReader::new(stream.take(LINE_LIMIT));
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    // A connection that is closed with something unread may lose the answer.
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let mut words = first.split(' ');
    (words.next() == Some("GET")).then(|| words.next()).flatten().map(Into::into)
}

/// Opens the browser, which is given none of the variables with secrets.
fn open(url: &str) -> bool {
    open::commands(url).into_iter().any(|mut command| {
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRADOVATE_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
    })
}
