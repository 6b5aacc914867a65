//! What the frames of a server mean to a client that keeps its socket alive.

use serde_json::Value;

/// The number of the request `authorize`; its answer has the same.
pub(crate) const AUTHORIZE: u64 = 1;

/// A text frame of the server.
pub(crate) enum Frame {
    /// `o`: the socket is open and waits for `authorize`.
    Open,
    /// `h`: a sign of life.
    Heartbeat,
    /// The answer to `authorize`: the status, and the text of a refusal.
    Authorization(u16, String),
    /// `a[…]`: other answers and events.
    Messages(Vec<Value>),
    /// `c[…]`: the server ends the socket and may say why.
    Close(String),
}

impl Frame {
    /// Reads a frame. An unknown one is a sign of life.
    pub(crate) fn read(text: &str) -> Self {
        match text.split_at_checked(1) {
            Some(("o", _)) => Self::Open,
            Some(("a", messages)) => {
                let messages: Vec<Value> = serde_json::from_str(messages).unwrap_or_default();
                match messages.iter().find(|message| message["i"] == AUTHORIZE) {
                    Some(answer) => {
                        let status = answer["s"].as_u64().and_then(|status| u16::try_from(status).ok());
                        // Some texts come with quotation marks of their own.
                        let text = answer["d"].as_str().unwrap_or_default().trim_matches('"');
                        Self::Authorization(status.unwrap_or_default(), text.to_owned())
                    }
                    None => Self::Messages(messages),
                }
            }
            Some(("c", reason)) => Self::Close(reason.to_owned()),
            _ => Self::Heartbeat,
        }
    }
}
