//! Tests of the doctor with the simulator, in simulated time.

mod binary;
mod observed;
mod privacy;
mod simulated;

use std::time::Duration;

use tradovate_auth::http::{Request, Response};
use tradovate_auth::jiff::Timestamp;
use tradovate_auth::{
    AuthorizationRequest, AuthorizedCode, ClientId, Credentials, DeviceId, Entropy, Environment, Failure, OAuthApp,
    RequestBody,
};
use tradovate_auth_doctor::{
    Account, Answer, Body, Came, EnvironmentKind, Outside, Report, ServerKind, Step, Verdict, examine,
};
use tradovate_auth_simulator::{App, OAuthClient, Simulator, User};

const USER: &str = "canary-user";
const REDIRECT: &str = "http://127.0.0.1:8765/callback";

/// Texts that must not be in a report, including parts of names and addresses.
const CANARIES: [&str; 8] = ["canary", "7700", "8800", "Zebedee", "Quillfeather", "zq@", "Marmalade", "@example"];

/// A simulator with a user and an app. Every value is a canary.
struct World {
    simulator: Simulator,
    environment: Environment,
    now: Timestamp,
    /// How the next request fails, if it does not reach the server.
    lost: Option<Failure>,
    secrets: Vec<String>,
}

impl World {
    fn at(environment: Environment) -> Self {
        let mut user = User::new(USER, "canary-password").of_organization("Marmalade");
        user.id = 77_001_234;
        user.full_name = "Zebedee Quillfeather".into();
        user.email = "zq@example.com".into();
        let simulator = Simulator::builder()
            .user(user)
            .app(App::new("canary-app", "88001234", "canary-sec"))
            .oauth_client(OAuthClient::confidential("canary-client", "canary-client-secret", REDIRECT))
            .build();
        let now = "2026-11-24T14:20:30Z".parse().unwrap();
        Self { simulator, environment, now, lost: None, secrets: Vec::new() }
    }

    fn live() -> Self {
        Self::at(Environment::live())
    }

    fn account(&self) -> Account {
        let credentials = Credentials::new(USER, "canary-password")
            .with_app("canary-app", "1.0-canary")
            .with_api_key(ClientId::parse("88001234"), "canary-sec")
            .with_device_id(DeviceId::new("canary-device"));
        let secret = tradovate_auth::ClientSecret::new("canary-client-secret");
        let app = OAuthApp::new("canary-client").with_client_secret(secret);
        Account {
            day: "2026-11-24".parse().unwrap(),
            server: ServerKind::Simulator,
            environment_kind: EnvironmentKind::Live,
            environment: self.environment.clone(),
            credentials: Some(credentials),
            app: Some((Environment::live(), app)),
        }
    }

    /// Examines the user and the app.
    #[track_caller]
    fn examine(&mut self) -> Report {
        let account = self.account();
        self.examine_account(&account)
    }

    /// Examines only the user.
    #[track_caller]
    fn examine_user(&mut self) -> Report {
        let account = Account { app: None, ..self.account() };
        self.examine_account(&account)
    }

    /// Examines an account, and asserts that the report contains no canary and no part of a token, a ticket or a code.
    #[track_caller]
    fn examine_account(&mut self, account: &Account) -> Report {
        let report = examine(account, self);
        let text = serde_json::to_string(&report).unwrap();
        for secret in CANARIES.into_iter().chain(self.secrets.iter().map(String::as_str)) {
            assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret}: {text}");
        }
        assert_eq!(
            serde_json::from_str::<Report>(&text).unwrap(),
            report,
            "reading a written report returns the same report"
        );
        report
    }
}

impl Outside for World {
    fn send(&mut self, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
        if let Some(failure) = self.lost.take() {
            return Err(failure);
        }
        self.now += Duration::from_secs(1);
        let (parts, body) = request.clone().into_parts();
        let response = self.simulator.handle(self.now, Request::from_parts(parts, body.as_ref().to_vec()));
        if let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(response.body()) {
            let texts = fields.iter().filter(|(name, _)| name.to_lowercase().contains("token") || *name == "p-ticket");
            let texts = texts.filter_map(|(_, value)| value.as_str()).filter(|text| text.len() > 9);
            // Only the end of each token, because not even a part of a token may be shown.
            self.secrets.extend(texts.map(|text| text[text.len() - 9..].to_owned()));
        }
        Ok(response)
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn authorize(&mut self, app: &OAuthApp) -> Option<AuthorizedCode> {
        let request = AuthorizationRequest::new(app, REDIRECT);
        let (url, mut pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).unwrap();
        let back = self.simulator.consent(USER, url.as_str())?;
        self.secrets.extend(back.split(['=', '&']).skip(1).step_by(2).map(str::to_owned));
        Some(pending.redirected(&back).unwrap())
    }
}

/// A short description of a report: for each step, the call and its answer.
fn brief(report: &Report) -> String {
    let line = |step: &Step| {
        let call = format!("{:?}", step.call).to_lowercase();
        let again = match (step.redirected, step.after_penalty) {
            (true, _) => " redirected",
            (_, true) => " with ticket",
            _ => "",
        };
        let answer = match &step.answer {
            Answer::Lost(lost) => format!("{lost:?}").to_lowercase(),
            Answer::Came(Came { status, body, .. }) => {
                let body = match body {
                    Body::Empty => "empty".to_owned(),
                    Body::Html => "html".to_owned(),
                    Body::Text(says) => format!("text {says:?}"),
                    Body::Object(_) => match step.field("errorText").or(step.field("error")).and_then(|it| it.says) {
                        Some(says) => format!("{says:?}"),
                        None if step.field("p-ticket").is_some() => "penalty".to_owned(),
                        None => "object".to_owned(),
                    },
                    Body::Repeats(_) => "repeats".to_owned(),
                };
                format!("{status} {body}")
            }
        };
        format!("{call}{again}: {answer}")
    };
    report.steps.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// The rules that a report confirms or refutes.
fn rules(report: &Report, verdict: Verdict) -> Vec<&str> {
    let rules = report.rules.iter().filter(|judgement| judgement.verdict == verdict);
    rules.map(|judgement| judgement.rule.as_str()).collect()
}
