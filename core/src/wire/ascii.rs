//! Checks all bytes of a text, in blocks of the size of a vector register.

/// The size of a vector register that every common processor has, in bytes.
const BLOCK: usize = 16;

/// Whether `is_such` is true for all bytes. Within a block, all bytes are checked before the result is used, so that
/// the compiler can use vector instructions. The last block may overlap the previous one, so no bytes remain that are
/// checked one by one.
#[inline]
pub(crate) fn all_bytes(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let are_such = |block: &[u8; BLOCK]| block.iter().fold(true, |such, byte| such & is_such(*byte));
    match bytes.last_chunk() {
        Some(last) => are_such(last) && bytes.as_chunks().0.iter().all(are_such),
        None => bytes.iter().all(|byte| is_such(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn all_bytes_detects_a_different_byte_at_every_position() {
        let text = "x".repeat(3 * BLOCK - 1);
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
