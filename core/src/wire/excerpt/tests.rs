use super::*;

#[test]
fn an_excerpt_shows_prose_and_error_ids_and_masks_long_words() {
    for text in [
        "Internal Server Error, error id: 0b5f3f0e-70b6-4d5c-9a7e-1c1f6a3b2d4e",
        "Incorrect username or password. Please try again, noting that passwords are case-sensitive.",
        "client_id, redirect_uri and client_secret do not match existing setup",
        "Wrong or used already authorization code",
        "error code: 522",
        "The app is not registered",
        "größer als erlaubt: 64 Zeichen",
    ] {
        assert_eq!(line(text), text);
    }
    assert_eq!(line(" two\n\n  words\r\n"), "two words");
    assert_eq!(line("what\u{202e}hides\u{feff}or\u{fffd}is\u{7}nothing"), "what hides or is nothing");
    assert_eq!(line(&["a ", &"canary".repeat(6)].concat()), "a […]", "as long as an error id");
    // Words of 19 and 20 characters, of five and six digits, and words that are not numbers.
    assert_eq!(line("a nineteen-characters b"), "a nineteen-characters b");
    assert_eq!(line("a twenty-characters-is b"), "a […]");
    assert_eq!(line("error code: 12345 b"), "error code: 12345 b");
    assert_eq!(line("error code: 123456 b"), "error code: […]");
    assert_eq!(line("error code: 12a b"), "error code: […]");
    assert_eq!(line("the token: 12345 b"), "the token: […]");
    assert_eq!(line("can't be read: see the guide (page 7)"), "can't be read: see the guide […]");
}

#[test]
fn the_excerpt_of_an_html_page_is_its_title_or_heading() {
    assert_eq!(line("<html><head><title>503 Service Unavailable</title></head>…"), "503 Service Unavailable");
    assert_eq!(line("\n<h1>502 Bad Gateway</h1>\n\n<hr>nginx\r\n"), "502 Bad Gateway");
    assert_eq!(line("<p>canary</p>"), "");
    assert_eq!(line("<title>"), "");
}

#[test]
fn the_vendors_addresses_stay_readable() {
    for text in [
        "This endpoint should be called on live.tradovateapi.com",
        "This endpoint should be called on live.tradovateapi.com.",
        "use https://live.tradovateapi.com/v1/auth/accesstokenrequest instead",
        "Cannot POST /v1/auth/accessTokenRequest",
        "try acme-demo.eval.ninjatrader.com",
    ] {
        assert_eq!(line(text), text);
    }
    for text in
        ["see canary.canary.canary.example.com", "/v1/auth/me/canarycanarycanary", "canary/v1/auth/accesstokenrequest"]
    {
        assert!(!line(text).contains("canary"), "{}", line(text));
    }
}

