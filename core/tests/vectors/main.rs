//! Runs all cases of `vectors/` but those that need a session, which `session/tests/vectors.rs` runs.

mod browser;
mod file;
mod grant;
mod places;
mod request;
mod response;
mod schema;

/// The kinds of cases that need a session.
const OF_THE_SESSION: [&str; 2] = ["reports", "steps"];

#[test]
fn every_vector_holds() {
    let mut failed = Vec::new();
    for mut case in file::cases() {
        let input = &mut case.input;
        let outcomes = match case.kind.as_str() {
            "response" => response::run(input),
            "socket" => vec![response::of_socket(input)],
            "request" => vec![request::run(input)],
            "grant" => vec![grant::run(input)],
            "hosts" => vec![places::run(input)],
            "redirect" => vec![places::redirect(input)],
            "authorization" => vec![browser::begin(input)],
            "authorization_answer" => vec![browser::answer(input)],
            kind if OF_THE_SESSION.contains(&kind) => {
                input.rest().clear();
                continue;
            }
            kind => panic!("unknown kind {kind}"),
        };
        assert!(!outcomes.is_empty() && !case.expected.is_empty(), "{} asks nothing", case.id);
        let faults = outcomes.iter().flat_map(|outcome| file::faults(&case.expected, outcome));
        failed.extend(faults.map(|fault| format!("{}: {fault}", case.id)));
    }
    assert!(failed.is_empty(), "{} faults\n{}", failed.len(), failed.join("\n"));
}
