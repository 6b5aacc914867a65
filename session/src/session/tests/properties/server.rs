//! What the server answers, and what that means to the laws.

use super::lab::{Lab, Sent};
use super::*;

impl Lab {
    pub(super) fn grant(&mut self, operation: Operation, life: u64, same_text: bool, server_time: Timestamp) -> String {
        let number = self.lives.len();
        let end = later(server_time, minutes(life));
        let text = if same_text && operation != Operation::Refresh { "same".into() } else { format!("at-{number}") };
        self.lives.entry(text.clone()).or_default().push((end, minutes(life)));
        if operation != Operation::Refresh {
            let market_data = if life.is_multiple_of(3) { r#","mdAccessToken":"md""# } else { "" };
            return format!(r#"{{"accessToken":"{text}","expirationTime":"{end}","userId":1{market_data}}}"#);
        }
        let seconds = life * 60;
        let ends = if life.is_multiple_of(5) { "" } else { r#","refresh_token_expires_in":93600"# };
        format!(r#"{{"access_token":"{text}","refresh_token":"rt-{number}","expires_in":{seconds}{ends},"userId":1}}"#)
    }

    /// An answer comes, with the time at which the server gave it.
    pub(super) fn answer(&mut self, sent: &Sent, reply: &Reply, server_time: Timestamp) {
        let (status, body) = match reply {
            Reply::Silence => return,
            Reply::Failure(failure) => {
                self.note(sent, reply);
                return self.session.failed(self.now, sent.id, *failure, &mut self.budget);
            }
            Reply::Grant { life, same_text } => (200, self.grant(sent.operation, *life, *same_text, server_time)),
            Reply::OtherUser => {
                let body = self.grant(sent.operation, 80, false, server_time);
                if self.session.held.is_some() {
                    self.of_another_user.insert(format!("at-{}", self.lives.len() - 1));
                }
                // Where no user is known yet, it would be the session's.
                let user = if self.session.held.is_some() { r#""userId":2"# } else { r#""userId":1"# };
                (200, body.replace(r#""userId":1"#, user))
            }
            Reply::Refused if sent.operation == Operation::Refresh => (200, INVALID_GRANT.into()),
            Reply::Refused => (200, BAD_PASSWORD.into()),
            Reply::Unauthorized => (401, DEAD.into()),
            Reply::Penalty(wait) => {
                let ticket = format!("ticket-{}", self.tickets.len());
                self.tickets.insert(ticket.clone(), (sent.body.clone(), later(self.now, Duration::from_secs(*wait))));
                let is_current = self.in_flight.as_ref().is_some_and(|current| current.id == sent.id);
                self.owed = Some((sent.operation, ticket.clone())).filter(|_| is_current);
                (200, format!(r#"{{"p-ticket":"{ticket}","p-time":{wait}}}"#))
            }
            Reply::Captcha => (200, r#"{"p-captcha":true}"#.into()),
            Reply::LockedOut(_) => (429, String::new()),
            Reply::Status(status) => (*status, String::new()),
            Reply::Moved => (307, String::new()),
            Reply::Garbage => (200, "{".into()),
            Reply::Incomplete => (200, r#"{"mfa":1}"#.into()),
            Reply::Both => (200, r#"{"error":"no","accessToken":"x","access_token":"x"}"#.into()),
            Reply::ExpiredAlready => {
                let before = crate::moments::earlier(server_time, minutes(1));
                let lifetimes = format!(r#""expirationTime":"{before}","expires_in":0"#);
                (200, format!(r#"{{"accessToken":"x","access_token":"x",{lifetimes}}}"#))
            }
        };
        let mut response = Response::builder().status(status).body(body).unwrap();
        let date = server_time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert(header::DATE, date.parse().unwrap());
        if let Reply::LockedOut(wait) = reply {
            response.headers_mut().insert(header::RETRY_AFTER, (*wait).into());
        }
        if let Reply::Moved = reply {
            let host = if sent.id.0.is_multiple_of(2) { "acme.ninjatrader.com" } else { "evil.com" };
            let location = format!("https://{host}/v1");
            response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
        }
        self.note(sent, reply);
        self.session.receive(self.now, sent.id, response, &mut self.budget);
    }

    /// What the answer means to the laws.
    fn note(&mut self, sent: &Sent, reply: &Reply) {
        let is_granted = match reply {
            Reply::Grant { .. } => true,
            // The first user that is heard of is the session's.
            Reply::OtherUser => self.session.held.is_none(),
            _ => false,
        };
        let is_current = self.in_flight.take_if(|current| current.id == sent.id).is_some();
        let is_resting = matches!(self.session.state, State::Resting) && self.last_sent == Some(sent.id);
        let is_newest = is_current || self.last_sent == Some(sent.id);
        let forget = |times: &mut Vec<Timestamp>| {
            if let Some(index) = times.iter().rposition(|time| *time == sent.at) {
                times.remove(index);
            }
        };
        let (opened, failed) = match reply {
            Reply::LockedOut(_) | Reply::Captcha | Reply::Failure(Failure::NotSent) => (false, false),
            _ if is_granted => (true, false),
            Reply::Moved | Reply::Status(421 | 502 | 503) if is_newest => (false, false),
            Reply::Status(408 | 500 | 504) if is_newest => (true, false),
            Reply::Penalty(_) | Reply::Refused | Reply::Unauthorized | Reply::Incomplete | Reply::Status(_)
                if is_newest =>
            {
                (false, true)
            }
            _ => (true, true),
        };
        if sent.operation == Operation::LogIn && (!opened || is_granted) {
            forget(&mut self.unknown);
        }
        if sent.operation == Operation::LogIn && !opened {
            forget(&mut self.opened);
        }
        if sent.operation == Operation::LogIn && !failed {
            forget(&mut self.failed);
        }
        match reply {
            Reply::LockedOut(wait) => {
                let until = later(self.now, Duration::from_secs(*wait.max(&3600)));
                self.silent_until = self.silent_until.max(until);
            }
            Reply::Captcha => {
                self.closed_until.insert(sent.operation, later(self.now, minutes(60)));
            }
            _ if is_granted => {
                self.owed = None;
                // What is under way is given up for a late grant.
                self.given_up.extend(self.in_flight.take());
            }
            Reply::Unauthorized if sent.operation == Operation::Renew && (is_current || is_resting) => {
                self.is_lost |= sent.generation == self.generation;
            }
            _ => {}
        }
        if let Some(token) = sent.body["refresh_token"].as_str() {
            self.last_refused = token.into();
        }
    }
}
