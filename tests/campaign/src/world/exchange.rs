//! Exchanges on the network of a world: a request leaves, arrives at the server, and its outcome comes back, unless a
//! fault prevents it.

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Failure, RequestBody};
use tradovate_auth_session::ExchangeId;

use super::World;
use super::queue::{Event, Outcome};
use super::server::network;
use super::spoil;
use crate::journal::{self, What};
use crate::oracle::DEADLINE;
use crate::scenario::{LoginStep, Moment, Storm, Trouble};
use crate::wire::{Answer, Asked, Operation, Says};

pub(super) struct Exchange {
    pub(super) program: usize,
    /// The number of the program's start in which the request was sent.
    life: u32,
    /// `None` if the session did not send the request.
    id: Option<ExchangeId>,
    operation: Operation,
    request: Option<Request<RequestBody>>,
    trouble: Option<Trouble>,
    /// Whether the session has received an outcome.
    is_told: bool,
}

impl World<'_> {
    pub(super) fn send(&mut self, number: usize, id: Option<ExchangeId>, mut request: Request<RequestBody>) {
        let program = &mut self.programs[number];
        let is_repeated = program.tamper.send(&mut request) && id.is_some();
        let asked = Asked::read(&request, &mut self.names);
        let operation = asked.operation;
        self.tally.count_request(operation);
        program.logins += u64::from(operation == Operation::LogIn);
        let out = program.latency();
        let trouble = program.troubles.pop_front();
        let life = program.life;
        program.under_way = Some(self.now + DEADLINE);
        let exchange = self.exchanges.len();
        if let Some(trouble) = trouble {
            self.tally.count_fault(spoil::name(trouble));
            self.programs[number].last_fault = spoil::name(trouble);
        }
        let again = is_repeated.then(|| request.clone());
        self.record(number, What::Sent(exchange, asked));
        self.halt_before(number, Moment::BeforeSending);
        if operation == Operation::LogIn {
            // The request leaves, even if the program crashes now.
            self.reaches(number, LoginStep::Sent);
        }
        let halted = self.programs[number].paused_until.map(|until| until.duration_since(self.now));
        let out = out + halted.unwrap_or_default();
        let (is_told, request) = (false, Some(request));
        self.exchanges.push(Exchange { program: number, life, id, operation, request, trouble, is_told });
        match trouble {
            Some(Trouble::ResetBefore) => {
                self.fail_after(exchange, out, Failure::NotSent);
            }
            Some(Trouble::RequestDelayed(by)) => self.queue.push(self.now + out + by, Event::Arrive { exchange }),
            _ => self.queue.push(self.now + out, Event::Arrive { exchange }),
        }
        if let Some(request) = again {
            self.send(number, None, request);
        }
    }

    /// A request arrives at the host that it was sent to.
    pub(super) fn arrive(&mut self, number: usize) {
        let exchange = &mut self.exchanges[number];
        let (program, operation, trouble) = (exchange.program, exchange.operation, exchange.trouble);
        let Some(mut request) = exchange.request.take() else { return };
        let back = self.programs[program].latency();
        if let Some(storm) = self.server.storm_at(self.now) {
            match storm {
                Storm::NoConnection => self.fail_after(number, back, Failure::NotSent),
                Storm::Silence => {}
                Storm::Status(status) => self.answer_after(number, back, spoil::fault(status, false)),
                Storm::Html => self.answer_after(number, back, spoil::fault(502, true)),
                Storm::Gateway(off) => self.answer_after(number, back, spoil::gateway(503, self.server_now() + off)),
            }
            return;
        }
        match trouble {
            Some(Trouble::Status(status)) => {
                return self.answer_after(number, back, spoil::fault(status, status == 502));
            }
            Some(Trouble::UntrustedRedirect) => return self.answer_after(number, back, spoil::untrusted_redirect()),
            Some(Trouble::Gateway(status, off)) => {
                return self.answer_after(number, back, spoil::gateway(status, self.server_now() + off));
            }
            Some(Trouble::Absurd(absurd)) => return self.answer_after(number, back, spoil::absurd(absurd, number)),
            Some(Trouble::BlamesApp(blame)) if operation == Operation::Refresh => {
                return self.answer_after(number, back, spoil::blame(blame));
            }
            _ if self.server.is_gone(request.uri().host().unwrap_or_default()) => {
                return self.fail_after(number, back, Failure::NotSent);
            }
            _ => {}
        }
        request.extensions_mut().insert(network(self.programs[program].plan.address));
        let response = self.server.simulator.handle(self.now, request);
        let server_now = self.now + self.scenario.server.skew;
        let answer = Answer::read(&response, server_now, &mut self.names);
        if let (Operation::Refresh, Says::Grant(grant)) = (operation, &answer.says) {
            self.refresh_tokens[self.programs[program].plan.user] = grant.refresh.zip(grant.refresh_ends);
        }
        self.record(program, What::Served(number, answer));
        match trouble {
            None | Some(Trouble::RequestDelayed(_)) => self.answer_after(number, back, response),
            Some(Trouble::ResetAfter) => self.fail_after(number, back, Failure::MaybeSent),
            Some(Trouble::BrokenOff) => self.fail_after(number, back, Failure::Truncated),
            Some(Trouble::Oversized) => self.fail_after(number, back, Failure::Oversized),
            Some(Trouble::Delayed(by)) => self.answer_after(number, back + by, response),
            Some(Trouble::Duplicated(by)) => {
                self.answer_after(number, back, response.clone());
                self.answer_after(number, back + by, response);
            }
            Some(Trouble::StatusAfter(status)) => self.answer_after(number, back, spoil::fault(status, false)),
            Some(Trouble::Halved | Trouble::Corrupted | Trouble::Contradiction(_)) => {
                let knows_user = self.programs[program].knows_user;
                let spoilt =
                    spoil::spoilt(response, trouble, server_now, knows_user, &mut self.programs[program].random);
                self.answer_after(number, back, spoilt);
            }
            Some(_) => {}
        }
    }

    fn answer_after(&mut self, exchange: usize, wait: SignedDuration, response: Response<Vec<u8>>) {
        let given = self.now + self.scenario.server.skew;
        let outcome = Box::new(Outcome::Answer(response, given));
        self.queue.push(self.now + wait, Event::Deliver { exchange, outcome });
    }

    fn fail_after(&mut self, exchange: usize, wait: SignedDuration, failure: Failure) {
        self.queue.push(self.now + wait, Event::Deliver { exchange, outcome: Box::new(Outcome::Failure(failure)) });
    }

    /// The outcome of an exchange arrives at the program, if that still runs.
    pub(super) fn deliver(&mut self, number: usize, outcome: Outcome) {
        let exchange = &mut self.exchanges[number];
        let (program, id, operation) = (exchange.program, exchange.id, exchange.operation);
        let is_repeated = std::mem::replace(&mut exchange.is_told, true);
        if self.programs[program].life != exchange.life || !self.programs[program].is_running() {
            return;
        }
        self.programs[program].under_way = None;
        let facts = match &outcome {
            Outcome::Answer(response, given) => {
                let answer = spoil::read(response, *given, &mut self.names);
                journal::Outcome::Answer(answer)
            }
            Outcome::Failure(failure) => journal::Outcome::Failure(*failure),
        };
        if let (journal::Outcome::Answer(answer), false) = (&facts, is_repeated) {
            self.learn(program, operation, answer);
        }
        let before = self.look(program);
        let local = self.local(program);
        self.programs[program].tamper.delivered(operation, &facts, is_repeated);
        match (id, outcome) {
            (Some(id), Outcome::Answer(mut response, _)) => {
                self.programs[program].tamper.answer(&mut response);
                self.answer(program, local, id, response);
            }
            (Some(id), Outcome::Failure(failure)) => {
                let failure = self.programs[program].tamper.failure(operation, failure);
                self.fail(program, local, id, failure);
            }
            (None, _) => {}
        }
        let after = self.look(program);
        self.record(program, What::Delivered { exchange: number, outcome: facts, is_repeated, before, after });
        self.handed(program, before, after);
        self.improvise(program);
        if operation == Operation::LogIn && self.reaches(program, LoginStep::Answered) {
            return;
        }
        if self.halt_before(program, Moment::BeforeSaving) {
            // The program continues where it was paused.
            return;
        }
        self.observe(program);
        self.step(program);
    }

    fn handed(&mut self, program: usize, before: Option<journal::Seen>, after: Option<journal::Seen>) {
        if before != after {
            self.record(program, What::Handed(after));
        }
    }

    /// Sends the additional request of a mutant.
    pub(super) fn improvise(&mut self, program: usize) {
        if let Some(request) = self.programs[program].tamper.improvised() {
            self.send(program, None, request);
        }
    }

    /// Records what the world needs of an answer: refusals, penalties and tokens.
    fn learn(&mut self, number: usize, operation: Operation, answer: &Answer) {
        let local = self.local(number);
        let user = self.programs[number].plan.user;
        let has_good_password = self.programs[number].password == self.server.password(user);
        let program = &mut self.programs[number];
        match &answer.says {
            Says::LockedOut(wait) => self.keep_quiet(number, *wait),
            Says::Penalty(_, wait) => {
                program.postponed_until = Some(local + *wait);
                self.tally.penalties += 1;
            }
            Says::Grant(grant) if !answer.contradicts => {
                program.knows_user |= grant.user.is_some();
                if operation != Operation::Renew {
                    (program.refused_until, program.refusals) = (None, 0);
                }
                if grant.refresh.is_some() && grant.refresh == self.refresh_tokens[user].map(|(name, _)| name) {
                    program.refresh = grant.refresh;
                }
            }
            _ if operation == Operation::LogIn && answer.refuses() && has_good_password => {
                program.refused_until = Some(local + SignedDuration::from_hours(1));
            }
            // After two refusals without a reason, the session may not ask for six hours.
            Says::Refused if operation == Operation::Refresh => {
                program.refusals += 1;
                if program.refusals == 2 {
                    program.refused_until = Some(local + SignedDuration::from_hours(6));
                }
            }
            _ => {}
        }
    }

    /// The server's time.
    pub(super) fn server_now(&self) -> Timestamp {
        self.now + self.scenario.server.skew
    }
}
