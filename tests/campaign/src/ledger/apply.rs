//! What a record adds to the ledger.

use jiff::SignedDuration;

use super::{Answer, Exchange, Kept, Known, Ledger, Operation, Outcome, Record, Remembered, Says, Standing, What};

impl Ledger {
    /// Takes a record over, after it has been judged.
    pub(crate) fn apply(&mut self, record: &Record) {
        if let What::Saved(number, _) = &record.what
            && let Some(remembered) = self.snapshots.get_mut(number)
        {
            remembered.late_by = record.at.duration_since(remembered.at);
        }
        self.apply_to_fleet(record);
        match &record.what {
            What::Started(snapshot) => self.start(record, *snapshot),
            What::Consented => {
                self.start(record, None);
                self.programs[record.program].is_app = true;
            }
            What::Sent(number, asked) => {
                let known = &mut self.programs[record.program];
                debug_assert_eq!(*number, self.exchanges.len(), "exchanges are numbered in their order");
                self.exchanges.push(Exchange {
                    asked: asked.clone(),
                    at: record.at,
                    local: record.local,
                    generation: known.generation(),
                    is_done: false,
                    has_failed: false,
                    moved: None,
                });
                // One that is sent on has not failed.
                let before = known.last_sent.and_then(|before| self.exchanges.get_mut(before));
                if let Some(before) = before.filter(|before| before.moved == Some(record.local)) {
                    before.has_failed = false;
                }
                known.pending = Some(*number);
                known.last_sent = Some(*number);
                if asked.operation == Operation::Renew {
                    known.renewals.push(*number);
                }
            }
            What::Served(_, answer) => self.issue(answer),
            What::Delivered { exchange, outcome, is_repeated: false, .. } => self.deliver(record, *exchange, outcome),
            What::Handed(seen) => {
                let known = &mut self.programs[record.program];
                known.seen = *seen;
                if let Some(seen) = seen {
                    known.installs(*seen);
                }
            }
            What::Offered(number, kept) => {
                let known = &mut self.programs[record.program];
                // It offers nothing while it awaits an answer.
                known.pending = None;
                let (ahead, uncertain) = (known.ahead, known.uncertain);
                let (user, worked) = (known.user, known.worked);
                let (at, late_by, misled_by) = (record.at, SignedDuration::ZERO, known.misled_by);
                let jumped = record.local.duration_since(record.at) - known.ahead;
                self.snapshots.insert(
                    *number,
                    Remembered { at, late_by, misled_by, kept: *kept, ahead, jumped, uncertain, user, worked },
                );
            }
            What::Synchronized { kept: Some((number, kept)), .. } => self.adopt(record, *number, kept),
            What::Stored(number) => {
                if let Some(remembered) = self.snapshots.get(number) {
                    let Kept { access, refresh } = remembered.kept;
                    let names = [access.map(|(name, _)| name), refresh];
                    self.programs[record.program].stored.extend(names.into_iter().flatten());
                }
            }
            What::Reported { generation, status, says_dead } => {
                let known = &mut self.programs[record.program];
                if *generation == known.generation() {
                    known.is_reported |= *says_dead || matches!(status, 408 | 500);
                    known.is_refused |= *status == 401 && !*says_dead;
                }
            }
            What::CredentialsReplaced => {
                // A login by the old ones is no longer wanted; a renewal is none of theirs.
                let known = &mut self.programs[record.program];
                let is_login = |number: &usize| self.exchanges[*number].asked.operation == Operation::LogIn;
                known.pending.take_if(|number| is_login(number));
                known.last_sent.take_if(|number| is_login(number));
            }
            What::AnswerAdopted(answer) => {
                self.issue(answer);
                let known = &mut self.programs[record.program];
                known.pending = None;
                if let Some(grant) = answer.good_grant() {
                    known.learn(grant);
                }
            }
            What::Paused(lasts) => self.programs[record.program].pause = Some((record.at + *lasts, *lasts)),
            What::Crashed(_) => {
                let known = &mut self.programs[record.program];
                (known.seen, known.pending) = (None, None);
            }
            _ => {}
        }
    }

