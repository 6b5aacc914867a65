//! Reads the parameters of a query or a form strictly. Input that two parsers could read differently, such as a
//! repeated parameter, is refused as a whole (RFC 6749, section 3.1).

use std::collections::BTreeMap;

/// Decoded parameters, each of which was given once.
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`. The error is a sentence that says what is wrong.
    pub(super) fn read(encoded: &[u8]) -> Result<Self, &'static str> {
        let mut parameters = BTreeMap::new();
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decoded(halves.next().unwrap_or_default()).ok_or("A parameter is not properly encoded.");
            if parameters.insert(half()?, half()?).is_some() {
                return Err("A parameter is given twice.");
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (hex(rest.next()?)? << 4) | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_dropped() {
        for (encoded, value) in [
            ("a=b+c%20%C3%a4=%26", Some("b c ä=&")),
            ("&&b=1&%61=2&", Some("2")),
            ("a=", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(Parameters::read(encoded.as_bytes()).unwrap().get("a"), value, "{encoded}");
        }
    }
}
