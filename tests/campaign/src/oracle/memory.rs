//! What a session has been told by the answers that reached it, its callers and its operator. After a restart, a
//! session has been told what it had been told when it stored its snapshot. A session that loads a record of another
//! session has been told what that one had been told ([`Memory::merge`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::names::Name;
use crate::wire::{Asked, Granted, Operation};

/// A token as the server has described it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub grant: Granted,
    pub order: Order,
    /// Whether a renewal has shown that the token is dead.
    pub is_lost: bool,
}

/// The order of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// The start of the lineage: a login or a consent.
    pub lineage: Timestamp,
    pub asked: Timestamp,
    /// How long the answer took.
    pub trip: SignedDuration,
}

/// The content of a good answer.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    pub grant: Granted,
    pub order: Order,
    /// The host that the answer has named for logins.
    pub host: Option<String>,
}

/// The possible results of a login. Of two reports, the later variant counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opened {
    /// The time at which the outcome became unknown: the login was sent, or its answer did not come.
    Unknown(Timestamp),
    None,
    Yes,
}

/// A penalty whose ticket has to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    pub operation: Operation,
    pub ticket: Name,
    pub body: u64,
    pub not_before: Timestamp,
    /// Whether the operator has changed the secret of the app since, and the session can't know that. What it stores of
    /// the postponed request contains no secret.
    pub has_other_secret: bool,
}

impl Owed {
    /// Whether a request is the postponed one, as far as the session can know.
    pub(super) fn is_of(&self, asked: &Asked) -> bool {
        self.body == asked.body || self.has_other_secret
    }
}

/// The loss of a token before its expiry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub at: Timestamp,
    /// The latest time that a session can have for it. After a start with a clock that was set back, the stored time is
    /// later than it was, but not later than the start.
    pub latest: Timestamp,
    /// Whether it came within 15 minutes of the loss before, or within two hours of a kick.
    pub is_kick: bool,
    /// Whether the session has to count it. It may also count a token that it gives up, and one that has expired if it
    /// does not know the server's time.
    pub is_certain: bool,
    /// Whether the program has started with a clock that was set back, before it lost another token. It can't know how
    /// long ago this loss was.
    pub is_undated: bool,
}

/// A refresh token that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefusedToken {
    pub times: u32,
    pub at: Timestamp,
}

