//! Sessions of a set that have a store of their own. Each stores an announcement before it sends its login.

use super::*;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// How long a store takes to save, and the server to answer.
const SAVE: SignedDuration = SignedDuration::from_millis(20);
const LOG_IN: SignedDuration = SignedDuration::from_secs(10);

/// A message on its way to the set.
enum Message {
    Stored(SessionKey, ExchangeId),
    Granted(SessionKey, ExchangeId, Operation),
}

/// A set whose stores and whose server answer after some time.
struct Slow {
    world: World,
    keys: Vec<SessionKey>,
    /// Sessions whose stores do not answer.
    silent: Vec<SessionKey>,
    messages: BTreeMap<(Timestamp, usize), Message>,
    announcements: usize,
}

impl Slow {
    /// So many sessions, each with a store. Their address has logins left for `free` of them at a time.
    fn new(sessions: u64, free: usize) -> Self {
        let (mut world, keys) = World::of("office", (0..sessions).map(|seed| by_password(seed).with_store()));
        world.set.with(world.now, keys[0], |_, budget| (free..4).for_each(|_| budget.take(start(), Operation::LogIn)));
        Self { world, keys, silent: Vec::new(), messages: BTreeMap::new(), announcements: 0 }
    }

    fn send(&mut self, takes: SignedDuration, message: Message) {
        let at = self.world.now + takes;
        let number = self.messages.range((at, 0)..).count();
        self.messages.insert((at, number), message);
    }

    fn run(&mut self, until: Timestamp) {
        while self.world.now < until {
            match self.world.set.poll(self.world.now) {
                SetAction::Send { session, id, request } => {
                    let operation = operation(&request);
                    self.world.sent.push(Sent { at: self.world.now, session, operation });
                    self.send(LOG_IN, Message::Granted(session, id, operation));
                }
                SetAction::Store { session, id, .. } => {
                    let has_token = self.world.set.get(session).is_some_and(Session::has_unstored_token);
                    self.announcements += usize::from(!has_token);
                    if !self.silent.contains(&session) {
                        self.send(SAVE, Message::Stored(session, id));
                    }
                }
                SetAction::Wait { until: wakes } => {
                    let next = self.messages.first_key_value().map_or(until, |((at, _), _)| *at);
                    self.world.now = wakes.min(next).min(until);
                    self.receive();
                }
                SetAction::Stopped { reason, .. } => panic!("{reason}"),
            }
        }
    }

    fn receive(&mut self) {
        let now = self.world.now;
        while let Some(entry) = self.messages.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Message::Stored(session, id) => self.world.set.store_answered(now, session, id, Ok(StoreAnswer::Kept)),
                Message::Granted(session, id, operation) => {
                    self.world.set.receive(now, session, id, dated(now, granted(now, operation)));
                }
            }
        }
    }

    fn usable(&self) -> usize {
        self.world.usable(&self.keys)
    }
}

#[test]
fn a_session_of_a_set_announces_its_login_only_if_the_address_has_a_login_left_for_it() {
    for free in [1, 4] {
        let mut slow = Slow::new(48, free);
        slow.run(start() + seconds(500));
        assert_eq!((slow.world.count(Operation::LogIn), slow.usable()), (48, 48), "{free} at a time");
        assert_eq!(slow.announcements, 48, "{free} at a time");
    }
}

#[test]
fn sessions_whose_stores_do_not_answer_leave_the_logins_of_their_address_to_the_others() {
    let mut slow = Slow::new(24, 4);
    slow.silent = slow.keys[..20].to_vec();
    slow.run(start() + seconds(600));
    assert_eq!((slow.world.count(Operation::LogIn), slow.usable()), (4, 4));
}

#[test]
fn a_session_that_is_removed_after_its_announcement_leaves_its_login_to_another_one() {
    let mut slow = Slow::new(2, 1);
    let SetAction::Store { session, .. } = slow.world.set.poll(start()) else { panic!("no announcement") };
    assert!(matches!(slow.world.set.poll(start()), SetAction::Wait { .. }), "one login is left");
    slow.world.set.remove(session);
    let SetAction::Store { session: next, .. } = slow.world.set.poll(start()) else { panic!("no announcement") };
    assert_ne!(next, session);
}
