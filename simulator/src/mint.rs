//! Generates tokens, tickets, codes and error ids. They come from a seed and a counter, so the same requests always get
//! the same answers.

/// The length of an access token after its prefix, in characters of the base64url alphabet, as in recorded answers.
const TOKEN_LENGTH: usize = 200;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A counter with the finalizer of `SplitMix64`: no two states give the same number.
#[derive(Clone)]
pub(crate) struct Mint {
    state: u64,
}

impl Mint {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            for byte in self.word().to_le_bytes().into_iter().take(length - text.len()) {
                text.push(char::from(ALPHABET.get(usize::from(byte & 63)).copied().unwrap_or(b'A')));
            }
        }
        text
    }

    pub(crate) fn access_token(&mut self) -> String {
        format!("ag_{}", self.text(TOKEN_LENGTH))
    }

    pub(crate) fn market_data_token(&mut self) -> String {
        format!("md_{}", self.text(TOKEN_LENGTH))
    }

    pub(crate) fn refresh_token(&mut self) -> String {
        self.text(180)
    }

    /// An id token with the three parts of a JWT. The parts are random text without claims.
    pub(crate) fn id_token(&mut self) -> String {
        format!("{}.{}.{}", self.text(20), self.text(60), self.text(43))
    }

    pub(crate) fn code(&mut self) -> String {
        self.text(64)
    }

    pub(crate) fn ticket(&mut self) -> String {
        self.text(22)
    }

    /// A UUID of version 4.
    pub(crate) fn error_id(&mut self) -> String {
        let (high, low) = (self.word(), self.word());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_unique_and_have_the_form_of_recorded_ones() {
        let mut mint = Mint::new(0);
        let tokens: std::collections::BTreeSet<_> = (0..1000).map(|_| mint.access_token()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in tokens {
            assert_eq!(token.len(), 203);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{token}");
        }
    }

    #[test]
    fn an_error_id_is_a_uuid() {
        let id = Mint::new(1).error_id();
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
