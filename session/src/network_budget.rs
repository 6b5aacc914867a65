//! [`RateBudget`]: how many requests one network address may still send (page *Rate Limits*). It counts the requests of
//! the last hour by endpoint, those without a bearer token together, and all requests of the last second. It knows
//! lock-outs and endpoints that a captcha has closed.
//!
//! The server counts requests by network address, not by user. So all sessions behind one address share one budget.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use second::Second;
use stored_limits::ReadRequest;
pub(crate) use stored_limits::StoredLimits;

use crate::time_arithmetic::{LONGEST_WAIT, ONE_HOUR, add_without_duplicates, later, shifted, with_room};

mod second;
mod stored_limits;

/// The kind of a request. The server counts the requests of each endpoint separately. So [`Refresh`](Self::Refresh) and
/// [`ExchangeCode`](Self::ExchangeCode) share one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Operation {
    /// A login: `accesstokenrequest`.
    #[serde(rename = "accesstokenrequest")]
    LogIn,
    /// A renewal: `renewaccesstoken`.
    #[serde(rename = "renewaccesstoken")]
    Renew,
    /// An OAuth refresh: `oauthtoken` with a refresh token.
    #[serde(rename = "oauthtoken")]
    Refresh,
    /// The call that returns the user of a token: `me`. A session never sends it.
    #[serde(rename = "me")]
    Identify,
    /// The exchange of an OAuth code: `oauthtoken` with the code. Only events and
    /// [`Session::postponed_until`](crate::Session::postponed_until) distinguish it from a refresh.
    #[serde(rename = "oauthtoken", skip_deserializing)]
    ExchangeCode,
}

impl Operation {
    /// One operation for each endpoint.
    pub(crate) const ALL: [Self; 4] = [Self::LogIn, Self::Renew, Self::Refresh, Self::Identify];

    /// How many requests may be sent per hour that count against this limit. One failed login stays free for a person
    /// behind the same address. The vendor publishes no limit for `oauthtoken`. It is a request without a bearer token,
    /// and an address with more than 1,000 of these per hour is locked out. The server may also count renewals and `me`
    /// calls with a dead token as such requests. They are at most 25.
    const fn per_hour(self) -> usize {
        match self {
            //= R-LIMIT-1
            Self::LogIn => 4,
            //= R-LIMIT-2
            Self::Renew => 15,
            //= R-LIMIT-3
            Self::Identify => 10,
            //= R-LIMIT-5
            //= R-LIMIT-6
            Self::Refresh | Self::ExchangeCode => 950,
        }
    }

    /// The limits that count this request. A login has no bearer token, so it counts together with the refreshes.
    const fn limits(self) -> &'static [Self] {
        match self {
            //= R-LIMIT-6
            Self::LogIn => &[Self::LogIn, Self::Refresh],
            Self::Renew => &[Self::Renew],
            Self::Refresh | Self::ExchangeCode => &[Self::Refresh],
            Self::Identify => &[Self::Identify],
        }
    }

    /// The interval between requests if as many as the limit allows are spread evenly.
    pub(crate) fn shortest_interval(self) -> Duration {
        let per_hour = u32::try_from(self.per_hour()).unwrap_or(u32::MAX);
        COUNTED_FOR.checked_div(per_hour).unwrap_or(COUNTED_FOR)
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::LogIn => 0,
            Self::Renew => 1,
            Self::Refresh | Self::ExchangeCode => 2,
            Self::Identify => 3,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogIn => "login",
            Self::Renew => "renewal",
            Self::Refresh => "refresh",
            Self::Identify => "`me` call",
            Self::ExchangeCode => "exchange of the authorization code",
        })
    }
}

/// How long a request counts: one hour by the server's clock. So it counts a little longer by a local clock, which may
/// run fast, and for requests that take different times to arrive.
const COUNTED_FOR: Duration = with_room(ONE_HOUR);

/// When a request that was sent at this time no longer counts.
fn counts_until(sent: Timestamp) -> Timestamp {
    later(sent, COUNTED_FOR)
}

