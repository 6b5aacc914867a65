//! Tests of what a report never contains. In all other tests, `World::examine` also searches for canaries.

use tradovate_auth_doctor::{Name, Private};
use tradovate_auth_simulator::Endpoint;

use super::*;

#[test]
fn names_that_could_be_secrets_or_persons_are_masked() {
    let mut private = Private::default();
    private.learn(&serde_json::json!({"name": "Zebedee Quillfeather", "id": 77_001_234, "list": [{"x": "Marmalade"}]}));
    let shown = |name: &str| Name::new(name, &private).as_str().to_owned();
    for name in ["accessToken", "p-ticket", "brandNewField", "x-request-id", "mdLive", "v2"] {
        assert_eq!(shown(name), name);
    }
    for name in
        ["Zebedee", "zebedee", "accounts-of-quillfeather", "marmaladeLive", "SIM00001", "7", "77001234", "a b", "ä"]
    {
        assert_eq!(shown(name), "(masked: 1 to 64 characters)", "{name}");
    }
    for (key, shown) in [("mdLive", "mdLive"), ("acmeLive", "(masked: 1 to 64 characters)")] {
        assert_eq!(Name::of_key(key).as_str(), shown);
    }
    assert_eq!(shown(""), "(masked: 0 characters)");
    assert_eq!(shown(&"x".repeat(33)), "(masked: 1 to 64 characters)");
    assert_eq!(shown(&"x".repeat(65)), "(masked: 65 to 8192 characters)");
}

#[test]
fn the_doctors_report_contains_no_values_from_the_server() {
    let odd = r#"{"accessToken":"canary.token","expirationTime":"2026-11-24T15:40:30Z","canary-user":"x","77001234":1,
        "Quillfeather":{"canary":"canary"},"userStatus":"canary","hibpHint":"Zebedee","name":"Zebedee Quillfeather",
        "errorText":"","orgName":"Marmalade","apiHosts":{"marmaladeLive":"canary.example","live":"https://canary@x"},
        "list":["canary"],"password":"canary-password","Canary Password":null,"expires_in":77001234,"p-time":7700123456}"#;
    for endpoint in [Endpoint::AccessTokenRequest, Endpoint::Me, Endpoint::RenewAccessToken, Endpoint::OauthToken] {
        for status in [200, 401, 500] {
            let response = Response::builder()
                .status(status)
                .header("x-canary", "canary")
                .header("x-77001234", "canary")
                .header("location", "https://canary.example/canary?canary=canary")
                .header("content-type", "canary/canary")
                .body(odd.as_bytes().to_vec())
                .unwrap();
            let mut world = World::live();
            world.simulator.answer_next(endpoint, response);
            world.examine();
        }
    }
    for text in
        ["canary", "\"canary\"", "<canary>", "[\"canary\"]", "7700123", "Incorrect username or password: canary"]
    {
        let mut world = World::live();
        let response = Response::builder().status(400).body(text.as_bytes().to_vec()).unwrap();
        world.simulator.answer_next(Endpoint::AccessTokenRequest, response);
        world.examine();
    }
}

#[test]
fn a_doctors_report_with_an_unmasked_name_or_value_is_refused() {
    let report = serde_json::to_value(World::live().examine()).unwrap();
    let change = |pointer: &str, value: serde_json::Value| {
        let mut changed = report.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        serde_json::from_value::<Report>(changed).is_ok()
    };
    assert!(change("/steps/0/answer/came/status", 401.into()));
    assert!(!change("/steps/0/answer/came/headers/0", "SIM00001".into()));
    assert!(!change("/steps/0/answer/came/body/object/0/says", "canary".into()));
    assert!(!change("/steps/0/answer/came/body/object/0", serde_json::json!({"name":"a","kind":"string","value":"x"})));
}
