//! Looking at all bytes of a text, many at a time.

/// As many bytes as a vector register of every processor has.
const BLOCK: usize = 16;

/// Whether all bytes are such ones. They are looked at block by block, and within a block without an early end: so it is done
/// by vectors. The last block may overlap the one before, which leaves no rest to be looked at byte by byte.
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
    fn a_byte_is_found_at_every_position() {
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
