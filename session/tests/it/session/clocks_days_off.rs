//! Machines whose clock differs from the server's time by days.

use super::*;
use crate::driver::dated;

#[test]
fn a_refresh_token_is_kept_with_a_clock_that_is_days_off() {
    for days in [-30, -2, 2, 30] {
        let ahead = SignedDuration::from_hours(24 * days);
        let mut program = Program::app();
        let mut n = 0;
        let sent = program.run(minutes(3 * 24 * 60), |sent| {
            n += 1;
            let date = sent.at + ahead;
            Answer::Response(if sent.endpoint == "oauthtoken" {
                let body = format!(
                    r#"{{"access_token":"at-{n}","refresh_token":"rt-{n}","expires_in":4800,"refresh_token_expires_in":93600}}"#
                );
                dated(200, body, date)
            } else {
                let end = date + minutes(80);
                dated(200, format!(r#"{{"accessToken":"at-{n}","expirationTime":"{end}"}}"#), date)
            })
        });
        let refreshes = sent.iter().filter(|sent| sent.endpoint == "oauthtoken").count();
        assert!(program.stop_reason().is_none() && program.token().is_some(), "{days}: {}", program.log());
        assert!((6..=80).contains(&refreshes), "{days}: {refreshes}");
        assert!(sent.len() <= 80, "{days}: {} requests in three days", sent.len());
    }
}
