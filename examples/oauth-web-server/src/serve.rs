//! Accepts connections, and closes those that send no request in time.

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

/// How long a connection may take to send the head of a request. Without a limit, incomplete requests could use up all
/// connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections all listeners accept together. The rest of the file descriptors is for calls and the database.
pub(crate) const MAX_CONNECTIONS: usize = 128;

/// Serves the connections of a listener, each in its own task.
pub(crate) async fn serve(listener: TcpListener, router: Router, permits: Arc<Semaphore>) -> Infallible {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        let connection = match listener.accept().await {
            Ok((stream, _)) => http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone())),
            Err(error) => {
                eprintln!("can't accept connections at the moment: {error}");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        tokio::spawn(async move {
            // An error means that the browser disconnected or was too slow.
            drop(connection.await);
            drop(permit);
        });
    }
}
