//! The files of `vectors/`: read, checked against their schema, and with long texts written out.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::schema;

pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) input: Fields,
    pub(crate) expected: Map<String, Value>,
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "vectors"].iter().collect()
}

/// All cases of all files.
pub(crate) fn cases() -> Vec<Case> {
    let read =
        |name: &str| -> Value { serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap() };
    let schema = read("schema.json");
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let group = path.file_stem().unwrap().to_str().unwrap();
        if group == "schema" {
            continue;
        }
        let name = format!("{group}.json");
        let file = read(&name);
        let faults = schema::faults(&schema, &file);
        assert!(faults.is_empty(), "{name} does not follow schema.json: {faults:#?}");
        assert_eq!(file["group"], group, "the group of {name}");
        let in_file = file["cases"].as_array().unwrap();
        assert_eq!(file["number_of_cases"], in_file.len(), "the number of cases in {name}");
        cases.extend(in_file.iter().map(|case| Case {
            kind: file["kind"].as_str().unwrap().into(),
            id: case["id"].as_str().unwrap().into(),
            input: Fields(written_out(&case["input"]).as_object().unwrap().clone()),
            expected: written_out(&case["expected"]).as_object().unwrap().clone(),
        }));
    }
    let mut ids = HashSet::new();
    let twice: Vec<_> = cases.iter().map(|case| &case.id).filter(|id| !ids.insert(*id)).collect();
    assert!(twice.is_empty(), "these ids come twice: {twice:?}");
    assert!(cases.len() >= 800, "only {} cases were found", cases.len());
    cases
}

/// Replaces `{"repeat": …, "times": …}` and `{"concat": […]}` by the texts that they stand for.
fn written_out(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(written_out).collect(),
        Value::Object(fields) => match (&value["repeat"], &value["times"], &value["concat"]) {
            (Value::String(text), Value::Number(times), _) => {
                text.repeat(times.as_u64().unwrap().try_into().unwrap()).into()
            }
            (_, _, Value::Array(parts)) => {
                let parts = parts.iter().map(written_out);
                parts.map(|part| part.as_str().unwrap().to_owned()).collect::<String>().into()
            }
            _ => fields.iter().map(|(name, value)| (name.clone(), written_out(value))).collect(),
        },
        other => other.clone(),
    }
}

/// The fields of an input. Each has to be taken, since a runner must not ignore what it does not understand.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of(value: Value) -> Self {
        let Value::Object(fields) = value else { panic!("no object: {value}") };
        Self(fields)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).map(|value| value.as_str().unwrap().into())
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        self.take(name).map(Self::of)
    }

    pub(crate) fn list(&mut self, name: &str) -> Vec<Value> {
        self.take(name).map(|value| value.as_array().unwrap().clone()).unwrap_or_default()
    }

    /// All that is left, with the texts of the values.
    pub(crate) fn rest(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0).into_iter().collect()
    }

    /// The response of `status`, `headers`, and `body`, `json` or `hex`.
    pub(crate) fn response(&mut self) -> http::Response<Vec<u8>> {
        let mut response = http::Response::builder().status(self.status());
        for (name, value) in self.object("headers").iter_mut().flat_map(Self::rest) {
            response = response.header(name, value.as_str().unwrap());
        }
        let hex = |digits: String| {
            let bytes = digits.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
            bytes.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
        };
        let json = self.0.remove("json").map(|json| json.to_string().into_bytes());
        let body = self.text("body").map(String::into_bytes).or(json).or(self.text("hex").map(hex));
        response.body(body.unwrap_or_default()).unwrap()
    }

    pub(crate) fn status(&mut self) -> u16 {
        self.take("status").unwrap().as_u64().unwrap().try_into().unwrap()
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        assert!(self.0.is_empty() || std::thread::panicking(), "not read: {:?}", self.0);
    }
}

/// What a client made of an input, and all that it would print of it.
pub(crate) struct Outcome {
    pub(crate) value: Value,
    pub(crate) printed: String,
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, printed: String::new() }
    }
}

/// The faults of an outcome: whatever is expected has to be there.
pub(crate) fn faults(expected: &Map<String, Value>, outcome: &Outcome) -> Vec<String> {
    let short =
        |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string).chars().take(300).collect::<String>();
    let mut faults = Vec::new();
    for (name, wanted) in expected {
        if name == "never_shown" {
            let secrets = wanted.as_array().unwrap().iter().filter_map(Value::as_str);
            assert!(!outcome.printed.is_empty(), "nothing was printed");
            faults.extend(
                secrets.filter(|secret| outcome.printed.contains(secret)).map(|secret| format!("shows {secret}")),
            );
        } else if outcome.value.get(name) != Some(wanted) {
            faults.push(format!("{name}: {} is not {}", short(outcome.value.get(name)), short(Some(wanted))));
        }
    }
    faults
}

/// A name such as `TooLong { .. }` as `too_long`.
pub(crate) fn snake(name: &impl std::fmt::Debug) -> String {
    let name = format!("{name:?}");
    let word = name.split([' ', '(']).next().unwrap();
    let parts = word.chars().map(|c| if c.is_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() });
    parts.collect::<String>().trim_start_matches('_').into()
}
