//! A body as one short printable line, safe for logs.
//!
//! An error page may repeat the request it complains of, in any of the forms frameworks print. So values (what follows
//! `":`, `=`, or the name of a secret) and token-like runs of characters are masked; words stay, and so do the
//! vendor's addresses and the UUIDs its support asks for.

use alloc::string::String;

use crate::url::is_trusted_host;

/// The longest excerpt, in characters.
const LIMIT: usize = 200;

/// How much of a body is looked at: more than enough for the limit, and little enough to be quick on a large body.
const WINDOW: usize = LIMIT * 20;

/// The shortest run of token characters that is masked. Words of prose are shorter.
const TOKEN_RUN: usize = 20;

/// The longest word in the name of a field.
const LONGEST_WORD: usize = 15;

/// The longest address of the vendor's that is shown.
const LONGEST_ADDRESS: usize = 48;

const MASK: &str = "[…]";

/// The start of `body` in printable form.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let start = body.get(..WINDOW).unwrap_or(body);
    let cut = start.len() < body.len();
    let text = plain_quotes(&String::from_utf8_lossy(start));
    // A value cut in two might be too short to be recognised.
    let whole =
        if cut { text.rsplit_once(char::is_whitespace).map_or(text.as_str(), |(whole, _)| whole) } else { &text };
    masked(whole.trim_matches(is_blank), cut)
}

/// `text` as one printable, masked line of at most 200 characters.
pub(crate) fn line(text: &str) -> String {
    excerpt(text.as_bytes())
}

/// The name of a field: as [`line`], but identifiers of several words stay readable however long they are.
pub(crate) fn name(text: &str) -> String {
    if is_identifier(text) { text.into() } else { line(text) }
}

/// Letters in words of a usual length and few capitals: what chance doesn't make of a token's characters.
fn is_identifier(text: &str) -> bool {
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    let mut words = text.split(|c: char| c == '_' || c.is_ascii_uppercase());
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && capitals.saturating_mul(4) <= text.len()
        && words.all(|word| word.len() < LONGEST_WORD)
}

/// Quotes as HTML and some JSON writers escape them, read as quotes.
fn plain_quotes(text: &str) -> String {
    const ESCAPED: [(&str, &str); 9] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#x22;", "\""),
        ("\\u0022", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("\\u0027", "'"),
        ("&gt;", ">"),
    ];
    ESCAPED.iter().fold(text.into(), |text: String, (escaped, quote)| text.replace(escaped, quote))
}

fn masked(text: &str, cut: bool) -> String {
    let mut out = String::new();
    let mut length = 0_usize;
    let (mut word, mut last, mut rest) = ("", "", text);
    while !rest.is_empty() && length < LIMIT {
        let (piece, shown, following) = next_piece(rest);
        out.push_str(shown);
        length = length.saturating_add(shown.chars().count());
        let quoted = starts_with_quote(following.trim_start_matches(is_blank));
        rest = match piece {
            ":" => mask_value(&mut out, following, word, names_a_secret(word)),
            "=" => mask_value(&mut out, following, word, true),
            // <password>…</password>, password -> …
            ">" if names_a_secret(word) && (last == word || last == "-") => mask_element(&mut out, following),
            // <td>password</td><td>…</td>
            "<" if names_a_secret(word) => mask_element(&mut out, after_tags(following)),
            // ("password", "…")
            "," if names_a_secret(word) && is_quote(last) && quoted => mask_value(&mut out, following, word, true),
            // password '…', rejected value […]
            _ if is_blank_piece(piece)
                && last == word
                && (names_a_secret(word) || word.eq_ignore_ascii_case("value"))
                && (quoted || following.starts_with('[')) =>
            {
                mask_value(&mut out, following, word, true)
            }
            _ if word.eq_ignore_ascii_case("bearer") => mask_value(&mut out, following, word, true),
            _ => following,
        };
        if piece == "=" || piece != "-" && piece.starts_with(is_token_character) {
            word = piece;
        }
        last = piece;
    }
    if rest.is_empty() && !cut && out.chars().count() <= LIMIT {
        return out;
    }
    let mut short: String = out.chars().take(LIMIT).collect();
    short.push('…');
    short
}

/// Whether a bare value after `word:` has to be masked.
fn names_a_secret(word: &str) -> bool {
    const SECRETS: [&str; 16] = [
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "sec",
        "secret",
        "token",
        "ticket",
        "code",
        "verifier",
        "auth",
        "authorization",
        "assertion",
        "credentials",
        "cookie",
        "key",
    ];
    let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    SECRETS.iter().any(|secret| word.ends_with(secret))
}

