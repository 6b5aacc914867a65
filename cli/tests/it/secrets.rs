//! Tests that the program prints no secret, except for a token on stdout.

use tradovate_auth_simulator::LockOut;

use crate::support::{PASSWORD, Ran, Running, SEC, run, run_with_input, user};

pub(crate) fn no_output_contains_a_secret_at_any_log_level() {
    let user = user();
    let trace = |arguments: &[&str]| {
        let mut command = user.program(arguments);
        command.env("RUST_LOG", "trace");
        command
    };
    let mut outputs: Vec<Ran> = Vec::new();
    outputs.push(run(trace(&["token"]).env("TRADOVATE_PASSWORD", "canary-of-a-mistyped-password")));
    outputs.push(run(&mut trace(&["login", "--another-try"])));
    assert!(outputs[1].stderr.contains("TRACE") || outputs[1].stderr.contains("DEBUG"), "{}", outputs[1].stderr);

    let json: serde_json::Value = serde_json::from_str(&run(&mut user.program(&["token", "--json"])).stdout).unwrap();
    let (token, market_data) = (json["accessToken"].as_str().unwrap(), json["marketDataToken"].as_str().unwrap());
    let header = format!("Authorization: Bearer {token}");
    for (arguments, expected) in
        [(["token"].as_slice(), token), (&["token", "--header"], &header), (&["token", "--market-data"], market_data)]
    {
        let ran = run(&mut trace(arguments));
        assert_eq!(ran.stdout, format!("{expected}\n"), "only the token");
        outputs.push(Ran { stdout: String::new(), ..ran });
    }
    assert_eq!(json["purposes"]["trading"]["url"].as_str(), Some(user.server.base_url().as_str()));
    let purposes: Vec<_> = json["purposes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(purposes, ["identity", "login", "marketData", "replay", "reporting", "trading"]);
    outputs.push(Ran { stdout: String::new(), ..run(&mut trace(&["token", "--json"])) });
    outputs.push(run(&mut trace(&["status"])));
    outputs.push(run(&mut trace(&["status", "--json"])));
    outputs
        .push(run_with_input(&mut trace(&["rejected", "--status", "401"]), &format!("Expired Access Token {token}")));
    outputs.push(run(&mut trace(&["completions", "zsh"])));
    let keep = Running::start(&mut trace(&["keep"]));
    let line = keep.wait_for("adopted a token");
    #[cfg(target_os = "linux")]
    {
        let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", keep.child.id())).unwrap();
        assert!(arguments.ends_with("tradovate-auth\0keep\0"), "{arguments}");
    }
    outputs.push(run(&mut trace(&["forget"])));
    let (_, stderr) = keep.end();
    outputs.push(Ran { code: 2, stdout: line, stderr });
    user.server.lock_out(LockOut::too_many_requests());
    outputs.push(run(&mut trace(&["token"])));

    let secrets = [PASSWORD, SEC, "canary-of-a-mistyped-password", token, market_data];
    for output in &outputs {
        let detailed = output.stderr.lines().filter(|line| line.contains(" DEBUG ") || line.contains(" TRACE "));
        let other = detailed.into_iter().find(|line| !line.contains("tradovate_auth"));
        assert_eq!(other, None, "the HTTP stack writes headers at these levels");
        for secret in secrets {
            // A log may split a secret over lines.
            let text = (output.stdout.clone() + &output.stderr).replace(['\n', ' '], "");
            assert!(!text.contains(secret) && !text.contains(&secret[..10]), "{output:?}");
        }
    }
}