/// Sessions that can also refresh leave at least this many of the fifteen renewals per hour to other sessions.
const RESERVED_RENEWALS: usize = 5;

/// A time in which nothing may be sent: when it was learnt, and how long it holds from then on.
///
/// The end follows from these two. So a gate never lasts longer than `holds_for`, even if it was learnt or stored with
/// a clock that was ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) learnt_at: Timestamp,
    pub(crate) holds_for: Duration,
}

impl Gate {
    /// A gate that closes now, for one day at most.
    pub(crate) fn new(now: Timestamp, holds_for: Duration) -> Self {
        Self { learnt_at: now, holds_for: holds_for.min(LONGEST_WAIT) }
    }

    /// When it opens, by the clock with which it was learnt.
    pub(crate) fn end(&self) -> Timestamp {
        later(self.learnt_at, self.holds_for)
    }

    /// When it opens, for a clock that shows `now` and may be behind: at most `holds_for` after `now`.
    pub(crate) fn end_seen_at(&self, now: Timestamp) -> Timestamp {
        self.end().min(later(now, self.holds_for))
    }

    /// The rest of the gate at `now`, if any: at most its whole time, and at most one day.
    pub(crate) fn left_at(&self, now: Timestamp) -> Option<Self> {
        let left = Duration::try_from(self.end_seen_at(now).duration_since(now)).ok()?;
        Some(Self::new(now, left)).filter(|gate| gate.holds_for > Duration::ZERO)
    }

    /// The same gate for a clock that is ahead by this much.
    pub(crate) fn shifted(&self, by: SignedDuration) -> Self {
        Self { learnt_at: shifted(self.learnt_at, by), ..*self }
    }

    /// The gate that opens later.
    fn or_longer(self, other: Option<Self>) -> Self {
        other.filter(|other| other.end() >= self.end()).unwrap_or(self)
    }
}

/// The limits of one network address: the requests of the last hour, lock-outs, and endpoints that a captcha has closed
/// (page *Rate Limits*). All sessions behind the address share one budget.
///
/// Per hour, it allows 4 logins without success (the server allows 5; one is left to a person), 15 renewals, 10 `me`
/// calls without success, and 950 requests without a bearer token (the server allows 1000): refreshes, exchanges of a
/// code, and all logins. A request counts for one hour and one per cent, because the server's clock decides.
///
/// Per second, it allows 33 requests of all kinds together. The server allows 100, but requests of three seconds may
/// arrive in one. An hour allows 975 requests. So a request waits at most 30 seconds for other requests that reach the
/// server. This ends no token, because a renewal is due 15 minutes before the expiry.
///
/// The server allows a user 5000 requests an hour with a token. The 15 renewals of an address never come near this. The
/// budget counts neither the API calls of your program nor the requests of other programs behind the same address. A
/// snapshot contains lock-outs, closed endpoints and the logins without success, but no other requests. So a new process
/// starts with an empty count of these.
///
/// Use the same clock for all sessions that share a budget. If their clocks differ, each session waits for the whole
/// length of a lock-out or a captcha, from when it learns of it.
///
/// ```
/// use jiff::{SignedDuration, Timestamp};
/// use tradovate_auth_session::{Operation, RateBudget};
///
/// let now: Timestamp = "2026-11-24T14:00:00Z".parse()?;
/// let mut budget = RateBudget::default();
/// for _ in 0..15 {
///     assert_eq!(budget.earliest(now, Operation::Renew), now);
///     budget.take(now, Operation::Renew);
/// }
/// // An hour, and one per cent because clocks differ.
/// assert_eq!(budget.earliest(now, Operation::Renew), now + SignedDuration::from_secs(3636));
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
//= R-LIMIT-7
//= R-PENALTY-8
pub struct RateBudget {
    locked: Option<Gate>,
    closed: [Option<Gate>; 4],
    /// When requests were sent, by limit, sorted.
    taken: [VecDeque<Timestamp>; 4],
    second: Second,
    /// Requests from snapshots whose times were translated. Usually empty.
    read: Vec<ReadRequest>,
    /// How many of an hour's renewals are needed by sessions that can only renew, as far as that is known.
    needed_renewals: usize,
    /// How many sessions wait for their login, as far as that is known.
    waiting_for_login: usize,
    /// How many logins other sessions of a set have announced: they are sent once they are stored.
    announced_logins: usize,
    is_unlimited: bool,
}

