//! The meaning of a response.

use std::collections::BTreeSet;
use std::fmt::Debug;

use http::Response;
use serde_json::{Map, Value, json};
use tradovate_auth_core::workspace_only::{read_login, read_oauth, read_renewal};
use tradovate_auth_core::{
    AccessToken, AccessTokenRequest, AccessTokenResponse, ApiHosts, Contradiction, Endpoint, Error, IdToken,
    MarketDataToken, Me, MeResponse, OAuthToken, OAuthTokenResponse, Penalty, PenaltyTicket, RefreshToken, Refusal,
    RenewAccessToken, Reply,
};

use crate::file::{Fields, Outcome, snake};

/// The outcomes of a response at each endpoint in `to`.
pub(crate) fn run(input: &mut Fields) -> Vec<Outcome> {
    let to = input.list("to");
    let response = input.response();
    to.iter().map(|endpoint| at_endpoint(endpoint.as_str().unwrap(), response.clone())).collect()
}

fn at_endpoint(endpoint: &str, response: Response<Vec<u8>>) -> Outcome {
    let body = response.body().clone();
    let mut outcome = match endpoint {
        "login" => outcome(Some(read_login(&response)), AccessTokenRequest::parse(response), login_fields),
        "renewal" => outcome(Some(read_renewal(&response)), RenewAccessToken::parse(response), login_fields),
        "oauth" => outcome(Some(read_oauth(&response)), OAuthToken::parse(response), oauth_fields),
        "me" => outcome(None, Me::parse(response), me_fields),
        _ => return of_call(response),
    };
    let is_servers =
        if endpoint == "oauth" { OAuthToken::is_answer(&body) } else { AccessTokenRequest::is_answer(&body) };
    outcome.value["tells_time"] = is_servers.into();
    outcome
}

/// The outcome of a call that the program makes itself.
fn of_call(response: Response<Vec<u8>>) -> Outcome {
    if response.status() != 200 {
        return outcome(None, Me::parse(response), me_fields);
    }
    let penalty = Penalty::in_body(response.body());
    let printed = format!("{penalty:?}");
    penalty.map_or_else(|| json!({"meaning": "result"}).into(), |penalty| of_error(&penalty.into(), &printed))
}

/// The outcome of a reply. Reading it without its time must give the same value.
fn outcome<T: Debug>(
    value: Option<Result<T, Error>>,
    reply: Result<Reply<T>, Error>,
    fields: fn(&T) -> Value,
) -> Outcome {
    let printed = format!("{:?}", reply.as_ref().map(|reply| &reply.value));
    assert!(value.is_none_or(|value| format!("{value:?}") == printed), "{printed}");
    let value = |reply: Reply<T>| {
        let server_time = reply.server_time.map(|time| time.to_string());
        json!({"meaning": "result", "fields": fields(&reply.value), "server_time": server_time})
    };
    match reply {
        Ok(reply) => Outcome { value: value(reply), printed },
        Err(error) => of_error(&error, &printed),
    }
}

pub(crate) fn of_error(error: &Error, printed: &str) -> Outcome {
    let mut value = match error {
        Error::Refused(Refusal { kind, text, .. }) => {
            json!({"meaning": "refused", "refusal": snake(kind), "blames_app": kind.blames_app(), "says": text})
        }
        Error::Penalty(ticket) => json!({"meaning": "penalty", "ticket": ticket.expose(), "says": ticket.message()}),
        Error::Captcha { ticket, message } => {
            let wait = ticket.as_ref().map(|ticket| ticket.wait().as_secs());
            let ticket = ticket.as_ref().map(PenaltyTicket::expose);
            json!({"meaning": "captcha", "says": message, "ticket": ticket, "ticket_wait": wait})
        }
        Error::LockedOut { until, .. } => {
            json!({"meaning": "locked_out", "until": until.map(|time| time.to_string())})
        }
        Error::Unauthorized { reason } => json!({"meaning": "dead", "reason": snake(reason)}),
        Error::Forbidden { text } => json!({"meaning": "forbidden", "says": text}),
        Error::Moved(moved) => json!({"meaning": "moved", "host": moved.host()}),
        Error::WrongEnvironment { text } => json!({"meaning": "wrong_environment", "says": text}),
        Error::Status { excerpt, .. } => json!({"meaning": "other_status", "says": excerpt}),
        Error::Undecodable(fault) => {
            json!({"meaning": "undecodable", "kind": snake(&fault.kind), "field": fault.field})
        }
        Error::Incomplete { field, present } => {
            let present: BTreeSet<_> = present.iter().collect();
            json!({"meaning": "incomplete", "missing": field, "present": present})
        }
        Error::Contradiction(contradiction) => {
            let mut value = json!({"meaning": "contradiction", "kind": snake(contradiction)});
            match contradiction {
                Contradiction::Twins(field) => value["field"] = json!(field),
                Contradiction::TokenBesideRefusal { text } => value["says"] = json!(text),
                _ => {}
            }
            value
        }
        other => panic!("unknown: {other:?}"),
    };
    value["retryable"] = error.is_retryable().into();
    value["wait"] = error.retry_after().map(|wait| wait.as_secs()).into();
    Outcome { value, printed: format!("{printed} {error}") }
}

