//! Checks the shapes of each exchange against the rules of the contract.

use crate::name::has_word;
use crate::report::{Body, Call, Came, Field, HostKind, Judgement, Kind, Length, Origin, Says, Step, Target, Verdict};

/// Checks one exchange: whether it agrees with the rule; `None` if it says nothing about the rule.
type Check = fn(&Step) -> Option<bool>;

/// The rules that shapes can confirm or refute.
const CHECKS: [(&str, Check); 43] = [
    ("R-ENV-1", |step| {
        (step.call == Call::Login && step.host == HostKind::Published && is_granted(step)).then_some(true)
    }),
    ("R-ENV-4", |step| is_granted(step).then_some(true)),
    ("R-ENV-6", |step| (step.call == Call::Me && status(step) == Some(200) && !is_refused(step)).then_some(true)),
    ("R-ENV-11", |step| texts(step).any(|text| text == Says::OtherEnvironment).then(|| !has_token(step))),
    ("R-HOST-1", |step| hosts(step).map(|bare_and_host| bare_and_host.iter().all(|(bare, _)| *bare))),
    ("R-HOST-6", |step| {
        hosts(step).map(|bare_and_host| bare_and_host.iter().all(|(_, host)| *host != HostKind::Other))
    }),
    ("R-HOST-8", |step| match step.call {
        Call::Me if has_object(step) => Some(step.field("apiHosts").is_none()),
        _ if is_refused(step) => Some(step.field("apiHosts").is_none()),
        _ => None,
    }),
    ("R-HOST-9", |step| match status(step)? {
        307 | 308 if !step.redirected => Some(step.came()?.location == Some(Target::Trusted)),
        status if step.redirected => Some(!matches!(status, 307 | 308 | 404 | 421)),
        _ => None,
    }),
    ("R-LOGIN-1", |step| (step.call == Call::Login && is_granted(step)).then_some(true)),
    ("R-LOGIN-4", |step| {
        let has_number = step.sent.iter().any(|field| field.name.as_str() == "cid" && field.kind == Kind::Integer);
        (has_number && is_granted(step)).then_some(true)
    }),
    ("R-LOGIN-9", |step| {
        let is_refusal = step.call == Call::Login && is_refused(step) && !has_token(step);
        is_refusal.then(|| matches!(status(step), Some(200 | 401)))
    }),
    ("R-LOGIN-10", |step| {
        let error = step.came().filter(|_| has_token(step))?;
        let Body::Object(fields) = &error.body else { return None };
        let text = fields.iter().find(|field| field.name.as_str() == "errorText")?;
        (text.kind == Kind::Null || text.length == Some(Length::Empty)).then_some(true)
    }),
    ("R-LOGIN-11", |step| has_token(step).then(|| !is_refused(step))),
    ("R-LOGIN-12", |step| texts(step).any(|text| text == Says::IncorrectCredentials).then_some(true)),
    ("R-LOGIN-18", |step| types(step, Call::Login)),
    ("R-LOGIN-19", |step| is_documented(step, "userStatus")),
    ("R-LOGIN-20", |step| is_documented(step, "hibpHint")),
    ("R-LOGIN-21", |step| Some(step.field("accessToken")?.says == Some(Says::Token))),
    ("R-LOGIN-22", |step| {
        let new = ["requiredNonProCertification", "outdatedSentimentPolicy"].map(|name| step.field(name));
        let mut new = new.into_iter().flatten().peekable();
        new.peek()?;
        Some(new.all(|field| field.kind == Kind::Boolean))
    }),
    ("R-RENEW-1", |step| (step.call == Call::Renewal && is_granted(step)).then_some(true)),
    ("R-RENEW-3", |step| types(step, Call::Renewal)),
    ("R-RENEW-7", |step| step.field("userId").filter(|_| step.call == Call::Renewal)?.same),
    ("R-RENEW-8", |step| renewed_market_data(step)),
    ("R-RENEW-10", |step| {
        (step.call == Call::Renewal && step.origin == Origin::App && is_granted(step)).then_some(true)
    }),
    ("R-RENEW-12", |step| match step.call {
        Call::Exchange if is_granted(step) => Some(step.field("mdAccessToken").is_none()),
        _ if step.origin == Origin::App => renewed_market_data(step),
        _ => None,
    }),
    ("R-ME-1", |step| (step.call == Call::Me && status(step) == Some(200) && !is_refused(step)).then_some(true)),
    ("R-ME-2", |step| types(step, Call::Me)),
    ("R-OAUTH-1", |step| (step.call == Call::Exchange && is_granted(step)).then_some(true)),
    ("R-OAUTH-4", |step| types(step, Call::Exchange)),
    ("R-OAUTH-5", |step| Some((1..=7200).contains(&step.field("expires_in")?.seconds?))),
    ("R-OAUTH-6", |step| {
        (step.call == Call::Exchange && step.field("error").is_some()).then(|| status(step) == Some(200))
    }),
    ("R-OAUTH-10", |step| {
        (step.call == Call::Exchange && is_granted(step) && step.field("userId").is_none()).then_some(true)
    }),
    ("R-OAUTH-14", |step| Some(step.field("token_type")?.says == Some(Says::Bearer))),
    ("R-REFRESH-4", |step| {
        let seconds = step.field("refresh_token_expires_in")?.seconds;
        Some(seconds.is_some_and(|seconds| (24 * 3600..=28 * 3600).contains(&seconds)))
    }),
    ("R-PENALTY-1", |step| step.field("p-ticket").map(|_| status(step) == Some(200) && !has_token(step))),
    ("R-PENALTY-2", |step| Some(step.field("p-time")?.seconds.is_some_and(|seconds| seconds >= 0))),
    ("R-PENALTY-3", |step| {
        let handled = step.after_penalty && step.call != Call::Renewal && step.field("p-ticket").is_none();
        (handled && has_object(step)).then_some(true)
    }),
    ("R-PENALTY-4", |step| step.field("p-captcha").map(|field| matches!(field.kind, Kind::Boolean | Kind::String))),
    ("R-LIMIT-6", |step| (status(step)? == 429).then(|| step.came().map(|came| &came.body) == Some(&Body::Empty))),
    ("R-STATUS-14", |step| match step.came()?.body {
        Body::Repeats(_) => Some(false),
        Body::Object(_) => Some(true),
        _ => None,
    }),
    ("R-TIME-1", |step| {
        let minutes = step.field("expirationTime")?.seconds? / 60;
        matches!(minutes, 79..=81 | 89..=91).then_some(true)
    }),
    ("R-TIME-2", |step| Some(matches!(step.field("expirationTime")?.says, Some(Says::Time | Says::TimeWithFraction)))),
    ("R-TIME-7", |step| {
        let seconds = step.field("expirationTime").filter(|_| is_granted(step))?.seconds?;
        Some(seconds > 0)
    }),
];

