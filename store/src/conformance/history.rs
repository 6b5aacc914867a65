//! Checks whether a concurrent history is linearizable: whether its operations can be put in an order with two
//! properties. First, a store that carries them out one after the other in this order gives the same answers. Second,
//! an operation that returned before another one was called comes before it. The search follows Wing and Gong, "Testing
//! and Verifying Concurrent Objects", 1993.

use std::collections::HashSet;

use tradovate_auth_session::Revision;

/// What a store was asked to do, and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Load { found: Option<(Revision, i64)> },
    Lease { is_long: bool, fence: Option<u64> },
    Save { user: i64, known: Option<Revision>, fence: u64, saved: Option<Revision> },
    Release { fence: u64 },
}

/// An operation of a history. The two times count calls and returns; no number occurs twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) thread: usize,
    pub(super) called: u64,
    pub(super) returned: u64,
    pub(super) operation: Operation,
}

/// The largest number of events of a history.
pub(super) const MOST: usize = u64::BITS as usize;

/// The model of a correct store: one name, one operation at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Model {
    record: Option<(Revision, i64)>,
    /// The fence of the newest lease.
    fence: Option<u64>,
    is_held: bool,
    /// Whether the holder has released its lease. A store may then accept or refuse a save with this lease, because a
    /// real holder does not save after a release.
    is_released: bool,
}

impl Model {
    /// The state after an operation, or `None` if its answer is wrong in this state.
    fn after(self, operation: Operation) -> Option<Self> {
        let revision = self.record.map(|(revision, _)| revision);
        match operation {
            Operation::Load { found } => (found == self.record).then_some(self),
            Operation::Lease { fence: None, .. } => self.is_held.then_some(self),
            Operation::Lease { is_long, fence: Some(fence) } => {
                let is_right = !self.is_held && self.fence.is_none_or(|newest| newest < fence);
                is_right.then_some(Self { fence: Some(fence), is_held: is_long, is_released: false, ..self })
            }
            Operation::Save { user, known, fence, saved } => {
                let may_save = self.fence == Some(fence) && revision == known;
                match saved {
                    None => (!may_save || self.is_released).then_some(self),
                    Some(saved) => may_save.then_some(Self { record: Some((saved, user)), ..self }),
                }
            }
            Operation::Release { fence } => {
                let is_newest = self.fence == Some(fence);
                Some(if is_newest { Self { is_held: false, is_released: true, ..self } } else { self })
            }
        }
    }
}

