//! Tests of the control interface without a server. `tests/it/control.rs` tests each command.

use http::Response;

use super::*;
use crate::control::ControlledSimulator;

fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}Z").parse().unwrap()
}

fn answer(simulator: &mut ControlledSimulator, clock: &str, host: &str, command: &str, body: &str) -> (u16, String) {
    let request = Request::post(format!("/simulator/{command}")).header("host", host).body(body).unwrap();
    let response: Response<Vec<u8>> = simulator.handle(at(clock), request);
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

#[test]
fn commands_move_the_simulated_clock_relative_to_the_callers_clock() {
    let mut simulator = ControlledSimulator::new(Simulator::builder().build());
    for (clock, command, shown) in [
        ("12:00:00", "advance", "2026-11-24T13:00:00Z"),
        ("12:00:05", "release", "2026-11-24T13:00:05Z"),
        ("12:00:05", "advance", "2026-11-24T14:00:05Z"),
        ("12:00:06", "reset", "2026-11-24T12:00:06Z"),
    ] {
        let expected = (200, format!(r#"{{"now":"{shown}"}}"#));
        assert_eq!(answer(&mut simulator, clock, "localhost", command, ""), expected, "{command}");
        assert_eq!(simulator.now(at(clock)).to_string(), shown);
    }
}

#[test]
fn other_requests_are_handled_at_the_simulated_time() {
    let mut simulator = ControlledSimulator::new(Simulator::builder().build());
    simulator.advance(HOUR);
    let login = r#"{"name":"synthetic-user","password":"synthetic-password","cid":8,"sec":"synthetic-api-secret"}"#;
    let response = simulator.handle(at("12:00:00"), Request::post(LOGIN).body(login).unwrap());
    let body = String::from_utf8(response.into_body()).unwrap();
    assert!(body.contains(r#""expirationTime":"2026-11-24T14:20:00.000Z""#), "{body}");
    assert_eq!(simulator.at(at("13:19:59")).open_sessions(USER), 1);
    assert_eq!(simulator.at(at("13:20:00")).open_sessions(USER), 0);
}

#[test]
fn commands_need_a_loopback_host_unless_any_host_is_allowed() {
    let mut simulator = ControlledSimulator::new(Simulator::builder().build());
    assert_eq!(answer(&mut simulator, "12:00:00", "page.example", "kick", "").0, 403);
    let mut simulator = simulator.allow_any_host();
    assert_eq!(answer(&mut simulator, "12:00:00", "page.example", "kick", "").0, 200);
}
