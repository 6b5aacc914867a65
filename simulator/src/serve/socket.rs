//! Carries the frames between a WebSocket connection and a socket of the simulator.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::Shared;
use crate::sockets::{SocketId, SocketNext, SocketOutput};

/// How long a client has to answer the server's close frame.
const GRACE: Duration = Duration::from_secs(1);

/// The `Sec-WebSocket-Accept` value for a WebSocket request; `None` for other requests.
pub(super) fn accept_key(headers: &HeaderMap) -> Option<String> {
    let is_upgrade = headers.get(header::UPGRADE)?.as_bytes().eq_ignore_ascii_case(b"websocket");
    let is_known = headers.get(header::SEC_WEBSOCKET_VERSION)? == "13";
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let mut hash = sha1_smol::Sha1::from(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); // RFC 6455, section 1.3
    (is_upgrade && is_known).then(|| BASE64_STANDARD.encode(hash.digest().bytes()))
}

/// Accepts the WebSocket, or answers as the simulator does if it refuses.
pub(super) fn connect(shared: &Arc<Shared>, mut request: Request<Incoming>, accept: &str) -> Response<Vec<u8>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let connected = shared.observed(|simulator, clock| {
        let now = simulator.now(clock);
        simulator.at(clock).connect(now, request.map(|_| ""))
    });
    shared.changes.send_replace(());
    match connected {
        Err(refusal) => *refusal,
        Ok(id) => {
            tokio::spawn(serve_connection(Arc::clone(shared), id, upgrade));
            let mut response = Response::new(Vec::new());
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            if let Ok(accept) = HeaderValue::from_str(accept) {
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
            }
            response
        }
    }
}

async fn serve_connection(shared: Arc<Shared>, id: SocketId, upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return hang_up(&shared, id) };
    let mut stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    relay(&shared, id, &mut stream).await;
    // The socket is removed before the connection ends, so that a client that sees the end finds no socket any more.
    hang_up(&shared, id);
}

/// Relays frames until one side ends the connection.
async fn relay(shared: &Shared, id: SocketId, stream: &mut WebSocketStream<TokioIo<Upgraded>>) {
    let mut changes = shared.changes.subscribe();
    let mut output = poll(shared, id);
    loop {
        for frame in output.frames {
            if stream.send(Message::text(frame)).await.is_err() {
                return;
            }
        }
        let due = match output.next {
            SocketNext::Open(due) => due,
            SocketNext::Cut => return,
            SocketNext::Closed => {
                let closing = async {
                    let _ = stream.close(None).await;
                    while let Some(Ok(_)) = stream.next().await {}
                };
                let _ = tokio::time::timeout(GRACE, closing).await;
                return;
            }
        };
        let left = due.map(|due| Duration::try_from(due.duration_since(shared.now())).unwrap_or_default());
        output = tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => receive(shared, id, &text),
                Some(Ok(_)) => poll(shared, id),
                Some(Err(_)) | None => return,
            },
            // The sender can't be dropped: the shared state holds it.
            _ = changes.changed() => poll(shared, id),
            () = sleep(left.unwrap_or(Duration::MAX)) => poll(shared, id),
        };
    }
}

fn poll(shared: &Shared, id: SocketId) -> SocketOutput {
    shared.observed(|simulator, clock| {
        let now = simulator.now(clock);
        simulator.at(clock).socket_poll(now, id)
    })
}

fn receive(shared: &Shared, id: SocketId, text: &str) -> SocketOutput {
    shared.observed(|simulator, clock| {
        let now = simulator.now(clock);
        simulator.at(clock).socket_receive(now, id, text)
    })
}

/// The connection is gone.
fn hang_up(shared: &Shared, id: SocketId) {
    shared.observed(|simulator, clock| simulator.at(clock).socket_hung_up(id));
}
