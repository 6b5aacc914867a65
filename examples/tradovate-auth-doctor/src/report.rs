//! The report: shapes, and what follows from them. Its types contain only fixed words, numbers and [`Name`]s.

use serde::{Deserialize, Serialize};
use tradovate_auth::jiff::civil::Date;

use crate::name::Name;

/// The report of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of the report's format: 1.
    pub format: u8,
    /// The day of the run, by the local clock.
    pub day: Date,
    /// The kind of server that answered.
    pub server: ServerKind,
    /// The kind of environment.
    pub environment: EnvironmentKind,
    /// All requests and their answers, in order.
    pub steps: Vec<Step>,
    /// Which rules the steps confirm or refute.
    pub rules: Vec<Judgement>,
}

/// Declares enums whose variants are written in `kebab-case`.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $word:ident,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$doc])* $word,)+ }
    )+};
}

words! {
    /// The kind of server that answered.
    ServerKind {
        /// The vendor's server.
        Vendor,
        /// The simulator of this repository.
        Simulator,
        /// A server at an address that the user gave.
        Custom,
    }
    /// The kind of environment.
    EnvironmentKind {
        /// Live.
        Live,
        /// Demo.
        Demo,
        /// Login on Live, trading on Demo.
        Evaluation,
        /// Staging, Live.
        StagingLive,
        /// Staging, Demo.
        StagingDemo,
        /// An address that the user gave.
        Custom,
    }
    /// The endpoint that was called.
    Call {
        /// `accesstokenrequest`: the login.
        Login,
        /// `me`: the user's data.
        Me,
        /// `renewaccesstoken`: the renewal.
        Renewal,
        /// `oauthtoken`: the exchange of a code.
        Exchange,
    }
    /// How the session of the token was opened.
    Origin {
        /// With a password.
        Password,
        /// With the code of an OAuth app.
        App,
    }
    /// The kind of a host, without its name.
    HostKind {
        /// A host that the vendor has published.
        Published,
        /// Another host in the vendor's domains.
        Trusted,
        /// Any other host.
        Other,
    }
    /// Why there is no complete answer.
    Lost {
        /// The request was not sent.
        NotSent,
        /// The request may have been sent.
        MaybeSent,
        /// The answer was truncated or too long.
        Broken,
    }
    /// The target of a redirect.
    Target {
        /// A host in the vendor's domains, over https.
        Trusted,
        /// Any other target.
        Other,
    }
    /// The type of a JSON value.
    Kind {
        /// `null`.
        Null,
        /// `true` or `false`.
        Boolean,
        /// A number without a fraction.
        Integer,
        /// A number with a fraction.
        Number,
        /// A string.
        String,
        /// An array.
        List,
        /// An object.
        Object,
    }
    /// The length of a text in characters, in the classes that the contract's limits define.
    Length {
        /// 0 characters.
        Empty,
        /// 1 to 64 characters.
        Short,
        /// 65 to 8192 characters.
        Long,
        /// More than 8192 characters.
        TooLong,
    }
    /// The meaning of a text that the contract knows.
    Says {
        /// `Incorrect username or password…`
        IncorrectCredentials,
        /// `The app is not registered`
        AppNotRegistered,
        /// `Access is denied`
        AccessDenied,
        /// `This endpoint should be called on …`
        OtherEnvironment,
        /// `Expired Access Token`
        ExpiredToken,
        /// `Invalid access token`
        UnknownToken,
        /// `invalid_grant`
        InvalidGrant,
        /// `invalid_token`
        InvalidToken,
        /// `invalid_client`, or a text that the settings do not match.
        InvalidClient,
        /// `Wrong client_id`
        WrongClient,
        /// `Internal Server Error, error id: …`
        ErrorId,
        /// `Bearer`, in any letter case
        Bearer,
        /// A documented user status or password hint.
        Documented,
        /// An RFC 3339 time without a fraction of a second.
        Time,
        /// An RFC 3339 time with a fraction of a second.
        TimeWithFraction,
        /// 1 to 8192 visible ASCII characters.
        Token,
    }
    /// What the shapes say about a rule.
    Verdict {
        /// The shapes agree with the rule.
        Confirmed,
        /// The shapes contradict the rule.
        Refuted,
    }
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The endpoint that was called.
    pub call: Call,
    /// How the session of the token was opened.
    pub origin: Origin,
    /// The kind of host to which the request was sent.
    pub host: HostKind,
    /// Whether this repeats a request at the target of a redirect.
    pub redirected: bool,
    /// Whether this repeats a request after a penalty.
    pub after_penalty: bool,
    /// The fields of the JSON request body.
    pub sent: Vec<Field>,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a request, if one came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// No complete answer came.
    Lost(Lost),
    /// A complete answer came.
    Came(Came),
}

/// The shape of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The HTTP status.
    pub status: u16,
    /// The names of the headers.
    pub headers: Vec<Name>,
    /// Whether the `Date` header is a valid time.
    pub dated: bool,
    /// The target in the `Location` header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<Target>,
    /// The shape of the body.
    pub body: Body,
}

/// The shape of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// An empty body.
    Empty,
    /// An HTML page.
    Html,
    /// A text, or JSON that is not an object.
    Text(Option<Says>),
    /// A JSON object.
    Object(Vec<Field>),
    /// A JSON object with a repeated name.
    Repeats(Vec<Field>),
}

/// The shape of a field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The field's name.
    pub name: Name,
    /// The type of its value.
    pub kind: Kind,
    /// The length, if the value is a string.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<Length>,
    /// The meaning, if the value is a known text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub says: Option<Says>,
    /// A lifetime or a wait in seconds. For a time, the difference to the `Date` header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<i64>,
    /// For the user id and the access token: whether the value equals that of the previous answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub same: Option<bool>,
    /// The hosts, if the field is `apiHosts`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<HostShape>,
}

/// The shape of a host in `apiHosts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostShape {
    /// The host's key.
    pub key: Name,
    /// Whether it is a bare hostname of at most 64 characters.
    pub bare: bool,
    /// The kind of host.
    pub host: HostKind,
}

/// What the steps say about a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The number of the rule, such as `R-LOGIN-1`.
    pub rule: String,
    /// Whether the steps confirm or refute the rule.
    pub verdict: Verdict,
    /// The indexes of the steps that decide it, starting at 0.
    pub steps: Vec<usize>,
}

impl Length {
    /// All lengths.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Short, Self::Long, Self::TooLong];

    /// The length of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.chars().count() {
            0 => Self::Empty,
            1..=64 => Self::Short,
            65..=8192 => Self::Long,
            _ => Self::TooLong,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Empty => "0 characters",
            Self::Short => "1 to 64 characters",
            Self::Long => "65 to 8192 characters",
            Self::TooLong => "more than 8192 characters",
        }
    }
}

impl Step {
    /// The answer, if a complete one came.
    #[must_use]
    pub fn came(&self) -> Option<&Came> {
        match &self.answer {
            Answer::Came(came) => Some(came),
            Answer::Lost(_) => None,
        }
    }

    /// The field of the answer with this name, if it is not `null`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let (Body::Object(fields) | Body::Repeats(fields)) = &self.came()?.body else { return None };
        fields.iter().find(|field| field.name.as_str() == name && field.kind != Kind::Null)
    }
}