impl RateBudget {
    /// A budget without limits per hour and second, for a server that has none, such as a simulator whose tokens live for
    /// seconds. Lock-outs and captchas still apply. Never use it with the vendor's hosts: the server would lock out the
    /// address.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { is_unlimited: true, ..Self::default() }
    }

    /// The earliest time, `now` or later, at which a request of this kind may be sent.
    #[must_use]
    pub fn earliest(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let gates = [self.lock(), self.closing(operation)].into_iter().flatten();
        gates.map(|gate| gate.end_seen_at(now)).fold(self.limits_allow_at(now, operation), Timestamp::max)
    }

    /// The earliest time, `now` or later, at which the limits per hour and second allow a request of this kind. A
    /// request that was counted with a clock that is ahead counts as sent now.
    pub(crate) fn limits_allow_at(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let limit = self.limit_allows_at(now, operation, operation.per_hour());
        limit.max(self.address_limits_allow_at(now, operation))
    }

    /// The same without the endpoint's own limit, which does not apply to a request with its ticket.
    pub(crate) fn address_limits_allow_at(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let anonymous = operation.limits().contains(&Operation::Refresh);
        let hour =
            if anonymous { self.limit_allows_at(now, Operation::Refresh, Operation::Refresh.per_hour()) } else { now };
        hour.max(self.second_is_full_until(now).unwrap_or(now))
    }

    /// The time at which the next request may be sent because the last second is full.
    pub(crate) fn second_is_full_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.second.full_until(now)
    }

    /// The earliest time, `now` or later, at which a session that can also refresh may renew without using the renewals
    /// that are reserved for the others.
    pub(crate) fn next_spare_renewal(&self, now: Timestamp) -> Timestamp {
        // A session needs about one renewal per hour after its login.
        let is_closed = self.closed_until(now, Operation::LogIn).is_some();
        let logins = if is_closed { 0 } else { self.waiting_for_login };
        let reserved = self.needed_renewals.saturating_add(logins).max(RESERVED_RENEWALS);
        match Operation::Renew.per_hour().saturating_sub(reserved) {
            0 => Timestamp::MAX,
            spare => self.limit_allows_at(now, Operation::Renew, spare),
        }
    }

    /// Sets how many renewals per hour the sessions need that can only renew, and how many sessions wait for their
    /// login.
    pub(crate) fn need_renewals(&mut self, per_hour: u64, waiting_for_login: usize) {
        self.needed_renewals = usize::try_from(per_hour).unwrap_or(usize::MAX);
        self.waiting_for_login = waiting_for_login;
    }

    /// Sets how many logins other sessions have announced. Each of them counts as if it were sent now.
    pub(crate) fn keep_for_announced(&mut self, logins: usize) {
        self.announced_logins = if self.is_unlimited { 0 } else { logins };
    }

    fn limit_allows_at(&self, now: Timestamp, operation: Operation, per_hour: usize) -> Timestamp {
        let announced = if operation == Operation::LogIn { self.announced_logins } else { 0 };
        let taken = match per_hour.saturating_sub(announced) {
            0 => Some(now),
            free => self.newest_to_wait_for(operation, free),
        };
        taken.map_or(now, |taken| counts_until(taken.min(now)).max(now))
    }

    /// When a request of this kind may be sent, by the clock of the sessions that counted, apart from the limit per
    /// second. `Timestamp::MIN` if at any time.
    pub(crate) fn opens_at(&self, operation: Operation) -> Timestamp {
        let gates = [self.lock(), self.closing(operation)].into_iter().flatten().map(|gate| gate.end());
        let newest = |limit: &Operation| self.newest_to_wait_for(*limit, limit.per_hour());
        let places = operation.limits().iter().filter_map(newest).map(counts_until);
        gates.chain(places).max().unwrap_or(Timestamp::MIN)
    }

    fn newest_to_wait_for(&self, operation: Operation, per_hour: usize) -> Option<Timestamp> {
        let taken = self.taken.get(operation.index())?;
        taken.get(taken.len().checked_sub(per_hour)?).copied()
    }

    /// Counts a request that is sent now.
    pub fn take(&mut self, now: Timestamp, operation: Operation) {
        if self.is_unlimited {
            return;
        }
        self.second.count(now);
        for limit in operation.limits() {
            let Some(taken) = self.taken.get_mut(limit.index()) else { continue };
            while taken.front().is_some_and(|oldest| counts_until(*oldest) <= now) && taken.len() >= limit.per_hour() {
                taken.pop_front();
            }
            taken.insert(taken.partition_point(|earlier| *earlier <= now), now);
        }
    }

    /// Takes back a request that was counted at `taken_at`, because the server does not count it: a login or a `me`
    /// call that succeeded, or a request that never arrived. A login still counts as a request without a bearer token.
    pub fn give_back(&mut self, taken_at: Timestamp, operation: Operation) {
        if let Some(taken) = self.taken.get_mut(operation.index())
            && let Some(index) = taken.iter().rposition(|taken| *taken == taken_at)
        {
            taken.remove(index);
        }
    }

    /// Takes back a request that was counted at `taken_at`, because it never arrived, or a gateway turned it away.
    /// It still counts in its second.
    pub(crate) fn never_arrived(&mut self, taken_at: Timestamp, operation: Operation) {
        for limit in operation.limits() {
            self.give_back(taken_at, *limit);
        }
    }

    /// Takes back a request that was counted at `taken_at`, because only the limit of its endpoint does not count it.
    pub(crate) fn endpoint_did_not_count(&mut self, taken_at: Timestamp, operation: Operation) {
        if operation.index() != Operation::Refresh.index() {
            self.give_back(taken_at, operation);
        }
    }

    /// When the requests of this kind were sent that the server may still count.
    pub(crate) fn taken(&self, now: Timestamp, operation: Operation) -> impl Iterator<Item = Timestamp> {
        let taken = self.taken.get(operation.index()).into_iter().flatten().copied();
        taken.filter(move |taken| counts_until(*taken) > now)
    }

    /// Counts requests that another process behind the same address has sent until `now`.
    pub(crate) fn learn(&mut self, now: Timestamp, operation: Operation, sent: impl IntoIterator<Item = Timestamp>) {
        if let Some(taken) = self.taken.get_mut(operation.index()).filter(|_| !self.is_unlimited) {
            let sent = sent.into_iter().map(|sent| sent.min(now));
            add_without_duplicates(taken, sent.filter(|sent| counts_until(*sent) > now));
        }
    }

    /// After this time, nothing in the budget matters any more.
    pub(crate) fn counts_until(&self) -> Timestamp {
        let gates = self.closed.iter().copied().chain([self.locked]).flatten().map(|gate| gate.end());
        let taken = self.taken.iter().filter_map(|taken| taken.back()).map(|taken| counts_until(*taken));
        gates.chain(taken).max().unwrap_or(Timestamp::MIN)
    }

    /// Forbids all requests for this time from `now` on, at most for one day. Use it if the server answers with 423 or
    /// 429: the address is, or is about to be, locked out for one hour. A later call never shortens a lock-out.
    pub fn lock_out(&mut self, now: Timestamp, holds_for: Duration) {
        self.learn_lock(Gate::new(now, holds_for));
    }

    /// Forbids requests of this kind for this time from `now` on, at most for one day. Use it if the endpoint asks for
    /// a captcha, which closes it for about one hour.
    pub fn close(&mut self, now: Timestamp, operation: Operation, holds_for: Duration) {
        self.learn_closing(operation, Gate::new(now, holds_for));
    }

    /// Adds a lock-out. It never shortens another one.
    pub(crate) fn learn_lock(&mut self, gate: Gate) {
        self.locked = Some(gate.or_longer(self.locked));
    }

    /// Adds a closed endpoint.
    pub(crate) fn learn_closing(&mut self, operation: Operation, gate: Gate) {
        if let Some(closed) = self.closed.get_mut(operation.index()) {
            *closed = Some(gate.or_longer(*closed));
        }
    }

    /// The last lock-out, which may be over.
    pub(crate) fn lock(&self) -> Option<Gate> {
        self.locked
    }

    /// The last closing of an endpoint, which may be over.
    pub(crate) fn closing(&self, operation: Operation) -> Option<Gate> {
        self.closed.get(operation.index()).copied().flatten()
    }

    /// When the lock-out ends. `None` if the address is not locked out at `now`.
    #[must_use]
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock().map(|gate| gate.end_seen_at(now)).filter(|until| *until > now)
    }

    /// When an endpoint that a captcha has closed opens again. `None` if it is not closed at `now`.
    #[must_use]
    pub fn closed_until(&self, now: Timestamp, operation: Operation) -> Option<Timestamp> {
        self.closing(operation).map(|gate| gate.end_seen_at(now)).filter(|until| *until > now)
    }
}

