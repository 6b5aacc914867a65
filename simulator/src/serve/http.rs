//! From a socket to the simulator and back.

use std::{future::IntoFuture, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};

use super::{Front, Network};

/// No field of any request is longer than 8192 characters.
const BODY_LIMIT: usize = 1 << 20;
/// What requests under way are given when the server stops. A connection that has not sent a whole request would
/// otherwise hold it up for good.
const GRACE: Duration = Duration::from_millis(200);

/// Serves until told to stop, or until the guard is gone.
pub(super) async fn serve(listener: TcpListener, front: Arc<Front>, stopped: oneshot::Receiver<()>) {
    let router = Router::new().fallback(answer).with_state(front);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (wind_down, winding_down) = oneshot::channel::<()>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async {
        let _ = winding_down.await;
    });
    let serving = tokio::spawn(serving.into_future());
    let _ = stopped.await;
    let _ = wind_down.send(());
    let _ = timeout(GRACE, serving).await;
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    parts.extensions.insert(Network::of(peer.ip()));
    let request = Request::from_parts(parts, body);
    let mut simulator = front.simulator();
    let now = front.now();
    let response = simulator.handle(now, request);
    if let (Some(observer), Some(entry)) = (&front.observer, simulator.statistics().log().next_back()) {
        observer(entry);
    }
    response.map(Body::from)
}
