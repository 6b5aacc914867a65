//! Reads the files of `vectors/`, checks them against their schema, and expands their short forms of long texts.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::schema;

pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) input: Value,
    pub(crate) expected: Map<String, Value>,
}

/// The schema, and the files by the names of their groups.
pub(crate) fn read() -> (Value, BTreeMap<String, Value>) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "vectors"].iter().collect();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: PathBuf| {
        let group = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (group, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    };
    let mut files: BTreeMap<_, _> = paths.map(read).collect();
    (files.remove("schema").unwrap(), files)
}

/// All cases of all files.
pub(crate) fn cases() -> Vec<Case> {
    let (schema, files) = read();
    let cases = checked(&schema, &files).unwrap();
    assert!(cases.len() >= 900, "only {} cases were found", cases.len());
    cases
}

/// The cases of these files, or the reason why the files are not valid.
pub(crate) fn checked(schema: &Value, files: &BTreeMap<String, Value>) -> Result<Vec<Case>, String> {
    let (mut cases, mut ids) = (Vec::new(), HashSet::new());
    for (group, file) in files {
        let faults = schema::faults(schema, file);
        if !faults.is_empty() {
            return Err(format!("{group} does not follow the schema: {faults:#?}"));
        }
        let in_file = file["cases"].as_array().unwrap();
        if file["group"] != *group || file["number_of_cases"] != in_file.len() {
            return Err(format!("{group} has {} cases", in_file.len()));
        }
        for case in in_file {
            let id = case["id"].as_str().unwrap();
            if !ids.insert(id) {
                return Err(format!("{id} comes twice"));
            }
            cases.push(Case {
                kind: file["kind"].as_str().unwrap().into(),
                id: id.into(),
                input: written_out(&case["input"]),
                expected: written_out(&case["expected"]).as_object().unwrap().clone(),
            });
        }
    }
    Ok(cases)
}

/// Replaces `{"repeat": …, "times": …}` and `{"concat": […]}` by the text that they describe.
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

/// The fields of an input. A test must take each of them, because it must not ignore a field that it does not know.
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

    /// Takes all remaining fields.
    pub(crate) fn rest(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0).into_iter().collect()
    }

    /// Creates a response from the fields `status`, `headers`, and `body`, `json` or `hex`.
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

/// The result of an input, and all text that a client could print about it.
pub(crate) struct Outcome {
    pub(crate) value: Value,
    pub(crate) printed: String,
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, printed: String::new() }
    }
}

/// The differences between an outcome and the expected values. An outcome may have more values than expected.
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

/// The name of a value in snake case: `TooLong { .. }` becomes `too_long`.
pub(crate) fn snake(name: &impl std::fmt::Debug) -> String {
    let name = format!("{name:?}");
    let word = name.split([' ', '(']).next().unwrap();
    let parts = word.chars().map(|c| if c.is_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() });
    parts.collect::<String>().trim_start_matches('_').into()
}