/// Everything that a session has been told by its operator and the server.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
pub(super) struct Memory {
    pub held: Option<Held>,
    /// All tokens from good answers.
    pub granted: BTreeMap<Name, Brought>,
    /// All refresh tokens from good answers, each with the start of its lineage.
    pub refresh_tokens: BTreeMap<Name, Timestamp>,
    /// The last time at which a good answer was used or the operator acted. Everything told before is settled.
    pub taken_at: Option<Timestamp>,
    pub acted_at: Option<Timestamp>,
    /// The user id, if an answer has named one.
    pub user: Option<i64>,
    /// Whether the credentials have brought a token.
    pub worked: bool,
    pub code: Option<Name>,
    /// Whether the user has consented and the code has brought no token yet.
    pub has_code: bool,
    /// Whether the server may have handled the code.
    pub is_code_used: bool,
    /// The number of refusals of the credentials in a row, and the time at which the last one came or a program forgot
    /// them.
    pub refusals: (u32, Option<Timestamp>),
    /// Whether the program itself has stopped because its login was redirected to no usable host. The other programs of
    /// its fleet do not know that.
    pub is_stopped: bool,
    pub refused_tokens: BTreeMap<Name, RefusedToken>,
    /// How often the configured host has refused the app.
    pub blamed: u32,
    /// Whether the app was refused while a token was good. The session stops once that token has expired.
    pub is_app_refused: bool,
    /// The logins by exchange: when each was sent, and its result.
    pub logins: BTreeMap<usize, (Timestamp, Opened)>,
    pub owed: Option<Owed>,
    /// The time at which the pending penalty last changed.
    pub owed_at: Option<Timestamp>,
    /// A penalty whose ticket was sent, but may not have arrived.
    pub answered: Option<Owed>,
    /// The redirected request and the host to which it was redirected.
    pub redirect: Option<(Operation, String)>,
    /// The host that answers have named for logins.
    pub followed: Option<String>,
    /// How many signals say that the followed host is wrong, including failed connections.
    pub host_signals: u32,
    pub went_home: Option<Timestamp>,
    /// Whether the configured host was tried and has not answered yet. Then both hosts may be asked.
    pub is_home: bool,
    /// The kind of request that a gate has rejected, or that another process may have sent.
    pub kept_out: Option<Operation>,
    /// The times at which tokens were lost before their expiry, by the lost token.
    pub losses: BTreeMap<Order, Loss>,
    /// Whether callers have received an answer that may mean that the token is dead.
    pub is_reported: bool,
    pub dead_since: Option<Timestamp>,
    /// When the verification is due that the first such report has asked for.
    pub verifies_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    /// The failed renewals of the held token.
    pub failed_renewals: Vec<Timestamp>,
    /// The times of the last failures in a row, by kind of request.
    pub failures: BTreeMap<Operation, Vec<Timestamp>>,
    /// The time of the last verdict that ended a row of failures.
    pub row_ended_at: Option<Timestamp>,
    pub refreshed_at: Option<Timestamp>,
    /// The same time in true time, whatever the session's clock shows.
    pub truly_refreshed_at: Option<Timestamp>,
    /// Whether an exchange has brought no market data token and no renewal was answered since.
    pub wants_market_data: bool,
    /// The number of renewals in a row that were answered without a market data token, and the time of the last answer
    /// about it.
    pub without_market_data: u32,
    pub market_data_told_at: Option<Timestamp>,
    /// The lineage of the tokens that this answer was about.
    pub market_data_lineage: Option<Timestamp>,
    /// The last failure of a renewal that was sent only to get a market data token.
    pub market_data_failed_at: Option<Timestamp>,
    /// Whether the session may still send the one renewal after its start (law 3).
    pub may_verify_start: bool,
    /// Whether the session may renew once more to check a clock that is off by more than a day.
    pub may_compare_clocks: bool,
    /// How often answers have told the session the server's time since its start. Twice is enough for any clock.
    pub times_told: u32,
    /// Whether a record has told the session the server's time.
    pub is_time_hinted: bool,
    /// How far the clock was set forward while the program ran, since the last answer with the server's time.
    pub ahead: SignedDuration,
    /// How far a slow record misleads the session about the server's time.
    pub misled: SignedDuration,
}

impl Memory {
    /// The memory after a restart.
    pub(super) fn restarted(&self, stepped: SignedDuration) -> Self {
        let mut memory = self.clone();
        memory.may_verify_start = self.held.is_some();
        memory.times_told = 0;
        memory.settle_reports();
        memory.failed_renewals.clear();
        (memory.redirect, memory.blamed, memory.is_app_refused) = (None, 0, false);
        (memory.market_data_failed_at, memory.is_stopped) = (None, false);
        memory.failures.clear();
        // By a wall clock that was set ahead, more time has passed.
        memory.age(stepped.max(SignedDuration::ZERO));
        memory
    }

    /// Moves all times back, because more time has passed by a clock that was set ahead.
    pub(super) fn age(&mut self, by: SignedDuration) {
        let earlier = |time: &mut Timestamp| *time -= by;
        for (time, opened) in self.logins.values_mut() {
            earlier(time);
            if let Opened::Unknown(at) = opened {
                earlier(at);
            }
        }
        self.losses.values_mut().flat_map(|loss| [&mut loss.at, &mut loss.latest]).for_each(earlier);
        self.refused_tokens.values_mut().for_each(|refused| earlier(&mut refused.at));
        self.failures.values_mut().flatten().for_each(earlier);
        self.failed_renewals.iter_mut().for_each(earlier);
        if let Some(owed) = &mut self.owed {
            earlier(&mut owed.not_before);
        }
        let times = [
            &mut self.refusals.1,
            &mut self.verified_at,
            &mut self.verifies_at,
            &mut self.went_home,
            &mut self.refreshed_at,
            &mut self.market_data_told_at,
            &mut self.market_data_failed_at,
            &mut self.taken_at,
            &mut self.acted_at,
            &mut self.row_ended_at,
            &mut self.owed_at,
        ];
        times.into_iter().flatten().for_each(earlier);
    }

