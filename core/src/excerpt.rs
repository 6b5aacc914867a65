//! A body as one short printable line, safe for logs.
//!
//! An error page may repeat the request it complains of. So values (what follows `":` or `=`) and token-like runs of
//! characters are masked; words stay, and so do the UUIDs the server's support asks for.

use alloc::string::String;

/// The longest excerpt, in characters.
const LIMIT: usize = 200;

/// The shortest run of token characters that is masked. Words of prose are shorter.
const TOKEN_RUN: usize = 20;

const MASK: &str = "[…]";

/// The start of `body` in printable form.
pub(crate) fn excerpt(body: &[u8]) -> String {
    // More than enough for the limit, and little enough to be quick on a large body.
    let start = body.get(..LIMIT * 20).unwrap_or(body);
    line(&String::from_utf8_lossy(start))
}

/// `text` as one printable, masked line of at most 200 characters.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0_usize;
    let mut word = "";
    let mut rest = text.trim();
    while !rest.is_empty() && length < LIMIT {
        let (piece, shown, following) = next_piece(rest);
        out.push_str(shown);
        length = length.saturating_add(shown.chars().count());
        rest = match piece {
            ":" => mask_value(&mut out, following, names_a_secret(word)),
            "=" => mask_value(&mut out, following, true),
            _ if word.eq_ignore_ascii_case("bearer") => mask_value(&mut out, following, true),
            _ => following,
        };
        if piece.starts_with(is_token_character) || piece == "=" {
            word = piece;
        }
    }
    if rest.is_empty() {
        return out;
    }
    let mut cut: String = out.chars().take(LIMIT).collect();
    cut.push('…');
    cut
}

/// Whether a bare value after `word:` has to be masked.
fn names_a_secret(word: &str) -> bool {
    const SECRETS: [&str; 7] = ["password", "sec", "token", "ticket", "code", "authorization", "assertion"];
    let word = word.to_ascii_lowercase();
    SECRETS.iter().any(|secret| word.ends_with(secret) || word.ends_with("secret"))
}

/// Splits a piece off: a run of token characters, white space and controls, or one other character; and how to show it.
fn next_piece(text: &str) -> (&str, &str, &str) {
    let run = text.find(|c: char| !is_token_character(c)).unwrap_or(text.len());
    if run > 0 {
        let (piece, rest) = text.split_at(run);
        let shown = if piece.len() >= TOKEN_RUN && !is_uuid(piece) { MASK } else { piece };
        return (piece, shown, rest);
    }
    let blank = text.find(|c: char| !is_blank(c)).unwrap_or(text.len());
    if blank > 0 {
        let (piece, rest) = text.split_at(blank);
        return (piece, " ", rest);
    }
    let width = text.chars().next().map_or(text.len(), char::len_utf8);
    let (piece, rest) = text.split_at(width);
    (piece, piece, rest)
}

/// Masks the value that follows a `:` or `=`: a quoted string always, a bare word where `bare` says so.
fn mask_value<'t>(out: &mut String, text: &'t str, bare: bool) -> &'t str {
    let value = text.trim_start();
    if let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) {
        out.push_str(MASK);
        return value.get(1..).and_then(|inner| end_of_string(inner, quote)).unwrap_or_default();
    }
    if bare && !value.is_empty() && !starts_with_word(value, "bearer") {
        out.push_str(MASK);
        let end = value.find(|c: char| is_blank(c) || ['&', ';', ',', '<', '>', '}'].contains(&c));
        return end.and_then(|end| value.get(end..)).unwrap_or_default();
    }
    text
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// What follows the closing quote; nothing where there is none.
fn end_of_string(text: &str, quote: char) -> Option<&str> {
    let mut escaped = false;
    let closing = text.find(|c: char| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    text.get(closing.saturating_add(1)..)
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['-', '_', '.', '+', '/', '~'].contains(&c)
}

/// White space, controls, and the invisible characters that reorder or hide text.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c == char::REPLACEMENT_CHARACTER
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_error_ids_stay_readable() {
        let text = "Internal Server Error, error id: 0b5f3f0e-70b6-4d5c-9a7e-1c1f6a3b2d4e\r\n";
        assert_eq!(line(text), text.trim());
        assert_eq!(line("<h1>502 Bad Gateway</h1>\n\n<hr>nginx"), "<h1>502 Bad Gateway</h1> <hr>nginx");
    }

    #[test]
    fn a_request_that_is_repeated_back_is_masked() {
        for echo in [
            r#"bad request: {"name":"canary","password" : "can\"ary","cid":8}"#,
            "cannot parse name=canary&password=canary&sec=canary",
            "{'password': 'canary canary'}",
            r#"{"password":"canary without an end"#,
            "password=\"canary\" sec='canary'",
            "sent canarycanarycanary-canary",
            "Authorization: Bearer canary",
            "authorization: bearer   canary!canary",
            "{password: canary, sec:canary}",
            "your p-ticket: canary is wrong",
        ] {
            let shown = excerpt(echo.as_bytes());
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("[…]"), "{shown}");
        }
    }

    #[test]
    fn any_bytes_become_one_bounded_line() {
        assert_eq!(excerpt(b"a\x00\x1b[31m\xff\xfeb\nc\xe2\x80\xae"), "a [31m b c ");
        let long = excerpt("wörter ".repeat(10_000).as_bytes());
        assert_eq!(long.chars().count(), LIMIT + 1);
        assert!(long.ends_with('…'));
        assert_eq!(excerpt(b""), "");
    }
}
