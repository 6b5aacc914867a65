//! Tests of `consent` and `deny`, which act in place of the user's browser.

use super::{
    page::{allow, authorize_url_with, deny, show},
    *,
};
use crate::{maintenance::Maintenance, side::Side};

#[test]
fn consent_and_deny_return_the_redirect_of_the_page_even_during_maintenance() {
    let url = authorize_url_with(&[]);
    let pages = [allow(&mut World::new(), &url), deny(&mut World::new(), &url)];
    for before in ["", "http://127.0.0.1:8080", "https://trader.tradovate.com"] {
        let mut simulator = World::new().simulator;
        simulator.set_maintenance(Some(Maintenance::Html));
        let url = format!("{before}{url}#fragment");
        let answers = [simulator.consent(USER, &url), simulator.deny(&url)];
        assert_eq!(
            answers.each_ref().map(Option::as_deref),
            pages.each_ref().map(|page| Some(page.header("location")))
        );
    }
}

#[test]
fn consent_returns_nothing_for_a_url_that_is_not_an_authorize_url() {
    let query = authorize_url_with(&[]).replace("/oauth", "");
    for url in ["", "oauth", "/oauth", ":", "http://", &query, &format!("/v1/oauth{query}"), &format!("oauth{query}")] {
        assert_eq!(World::new().simulator.consent(USER, url), None, "{url}");
        assert_eq!(World::new().simulator.deny(url), None, "{url}");
    }
}

#[test]
fn only_a_user_that_exists_on_the_clients_side_can_consent() {
    assert_eq!(World::new().simulator.consent("nobody", &authorize_url_with(&[])), None);
    let mut world = World::with_user(User::default().only_on(Side::Demo));
    assert_eq!(world.simulator.consent(USER, &authorize_url_with(&[])), None);
    let wrong = authorize_url_with(&[("response_type", "token")]);
    let page = show(&mut world, &wrong);
    assert_eq!(world.simulator.consent("nobody", &wrong).as_deref(), Some(page.header("location")));
}

#[test]
fn a_redirect_uri_can_be_registered_while_the_server_runs() {
    let uri = "http://127.0.0.1:49152/callback";
    let url = authorize_url_with(&[("redirect_uri", uri)]);
    let mut simulator = World::new().simulator;
    assert!(simulator.oauth_client_mut("unknown").is_none());
    assert_eq!(simulator.consent(USER, &url), None);
    simulator.oauth_client_mut("synthetic-client").unwrap().redirect_uris.push(uri.to_owned());
    assert!(simulator.consent(USER, &url).unwrap().starts_with(uri));
}
