//! The part of JSON Schema that `vectors/schema.json` needs. An unknown keyword is a fault.

use serde_json::Value;

/// The faults of a document.
pub(crate) fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, document, "", &mut faults);
    faults
}

fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut faults = Vec::new();
    check(root, schema, value, "", &mut faults);
    faults.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    if schema.get("if").is_some_and(|condition| is_valid(root, condition, value)) {
        check(root, &schema["then"], value, at, faults);
    }
    for (keyword, rule) in schema.as_object().unwrap() {
        let mut require = |holds: bool| {
            if !holds {
                faults.push(format!("{at}: {keyword} {rule}"));
            }
        };
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "if" | "then" => {}
            "$ref" => {
                let rule = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                check(root, rule, value, at, faults);
            }
            "type" => require(list(rule).iter().any(|name| has_type(value, name.as_str().unwrap()))),
            "enum" => require(list(rule).contains(value)),
            "const" => require(rule == value),
            "minItems" => require(value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap())),
            "required" => require(list(rule).iter().all(|name| value.get(name.as_str().unwrap()).is_some())),
            "anyOf" => require(list(rule).iter().any(|one| is_valid(root, one, value))),
            "allOf" => list(rule).iter().for_each(|one| check(root, one, value, at, faults)),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}/{number}"), faults);
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, rule, value, &format!("{at}/{name}"), faults);
                    }
                }
            }
            "additionalProperties" if rule == false => {
                let names = value.as_object().into_iter().flatten().map(|(name, _)| name);
                let unknown: Vec<_> = names.filter(|name| schema["properties"].get(name).is_none()).collect();
                require(unknown.is_empty());
            }
            _ => panic!("{at}: unknown keyword {keyword}: {rule}"),
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        _ => panic!("unknown type {name}"),
    }
}