/// Splits a piece off: a run of token characters, white space and controls, or one other character; and how to show it.
fn next_piece(text: &str) -> (&str, &str, &str) {
    let run = text.find(|c: char| !is_token_character(c)).unwrap_or(text.len());
    if run > 0 {
        let (piece, rest) = text.split_at(run);
        let plain = piece.len() < TOKEN_RUN || is_uuid(piece) || is_vendor_address(piece);
        return (piece, if plain { piece } else { MASK }, rest);
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
fn mask_value<'t>(out: &mut String, text: &'t str, name: &str, bare: bool) -> &'t str {
    let value = text.trim_start_matches(|c| is_blank(c) || [':', '=', '>'].contains(&c));
    let items = value.trim_start_matches(|c| is_blank(c) || ['[', '('].contains(&c));
    if starts_with_quote(items) {
        out.push_str(MASK);
        let mut rest = after_string(items);
        // The further strings of a list.
        while let Some(item) = rest.trim_start_matches(is_blank).strip_prefix(',').filter(|_| items.len() < value.len())
        {
            let item = item.trim_start_matches(is_blank);
            if !starts_with_quote(item) {
                break;
            }
            rest = after_string(item);
        }
        return rest;
    }
    let object = value.strip_prefix('{').is_some_and(|inner| starts_with_quote(inner.trim_start_matches(is_blank)));
    if !bare || value.is_empty() || object || starts_with_word(value, "bearer") || is_status_code(name, value) {
        return text;
    }
    out.push_str(MASK);
    // A header's value is a scheme and what it carries; some languages write the type before a string.
    let rest = after_word(value);
    let carried = rest.trim_start_matches(is_blank);
    let authorization = name.to_ascii_lowercase().ends_with("authorization");
    match starts_with_quote(carried) {
        true => after_string(carried),
        false if authorization => after_word(carried),
        false => rest,
    }
}

/// Masks the text of an element, up to the next tag; without one, the next word.
fn mask_element<'t>(out: &mut String, text: &'t str) -> &'t str {
    let text = text.trim_start_matches(is_blank);
    if text.is_empty() || text.starts_with('<') {
        return text;
    }
    out.push_str(MASK);
    text.find('<').map_or_else(|| after_word(text), |tag| text.get(tag..).unwrap_or_default())
}

/// What follows the tag whose inside `text` starts in, and all tags right behind it.
fn after_tags(text: &str) -> &str {
    let mut rest = text.split_once('>').map_or("", |(_, rest)| rest).trim_start_matches(is_blank);
    while let Some((_, behind)) = rest.strip_prefix('<').and_then(|tag| tag.split_once('>')) {
        rest = behind.trim_start_matches(is_blank);
    }
    rest
}

fn after_word(text: &str) -> &str {
    text.find(char::is_whitespace).and_then(|end| text.get(end..)).unwrap_or_default()
}

/// `error code: 502`: short numbers are no secrets.
fn is_status_code(name: &str, value: &str) -> bool {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let following = value.get(digits..).unwrap_or_default();
    name.ends_with("code") && (1..=5).contains(&digits) && !following.starts_with(is_token_character)
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether `text` starts with a quote, behind the backslashes of a string in a string or the letter some languages
/// write before it.
fn starts_with_quote(text: &str) -> bool {
    let text = text.trim_start_matches('\\');
    text.starts_with(['"', '\''])
        || text.strip_prefix(['b', 'u', 'r']).is_some_and(|text| text.starts_with(['"', '\'']))
}

fn is_quote(piece: &str) -> bool {
    ["\"", "'"].contains(&piece)
}

/// What follows the closing quote of the string `text` starts with; nothing where there is none.
fn after_string(text: &str) -> &str {
    let text = text.trim_start_matches(['b', 'u', 'r']);
    let inside = text.trim_start_matches('\\');
    // A string in a string has one backslash before its quotes, one more level down three: each level doubles them.
    let level = text.len().saturating_sub(inside.len());
    let period = level.saturating_add(1).saturating_mul(2);
    let Some(quote) = inside.chars().next() else { return "" };
    let mut backslashes = 0_usize;
    let inside = inside.get(1..).unwrap_or_default();
    let closing = inside.find(|c: char| {
        let closes = c == quote && backslashes.checked_rem(period) == Some(level);
        backslashes = if c == '\\' { backslashes.saturating_add(1) } else { 0 };
        closes
    });
    closing.and_then(|at| inside.get(at.saturating_add(1)..)).unwrap_or_default()
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['-', '_', '.', '+', '/', '~'].contains(&c)
}

fn is_blank_piece(piece: &str) -> bool {
    piece.starts_with(is_blank)
}

/// White space, controls, and the invisible characters that reorder or hide text.
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

/// A host of the vendor's, an endpoint's path, or both: `//live.tradovateapi.com/v1/auth/me`.
fn is_vendor_address(run: &str) -> bool {
    const PATHS: [&str; 4] = ["/auth/accesstokenrequest", "/auth/renewaccesstoken", "/auth/oauthtoken", "/auth/me"];
    let (host, path) = match run.strip_prefix("//").unwrap_or(run) {
        path if path.starts_with('/') => ("", path),
        address => address.find('/').map_or((address, ""), |at| address.split_at(at)),
    };
    let host = host.trim_end_matches('.');
    let known_host = host.is_empty() || host.len() <= LONGEST_ADDRESS && is_trusted_host(host);
    let path = path.trim_end_matches(['.', '/']).trim_start_matches("/v1");
    known_host && (path.is_empty() || PATHS.iter().any(|known| known.eq_ignore_ascii_case(path)))
}

#[cfg(test)]
#[path = "excerpt/tests.rs"]
mod tests;
