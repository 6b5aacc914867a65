use super::*;
use alloc::format;
use alloc::string::ToString;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

fn hosts_of(environment: &Environment) -> Vec<&str> {
    Purpose::ALL.iter().map(|purpose| environment.base_url(*purpose).map_or("-", BaseUrl::host)).collect()
}

fn moved(location: &str) -> Moved {
    let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_str(location).unwrap())]);
    Moved::new(StatusCode::TEMPORARY_REDIRECT, &headers)
}

fn post_to(url: &str) -> Request<RequestBody> {
    Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("authorization", "Bearer synthetic")
        .body(RequestBody::new(b"body".to_vec()))
        .unwrap()
}

//= R-ENV-1
//= R-ENV-2
//= R-ENV-3
//= R-ENV-5
//= R-SOCKET-7
#[test]
fn every_preset_is_the_table_of_the_vendors_hosts() {
    let table = [
        ("live", Environment::live()),
        ("demo", Environment::demo()),
        ("evaluation", Environment::evaluation()),
        ("staging_live", Environment::staging_live()),
        ("staging_demo", Environment::staging_demo()),
    ]
    .map(|(name, environment)| format!("{name}: {}", hosts_of(&environment).join(" ")))
    .join("\n");
    insta::assert_snapshot!(table, @r"
    live: live.tradovateapi.com live.tradovateapi.com live.tradovateapi.com md.tradovateapi.com replay.tradovateapi.com -
    demo: demo.tradovateapi.com live.tradovateapi.com demo.tradovateapi.com md-demo.tradovateapi.com replay.tradovateapi.com -
    evaluation: live.tradovateapi.com live.tradovateapi.com demo.tradovateapi.com md-demo.tradovateapi.com replay.tradovateapi.com -
    staging_live: live-api.staging.ninjatrader.dev live-api.staging.ninjatrader.dev live-api.staging.ninjatrader.dev md-api.staging.ninjatrader.dev - -
    staging_demo: demo-api.staging.ninjatrader.dev live-api.staging.ninjatrader.dev demo-api.staging.ninjatrader.dev md-api.staging.ninjatrader.dev - -
    ");
}

//= R-ENV-1
//= R-ENV-2
#[test]
fn bases_end_in_v1_and_sockets_in_websocket() {
    let live = Environment::live();
    assert_eq!(live.base_url(Purpose::Trading).unwrap().to_string(), "https://live.tradovateapi.com/v1");
    assert_eq!(live.websocket_url(Purpose::Trading).as_deref(), Some("wss://live.tradovateapi.com/v1/websocket"));
    assert!(live.websocket_url(Purpose::Reporting).is_none() && live.url(Purpose::Reporting, "/x").is_err());
}

//= R-AUTHORIZE-1
//= R-AUTHORIZE-6
//= R-OAUTH-2
#[test]
fn oauth_urls_are_settings_of_their_own() {
    let demo = Environment::demo();
    assert_eq!(demo.authorize_url().unwrap().to_string(), "https://trader.tradovate.com/oauth");
    assert_eq!(demo.token_url().unwrap().to_string(), "https://demo.tradovateapi.com/v1/auth/oauthtoken");
    let demo = demo
        .with_authorize_url(SecureUrl::parse("https://web.ninjatrader.com/oauth?env=demo").unwrap())
        .with_token_url(SecureUrl::parse("https://live.tradovateapi.com/auth/oauthtoken").unwrap());
    assert_eq!(demo.authorize_url().unwrap().to_string(), "https://web.ninjatrader.com/oauth?env=demo");
    assert_eq!(demo.token_url().unwrap().to_string(), "https://live.tradovateapi.com/auth/oauthtoken");
}

//= R-HOST-3
#[test]
fn hosts_are_followed_key_by_key_and_every_one_is_authoritative() {
    let mut environment = Environment::evaluation();
    let first = ApiHosts::from_iter([
        ("live", "acme-live.ninjatrader.com"),
        ("demo", "acme-demo.eval.ninjatrader.com"),
        ("reportingDemo", "acme-rpt.eval.ninjatrader.com"),
        ("brandNew", "new.ninjatrader.com"),
    ]);
    assert!(environment.follow(&first).is_empty());
    assert!(environment.follow(&ApiHosts::from_iter([("mdDemo", "acme-md.eval.ninjatrader.com")])).is_empty());
    let trading = "acme-demo.eval.ninjatrader.com acme-md.eval.ninjatrader.com replay.tradovateapi.com";
    let all = ["acme-live.ninjatrader.com acme-live.ninjatrader.com", trading, "acme-rpt.eval.ninjatrader.com"];
    assert_eq!(hosts_of(&environment).join(" "), all.join(" "));
}

//= R-HOST-6
#[test]
fn hosts_that_are_not_the_vendors_are_reported_and_not_followed() {
    let mut environment = Environment::demo();
    let hosts = ApiHosts::from_iter([("demo", "demo.tradovateapi.com.evil.com"), ("live", "127.0.0.1")]);
    assert_eq!(environment.follow(&hosts), ["demo", "live"]);
    assert_eq!(environment, Environment::demo());
}

#[test]
fn a_custom_base_is_pinned() {
    let base = BaseUrl::parse("https://demo.tradovateapi.com/v1").unwrap();
    let mut environment = Environment::custom(base.clone());
    let hosts = ApiHosts::from_iter([("demo", "acme.ninjatrader.com"), ("live", "evil.com"), ("replay", "no host")]);
    assert!(environment.follow(&hosts).is_empty());
    for purpose in Purpose::ALL {
        assert_eq!(environment.base_url(purpose), Some(&base));
    }
    let request = post_to("https://demo.tradovateapi.com/v1/auth/accesstokenrequest");
    assert!(environment.redirect(&request, &moved("https://acme.ninjatrader.com/v1")).is_none());
}

//= R-HOST-9
#[test]
fn a_redirected_request_changes_its_host_alone() {
    let request = post_to("https://demo.tradovateapi.com/v1/auth/accesstokenrequest?x=1");
    let moved = moved("https://acme-demo.eval.ninjatrader.com:8443/elsewhere?y=2#z");
    let redirected = Environment::demo().redirect(&request, &moved).unwrap();
    assert_eq!(redirected.uri(), "https://acme-demo.eval.ninjatrader.com:8443/v1/auth/accesstokenrequest?x=1");
    assert_eq!(redirected.method(), Method::POST);
    assert_eq!(redirected.headers(), request.headers());
    assert_eq!(redirected.body().as_ref(), b"body");
}

//= R-HOST-9
#[test]
fn a_request_is_not_sent_on_to_strangers_nor_by_strangers() {
    let environment = Environment::demo();
    let request = post_to("https://demo.tradovateapi.com/v1/auth/me");
    for location in ["https://evil.com/v1", "http://acme.ninjatrader.com/v1", "/v1", "https://u@a.ninjatrader.com/"] {
        assert!(environment.redirect(&request, &moved(location)).is_none(), "{location}");
    }
    let own_token_url = post_to("https://gateway.example/oauthtoken");
    assert!(environment.redirect(&own_token_url, &moved("https://acme.ninjatrader.com/v1")).is_none());
}

#[test]
fn plain_http_is_noticed_wherever_it_is() {
    let local = SecureUrl::parse("http://localhost:1/auth/oauthtoken").unwrap();
    assert!(!Environment::demo().uses_plain_http());
    assert!(Environment::demo().with_token_url(local).uses_plain_http());
    assert!(Environment::custom(BaseUrl::parse("http://127.0.0.1/v1").unwrap()).uses_plain_http());
}

#[test]
fn the_urls_of_log_ins_follow_the_hosts_in_force() {
    let mut environment = Environment::demo();
    let urls = |environment: &Environment| {
        let login = LOGIN_PATHS.map(|path| environment.url(Purpose::Login, path).unwrap());
        login.into_iter().chain([environment.token_url().unwrap()]).map(|url| url.host().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(urls(&environment), ["demo.tradovateapi.com"; 4]);
    let not_followed = environment.follow(&ApiHosts::from_iter([("demo", "acme-demo.eval.ninjatrader.com")]));
    assert!(not_followed.is_empty());
    assert_eq!(urls(&environment), ["acme-demo.eval.ninjatrader.com"; 4]);
    let other = environment.url(Purpose::Trading, LOGIN_PATHS[0]).unwrap();
    assert_eq!(other.to_string(), "https://acme-demo.eval.ninjatrader.com/v1/auth/accesstokenrequest");
}
