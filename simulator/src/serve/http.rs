//! From a socket to the simulator and back.

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

use super::{Front, Network, control, socket};

/// No field of any request is longer than 8192 characters.
const BODY_LIMIT: usize = 1 << 20;
/// What requests under way are given when the server stops. A connection that has not sent a whole request would
/// otherwise hold it up for good.
const GRACE: Duration = Duration::from_millis(200);
/// The pause after a connection that was not accepted: the process may have no file descriptor left.
const NOT_ACCEPTED: Duration = Duration::from_millis(100);

/// Serves until told to stop, or until the guard is gone.
pub(super) async fn serve(listener: TcpListener, front: Arc<Front>, mut stopped: oneshot::Receiver<()>) {
    let (serving, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(converse(stream, peer.ip(), Arc::clone(&front), stopping.clone()));
                }
                Err(_) => sleep(NOT_ACCEPTED).await,
            },
        }
    }
    drop((listener, serving));
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Answers the requests of one connection, one after the other.
async fn converse(stream: TcpStream, peer: IpAddr, front: Arc<Front>, mut stopping: watch::Receiver<()>) {
    let service = service_fn(|request| answer(&front, peer, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A client that hangs up is no matter of the server's.
        _ = connection.as_mut() => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    front: &Arc<Front>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    request.extensions_mut().insert(Network::of(peer));
    if let Some(accept) = socket::accept_key(request.headers()) {
        return Ok(socket::connect(front, request, &accept).map(Full::from));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let body = body.to_bytes();
    if control::is_control(parts.uri.path()) {
        return Ok(control::answer(front, &parts.method, &parts.uri, &parts.headers, &body).map(Full::from));
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
