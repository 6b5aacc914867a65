//! Names of fields and headers. Documented names are shown. Other names are shown only if they can't be a secret or a
//! person.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::report::Length;

/// The names that the contract, the vendor's documents or HTTP define: in requests, in answers, of hosts, and of
/// headers.
const KNOWN: [&str; 4] = [
    "appId appVersion assertion cid client_id client_secret code code_verifier deviceId grant_type hibpCheck httpAuth name \
     password redirect_uri resource sec",
    "accessToken access_token activePlugins apiHosts currentAccountPlan currentBalance currentMDSubs email emailVerified \
     error errorText error_description expirationTime expires_in fullName hasFunded hasLive hasMarketData hasSimPlus \
     hibpHint id_token isTrial mdAccessToken orgName organizationName outdatedLiquidationPolicy outdatedSentimentPolicy \
     outdatedTaC p-captcha p-message p-ticket p-time passwordExpirationTime refresh_token refresh_token_expires_in \
     requiredNonProCertification showKIDs token_type userId userStatus",
    "adminDemo adminLive demo live mdAdminDemo mdAdminLive mdDemo mdLive replay reportingDemo reportingLive \
     riskMonitorDemo riskMonitorLive userContext",
    "content-length content-type date location retry-after server vary www-authenticate",
];

/// The longest value that could be the name of a person or an account, in bytes.
const LONGEST_NAME: usize = 64;

/// The longest unknown name that is shown, in bytes.
const LONGEST: usize = 32;

/// Values that must not be shown, in lower case: everything that was sent and received so far.
#[derive(Default)]
pub struct Private(Vec<String>);

impl Private {
    /// Adds all texts and numbers in a value. The names of its own fields are not added.
    pub fn learn(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.learn_text(text),
            Value::Number(number) => self.learn_text(&number.to_string()),
            Value::Array(values) => values.iter().for_each(|value| self.learn(value)),
            Value::Object(fields) => fields.values().for_each(|value| self.learn(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Adds a text and each of its words.
    pub fn learn_text(&mut self, text: &str) {
        let words = text.split(|c: char| !c.is_alphanumeric()).chain([text]);
        self.0.extend(words.filter(|word| word.chars().count() > 2).map(str::to_lowercase));
    }

    fn is_in(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        // A longer value is a token, and any short word can be a part of a token.
        let is_short = |value: &str| value.len() <= LONGEST_NAME;
        self.0.iter().any(|value| name.contains(value.as_str()) || (is_short(value) && value.contains(&name)))
    }
}

/// A name that can be shown, or a mask that tells only its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Shows a documented name, and any other plain word that is not a part of a private value. Masks everything else.
    #[must_use]
    pub fn new(name: &str, private: &Private) -> Self {
        let is_new = is_plain(name) && !private.is_in(name);
        if is_new { Self(name.to_owned()) } else { Self::of_key(name) }
    }

    /// Shows a documented name, and masks any other: the keys of a map can be names of persons or firms.
    #[must_use]
    pub fn of_key(name: &str) -> Self {
        let is_known = KNOWN.iter().any(|names| has_word(names, name));
        Self(if is_known { name.to_owned() } else { masked(Length::of(name)) })
    }

    /// The name or its mask.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a list of words contains a word.
pub(crate) fn has_word(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known == word)
}

fn masked(length: Length) -> String {
    format!("(masked: {})", length.text())
}

/// Whether a name is an identifier of letters with at most one digit, and so no number, address or token.
fn is_plain(name: &str) -> bool {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    fits && digits < 2 && name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Reading refuses other names, because somebody may have edited the report.
impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_mask = Length::ALL.iter().any(|length| masked(*length) == name);
        if is_mask || is_plain(&name) {
            return Ok(Self(name));
        }
        Err(serde::de::Error::custom("a name that the doctor would have masked"))
    }
}