#[test]
fn an_excerpt_masks_the_secrets_of_a_request_that_the_answer_repeats() {
    for echo in [
        // JSON, whole, broken, nested, escaped once and twice
        r#"bad request: {"name":"canary","password" : "can\"ary","cid":8}"#,
        r#"{"password":"canary without an end"#,
        r#"{"detail":"cannot read {\"password\":\"canary \\\"canary\"}"}"#,
        r#"cannot read {\"password\":\"canary, canary\",\"sec\":\"canary\"}"#,
        r#"cannot read {\\\"password\\\":\\\"canary canary\\\"}"#,
        r#"{"password":["canary canary","canary"]}"#,
        r#"{"password":{"value":"canary canary"}}"#,
        r#"{"clé":"canary canary"}"#,
        r#"{"detail":[{"loc":["body","password"],"msg":"too long","input":"canary canary"}]}"#,
        r#"at [Source: (String)"{"name":"canary","password":"canary canary"}"; line: 1, column: 9]"#,
        r"{\u0022password\u0022:\u0022canary canary\u0022}",
        // HTML
        "<pre>{&quot;password&quot;:&quot;canary canary&quot;}</pre>",
        "<pre>{&#34;password&#34;: &#34;canary canary&#34;, &#39;sec&#39;: &#39;canary&#39;}</pre>",
        r"<pre>{&quot;password&quot;:&quot;x\\&quot;canary&quot;}</pre>",
        "<pre>(&#x27;password&#x27;, &#x27;canary canary&#x27;)</pre>",
        "<tr><td>password</td><td class=\"code\"><pre>canary canary</pre></td></tr>",
        "<tr><th>sec</th>\n  <td>\n    canary canary</td></tr>",
        "<password>canary canary</password>",
        r#"<input name="password" value="canary canary">"#,
        // forms and headers
        "cannot parse name=canary&password=canary&sec=canary",
        "grant_type=canary&code=canary&refresh_token=canary",
        "password=\"canary\" sec='canary'",
        "Authorization: Bearer canary",
        "authorization: bearer   canary!canary",
        "Authorization: Basic canary",
        "authorization=Bearer canary",
        "{'Authorization': 'Bearer canary'}",
        "map[Authorization:[Bearer canary] Accept:[application/json]]",
        "[('authorization', 'Bearer canary'), ('accept', 'x')]",
        "Cookie: session:canary",
        // what languages print
        "{'password': 'canary canary'}",
        "{'password': b'canary canary', u'sec': u'canary'}",
        "('password', 'canary canary')",
        r#"["password", "canary canary"]"#,
        r#"Parameters: {"password"=>"canary canary", :sec=>"canary"}"#,
        "[password] => canary",
        r#"["password"]=> string(6) "canary canary""#,
        "Map(password -> canary, sec -> canary)",
        "{password: canary, sec:canary}",
        "{password=can,ary;can}ary, sec=canary}",
        "map[password:[canary] sec:[canary]]",
        r#"password := "canary canary""#,
        "Credentials { password: \"canary canary\" }",
        // prose
        "sent canarycanarycanary-canary",
        "your p-ticket: canary is wrong",
        "Unrecognized token 'canary': was expecting JSON",
        "Field error on field 'password': rejected value [canary]; codes",
        "the value 'canary canary' is not allowed",
        "code_verifier: canary",
        "assertion: canary",
        "password=gr\u{fffd}canary",
    ] {
        let shown = excerpt(echo.as_bytes());
        assert!(!shown.contains("canary") && !shown.contains("can\\") && !shown.contains("ary"), "{echo}\n{shown}");
        assert!(shown.is_empty() || shown.ends_with(" […]"), "{shown}");
    }
}

#[test]
fn a_value_that_the_excerpt_would_cut_is_left_out() {
    let body = [r#"{"a":""#, &"x".repeat(WINDOW - 30), r#"","b":"x"} canary canarycanarycanarycanary"#].concat();
    let shown = excerpt(body.as_bytes());
    assert_eq!(shown, "");
}

#[test]
fn an_excerpt_is_one_line_of_limited_length() {
    assert_eq!(excerpt(b"a\x00\x1b[31m\xff\xfeb\nc\xe2\x80\xae"), "a […]");
    let long = excerpt("wörter ".repeat(10_000).as_bytes());
    assert!((LIMIT - 10..=LIMIT + 4).contains(&long.chars().count()));
    assert!(long.ends_with("wörter […]"));
    assert_eq!(excerpt(b""), "");
    for piece in ["=x", "=x ", "a:'b'", "<", "\"", "\\", "['", "token ", "password<a>", ", '"] {
        for times in [60, 100, 150, 1000] {
            let shown = line(&piece.repeat(times));
            assert!(shown.chars().count() <= LIMIT + 4, "{piece} {times}: {shown}");
        }
    }
}

#[test]
fn field_names_are_shown_unless_they_look_like_secrets() {
    for text in [
        "passwordExpirationTime",
        "outdatedLiquidationPolicy",
        "refresh_token_expires_in",
        "multiFactorAuthenticationRequired",
        "p-ticket",
        "",
    ] {
        assert_eq!(name(text), text);
    }
    for token in [
        "canarycanarycanarycanary",
        "CaNaRyCaNaRyCaNaRyCaNaRy",
        "canary_canary1_canary_canary",
        // A word of fifteen letters.
        "canary_canarycanarycan",
        "password=canary",
        "password: canary",
        "eyJjYW5hcnkiOiJjYW5hcnkifQ.canary",
    ] {
        assert!(!name(token).to_ascii_lowercase().contains("canary"), "{}", name(token));
    }
    assert!(!name("a\nb\u{202e}").contains(['\n', '\u{202e}']));
}
