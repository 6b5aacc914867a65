//! One trading day in virtual time, against the simulator and without a network. It shows what a session does about a
//! penalty, a change of hosts, a kick, maintenance, and a clock that jumps.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tradovate_auth::http::{Request, Response};
use tradovate_auth::{Action, Credentials, Environment, EventKind, Purpose, RateBudget, Session, Verdict};
use tradovate_auth_simulator::{ApiHosts, Endpoint, Maintenance, Simulator};

const USER: &str = "synthetic-user";
const PASSWORD: &str = "synthetic-password";

/// A simulated day: the server, a trading program, and the time.
struct Day {
    server: Simulator,
    session: Session,
    budget: RateBudget,
    /// The true time.
    now: Timestamp,
    /// How far the program's clock is ahead of the true time.
    clock_error: SignedDuration,
    requests: u32,
    minutes: u32,
    minutes_without_token: u32,
    /// Failed tries since the last printed line.
    tries: u32,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let start: Timestamp = "2026-11-24T13:00:00Z".parse()?;
    let at = |hours: i64, minutes: i64| start + SignedDuration::from_mins(hours * 60 + minutes);

    let mut day = Day::new(start);
    println!("  time   what happens");
    println!("  -----  -----------------------------------------------------------------");
    day.server.penalize_next(Endpoint::AccessTokenRequest, Duration::from_secs(15));
    day.until(at(3, 0))?;

    day.print("the organization moves to dedicated hosts");
    let hosts = ApiHosts::standard().with("demo", "acme-demo.eval.ninjatrader.com");
    day.server.move_hosts(USER, hosts);
    day.until(at(5, 30))?;

    day.print("another program logs in twice");
    for _ in 0..2 {
        day.log_in_elsewhere()?;
    }
    day.until(at(9, 0))?;

    day.print("maintenance begins");
    day.server.set_maintenance(Some(Maintenance::Html));
    day.until(at(10, 0))?;
    day.print("maintenance is over");
    day.server.set_maintenance(None);
    day.until(at(14, 0))?;

    day.print("the clock of this machine jumps ten minutes ahead");
    day.clock_error = SignedDuration::from_mins(10);
    day.until(at(24, 0))?;

    let statistics = day.server.statistics();
    println!();
    println!("  {} requests: {} logins, {} renewals", day.requests, statistics.logins - 2, statistics.renewals);
    println!("  {} of {} minutes without a token", day.minutes_without_token, day.minutes);
    println!("  simulated one day in {:.0?}", started.elapsed());
    Ok(())
}

impl Day {
    fn new(start: Timestamp) -> Self {
        let credentials = Credentials::new(USER, PASSWORD)
            .with_app("Synthetic App", "1.0")
            .with_api_key(8.into(), "synthetic-api-secret");
        Self {
            server: Simulator::builder().build(),
            session: Session::new(Environment::demo(), credentials, 7),
            budget: RateBudget::default(),
            now: start,
            clock_error: SignedDuration::ZERO,
            requests: 0,
            minutes: 0,
            minutes_without_token: 0,
            tries: 0,
        }
    }

    /// Simulates time minute by minute: the session does its work, and the program makes a call.
    fn until(&mut self, end: Timestamp) -> Result<(), Box<dyn Error>> {
        while self.now < end {
            let minute_ends = self.now + SignedDuration::from_secs(60);
            self.work_until(minute_ends);
            self.now = minute_ends;
            self.call()?;
        }
        Ok(())
    }

    /// Executes the session's actions until a time.
    fn work_until(&mut self, end: Timestamp) {
        loop {
            let action = self.session.poll(self.now + self.clock_error, &mut self.budget);
            self.print_events();
            match action {
                Action::Send { id, request } => {
                    self.requests += 1;
                    let response = self.server.handle(self.now, request);
                    self.session.receive(self.now + self.clock_error, id, response, &mut self.budget);
                    self.print_events();
                }
                Action::Wait { until } if until - self.clock_error < end => self.now = until - self.clock_error,
                _ => return,
            }
        }
    }

    /// The program's own API call, once a minute. It is never repeated.
    fn call(&mut self) -> Result<(), Box<dyn Error>> {
        self.minutes += 1;
        let now = self.now + self.clock_error;
        let Some(token) = self.session.token(now) else {
            self.minutes_without_token += 1;
            return Ok(());
        };
        let url = self.session.environment().url(Purpose::Trading, "/account/list")?;
        let request = Request::get(url.as_uri()).header("Authorization", token.access_token.header()).body("")?;
        let response: Response<Vec<u8>> = self.server.handle(self.now, request);
        if response.status().is_success() {
            return Ok(());
        }
        self.minutes_without_token += u32::from(!response.status().is_server_error());
        let (status, body) = (response.status(), response.body());
        match self.session.rejected(now, token.generation, status, body, &mut self.budget) {
            Verdict::NotAboutTheToken => {}
            Verdict::Moved => self.print("a call gets 307: the organization is on another host"),
            verdict => self.print(&format!("a call gets {}, verdict: {verdict:?}", status.as_u16())),
        }
        Ok(())
    }

    fn log_in_elsewhere(&mut self) -> Result<(), Box<dyn Error>> {
        let body = format!(
            r#"{{"name":"{USER}","password":"{PASSWORD}","appId":"Synthetic App","cid":8,"sec":"synthetic-api-secret"}}"#
        );
        let request = Request::post("https://acme-demo.eval.ninjatrader.com/v1/auth/accesstokenrequest");
        self.server.handle(self.now, request.body(body)?);
        Ok(())
    }

    fn print_events(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event.kind {
                EventKind::Failed { .. } if self.tries > 0 => self.tries += 1,
                EventKind::Failed { operation, trouble, .. } => {
                    self.print(&format!("{operation} failed: {trouble}"));
                    self.tries = 1;
                }
                other => self.print(&other.to_string()),
            }
        }
    }

    fn print(&mut self, text: &str) {
        if self.tries > 1 {
            println!("         … and {} more failed tries", self.tries - 1);
        }
        self.tries = 0;
        println!("  {}  {text}", self.now.strftime("%H:%M"));
    }
}