/// How long an endpoint stays closed after the server asked for a captcha.
//= R-PENALTY-4
pub(crate) const CAPTCHA_CLOSES_FOR: Duration = ONE_HOUR;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn start() -> Timestamp {
        "2026-11-24T14:00:00Z".parse().unwrap()
    }

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    /// How long a request counts: an hour and one per cent.
    const COUNTED: SignedDuration = SignedDuration::from_secs(3636);

    #[test]
    fn each_request_counts_in_the_budget_for_one_hour_and_one_per_cent() {
        let mut budget = RateBudget::default();
        for minute in 0..4 {
            budget.take(start() + minutes(minute), Operation::LogIn);
        }
        let now = start() + minutes(10);
        assert_eq!(budget.earliest(now, Operation::LogIn), start() + COUNTED);
        budget.take(start() + COUNTED, Operation::LogIn);
        assert_eq!(budget.earliest(start() + COUNTED, Operation::LogIn), start() + COUNTED + minutes(1));
        assert_eq!(budget.earliest(now, Operation::Renew), now);
    }

    #[test]
    fn a_request_given_back_to_the_budget_no_longer_counts() {
        let mut budget = RateBudget::default();
        for minute in 0..4 {
            budget.take(start() + minutes(minute), Operation::LogIn);
        }
        budget.give_back(start() + minutes(2), Operation::LogIn);
        let now = start() + minutes(10);
        assert_eq!(budget.earliest(now, Operation::LogIn), now);
        budget.give_back(start() + minutes(2), Operation::LogIn);
        budget.take(now, Operation::LogIn);
        assert_eq!(budget.earliest(now, Operation::LogIn), start() + COUNTED);
    }

    //= R-LIMIT-1
    //= R-LIMIT-2
    //= R-LIMIT-3
    #[test]
    fn the_budget_permits_4_logins_15_renewals_and_10_me_calls_per_hour() {
        // One failed login is left to the person behind the same address.
        for (operation, per_hour) in [(Operation::LogIn, 4), (Operation::Renew, 15), (Operation::Identify, 10)] {
            let mut budget = RateBudget::default();
            for _ in 0..per_hour {
                assert_eq!(budget.earliest(start(), operation), start(), "{operation}");
                budget.take(start(), operation);
            }
            assert_eq!(budget.earliest(start(), operation), start() + COUNTED, "{operation}");
        }
    }

    //= R-LIMIT-5
    //= R-LIMIT-6
    #[test]
    fn the_budget_permits_950_refreshes_per_hour() {
        let mut budget = RateBudget::default();
        let last = take_949(&mut budget, [Operation::Refresh]);
        assert_eq!(budget.earliest(last, Operation::Refresh), last);
        budget.take(last, Operation::Refresh);
        assert_eq!(budget.earliest(last, Operation::Refresh), start() + COUNTED);
        assert_eq!(budget.opens_at(Operation::Refresh), start() + COUNTED);
        assert_eq!(budget.earliest(last, Operation::Renew), last);
    }

    /// Counts these requests in turn as fast as the limit per second allows. Returns the time of the next one.
    fn take_949<const N: usize>(budget: &mut RateBudget, operations: [Operation; N]) -> Timestamp {
        let mut now = start();
        for operation in operations.into_iter().cycle().take(949) {
            now = budget.earliest(now, operation);
            budget.take(now, operation);
            if operation == Operation::LogIn {
                budget.give_back(now, operation);
            }
        }
        now
    }

    //= R-LIMIT-6
    #[test]
    fn the_budget_permits_33_requests_per_second_for_all_operations_together() {
        let mut budget = RateBudget::default();
        let operations = [Operation::LogIn, Operation::Renew, Operation::Identify, Operation::Refresh];
        for (operation, count) in operations.into_iter().zip([4, 15, 10, 4]) {
            for _ in 0..count {
                assert_eq!(budget.earliest(start(), operation), start(), "{operation}");
                budget.take(start(), operation);
            }
        }
        let soon = start() + SignedDuration::from_secs(1);
        budget.never_arrived(start(), Operation::Refresh);
        budget.give_back(start(), Operation::Renew);
        budget.give_back(start(), Operation::LogIn);
        for operation in [Operation::LogIn, Operation::Renew, Operation::Refresh, Operation::ExchangeCode] {
            assert_eq!(budget.earliest(start(), operation), soon, "{operation}");
            assert_eq!(budget.earliest(soon, operation), soon, "{operation}");
        }
        assert_eq!(budget.opens_at(Operation::Refresh), Timestamp::MIN, "only the hours count");
    }

    //= R-LIMIT-6
    #[test]
    fn successful_logins_count_together_with_refreshes_as_requests_without_a_token() {
        let mut budget = RateBudget::default();
        let last = take_949(&mut budget, [Operation::LogIn, Operation::Refresh]);
        assert_eq!(budget.earliest(last, Operation::LogIn), last);
        budget.take(last, Operation::LogIn);
        budget.give_back(last, Operation::LogIn);
        for operation in [Operation::LogIn, Operation::Refresh] {
            assert_eq!(budget.earliest(last, operation), start() + COUNTED, "{operation}");
            assert_eq!(budget.opens_at(operation), start() + COUNTED, "{operation}");
        }
        budget.take(last, Operation::LogIn);
        budget.never_arrived(last, Operation::LogIn);
        budget.endpoint_did_not_count(last, Operation::Refresh);
        let soon = last + SignedDuration::from_secs(1);
        assert_eq!(budget.earliest(soon, Operation::Refresh), start() + COUNTED);
        budget.never_arrived(last, Operation::Refresh);
        assert_eq!(budget.earliest(soon, Operation::LogIn), soon);
    }

    //= R-RENEW-12
    #[test]
    fn spare_renewals_leave_a_third_or_as_many_as_other_sessions_need() {
        for (needed, spare) in [(0, 10), (5, 10), (9, 6), (15, 0), (40, 0)] {
            let mut budget = RateBudget::default();
            budget.need_renewals(needed, 0);
            for taken in 0..15 {
                let is_free = budget.next_spare_renewal(start()) == start();
                assert_eq!(is_free, taken < spare, "{taken} are taken, and {needed} are needed");
                budget.take(start(), Operation::Renew);
            }
            let at = if spare == 0 { Timestamp::MAX } else { start() + COUNTED };
            assert_eq!(budget.next_spare_renewal(start()), at);
        }
    }

    #[test]
    fn an_unlimited_budget_counts_no_requests_but_observes_lock_outs() {
        let mut budget = RateBudget::unlimited();
        for _ in 0..100 {
            budget.take(start(), Operation::Renew);
        }
        budget.learn(start(), Operation::Renew, [start(); 20]);
        assert_eq!(budget.earliest(start(), Operation::Renew), start());
        budget.lock_out(start(), ONE_HOUR);
        assert_eq!(budget.earliest(start(), Operation::Renew), start() + minutes(60));
    }

    #[test]
    fn requests_of_another_process_count_once() {
        let mut budget = RateBudget::default();
        budget.take(start(), Operation::LogIn);
        let told = [start() + SignedDuration::from_secs(1), start() + SignedDuration::from_secs(15)];
        for _ in 0..3 {
            budget.learn(start() + minutes(1), Operation::LogIn, told);
        }
        let now = start() + minutes(1);
        assert_eq!(budget.taken(now, Operation::LogIn).count(), 2);
        assert_eq!(budget.taken(start() + COUNTED, Operation::LogIn).count(), 1, "the first no longer counts");
    }

    #[test]
    fn requests_are_removed_from_the_budget_after_an_hour() {
        let mut budget = RateBudget::default();
        budget.learn(start(), Operation::LogIn, [start() - COUNTED]);
        assert_eq!(budget.counts_until(), Timestamp::MIN);
        for hours in 0..5 {
            for _ in 0..4 {
                budget.take(start() + COUNTED * hours, Operation::LogIn);
            }
        }
        assert_eq!(budget.taken[0].len(), 4, "those of the last hour");
    }

    #[test]
    fn a_login_waits_for_the_hourly_limit_and_the_captcha_of_its_budget() {
        let mut budget = RateBudget::default();
        assert_eq!(budget.opens_at(Operation::LogIn), Timestamp::MIN);
        for minute in 0..4 {
            budget.take(start() + minutes(minute), Operation::LogIn);
        }
        assert_eq!(budget.opens_at(Operation::LogIn), start() + COUNTED);
        budget.close(start(), Operation::LogIn, ONE_HOUR + ONE_HOUR);
        assert_eq!(budget.opens_at(Operation::LogIn), start() + minutes(120));
        assert_eq!(budget.opens_at(Operation::Renew), Timestamp::MIN);
    }

    #[test]
    fn a_gate_that_opens_now_has_no_time_left() {
        let gate = Gate::new(start(), ONE_HOUR);
        assert!(gate.left_at(start() + minutes(59)).is_some());
        assert_eq!(gate.left_at(start() + minutes(60)), None);
    }

    #[test]
    fn a_lock_out_stops_all_requests_and_is_never_shortened() {
        let mut budget = RateBudget::default();
        budget.lock_out(start(), ONE_HOUR);
        budget.lock_out(start(), ONE_HOUR / 2);
        for operation in Operation::ALL {
            assert_eq!(budget.earliest(start(), operation), start() + minutes(60));
        }
        assert_eq!(budget.locked_until(start()), Some(start() + minutes(60)));
        assert_eq!(budget.locked_until(start() + minutes(60)), None);
    }

    #[test]
    fn refreshes_and_exchanges_of_a_code_share_one_limit() {
        let mut budget = RateBudget::default();
        let last = take_949(&mut budget, [Operation::Refresh, Operation::ExchangeCode]);
        for operation in [Operation::Refresh, Operation::ExchangeCode] {
            assert_eq!(budget.earliest(last, operation), last, "{operation}");
        }
        budget.take(last, Operation::ExchangeCode);
        for operation in [Operation::Refresh, Operation::ExchangeCode] {
            assert_eq!(budget.earliest(last, operation), start() + COUNTED, "{operation}");
        }
    }

    #[test]
    fn a_captcha_closes_only_its_endpoint() {
        let mut budget = RateBudget::default();
        budget.close(start(), Operation::LogIn, ONE_HOUR);
        assert_eq!(budget.earliest(start(), Operation::LogIn), start() + minutes(60));
        assert_eq!(budget.earliest(start(), Operation::Renew), start());
        assert_eq!(budget.closed_until(start(), Operation::LogIn), Some(start() + minutes(60)));
        assert_eq!(budget.closed_until(start() + minutes(60), Operation::LogIn), None);
        assert_eq!(budget.closed_until(start(), Operation::Renew), None);
    }
}
