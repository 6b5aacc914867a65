//! The text frames of a socket: parses the client's frames, and writes the server's.

use serde_json::Value;

/// A frame from a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// `[]`: the client's heartbeat.
    Heartbeat,
    Request(SocketRequest<'a>),
}

/// `endpoint\nid\nquery\nbody`. A missing part is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SocketRequest<'a> {
    pub(super) endpoint: &'a str,
    pub(super) id: Option<u64>,
    pub(super) body: &'a str,
}

impl<'a> Incoming<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        if text == "[]" {
            return Self::Heartbeat;
        }
        let mut parts = text.splitn(4, '\n');
        let mut part = || parts.next().unwrap_or_default();
        let (endpoint, id, _query) = (part(), part(), part());
        Self::Request(SocketRequest { endpoint, id: id.parse().ok(), body: part() })
    }
}

/// Writes `a[{"s":200,"i":1}]`, with `d` if there is data or a text.
pub(super) fn answer(status: u16, id: u64, data: &Value) -> String {
    match data {
        Value::Null => format!(r#"a[{{"s":{status},"i":{id}}}]"#),
        data => format!(r#"a[{{"s":{status},"i":{id},"d":{data}}}]"#),
    }
}

pub(super) fn close(reason: &str) -> String {
    format!("c[3000,{}]", Value::from(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_request_has_four_lines_and_its_body_may_have_more() {
        let request = |endpoint, id, body| Incoming::Request(SocketRequest { endpoint, id, body });
        assert_eq!(Incoming::read("[]"), Incoming::Heartbeat);
        for (text, expected) in [
            ("authorize\n7\n\ntoken", request("authorize", Some(7), "token")),
            ("user/list\n0", request("user/list", Some(0), "")),
            ("a\n1\nq=1\n{\n}\n", request("a", Some(1), "{\n}\n")),
            ("a\nx\n\n", request("a", None, "")),
            ("", request("", None, "")),
        ] {
            assert_eq!(Incoming::read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn frames_have_the_format_of_the_real_server() {
        assert_eq!(answer(200, 1, &Value::Null), r#"a[{"s":200,"i":1}]"#);
        assert_eq!(answer(401, 0, &Value::from("a \"b\"")), r#"a[{"s":401,"i":0,"d":"a \"b\""}]"#);
        assert_eq!(close("Session closed"), r#"c[3000,"Session closed"]"#);
    }
}
