//! Stores the sessions of a set in slots. A slot is reused after its session is removed, but the key of the removed
//! session stays invalid.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Identifies a session of a set. After the session is removed, the key never identifies another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    pub(super) index: u32,
    serial: u32,
}

#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    serial: u32,
    content: Option<Box<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, content: T) -> SessionKey {
        let content = Some(Box::new(content));
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.content = content;
            return SessionKey { index, serial: slot.serial };
        }
        // No machine holds 2^32 sessions.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { serial: 0, content });
        SessionKey { index, serial: 0 }
    }

    pub(super) fn remove(&mut self, key: SessionKey) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.serial == key.serial)?;
        let content = slot.content.take()?;
        slot.serial = slot.serial.wrapping_add(1);
        self.free.push(key.index);
        Some(*content)
    }

    pub(super) fn get(&self, key: SessionKey) -> Option<&T> {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.serial == key.serial)?;
        slot.content.as_deref()
    }

    pub(super) fn contains(&self, key: SessionKey) -> bool {
        self.get(key).is_some()
    }

    /// The session at an index, whatever its generation.
    pub(super) fn at(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.content.as_deref_mut()
    }

    pub(super) fn key(&self, index: u32) -> Option<SessionKey> {
        let slot = self.slots.get(index as usize)?;
        slot.content.is_some().then_some(SessionKey { index, serial: slot.serial })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_reused_and_its_old_key_is_invalid() {
        let mut slots = Slots::default();
        let (first, second) = (slots.insert("first"), slots.insert("second"));
        assert_eq!((slots.len(), slots.get(first), slots.get(second)), (2, Some(&"first"), Some(&"second")));
        assert_eq!(slots.remove(first), Some("first"));
        assert_eq!((slots.len(), slots.get(first)), (1, None));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.key(first.index), None);

        let third = slots.insert("third");
        assert_eq!((third.index, slots.len()), (first.index, 2), "the same place");
        assert_eq!((slots.get(first), slots.get(third)), (None, Some(&"third")));
        assert_eq!((slots.remove(first), slots.len()), (None, 2), "an old key removes nobody else");
        assert_eq!(slots.key(third.index), Some(third));
        assert_eq!(slots.at(third.index), Some(&mut "third"));
        assert!(slots.contains(third) && !slots.contains(first));
    }
}
