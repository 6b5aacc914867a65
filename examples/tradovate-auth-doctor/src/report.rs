//! A report: shapes, and what follows from them. Each type here has a few fixed words, a number or a [`Name`].

use serde::{Deserialize, Serialize};
use tradovate_auth::jiff::civil::Date;

use crate::name::Name;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The format of the report: 1.
    pub format: u8,
    /// The day of the run, by the local clock.
    pub day: Date,
    /// Who answered.
    pub server: ServerKind,
    /// The environment of the settings.
    pub environment: EnvironmentKind,
    /// All exchanges, in their order.
    pub steps: Vec<Step>,
    /// What the steps say of the rules.
    pub rules: Vec<Judgement>,
}

/// Declares enums of words, which are written as `kebab-case`.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $word:ident,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$doc])* $word,)+ }
    )+};
}

words! {
    /// Who answered.
    ServerKind {
        /// The vendor's server.
        Vendor,
        /// The simulator of this repository.
        Simulator,
        /// A server of which only the address is known, which the user gave.
        Custom,
    }
    /// The environment of the settings.
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
        /// An address of the user's.
        Custom,
    }
    /// What was called.
    Call {
        /// `accesstokenrequest`.
        Login,
        /// `me`.
        Me,
        /// `renewaccesstoken`.
        Renewal,
        /// `oauthtoken`.
        Exchange,
    }
    /// How the session began whose token is used.
    Origin {
        /// With a password.
        Password,
        /// With the code of an OAuth app.
        App,
    }
    /// A host, without its name.
    HostKind {
        /// One of the vendor's published hosts.
        Published,
        /// Another one within the vendor's domains.
        Trusted,
        /// Any other.
        Other,
    }
    /// Why no answer came.
    Lost {
        /// Nothing was sent.
        NotSent,
        /// It may have arrived.
        MaybeSent,
        /// The answer broke off or was too long.
        Broken,
    }
    /// Where a redirect leads.
    Target {
        /// To a host within the vendor's domains, over https.
        Trusted,
        /// Anywhere else.
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
    /// How many characters, as far as the contract has limits.
    Length {
        /// None.
        Empty,
        /// 1 to 64.
        Short,
        /// 65 to 8192.
        Long,
        /// More than 8192.
        TooLong,
    }
    /// What a text is, if it is one that the contract knows.
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
        /// `invalid_client`, or that the settings do not match
        InvalidClient,
        /// `Wrong client_id`
        WrongClient,
        /// `Internal Server Error, error id: …`
        ErrorId,
        /// `Bearer`, in any letter case
        Bearer,
        /// a status or a hint that is documented
        Documented,
        /// a time of RFC 3339 without a fraction
        Time,
        /// a time of RFC 3339 with a fraction
        TimeWithFraction,
        /// 1 to 8192 visible ASCII characters
        Token,
    }
    /// What the shapes say of a rule.
    Verdict {
        /// They are as the rule says.
        Confirmed,
        /// They are not.
        Refuted,
    }
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was called.
    pub call: Call,
    /// Whose token it is about.
    pub origin: Origin,
    /// The host it went to.
    pub host: HostKind,
    /// Whether it is the second try, at the host of a redirect.
    pub redirected: bool,
    /// Whether it is the second try, after the wait of a penalty.
    pub after_penalty: bool,
    /// The fields of its JSON body.
    pub sent: Vec<Field>,
    /// What came.
    pub answer: Answer,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// No whole answer.
    Lost(Lost),
    /// An answer.
    Came(Came),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The status.
    pub status: u16,
    /// The names of its headers.
    pub headers: Vec<Name>,
    /// Whether `Date` is a time.
    pub dated: bool,
    /// Where `Location` leads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<Target>,
    /// The body.
    pub body: Body,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Nothing.
    Empty,
    /// A web page.
    Html,
    /// Text, or JSON that is no object.
    Text(Option<Says>),
    /// A JSON object.
    Object(Vec<Field>),
    /// A JSON object in which a name comes twice.
    Repeats(Vec<Field>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// The type of its value.
    pub kind: Kind,
    /// The length of a string.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<Length>,
    /// What a string is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub says: Option<Says>,
    /// A lifetime or a wait in seconds. That of a time counts from `Date`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<i64>,
    /// Whether the value is that of the answer before: of the user id and the access token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub same: Option<bool>,
    /// The hosts in `apiHosts`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<HostShape>,
}

/// A host in `apiHosts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostShape {
    /// Its key.
    pub key: Name,
    /// Whether it is a bare hostname of at most 64 characters.
    pub bare: bool,
    /// Which host.
    pub host: HostKind,
}

/// What the steps say of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The number of the rule.
    pub rule: String,
    /// What they say.
    pub verdict: Verdict,
    /// Which steps say so, from 0.
    pub steps: Vec<usize>,
}

impl Length {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Short, Self::Long, Self::TooLong];

    /// That of a text.
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
    /// The answer, if one came.
    #[must_use]
    pub fn came(&self) -> Option<&Came> {
        match &self.answer {
            Answer::Came(came) => Some(came),
            Answer::Lost(_) => None,
        }
    }

    /// A field of the answer that is not `null`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let (Body::Object(fields) | Body::Repeats(fields)) = &self.came()?.body else { return None };
        fields.iter().find(|field| field.name.as_str() == name && field.kind != Kind::Null)
    }
}
