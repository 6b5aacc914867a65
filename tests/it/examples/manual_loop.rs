//! `manual-loop` at servers that fail: how far a request got is what the session is told.

use std::process::Command;

use tradovate_auth_simulator::Side;

use super::{failure, failures, run, server, stdout_of, variables};
use crate::support::site::{Program, example};
use crate::support::{Peer, response};

/// The first line that it prints.
fn first_line(base_url: &str) -> String {
    Program::start(Command::new(example("manual-loop")), &[], variables(base_url)).await_line(|_| true)
}

#[test]
fn it_ends_at_the_first_token_of_a_server_that_it_is_given() {
    let server = server(Side::Live);
    let said = stdout_of("manual-loop", &[], variables(&server.base_url()));
    assert!(said.contains("token 1 is good until"), "{said}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn how_far_a_request_and_its_answer_got_is_told() {
    let cut = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{");
    for (answer, said) in [
        (Vec::new(), "failed: no answer came"),
        (response("200 OK", &[], vec![b' '; 300_000]), "failed: the answer was too long"),
        (cut("200 OK").into(), "failed: the answer broke off"),
        (cut("429 Too Many Requests").into(), "locked out: nothing is sent before"),
    ] {
        let line = first_line(&Peer::answering(answer).base_url());
        assert!(line.contains(said), "{line}");
    }
    let line = first_line("http://127.0.0.1:1/v1");
    assert!(line.contains("failed: ") && line.contains(" sent"), "{line}");
}

#[test]
fn its_errors_are_sentences() {
    let server = server(Side::Live);
    server.with(|simulator| simulator.user_mut("trader").unwrap().password = "another".into());
    let [_, sentence] = failures("manual-loop", &[], &server);
    assert!(sentence.starts_with("refused by the server with \"Incorrect username"), "{sentence}");
    let all = variables("http://127.0.0.1:1/v1");
    let output = run("manual-loop", all.into_iter().filter(|(name, _)| *name != "TRADOVATE_SEC"));
    assert!(failure(&output).starts_with("not set: TRADOVATE_SEC; set "), "{output:?}");
}
