//! `manual-loop` at servers that fail: how far a request got is what the session is told.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tradovate_auth_simulator::Side;

use super::{failure, run, run_at, server, stdout, variables};
use crate::support::site::example;
use crate::support::{Peer, response};

/// The first line that it prints.
fn first_line(base_url: &str) -> String {
    let mut command = Command::new(example("manual-loop"));
    let mut program = command.env_clear().envs(variables(base_url)).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    line
}

#[test]
fn it_ends_at_the_first_token_of_a_server_that_it_is_given() {
    let server = server(Side::Live);
    let output = run_at(&server, "manual-loop");
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("token 1 is good until"), "{output:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn what_was_never_sent_is_told_from_what_may_have_been_handled() {
    let line = first_line("http://127.0.0.1:1/v1");
    assert!(line.contains("failed: ") && line.contains(" sent"), "{line}");
    let silent = Peer::answering("");
    let line = first_line(&silent.base_url());
    assert!(line.contains("failed: no answer came"), "{line}");
}

#[test]
fn an_answer_that_is_too_long_is_told_from_one_that_breaks_off() {
    let long = Peer::acting(|connection, _| drop(connection.write_all(&response("200 OK", &[], vec![b' '; 300_000]))));
    let line = first_line(&long.base_url());
    assert!(line.contains("failed: the answer was too long"), "{line}");
    let broken = Peer::answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{");
    let line = first_line(&broken.base_url());
    assert!(line.contains("failed: the answer broke off"), "{line}");
}

#[test]
fn a_lock_out_counts_even_if_its_text_breaks_off() {
    let locked = Peer::answering("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{");
    let line = first_line(&locked.base_url());
    assert!(line.contains("locked out: nothing is sent before"), "{line}");
}

#[test]
fn its_errors_are_sentences() {
    let server = server(Side::Live);
    server.with(|simulator| simulator.user_mut("trader").unwrap().password = "another".into());
    let output = run_at(&server, "manual-loop");
    assert!(failure(&output).starts_with("refused by the server with \"Incorrect username"), "{output:?}");
    let all = variables("http://127.0.0.1:1/v1");
    let output = run("manual-loop", all.into_iter().filter(|(name, _)| *name != "TRADOVATE_SEC"));
    assert!(failure(&output).starts_with("not set: TRADOVATE_SEC; set "), "{output:?}");
}
