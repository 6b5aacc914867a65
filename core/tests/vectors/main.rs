//! Runs all cases of `vectors/`, except those that need a session. `session/tests/vectors.rs` runs the exceptions.

mod browser;
mod file;
mod grant;
mod places;
mod request;
mod response;
mod schema;

use serde_json::{Value, json};

use file::Fields;

/// The kinds of cases that need a session.
const OF_THE_SESSION: [&str; 2] = ["reports", "steps"];

#[test]
fn every_test_vector_has_its_expected_outcome() {
    let mut failed = Vec::new();
    for case in file::cases().into_iter().filter(|case| !OF_THE_SESSION.contains(&case.kind.as_str())) {
        let input = &mut Fields::of(case.input);
        let outcomes = match case.kind.as_str() {
            "response" => response::run(input),
            "socket" => vec![response::of_socket(input)],
            "request" => vec![request::run(input)],
            "grant" => vec![grant::run(input)],
            "hosts" => vec![places::run(input)],
            "redirect" => vec![places::redirect(input)],
            "authorization" => vec![browser::begin(input)],
            "authorization_answer" => vec![browser::answer(input)],
            kind => panic!("unknown kind {kind}"),
        };
        assert!(!outcomes.is_empty() && !case.expected.is_empty(), "{} asks nothing", case.id);
        let faults = outcomes.iter().flat_map(|outcome| file::faults(&case.expected, outcome));
        failed.extend(faults.map(|fault| format!("{}: {fault}", case.id)));
    }
    assert!(failed.is_empty(), "{} faults\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_runner_rejects_files_that_it_does_not_understand() {
    let (schema, mut files) = file::read();
    files.retain(|group, _| ["bodies", "penalties", "penalty-steps", "requests"].contains(&group.as_str()));
    let refused = |group: &str, place: &str, value: Option<Value>| {
        let mut files = files.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = files.get_mut(group).unwrap().pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => parent.insert(name.into(), value),
            None => parent.remove(name),
        };
        let Err(fault) = file::checked(&schema, &files) else { panic!("{group} {place} is accepted") };
        fault
    };
    for (group, place, value) in [
        ("penalties", "/kind", json!("prophecy")),
        ("penalties", "/comment", json!("")),
        ("penalties", "/cases/0/comment", json!("")),
        ("penalties", "/cases/0/input/comment", json!("")),
        ("penalties", "/cases/0/input/to", json!([])),
        ("penalties", "/cases/0/input/to", json!(["logout"])),
        ("penalties", "/cases/0/input/status", json!("200")),
        ("penalties", "/cases/0/expected/comment", json!("")),
        ("penalties", "/cases/0/expected/meaning", json!("postponed")),
        ("requests", "/cases/0/input/environment", json!("mars")),
        ("requests", "/cases/0/input/access_token", json!("of a login")),
        ("requests", "/cases/0/input/credentials/appID", json!("of another spelling")),
        ("penalty-steps", "/cases/0/expected/requests", json!([{"after": 15}])),
    ] {
        let fault = refused(group, place, Some(value));
        assert!(fault.contains("does not follow the schema"), "{place}: {fault}");
    }
    assert!(refused("penalties", "/cases/0/expected/ticket", None).contains("schema"));
    assert!(refused("penalties", "/cases/0/reason", None).contains("schema"));
    assert!(refused("penalties", "/number_of_cases", Some(json!(1000))).contains("cases"));
    assert!(refused("penalties", "/group", Some(json!("bodies"))).contains("cases"));
    assert!(refused("penalties", "/cases/0/id", Some(files["bodies"]["cases"][0]["id"].clone())).contains("twice"));
}

#[test]
#[should_panic(expected = "not read")]
fn the_runner_rejects_a_field_that_it_does_not_read() {
    drop(Fields::of(json!({"new": 1})));
}

#[test]
fn the_runner_rejects_an_expected_field_that_the_outcome_lacks() {
    let outcome = file::Outcome { value: json!({"meaning": "dead"}), printed: "canary".into() };
    let faults = |expected: Value| file::faults(expected.as_object().unwrap(), &outcome).len();
    assert_eq!(faults(json!({"meaning": "dead", "never_shown": ["token"]})), 0);
    assert_eq!(faults(json!({"meaning": "dead", "reason": "expired"})), 1);
    assert_eq!(faults(json!({"meaning": "result", "never_shown": ["canary"]})), 2);
}
