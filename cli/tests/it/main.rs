//! The program `tradovate-auth` as users run it: real processes, against the simulator.

#![cfg(unix)]

mod exit_codes;
mod languages;
mod oauth;
mod secrets;
mod sharing;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