    fn issue(&mut self, answer: &Answer) {
        if let Says::Grant(grant) = &answer.says
            && let Some(end) = grant.expires
        {
            let latest = self.issued.entry(grant.access).or_insert((end, grant.life));
            *latest = (*latest).max((end, grant.life));
        }
    }

    /// What others have stored is as good as what it was told itself.
    fn adopt(&mut self, record: &Record, number: usize, kept: &Kept) {
        let Some(fleet) = self.of(record).fleet.map(|fleet| &self.fleets[fleet]) else { return };
        let of_others = fleet.user;
        // Whoever was misled misleads others.
        let found = self.snapshots.get(&number);
        let late_by = found.map_or(SignedDuration::ZERO, |found| found.late_by + found.misled_by);
        let jumped = found.map_or(SignedDuration::ZERO, |found| found.jumped);
        let known = &mut self.programs[record.program];
        // What it has loaded grows old while it is paused.
        let grown = known.pause.filter(|(until, _)| record.at <= *until + SignedDuration::from_secs(1));
        let late_by = late_by + grown.map_or(SignedDuration::ZERO, |(_, lasts)| lasts);
        known.user = of_others.or(known.user);
        known.worked |= kept.access.is_some();
        known.take_hint(record.local.duration_since(record.at), jumped);
        known.misled_by = late_by;
        known.granted.extend(kept.access.map(|(access, end)| (access, Some(end))));
        known.granted.extend(kept.refresh.map(|refresh| (refresh, None)));
    }

    fn start(&mut self, record: &Record, snapshot: Option<(usize, Kept)>) {
        let before = &self.programs[record.program];
        let mut known =
            Known::new(before.address, before.drift, before.is_app, before.has_store, before.fleet, self.skew);
        known.granted.clone_from(&before.granted);
        known.half_trip = before.half_trip;
        if let Some((number, kept)) = snapshot {
            known.stored.clone_from(&before.stored);
            // The word of it may have come too late.
            known.stored.extend(kept.access.map(|(name, _)| name).into_iter().chain(kept.refresh));
            known.holds = kept.access.map(|(name, _)| (name, 0));
            // A renewal that brought the same text again and was not stored is forgotten.
            if let Some((name, end)) = kept.access {
                known.granted.entry(name).and_modify(|expires| *expires = expires.map(|expires| expires.min(end)));
            }
            known.has_compared = true;
            if let Some(remembered) = self.snapshots.get(&number) {
                (known.ahead, known.uncertain) = (remembered.ahead, remembered.uncertain);
                (known.user, known.worked) = (remembered.user, remembered.worked);
            }
        }
        self.programs[record.program] = known;
    }

    fn deliver(&mut self, record: &Record, number: usize, outcome: &Outcome) {
        let standing = self.standing(record, number);
        let is_loss = self.is_loss(record);
        let is_superseded = self.is_superseded(record, number);
        let known = &mut self.programs[record.program];
        let exchange = &mut self.exchanges[number];
        exchange.is_done = true;
        if standing == Standing::Current {
            known.pending = None;
        }
        let answer = match outcome {
            Outcome::Failure(_) => {
                exchange.has_failed = true;
                return;
            }
            Outcome::Answer(answer) => answer,
        };
        exchange.has_failed = !matches!(answer.says, Says::Penalty(..) | Says::Captcha | Says::LockedOut(_));
        exchange.moved = (answer.says == Says::Moved).then_some(record.local);
        // The `Date` of a gateway's page teaches nothing.
        if answer.server_time.is_some() && answer.is_of_the_api() {
            known.compare_clocks(record, exchange);
        }
        known.is_lost |= is_loss;
        if let (Some(grant), false) = (answer.good_grant(), is_superseded) {
            exchange.has_failed = false;
            known.learn(grant);
            known.user = grant.user.or(known.user);
            if let Some(fleet) = known.fleet {
                self.fleets[fleet].user = known.user;
            }
            if exchange.asked.operation == Operation::Refresh {
                known.refreshed_by = Some(number);
            }
            // Whatever was under way is given up for it.
            known.pending = None;
        }
    }
}

impl Answer {
    /// Whether it is a no to a login.
    #[must_use]
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.says, Says::Refused | Says::Dead | Says::Forbidden)
    }
}
