//! A listener on loopback, to which the browser returns with the code (RFC 8252, section 7.3).

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{env, io};

use tokio::net::TcpListener;

/// The value of a variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Listens at `host` (default: 127.0.0.1) and `TRADOVATE_REDIRECT_PORT`. Returns the listeners and their base URL.
pub(crate) async fn listen(
    host: Option<String>,
    default_port: u16,
) -> Result<(Vec<TcpListener>, String), Box<dyn Error>> {
    let host = host.unwrap_or_else(|| "127.0.0.1".into());
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match host.as_str() {
        "127.0.0.1" => vec![v4],
        "[::1]" => vec![v6],
        "localhost" => vec![v4, v6], // browsers use either
        _ => return Err("TRADOVATE_REDIRECT_HOST must be 127.0.0.1, localhost or [::1]".into()),
    };
    let mut port = match variable("TRADOVATE_REDIRECT_PORT") {
        Some(port) => port.parse().map_err(|_| "TRADOVATE_REDIRECT_PORT must be a number from 0 to 65535")?,
        None => default_port,
    };
    let mut listeners = Vec::new();
    for address in addresses {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // A machine may have no IPv6. But if another program listens on the port, that program would get the code.
            Err(error) if !listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => {
                let advice = "free the port, or set TRADOVATE_REDIRECT_PORT to another port that is registered";
                return Err(format!("can't listen at {address} port {port}: {advice} ({error})").into());
            }
        }
    }
    Ok((listeners, format!("http://{host}:{port}")))
}