/// The fields that have a value.
fn present<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_there = |value: &Value| !value.is_null() && *value != json!([]) && *value != json!({});
    fields.into_iter().filter(|(_, value)| is_there(value)).map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn hosts(hosts: &ApiHosts) -> Value {
    let all: Map<_, _> = hosts.iter().map(|(key, host)| (key.to_owned(), host.into())).collect();
    assert!(all.is_empty() == hosts.is_empty() && all.iter().all(|(key, host)| hosts.get(key) == host.as_str()));
    all.into()
}

/// The name of a value: the documented one, or the text of an undocumented one.
fn name(value: Option<&impl Debug>) -> Value {
    let name = value.map(|value| format!("{value:?}"));
    name.map(|name| name.trim_start_matches("Other(\"").trim_end_matches("\")").to_owned()).into()
}

fn login_fields(login: &AccessTokenResponse) -> Value {
    present([
        ("accessToken", login.access_token.as_ref().map(AccessToken::expose).into()),
        ("mdAccessToken", login.md_access_token.as_ref().map(MarketDataToken::expose).into()),
        ("expirationTime", login.expiration_time.map(|time| time.to_string()).into()),
        ("passwordExpirationTime", login.password_expiration_time.map(|time| time.to_string()).into()),
        ("userStatus", name(login.user_status.as_ref())),
        ("userId", login.user_id.into()),
        ("name", login.name.clone().into()),
        ("hasLive", login.has_live.into()),
        ("hasSimPlus", login.has_sim_plus.into()),
        ("showKIDs", login.show_kids.into()),
        ("hibpHint", name(login.hibp_hint.as_ref())),
        ("apiHosts", hosts(&login.api_hosts)),
        ("orgName", login.org_name.clone().into()),
        ("hasFunded", login.has_funded.into()),
        ("hasMarketData", login.has_market_data.into()),
        ("outdatedTaC", login.outdated_tac.into()),
        ("outdatedLiquidationPolicy", login.outdated_liquidation_policy.into()),
        ("requiredNonProCertification", login.required_non_pro_certification.into()),
        ("outdatedSentimentPolicy", login.outdated_sentiment_policy.into()),
    ])
}

fn me_fields(me: &MeResponse) -> Value {
    present([
        ("userId", me.user_id.into()),
        ("name", me.name.clone().into()),
        ("fullName", me.full_name.clone().into()),
        ("email", me.email.clone().into()),
        ("emailVerified", me.email_verified.into()),
        ("isTrial", me.is_trial.into()),
        ("organizationName", me.organization_name.clone().into()),
        ("currentAccountPlan", me.current_account_plan.clone().into()),
        ("currentMDSubs", me.current_md_subs.clone().into()),
        ("currentBalance", me.current_balance.into()),
        ("activePlugins", me.active_plugins.clone().into()),
    ])
}

fn oauth_fields(token: &OAuthTokenResponse) -> Value {
    present([
        ("access_token", token.access_token.as_ref().map(AccessToken::expose).into()),
        ("refresh_token", token.refresh_token.as_ref().map(RefreshToken::expose).into()),
        ("token_type", token.token_type.clone().into()),
        ("expires_in", token.expires_in.into()),
        ("refresh_token_expires_in", token.refresh_token_expires_in.into()),
        ("id_token", token.id_token.as_ref().map(IdToken::expose).into()),
        ("mdAccessToken", token.md_access_token.as_ref().map(MarketDataToken::expose).into()),
        ("userId", token.user_id.into()),
        ("apiHosts", hosts(&token.api_hosts)),
    ])
}

/// The answer to `authorize` in a frame of a socket, or to the connect. This function reads the frame. The core
/// determines the meaning of its status and text.
pub(crate) fn of_socket(input: &mut Fields) -> Outcome {
    let meaning = |meaning: &str| json!({"meaning": meaning}).into();
    let Some(frame) = input.text("frame") else { return of_call(input.response()) };
    let messages: Vec<Value> = frame.strip_prefix('a').map_or(Vec::new(), |list| serde_json::from_str(list).unwrap());
    match messages.iter().find(|message| message["i"] == 1) {
        None => meaning(if frame.starts_with('c') { "closed" } else { "no_answer" }),
        Some(answer) if answer["s"] == 200 => meaning("authorized"),
        Some(answer) => {
            let text = if answer["d"].is_null() { String::new() } else { answer["d"].to_string() };
            of_call(Fields::of(json!({"status": answer["s"], "body": text})).response())
        }
    }
}
