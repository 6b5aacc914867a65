//! From a socket to the simulator and back.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{Front, Network, control, socket};

/// No field of any request is longer than 8192 characters.
const BODY_LIMIT: usize = 1 << 20;
/// What requests under way are given when the server stops. A connection that has not sent a whole request would
/// otherwise hold it up for good.
const GRACE: Duration = Duration::from_millis(200);
/// The pause after a connection that was not accepted: the process may have no file descriptor left.
const NOT_ACCEPTED: Duration = Duration::from_millis(100);

/// Serves until told to stop, or until the guard is gone.
pub(super) async fn serve(listener: TcpListener, front: Arc<Front>, stopped: oneshot::Receiver<()>) {
    let connections = Arc::new(GracefulShutdown::new());
    let accepting = tokio::spawn(accept(listener, front, Arc::clone(&connections)));
    let _ = stopped.await;
    accepting.abort();
    let _ = accepting.await;
    if let Some(connections) = Arc::into_inner(connections) {
        let _ = timeout(GRACE, connections.shutdown()).await;
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>, connections: Arc<GracefulShutdown>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(converse(stream, peer.ip(), Arc::clone(&front), connections.watcher()));
            }
            Err(_) => sleep(NOT_ACCEPTED).await,
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(stream: TcpStream, peer: IpAddr, front: Arc<Front>, watcher: Watcher) {
    let service = service_fn(move |request| answer(Arc::clone(&front), peer, request));
    let builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    // A client that hangs up is no matter of the server's.
    let _ = watcher.watch(connection).await;
}

async fn answer(
    front: Arc<Front>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    request.extensions_mut().insert(Network::of(peer));
    if let Some(accept) = socket::accept_key(request.headers()) {
        return Ok(socket::connect(&front, request, &accept).map(Full::from));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let body = body.to_bytes();
    if control::is_control(parts.uri.path()) {
        return Ok(control::answer(&front, &parts.method, &parts.uri, &parts.headers, &body).map(Full::from));
    }
    let request = Request::from_parts(parts, body);
    let now = front.now();
    let response = front.with(|simulator| {
        let response = simulator.handle(now, request);
        front.observe(simulator);
        response
    });
    Ok(response.map(Full::from))
}