    /// Merges what another session had been told when it stored a snapshot, and holds the newer token of the two.
    /// Returns whether the held token has changed. Failed renewals, reports of callers and refusals of the app are not
    /// stored.
    pub(super) fn merge(&mut self, other: &Self, has_access: bool) -> bool {
        for (token, brought) in &other.granted {
            self.learn(*token, brought.clone());
        }
        self.refresh_tokens.extend(&other.refresh_tokens);
        let before = self.held.map(|held| held.order);
        match (&mut self.held, other.held) {
            (Some(own), Some(other)) if own.order == other.order => own.is_lost |= other.is_lost,
            (own, Some(other)) if own.is_none_or(|own| own.order < other.order) => *own = Some(other),
            _ => {}
        }
        let is_another = self.held.map(|held| held.order) != before;
        if is_another {
            self.settle_reports();
            self.failed_renewals.clear();
            (self.redirect, self.is_stopped) = (None, false);
            if before.is_some() {
                // A row of failures ends with a new token.
                self.failures.clear();
            }
        }
        self.user = self.user.or(other.user);
        self.worked |= other.worked;
        if has_access && other.taken_at >= self.taken_at {
            self.followed.clone_from(&other.followed);
        }
        for (exchange, login) in &other.logins {
            let known = self.logins.entry(*exchange).or_insert(*login);
            *known = (known.0.max(login.0), known.1.max(login.1));
        }
        for (token, loss) in &other.losses {
            self.losses.entry(*token).or_insert(*loss).is_kick |= loss.is_kick;
        }
        for (token, refused) in &other.refused_tokens {
            let known = self.refused_tokens.entry(*token).or_insert(*refused);
            if known.at < refused.at {
                *known = *refused;
            }
        }
        // A code expires soon: pauses of other processes do not delay it, and its own pauses are not shared.
        let may_wait = (!self.has_code || self.is_code_used) && !other.has_code;
        let is_of_older_token = other.held.is_some_and(|held| Some(held.order) < self.held.map(|held| held.order));
        if may_wait && !is_of_older_token {
            for (operation, times) in &other.failures {
                let known = self.failures.entry(*operation).or_default();
                if known.last() < times.last() {
                    known.clone_from(times);
                }
            }
        }
        self.row_ended_at = self.row_ended_at.max(other.row_ended_at);
        let told = |memory: &Self| (memory.market_data_lineage, memory.market_data_told_at);
        if told(self) < told(other) {
            (self.wants_market_data, self.without_market_data) = (other.wants_market_data, other.without_market_data);
            (self.market_data_lineage, self.market_data_told_at) = told(other);
        }
        if self.refusals.1 < other.refusals.1 {
            self.refusals = other.refusals;
        }
        if self.owed_at < other.owed_at && may_wait {
            (self.owed, self.owed_at) = (other.owed, other.owed_at);
        }
        self.answered = other.answered.or(self.answered);
        self.host_signals = self.host_signals.max(other.host_signals);
        self.is_home |= other.is_home;
        self.kept_out = other.kept_out.or(self.kept_out);
        for (own, other) in [
            (&mut self.verified_at, other.verified_at),
            (&mut self.went_home, other.went_home),
            (&mut self.refreshed_at, other.refreshed_at),
            (&mut self.truly_refreshed_at, other.truly_refreshed_at),
        ] {
            *own = (*own).max(other);
        }
        if self.taken_at < other.taken_at {
            self.taken_at = other.taken_at;
            (self.host_signals, self.is_home) = (other.host_signals, other.is_home);
            (self.kept_out, self.answered, self.blamed) = (other.kept_out, other.answered, 0);
        }
        self.acted_at = self.acted_at.max(other.acted_at);
        self.settle();
        is_another
    }

