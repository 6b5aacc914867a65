//! What is known of one program: what it holds, what it was told, what it has stored, and how its clock goes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Exchange;
use crate::journal::{Record, Seen};
use crate::names::Name;
use crate::wire::Granted;

/// Of an exchange longer than twice this, a session believes only the bounds (see `ServerClock::learn`).
const LONG: SignedDuration = SignedDuration::from_secs(5);

/// By less than this, two clocks drift apart between two records: less than a session takes for drift by the two seconds
/// that neither of the clocks is known better.
const DRIFT: SignedDuration = SignedDuration::from_secs(18);

/// What is known of a program.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that the laws ask for by its name")]
pub(crate) struct Known {
    /// The address it is behind.
    pub address: usize,
    /// How many millionths its clock runs fast.
    pub(crate) drift: i32,
    /// Whether it lives by the consent of its user.
    pub is_app: bool,
    /// Whether it stores snapshots.
    pub has_store: bool,
    /// The fleet it belongs to.
    pub fleet: Option<usize>,
    /// What it hands out at the moment.
    pub seen: Option<Seen>,
    /// The last token it was seen to hold, and of which generation, where it may hold it still.
    pub holds: Option<(Name, u64)>,
    /// A renewal has been told that this token is dead.
    pub is_lost: bool,
    /// Callers have seen this token dead, or faults as a dead one brings them.
    pub is_reported: bool,
    /// Callers have been refused with this token, though nothing said that it is dead.
    pub is_refused: bool,
    /// Renewals since the last grant.
    pub renewals: Vec<usize>,
    /// The exchange whose outcome is awaited.
    pub pending: Option<usize>,
    /// The last request.
    pub last_sent: Option<usize>,
    /// The refresh whose answer was taken last.
    pub refreshed_by: Option<usize>,
    /// Whether its credentials have brought a token.
    pub worked: bool,
    /// The user, where an answer has said who it is.
    pub user: Option<i64>,
    /// What has been stored.
    pub stored: BTreeSet<Name>,
    /// The longest half of a round trip by which it may have set its clock.
    pub half_trip: SignedDuration,
    /// How far its clock was ahead of true time when it last compared it with the server's.
    pub(super) ahead: SignedDuration,
    /// By how much it may take the server to be further ahead still.
    pub(super) uncertain: SignedDuration,
    pub(super) has_compared: bool,
    /// Whether an answer of the server has said so, and nothing that was stored has contradicted it since.
    pub(super) has_learnt: bool,
    /// Until when it was paused, and for how long.
    pub(super) pause: Option<(Timestamp, SignedDuration)>,
    /// By how much the store's word of the server's clock was late.
    pub misled_by: SignedDuration,
    /// All tokens that good answers have brought, with the last end that it was told.
    pub granted: BTreeMap<Name, Option<Timestamp>>,
}

impl Known {
    pub(super) fn new(
        address: usize,
        drift: i32,
        is_app: bool,
        has_store: bool,
        fleet: Option<usize>,
        skew: SignedDuration,
    ) -> Self {
        // Until it knows better it takes its own clock for the server's.
        Self { address, drift, is_app, has_store, fleet, ahead: skew, ..Self::default() }
    }

    /// The generation of the token it holds.
    #[must_use]
    pub(crate) fn generation(&self) -> u64 {
        self.holds.map_or(0, |(_, generation)| generation)
    }

    /// The end of a token, as the program was told last.
    #[must_use]
    pub(crate) fn end_of(&self, token: Name) -> Option<Timestamp> {
        self.granted.get(&token).copied().flatten()
    }

    /// How far off it may take the server's clock to be over a time: a `Date` has whole seconds, its own clock runs at
    /// another pace and the smoothing takes a quarter of each difference, and of a round trip of up to ten seconds it
    /// takes the middle.
    #[must_use]
    pub(crate) fn inaccuracy(&self, over: SignedDuration) -> SignedDuration {
        let pace = over * i32::try_from(self.drift.unsigned_abs()).unwrap_or_default() / 250_000;
        SignedDuration::from_secs(1) + pace + self.half_trip.min(LONG)
    }

    pub(super) fn learn(&mut self, grant: Granted) {
        self.granted.insert(grant.access, grant.expires);
        self.granted.extend(grant.refresh.map(|refresh| (refresh, None)));
    }

    /// It takes the server's clock from the store: as whoever wrote that takes it, whose clock may have been set forward
    /// by `jumped`. If its own was, unnoticed and by more than clocks drift apart, it keeps what it has learnt by itself,
    /// for one record.
    pub(super) fn take_hint(&mut self, ahead: SignedDuration, jumped: SignedDuration) {
        let own = ahead - self.ahead;
        let is_kept = self.has_learnt && own > jumped + DRIFT;
        self.has_learnt &= !is_kept;
        (self.ahead, self.uncertain) = (ahead - if is_kept { own } else { jumped }, SignedDuration::ZERO);
        self.has_compared = true;
    }

    pub(super) fn compare_clocks(&mut self, record: &Record, sent: &Exchange) {
        let half = record.local.duration_since(sent.local) / 2;
        let ahead = record.local.duration_since(record.at);
        if half <= LONG {
            self.misled_by = SignedDuration::ZERO;
            self.half_trip = self.half_trip.max(half);
            self.has_learnt = true;
            (self.ahead, self.uncertain) = (ahead, SignedDuration::ZERO);
        } else if !self.has_compared {
            (self.ahead, self.uncertain) = (ahead, half * 2);
        } else {
            self.uncertain = self.uncertain.max(SignedDuration::ZERO);
        }
        self.has_compared = true;
    }

    pub(super) fn installs(&mut self, seen: Seen) {
        if self.holds != Some((seen.token, seen.generation)) {
            self.holds = Some((seen.token, seen.generation));
            (self.is_lost, self.is_reported, self.is_refused) = (false, false, false);
            self.renewals.clear();
            self.worked = true;
            // What was to bring a token is given up for the one that has come.
            self.pending = None;
        }
    }
}
