//! The HTML pages: the login form, and errors that can't be sent to the client.
//!
//! The pages have no script and load nothing. All text from a request or a registration is escaped. No page contains a
//! password.

use std::fmt::Write;

use http::{StatusCode, header};

use crate::{
    authorize::request::{AuthorizationRequest, Mistake},
    reply::{Reply, texts},
};

const STYLE: &str = include_str!("page.css");

/// The login form; after a refused login, with the refused user name. The form has no `action`, so the browser sends it
/// to the page's own URL, and the query arrives unchanged.
pub(super) fn form(request: &AuthorizationRequest, refused: Option<&str>) -> Reply {
    let name = escaped(&request.client_name);
    let (alert, field, focus) = match refused {
        Some(_) => (
            format!(r#"<p class="alert" id="error" role="alert">{}</p>"#, escaped(texts::WRONG_PASSWORD)),
            r#" aria-invalid="true" aria-describedby="error""#,
            " autofocus",
        ),
        None => (String::new(), "", ""),
    };
    let body = format!(
        r#"<h1>Allow <bdi>{name}</bdi> to use your account?</h1>
<p>It will be able to act for you: see your accounts and, where its registration permits it, trade.</p>
<dl>
{details}</dl>
{alert}
<form method="post">
<label for="username">User name</label>
<input id="username" name="username" type="text" value="{username}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required{field}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="64" required{field}{focus}>
<div class="buttons">
<button class="primary" id="allow" name="decision" value="allow">Allow</button>
<button id="deny" name="decision" value="deny" formnovalidate>Deny</button>
</div>
</form>"#,
        details = details(request),
        username = escaped(refused.unwrap_or_default()),
    );
    respond(StatusCode::OK, "Log in", &body)
}

fn details(request: &AuthorizationRequest) -> String {
    let client_id = Some(&request.client_id).filter(|id| **id != request.client_name);
    let details = [
        ("Client", client_id.map(String::as_str)),
        ("Scope", request.scope.as_deref()),
        ("Resource", request.resource.as_deref()),
        ("Returns to", Some(request.redirect_uri())),
    ];
    let mut rows = String::new();
    for (term, value) in details {
        if let Some(value) = value {
            // Writing to a `String` can't fail.
            let _ = writeln!(rows, "<div><dt>{term}</dt><dd><bdi>{}</bdi></dd></div>", escaped(value));
        }
    }
    rows
}

/// Shows the user what is wrong with the request. There is no redirect URI to which the error could be sent.
pub(super) fn mistake(mistake: &Mistake) -> Reply {
    let value = match &mistake.value {
        Some(value) => format!("<p><code><bdi>{}</bdi></code></p>\n", escaped(value)),
        None => String::new(),
    };
    let body = format!(
        r#"<h1>This request can’t be answered</h1>
<p class="alert" role="alert">{}</p>
{value}<p>Nothing was sent to the app. Go back to it and try again; if this page comes again, the app or its registration has to be corrected.</p>"#,
        escaped(mistake.why)
    );
    respond(StatusCode::BAD_REQUEST, "Wrong request", &body)
}

fn respond(status: StatusCode, title: &str, body: &str) -> Reply {
    let html = format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Tradovate simulator</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<p class="notice"><strong>Simulator:</strong> this is not Tradovate. Never type a real password here.</p>
{body}
</main>
</body>
</html>
"#
    );
    Reply::html(status, &html).with_header(header::CONTENT_TYPE, "text/html; charset=utf-8")
}

/// Escapes a text for an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
