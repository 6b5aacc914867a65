//! The API calls outside of authentication: `account/list`, `user/list` and `order/list` by GET and on sockets, and
//! `user/syncrequest` on sockets only. They return what clients read when they start. There are no orders.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    call::Call,
    reply::{Reply, texts},
    simulator::Simulator,
    user::{ApiAccess, User},
};

/// The lists in the answer to `user/syncrequest` that are always empty.
const EMPTY: [&str; 26] = [
    "accountRiskStatuses",
    "cashBalances",
    "commandReports",
    "commands",
    "contractGroups",
    "contractMaturities",
    "contracts",
    "currencies",
    "exchanges",
    "executionReports",
    "fillPairs",
    "fills",
    "marginSnapshots",
    "orderStrategies",
    "orderStrategyLinks",
    "orderStrategyTypes",
    "orderVersions",
    "orders",
    "positions",
    "products",
    "properties",
    "spreadDefinitions",
    "userAccountAutoLiqs",
    "userPlugins",
    "userProperties",
    "userReadStatuses",
];

impl Simulator {
    /// Answers a list by GET. An account or a device without permission is refused although its token is valid.
    pub(crate) fn list(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let (session, user) = self.authenticate(call)?;
        self.check_device(call, &session, &user)?;
        match user.api_access {
            ApiAccess::Denied => return Err(Reply::unauthorized(texts::ACCESS_DENIED)),
            ApiAccess::DeniedSilently => return Err(Reply::empty(StatusCode::UNAUTHORIZED)),
            ApiAccess::Granted => {}
        }
        let name = call.endpoint.path().trim_start_matches("/v1/");
        list(&user, name).map(|list| Reply::ok(&list)).ok_or_else(|| Reply::empty(StatusCode::NOT_FOUND))
    }
}

/// The list with this API name; `None` if there is none.
pub(crate) fn list(user: &User, name: &str) -> Option<Value> {
    Some(match name {
        "account/list" => accounts(user),
        "user/list" => users(user),
        "order/list" => json!([]),
        _ => return None,
    })
}

/// The answer to `user/syncrequest`.
pub(crate) fn sync_lists(user: &User) -> Value {
    let mut lists: Map<_, _> = EMPTY.iter().map(|name| ((*name).to_owned(), json!([]))).collect();
    lists.insert("accounts".to_owned(), accounts(user));
    lists.insert("users".to_owned(), users(user));
    Value::Object(lists)
}

fn users(user: &User) -> Value {
    json!([{
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "status": user.status,
        "professional": false,
    }])
}

fn accounts(user: &User) -> Value {
    let accounts = (1_i64..).zip(&user.accounts).map(|(number, name)| {
        json!({
            "id": user.id.saturating_mul(100).saturating_add(number),
            "name": name,
            "userId": user.id,
            "accountType": "Customer",
            "active": true,
        })
    });
    Value::Array(accounts.collect())
}
