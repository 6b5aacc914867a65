//! Shortens a body to one printable line that is safe for logs.
//!
//! An error page may repeat the request, in any form that a web framework prints. So an excerpt contains only prose:
//! the title of a web page, or the start of any other text, up to the first word that could be data.

use alloc::string::String;

use crate::environment::trusted_hosts::is_trusted_host;
use crate::wire::endpoint::paths;

/// The longest excerpt, in characters.
const LIMIT: usize = 200;

/// How many bytes of a body are read: more than an excerpt needs, and few even if the body is large.
const WINDOW: usize = LIMIT * 20;

/// The shortest word that counts as a token. Words of prose are shorter.
const TOKEN: usize = 20;

/// Marks that the rest of a text is not shown.
pub(crate) const CUT: &str = "[…]";

/// A word in the name of a field is shorter than this, in characters.
const LONGEST_WORD: usize = 15;

/// The prose at the start of `body`.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..WINDOW).unwrap_or(body));
    let start = text.trim_start_matches(is_blank);
    prose(if start.starts_with('<') { title(start) } else { start })
}

/// The prose at the start of `text`: one printable line of at most 200 characters.
#[must_use]
pub fn line(text: &str) -> String {
    excerpt(text.as_bytes())
}

/// The name of a field. Like [`line`], but identifiers of several words stay readable at any length.
pub(crate) fn name(text: &str) -> String {
    if is_identifier(text) { text.into() } else { line(text) }
}

/// Whether a text has words of usual length and few capitals. Random characters of a token rarely do.
fn is_identifier(text: &str) -> bool {
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    let mut words = text.split(|c: char| c == '_' || c.is_ascii_uppercase());
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && capitals.saturating_mul(4) <= text.len()
        && words.all(|word| word.len() < LONGEST_WORD)
}

/// The title of a web page, or its first heading, if it has one.
fn title(page: &str) -> &str {
    let element = |tag| page.split_once(tag).and_then(|(_, inside)| inside.split_once('<')).map(|(text, _)| text);
    element("<title>").or_else(|| element("<h1>")).unwrap_or_default()
}

fn prose(text: &str) -> String {
    let mut out = String::new();
    let (mut length, mut before) = (0_usize, "");
    for word in text.split(is_blank).filter(|word| !word.is_empty()) {
        length = length.saturating_add(word.chars().count()).saturating_add(1);
        let shown = length <= LIMIT && is_prose(word) && (!announces_data(before) || is_status_code(before, word));
        let gap = if out.is_empty() { "" } else { " " };
        if !shown {
            // The mark for the omitted rest is added only after a shown part.
            if !out.is_empty() {
                out.push_str(gap);
                out.push_str(CUT);
            }
            return out;
        }
        out.push_str(gap);
        out.push_str(word);
        before = word;
    }
    out
}

/// Whether a word can't be data: it has letters, digits, hyphens, and punctuation in the places of prose. It is short,
/// or it is one of the vendor's addresses, or a UUID as the vendor's support asks for.
fn is_prose(word: &str) -> bool {
    let bare = word.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    if is_uuid(bare) || is_vendor_address(bare) {
        return true;
    }
    let plain = bare.chars().all(|c| c.is_alphanumeric() || ['-', '_', '.', '/', '\''].contains(&c));
    plain && !bare.starts_with('\'') && !bare.ends_with('\'') && bare.chars().count() < TOKEN
}

/// Whether a word announces a value: `password:`, `Bearer`.
fn announces_data(word: &str) -> bool {
    const SECRETS: &str = "password passwd pwd passphrase sec secret token ticket code verifier auth authorization assertion \
                           credentials cookie key";
    let word = word.to_ascii_lowercase();
    let scheme = ["bearer", "basic"].contains(&word.as_str());
    scheme || word.strip_suffix(':').is_some_and(|name| SECRETS.split(' ').any(|secret| name.ends_with(secret)))
}

/// Whether a word is a short number after `code:`, as in `error code: 502`. Short numbers are not secrets.
fn is_status_code(before: &str, word: &str) -> bool {
    before.ends_with("code:") && word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// White space, control characters, and invisible characters that reorder or hide text.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c == char::REPLACEMENT_CHARACTER
        || matches!(
            c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A host of the vendor, an endpoint's path, or both: `https://live.tradovateapi.com/v1/auth/me`.
fn is_vendor_address(word: &str) -> bool {
    let address = word.strip_prefix("https://").unwrap_or(word);
    let (host, path) = address.find('/').map_or((address, ""), |at| address.split_at(at));
    // A longer name than the vendor's could contain data.
    let known_host = host.is_empty() || host.len() <= 48 && is_trusted_host(host);
    let path = path.trim_end_matches('/').trim_start_matches("/v1");
    known_host && (path.is_empty() || paths::ALL.iter().any(|known| known.eq_ignore_ascii_case(path)))
}

#[cfg(test)]
#[path = "excerpt/tests.rs"]
mod tests;
