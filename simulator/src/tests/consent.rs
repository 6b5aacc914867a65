use super::{
    oauth::{REDIRECT, exchange, wrong_code},
    page::{allow, asking, deny, parameter, show},
    *,
};
use crate::{maintenance::Maintenance, side::Side, user::User};

const USER: &str = "synthetic-user";

fn consent(world: &mut World, url: &str) -> Option<String> {
    world.simulator.consent(USER, url)
}

#[test]
fn consent_gives_what_the_page_gives() {
    let page = allow(&mut World::new(), &asking(&[]));
    assert_eq!(consent(&mut World::new(), &asking(&[])).as_deref(), Some(page.header("location")));
}

#[test]
fn a_denial_gives_what_the_page_gives() {
    let page = deny(&mut World::new(), &asking(&[]));
    assert_eq!(World::new().simulator.deny(&asking(&[])).as_deref(), Some(page.header("location")));
}

#[test]
fn a_code_by_consent_is_good_once() {
    let mut world = World::new();
    let back = consent(&mut world, &asking(&[])).unwrap();
    let code = parameter(&back, "code").unwrap();
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("error"), Value::Null);
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong_code());
}

#[test]
fn a_code_by_consent_lives_from_the_first_moment_the_server_knows() {
    let mut world = World::new();
    let back = consent(&mut world, &asking(&[])).unwrap();
    world.login();
    world.wait(300);
    assert_eq!(world.post(OAUTH, &exchange(&parameter(&back, "code").unwrap())).json(), wrong_code());
}

#[test]
fn an_authorize_url_may_be_whole() {
    for before in ["http://127.0.0.1:8080", "https://trader.tradovate.com"] {
        let url = format!("{before}{}#fragment", asking(&[]));
        assert!(consent(&mut World::new(), &url).unwrap().starts_with(REDIRECT), "{url}");
        assert!(World::new().simulator.deny(&url).unwrap().starts_with(REDIRECT), "{url}");
    }
}

#[test]
fn what_is_no_authorize_url_gives_nothing() {
    let query = asking(&[]).replace("/oauth", "");
    for url in ["", "oauth", "/oauth", ":", "http://", &query, &format!("/v1/oauth{query}"), &format!("oauth{query}")] {
        assert_eq!(consent(&mut World::new(), url), None, "{url}");
        assert_eq!(World::new().simulator.deny(url), None, "{url}");
    }
}

#[test]
fn nobody_who_does_not_exist_can_consent() {
    assert_eq!(World::new().simulator.consent("nobody", &asking(&[])), None);
}

#[test]
fn nobody_consents_on_a_side_they_do_not_exist_on() {
    let user = User::default().only_on(Side::Demo);
    assert_eq!(consent(&mut World::of(Simulator::builder().user(user)), &asking(&[])), None);
}

#[test]
fn a_request_that_is_wrong_is_sent_back_whoever_would_consent() {
    let url = asking(&[("response_type", "token")]);
    let page = show(&mut World::new(), &url);
    assert_eq!(World::new().simulator.consent("nobody", &url).as_deref(), Some(page.header("location")));
}

#[test]
fn maintenance_does_not_stand_in_the_way_of_a_test() {
    let mut world = World::new();
    world.simulator.set_maintenance(Some(Maintenance::Html));
    assert!(consent(&mut world, &asking(&[])).is_some());
}

#[test]
fn a_redirect_uri_can_be_registered_while_the_server_runs() {
    let uri = "http://127.0.0.1:49152/callback";
    let url = asking(&[("redirect_uri", uri)]);
    let mut world = World::new();
    assert_eq!(consent(&mut world, &url), None);
    world.simulator.oauth_client_mut("synthetic-client").unwrap().redirect_uris.push(uri.to_owned());
    assert!(consent(&mut world, &url).unwrap().starts_with(uri));
}

#[test]
fn a_client_nobody_registered_cannot_be_changed() {
    assert!(World::new().simulator.oauth_client_mut("unknown").is_none());
}