    /// Settles everything that was told before the last good answer or the last act of the operator.
    fn settle(&mut self) {
        let since = self.taken_at.max(self.acted_at);
        let is_settled = |at: Option<Timestamp>| at.is_some() && at <= since;
        if is_settled(self.refusals.1) {
            self.refusals = (0, None);
        }
        // A postponed renewal stays postponed after a refresh.
        if is_settled(self.owed_at) {
            self.owed = self.owed.filter(|owed| owed.operation == Operation::Renew);
        }
        // A verdict on a token ends a row of failures, but says nothing about the login or about a penalty.
        let since = since.max(self.row_ended_at);
        self.failures.retain(|_, times| {
            times.retain(|at| Some(*at) > since);
            !times.is_empty()
        });
    }

    /// Records a token from a good answer. A late answer can bring an earlier expiry of the same token.
    pub(super) fn learn(&mut self, token: Name, brought: Brought) {
        if let Some(refresh) = brought.grant.refresh {
            self.refresh_tokens.insert(refresh, brought.order.lineage);
        }
        let known = self.granted.entry(token).or_insert_with(|| brought.clone());
        if known.grant.expires < brought.grant.expires {
            *known = brought;
        }
    }

    /// A caller has received an answer that calls the token dead. Only the first one asks for a verification.
    pub(super) fn reported_dead(&mut self, now: Timestamp) {
        if self.dead_since.is_none() {
            self.dead_since = Some(now);
            let next = self.verified_at.map(|at| at + SignedDuration::from_mins(15));
            self.verifies_at = next.max(Some(now));
        }
    }

    /// A renewal has answered the reports, or they concern an earlier token.
    fn settle_reports(&mut self) {
        (self.is_reported, self.dead_since, self.verifies_at) = (false, None, None);
    }

    /// The session holds a token from a good answer.
    pub(super) fn hold(&mut self, token: Name) {
        let Some(Brought { grant, host, order }) = self.granted.get(&token).cloned() else { return };
        self.followed = host.or(self.followed.take());
        self.held = Some(Held { grant, order, is_lost: false });
        self.worked = true;
        self.user = grant.user.or(self.user);
        self.failures.clear();
    }

    /// The session uses a good answer.
    pub(super) fn take(&mut self, token: Name, now: Timestamp) {
        self.hold(token);
        self.taken_at = self.taken_at.max(Some(now));
        self.settle();
        (self.refusals, self.is_stopped) = ((0, None), false);
        self.settle_reports();
        self.may_verify_start = false;
        self.failed_renewals.clear();
        (self.answered, self.redirect, self.blamed) = (None, None, 0);
        (self.host_signals, self.is_home, self.kept_out) = (0, false, None);
        (self.code, self.has_code) = (None, false);
    }

    /// The operator has given the session other settings, or the same ones again.
    pub(super) fn operator_has_acted(&mut self, now: Timestamp) {
        (self.refusals, self.worked, self.blamed) = ((0, None), false, 0);
        self.acted_at = Some(now);
        (self.is_app_refused, self.is_stopped) = (false, false);
        self.owes(None, now);
        self.failures.clear();
    }

    /// A verdict ends a row of failures.
    pub(super) fn end_failures(&mut self, now: Timestamp) {
        self.failures.clear();
        self.row_ended_at = Some(now);
    }

    /// The session has lost a token before its expiry. Returns whether that counts as a kick. After two hours without a
    /// loss, earlier ones no longer count.
    pub(super) fn lose(&mut self, token: Order, noticed: Timestamp, now: Timestamp, is_certain: bool) -> bool {
        self.losses.retain(|_, loss| loss.latest + SignedDuration::from_hours(2) > now);
        let quarter = SignedDuration::from_mins(15);
        let last = self.losses.values().max_by_key(|loss| loss.latest).copied();
        let is_kick = last.is_some_and(|last| last.is_kick || noticed < last.latest + quarter);
        self.losses.insert(token, Loss { at: now, latest: now, is_kick, is_certain, is_undated: false });
        is_kick
    }

    /// The lost tokens that the session has to count, the last one first.
    pub(super) fn last_losses(&self) -> Vec<Loss> {
        let mut losses: Vec<_> = self.losses.values().filter(|loss| loss.is_certain).copied().collect();
        losses.sort_unstable_by_key(|loss| std::cmp::Reverse(loss.at));
        losses
    }

