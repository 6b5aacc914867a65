//! The server's frames, as far as a client needs them to keep its socket alive.

use serde_json::Value;

/// The id of the request `authorize`. Its answer has the same id.
pub(crate) const AUTHORIZE: u64 = 1;

/// A text frame from the server.
pub(crate) enum Frame {
    /// `o`: the socket is open and waits for `authorize`.
    Open,
    /// `h`: the server's heartbeat.
    Heartbeat,
    /// The answer to `authorize`: the status, and the text of a refusal.
    Authorization(u16, String),
    /// `a[…]`: other answers and events.
    Messages(Vec<Value>),
    /// `c[…]`: the server closes the socket, perhaps with a reason.
    Close(String),
}

impl Frame {
    /// Reads a frame. An unknown frame counts as a heartbeat.
    pub(crate) fn read(text: &str) -> Self {
        match text.split_at_checked(1) {
            Some(("o", _)) => Self::Open,
            Some(("a", messages)) => {
                let messages: Vec<Value> = serde_json::from_str(messages).unwrap_or_default();
                match messages.iter().find(|message| message["i"] == AUTHORIZE) {
                    Some(answer) => {
                        let status = answer["s"].as_u64().and_then(|status| u16::try_from(status).ok());
                        // Some texts have additional quotation marks.
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
