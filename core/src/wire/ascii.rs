//! Checks all bytes of a text.

/// Whether `is_such` is true for all bytes. All bytes are checked before the result is used, so that the compiler can use
/// vector instructions.
#[inline]
pub(crate) fn all_bytes(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |such, byte| such & is_such(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn all_bytes_detects_a_different_byte_at_every_position() {
        let text = "x".repeat(47);
        assert!(all_bytes("", |_| false));
        for length in 0..=text.len() {
            assert!(all_bytes(&text[..length], |byte| byte == b'x'), "{length}");
            for place in 0..length {
                let mut other = text[..length].to_owned();
                other.replace_range(place..=place, "y");
                assert!(!all_bytes(&other, |byte| byte == b'x'), "{other}");
            }
        }
    }
}
