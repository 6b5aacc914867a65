//! Accepts connections, and ends those that send no request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// How long a connection may take to send the head of a request, its first one or another. Without a limit, browsers that
/// send half a head would use up all connections.
const LONGEST_HEAD: Duration = Duration::from_secs(5);

/// Connections at the same time, all listeners together: they leave file descriptors for calls and for the database.
pub(crate) const MOST_CONNECTIONS: usize = 128;

/// Serves each connection of a listener on a task of its own.
pub(crate) async fn serve(listener: TcpListener, router: Router, places: Arc<Semaphore>) -> Infallible {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(LONGEST_HEAD);
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let connection = match listener.accept().await {
            Ok((stream, _)) => http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone())),
            Err(error) => {
                eprintln!("no connection can be accepted at the moment: {error}");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        tokio::spawn(async move {
            // An error is the browser's: it went away, or it was too slow.
            drop(connection.await);
            drop(place);
        });
    }
}
