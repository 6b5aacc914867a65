//! Tests of the program `tradovate-auth` with real processes and the simulator.

#![cfg(unix)]

mod exit_codes;
mod languages;
mod oauth;
mod secrets;
mod sharing;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
