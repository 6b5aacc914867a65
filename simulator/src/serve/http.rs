//! Carries HTTP requests from TCP connections to the simulator, and its responses back.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Network, Shared, socket};

/// The longest body in bytes. No field of a request is longer than 8192 characters.
const BODY_LIMIT: usize = 1 << 20;
/// How long requests in flight may take when the server stops. Without a limit, a connection that never completes its
/// request would block the stop.
const GRACE: Duration = Duration::from_millis(200);
/// The pause after a failed `accept`, which can mean that the process has no free file descriptor.
const NOT_ACCEPTED: Duration = Duration::from_millis(100);

/// Serves until the guard is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let (serving, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            // Removes connections that have ended.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(stream, peer.ip(), Arc::clone(&shared), stopping.clone()));
                }
                Err(_) => sleep(NOT_ACCEPTED).await,
            },
        }
    }
    drop((listener, serving));
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Answers the requests of a connection, one after the other.
async fn serve_connection(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>, mut stopping: watch::Receiver<()>) {
    let service = service_fn(|request| answer(&shared, peer, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A client may close its connection at any time.
        _ = connection.as_mut() => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    shared: &Arc<Shared>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    request.extensions_mut().insert(Network::of(peer));
    if let Some(accept) = socket::accept_key(request.headers()) {
        return Ok(socket::connect(shared, request, &accept).map(Full::from));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let request = Request::from_parts(parts, body.to_bytes());
    let response = shared.observed(|simulator, clock| simulator.handle(clock, request));
    shared.changes.send_replace(());
    Ok(response.map(Full::from))
}
