//! Digests that stand for states: equal digests mean equal states.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of 128 bits of all that was added to it, in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u64; 2]);

impl Digest {
    pub(crate) fn add(&mut self, what: &impl Hash) {
        let mut hasher = Both::default();
        (self.0, what).hash(&mut hasher);
        hasher.1.write_u8(1);
        self.0 = [hasher.0.finish(), hasher.1.finish()];
    }
}

#[derive(Default)]
struct Both(DefaultHasher, DefaultHasher);

impl Hasher for Both {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