/// Whether a history of at most [`MOST`] events is linearizable. The more events overlap, the longer the search takes;
/// with four threads it takes milliseconds.
pub(super) fn is_linearizable(history: &[Event]) -> bool {
    let all = 1_u64.checked_shl(u32::try_from(history.len()).unwrap_or(u32::MAX)).unwrap_or(0).wrapping_sub(1);
    let mut tried = HashSet::new();
    // Partial orders to extend: a bit for each event that already has its place, and the state after these events.
    let mut open = vec![(0, Model::default())];
    while let Some((placed, model)) = open.pop() {
        if placed == all {
            return true;
        }
        if !tried.insert((placed, model)) {
            continue;
        }
        let left = || history.iter().enumerate().filter(|(index, _)| placed & (1 << index) == 0);
        let first_return = left().map(|(_, event)| event.returned).min().unwrap_or_default();
        for (index, event) in left().filter(|(_, event)| event.called < first_return) {
            if let Some(next) = model.after(event.operation) {
                open.push((placed | (1 << index), next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Operation = Operation::Lease { is_long: true, fence: Some(1) };
    const NOT_LEASED: Operation = Operation::Lease { is_long: true, fence: None };

    fn save(user: i64, known: Option<u64>, fence: u64, saved: Option<u64>) -> Operation {
        Operation::Save { user, known: known.map(Revision), fence, saved: saved.map(Revision) }
    }

    fn load(found: Option<(u64, i64)>) -> Operation {
        Operation::Load { found: found.map(|(revision, user)| (Revision(revision), user)) }
    }

    /// Whether operations, with the times of their call and return, are linearizable.
    fn is_one(events: &[(u64, u64, Operation)]) -> bool {
        let event = |&(called, returned, operation): &_| Event { thread: 0, called, returned, operation };
        is_linearizable(&events.iter().map(event).collect::<Vec<_>>())
    }

    #[test]
    fn a_load_during_a_save_may_find_the_record_before_or_after_it() {
        for (found, is_right) in [(None, true), (Some((5, 7)), true), (Some((5, 8)), false)] {
            let events = [(0, 1, LEASE), (2, 5, save(7, None, 1, Some(5))), (3, 4, load(found))];
            assert_eq!(is_one(&events), is_right, "{found:?}");
        }
    }

    #[test]
    fn a_load_after_a_save_finds_the_new_record() {
        for (found, is_right) in [(None, false), (Some((5, 7)), true)] {
            let events = [(0, 1, LEASE), (2, 3, save(7, None, 1, Some(5))), (4, 5, load(found))];
            assert_eq!(is_one(&events), is_right, "{found:?}");
        }
    }

    #[test]
    fn a_load_never_returns_an_older_record_than_an_earlier_load() {
        let save = (2, 9, save(7, None, 1, Some(5)));
        let (new, old) = (load(Some((5, 7))), load(None));
        assert!(is_one(&[(0, 1, LEASE), save, (3, 4, old), (5, 6, new)]));
        assert!(!is_one(&[(0, 1, LEASE), save, (3, 4, new), (5, 6, old)]));
    }

    #[test]
    fn a_long_lease_excludes_another_lease_until_its_release() {
        let again = Operation::Lease { is_long: true, fence: Some(2) };
        let release = Operation::Release { fence: 1 };
        assert!(!is_one(&[(0, 3, LEASE), (1, 2, again)]));
        assert!(is_one(&[(0, 3, LEASE), (1, 2, NOT_LEASED)]));
        assert!(!is_one(&[(0, 1, NOT_LEASED), (2, 3, LEASE)]));
        assert!(is_one(&[(0, 1, LEASE), (2, 5, release), (3, 4, again)]));
        assert!(!is_one(&[(0, 1, LEASE), (2, 3, release), (4, 5, NOT_LEASED)]));
    }

    #[test]
    fn a_lease_needs_a_higher_fence_than_the_lease_before_it() {
        let [low, high] = [1, 2].map(|fence| Operation::Lease { is_long: false, fence: Some(fence) });
        assert!(!is_one(&[(0, 1, high), (2, 3, low)]));
        assert!(is_one(&[(0, 2, high), (1, 3, low)]));
    }

    #[test]
    fn a_save_succeeds_only_with_the_newest_lease_and_the_current_revision() {
        let ended = (0, 1, Operation::Lease { is_long: false, fence: Some(1) });
        let next = (2, 3, Operation::Lease { is_long: true, fence: Some(2) });
        assert!(!is_one(&[ended, next, (4, 5, save(7, None, 1, Some(5)))]));
        assert!(is_one(&[ended, next, (4, 5, save(7, None, 1, None))]));
        assert!(!is_one(&[ended, next, (4, 5, save(7, None, 2, None))]));
        assert!(!is_one(&[ended, next, (4, 5, save(7, Some(4), 2, Some(5)))]));
    }

    #[test]
    fn exactly_one_of_two_concurrent_saves_succeeds() {
        let both = |one, other| [(0, 1, LEASE), (2, 5, save(7, None, 1, one)), (3, 4, save(8, None, 1, other))];
        assert!(is_one(&both(Some(5), None)) && is_one(&both(None, Some(5))));
        assert!(!is_one(&both(Some(5), Some(6))) && !is_one(&both(None, None)));
    }

    #[test]
    fn a_save_after_the_release_of_its_lease_may_succeed_or_fail() {
        for saved in [None, Some(5)] {
            let release = Operation::Release { fence: 1 };
            assert!(is_one(&[(0, 1, LEASE), (2, 3, release), (4, 5, save(7, None, 1, saved))]));
        }
    }

    #[test]
    fn a_history_with_the_maximum_number_of_events_can_be_checked() {
        let mut events = vec![(0, 1, LEASE)];
        events.extend((1..MOST as u64).map(|number| (2, 1000 + number, NOT_LEASED)));
        assert!(is_one(&events));
    }
}