/// Judges the rules by the steps of a run, in the order of the rules. One step that contradicts a rule refutes it.
#[must_use]
pub fn judge(steps: &[Step]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for (rule, check) in CHECKS {
        let results: Vec<_> = steps.iter().map(check).collect();
        let with = |wanted: bool| results.iter().enumerate().filter(move |(_, results)| **results == Some(wanted));
        for (wanted, verdict) in [(false, Verdict::Refuted), (true, Verdict::Confirmed)] {
            let steps: Vec<_> = with(wanted).map(|(at, _)| at).collect();
            if !steps.is_empty() {
                judgements.push(Judgement { rule: rule.into(), verdict, steps });
                break;
            }
        }
    }
    judgements
}

/// The documented types of fields.
const TYPES: [(Kind, &str); 6] = [
    (
        Kind::String,
        "accessToken mdAccessToken expirationTime passwordExpirationTime userStatus name hibpHint orgName errorText fullName \
         email organizationName currentAccountPlan access_token refresh_token token_type id_token error error_description",
    ),
    (
        Kind::Boolean,
        "hasLive hasSimPlus showKIDs hasFunded hasMarketData outdatedTaC outdatedLiquidationPolicy emailVerified isTrial",
    ),
    (Kind::Integer, "userId expires_in refresh_token_expires_in"),
    (Kind::Number, "currentBalance"),
    (Kind::List, "currentMDSubs activePlugins"),
    (Kind::Object, "apiHosts"),
];

/// Whether all documented fields in the answers of a call have their documented types.
fn types(step: &Step, call: Call) -> Option<bool> {
    let Body::Object(fields) = &step.came().filter(|_| step.call == call)?.body else { return None };
    let has_type = |field: &Field| {
        let (documented, _) = TYPES.iter().find(|(_, names)| has_word(names, field.name.as_str()))?;
        // A number may be written without a fraction.
        Some(field.kind == *documented || (*documented, field.kind) == (Kind::Number, Kind::Integer))
    };
    let known: Vec<_> = fields.iter().filter(|field| field.kind != Kind::Null).filter_map(has_type).collect();
    (!known.is_empty()).then(|| known.iter().all(|is_right| *is_right))
}

fn status(step: &Step) -> Option<u16> {
    step.came().map(|came| came.status)
}

fn has_object(step: &Step) -> bool {
    matches!(step.came(), Some(Came { body: Body::Object(_), .. }))
}

fn has_token(step: &Step) -> bool {
    ["accessToken", "access_token"]
        .iter()
        .any(|name| step.field(name).is_some_and(|it| it.length != Some(Length::Empty)))
}

/// Whether an answer has an error text.
fn is_refused(step: &Step) -> bool {
    let is_filled = |name: &&str| step.field(name).is_some_and(|field| field.length != Some(Length::Empty));
    ["errorText", "error"].iter().any(is_filled)
}

fn is_granted(step: &Step) -> bool {
    status(step) == Some(200) && has_token(step) && !is_refused(step)
}

/// The known texts in an answer.
fn texts(step: &Step) -> impl Iterator<Item = Says> {
    let body = step.came().map(|came| &came.body);
    let text = match body {
        Some(Body::Text(text)) => *text,
        _ => None,
    };
    let fields = ["errorText", "error", "error_description"].map(|name| step.field(name).and_then(|field| field.says));
    fields.into_iter().flatten().chain(text)
}

fn is_documented(step: &Step, name: &str) -> Option<bool> {
    step.field(name)?.says.map(|says| says == Says::Documented)
}

fn hosts(step: &Step) -> Option<Vec<(bool, HostKind)>> {
    let field = step.field("apiHosts").filter(|field| !field.hosts.is_empty())?;
    Some(field.hosts.iter().map(|host| (host.bare, host.host)).collect())
}

/// Whether the renewal of an OAuth session returned a market data token. A renewal without one says nothing.
fn renewed_market_data(step: &Step) -> Option<bool> {
    let is_renewal = step.call == Call::Renewal && step.origin == Origin::App;
    step.field("mdAccessToken").filter(|_| is_renewal).map(|_| true)
}