    /// Records whether the answer to an OAuth exchange or a renewal had a market data token.
    pub(super) fn market_data_answered(
        &mut self,
        operation: Operation,
        has_token: bool,
        lineage: Timestamp,
        now: Timestamp,
    ) {
        if has_token {
            self.without_market_data = 0;
        } else if operation == Operation::Renew {
            self.without_market_data += 1;
        }
        self.market_data_failed_at = None;
        self.wants_market_data = operation == Operation::Refresh && !has_token && self.without_market_data < 2;
        (self.market_data_lineage, self.market_data_told_at) = (Some(lineage), Some(now));
    }

    /// Sets or clears the pending penalty.
    pub(super) fn owes(&mut self, owed: Option<Owed>, now: Timestamp) {
        if self.owed.is_some() || owed.is_some() {
            (self.owed, self.owed_at) = (owed, Some(now));
        }
    }

    /// Whether the session can know the server's time.
    pub(super) fn knows_time(&self) -> bool {
        self.times_told > 1
    }

    pub(super) fn failed(&mut self, operation: Operation, now: Timestamp) {
        let times = self.failures.entry(operation).or_default();
        times.push(now);
        // After eight failures, the pause does not grow.
        let more = times.len().saturating_sub(8);
        times.drain(..more);
    }

    /// Whether the session has something else to do than to extend its token in good time.
    pub(super) fn is_troubled(&self) -> bool {
        self.has_failed()
            || !self.failed_renewals.is_empty()
            || !self.refused_tokens.is_empty()
            || self.blamed > 0
            || self.is_app_refused
            || self.is_reported
            || self.may_verify_start
            || self.may_compare_clocks
            || self.owed.is_some()
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failures.is_empty() || self.kept_out.is_some()
    }

    /// Whether a token expires soon, as far as the session can know. It may count the life of an OAuth token from the
    /// request on.
    pub(super) fn is_due(&self, token: Name, server_now: Timestamp, unsure: SignedDuration) -> bool {
        let Some(Brought { grant, order, .. }) = self.granted.get(&token) else { return false };
        let lead = SignedDuration::from_mins(15).min(grant.life / 2);
        grant.expires.is_none_or(|end| end - lead - lead / 10 - unsure - self.ahead - order.trip <= server_now)
    }

    /// The last time at which the outcome of a login became unknown that is still unknown. A later good answer settles
    /// it.
    pub(super) fn unknown_at(&self) -> Option<Timestamp> {
        let unknown = |(_, opened): &(Timestamp, Opened)| match opened {
            Opened::Unknown(at) => Some(*at).filter(|at| Some(*at) > self.taken_at),
            Opened::None | Opened::Yes => None,
        };
        self.logins.values().filter_map(unknown).max()
    }

    /// The number of logins since a time that have opened a session, or may have.
    pub(super) fn logins_since(&self, time: Timestamp) -> usize {
        self.logins.values().filter(|(at, opened)| *at > time && *opened != Opened::None).count()
    }

    /// Whether the session gives the token up: callers have reported it dead, and three renewals have failed over two
    /// minutes.
    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        let over = self.failed_renewals.first().is_some_and(|first| *first + SignedDuration::from_secs(119) <= now);
        self.is_reported && self.failed_renewals.len() >= 3 && over
    }

    /// The session stores that it has no token. If it had a reason to give its token up, the next start has none.
    /// Returns whether that may count as a kick.
    pub(super) fn gives_up(&mut self, now: Timestamp, server_now: Timestamp) -> bool {
        let Some(held) = self.held.filter(|held| self.may_be_over(held, now, server_now)) else { return false };
        let is_loss = !held.is_lost && self.is_given_up(now);
        self.held.iter_mut().for_each(|held| held.is_lost = true);
        is_loss && self.lose(held.order, self.dead_since.unwrap_or(now), now, false)
    }

    /// Whether a renewal that the session sends may verify the token, whatever its other purpose.
    pub(super) fn may_be_in_question(&self) -> bool {
        self.is_reported || self.may_verify_start || self.may_compare_clocks
    }

    /// Whether the session may treat its token as ended: it was told so, the clock says so, or it has given the token
    /// up.
    pub(super) fn may_be_over(&self, held: &Held, now: Timestamp, server_now: Timestamp) -> bool {
        let end = held.grant.expires.unwrap_or(Timestamp::MAX);
        // A token that has expired only by the local clock is given up after three renewals without a verdict.
        let is_doubtful = !self.knows_time() && self.failed_renewals.len() >= 3;
        held.is_lost || end <= server_now + UNSURE + self.ahead || self.is_given_up(now) || is_doubtful
    }
}

/// The largest error of a session about the server's time: a `Date` in whole seconds, half of a round trip of ten
/// seconds, and its own drift.
pub(super) const UNSURE: SignedDuration = SignedDuration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Kind, Names};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_525_200 + second).unwrap()
    }

    fn knows(login: usize, opened: Opened) -> Memory {
        Memory { logins: BTreeMap::from([(login, (at(0), opened))]), ..Memory::default() }
    }

    #[test]
    fn a_login_has_no_unknown_outcome_once_another_session_knows_that_it_opened_none() {
        let mut memory = knows(1, Opened::Unknown(at(0)));
        assert_eq!(memory.unknown_at(), Some(at(0)));
        memory.merge(&knows(1, Opened::None), false);
        memory.merge(&knows(1, Opened::Unknown(at(9))), false);
        assert_eq!(memory.unknown_at(), None, "an older record changes nothing");
        assert_eq!(memory.logins_since(at(-1)), 0);
    }

    #[test]
    fn the_outcome_that_became_unknown_last_counts_until_a_good_answer() {
        let mut memory = knows(1, Opened::Unknown(at(0)));
        memory.merge(&knows(1, Opened::Unknown(at(5))), false);
        memory.merge(&knows(2, Opened::Unknown(at(3))), false);
        assert_eq!(memory.unknown_at(), Some(at(5)));
        memory.age(SignedDuration::from_secs(2));
        assert_eq!(memory.unknown_at(), Some(at(3)));
        memory.taken_at = Some(at(3));
        assert_eq!(memory.unknown_at(), None);
        assert_eq!(memory.logins_since(at(-9)), 2, "they may have opened sessions all the same");
    }

    #[test]
    fn the_end_of_a_token_ends_a_row_of_failures_but_no_refusal_and_no_penalty_of_a_login() {
        let owed = Owed {
            operation: Operation::LogIn,
            ticket: Names::default().of(Kind::Ticket, "t-1"),
            body: 0,
            not_before: at(9),
            has_other_secret: false,
        };
        let mut memory = Memory { refusals: (1, Some(at(0))), ..Memory::default() };
        memory.owes(Some(owed), at(0));
        memory.failed(Operation::Renew, at(1));
        memory.end_failures(at(2));
        memory.merge(&Memory { failures: [(Operation::Renew, vec![at(1)])].into(), ..Memory::default() }, false);
        assert_eq!((memory.refusals, memory.owed.is_some()), ((1, Some(at(0))), true));
        assert!(memory.failures.is_empty());
        memory.operator_has_acted(at(3));
        assert_eq!((memory.refusals, memory.owed.is_some()), ((0, None), false));
    }

    #[test]
    fn a_merge_keeps_each_failure_that_is_later_than_the_last_verdict() {
        let row = |ended_at: i64, failures: &[i64]| {
            let failures = BTreeMap::from([(Operation::LogIn, failures.iter().map(|second| at(*second)).collect())]);
            Memory { row_ended_at: Some(at(ended_at)), failures, ..Memory::default() }
        };
        let mut memory = row(0, &[5, 6, 7]);
        memory.merge(&row(0, &[4, 5, 6, 8]), false);
        assert_eq!(memory.failures[&Operation::LogIn].len(), 4, "both count the same row");
        memory.merge(&row(5, &[]), false);
        assert_eq!(memory.failures[&Operation::LogIn], [at(6), at(8)]);
        assert_eq!(memory.row_ended_at, Some(at(5)));
    }
}
