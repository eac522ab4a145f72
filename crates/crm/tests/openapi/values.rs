//! One value against one schema.
//!
//! Every keyword of the schema is looked at, whatever stands beside it; a value of the wrong type has that one fault.

use serde_json::Value;

use super::{Described, Description};

impl Description {
    pub(super) fn check(
        &self,
        at: &Described<'_>,
        schema: &Value,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) {
        if let Some(kinds) = schema.get("type")
            && !is_one_of(kinds, value)
        {
            return found.push(format!("{place} is no {kinds}"));
        }
        for (keyword, rule) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$ref" => self.check(at, self.resolved(schema), value, place, found),
                "x-by-path" => {
                    for (name, rules) in rule.as_object().unwrap() {
                        self.check_chosen(at, rules, at.part(name), value, place, found);
                    }
                }
                "x-by-value" => {
                    for (pointer, rules) in rule.as_object().unwrap() {
                        let text = value.pointer(pointer).and_then(Value::as_str);
                        let text = text.unwrap_or_default();
                        self.check_chosen(at, rules, text, value, place, found);
                    }
                }
                "enum" if !rule.as_array().unwrap().contains(value) => {
                    found.push(format!("{place} is none of {rule}"));
                }
                "format" | "minLength" | "maxLength" => {
                    if let Some(text) = value.as_str() {
                        check_text(keyword, rule, text, place, found);
                    }
                }
                "minimum" => {
                    if value.as_f64() < rule.as_f64() && value.is_number() {
                        found.push(format!("{place} is less than {rule}"));
                    }
                }
                "maximum" => {
                    if value.as_f64() > rule.as_f64() {
                        found.push(format!("{place} is more than {rule}"));
                    }
                }
                "items" => {
                    for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(at, rule, entry, &format!("{place}[{index}]"), found);
                    }
                }
                "minItems" | "maxItems" | "uniqueItems" => {
                    if let Some(entries) = value.as_array() {
                        check_count(keyword, rule, entries, place, found);
                    }
                }
                "required" => {
                    for name in names(rule) {
                        if value.is_object() && value.get(name).is_none() {
                            found.push(format!("{place}.{name} is missing"));
                        }
                    }
                }
                "x-never" => {
                    for name in names(rule) {
                        if value.get(name).is_some() {
                            found.push(format!("{place}.{name} must not be there"));
                        }
                    }
                }
                "additionalProperties" => self.check_properties(at, schema, value, place, found),
                "properties" | "patternProperties" => assert!(
                    schema.get("additionalProperties").is_some(),
                    "{place}: the description doesn't say whether there may be other properties"
                ),
                "type" | "enum" => {}
                other => panic!("{place}: the description has the unknown keyword {other}"),
            }
        }
    }

    /// The rules that a text chooses.
    fn check_chosen(
        &self,
        at: &Described<'_>,
        rules: &Value,
        text: &str,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) {
        match rules.get(text) {
            Some(schema) => self.check(at, schema, value, place, found),
            None => found.push(format!("{place} has no kind")),
        }
    }

    fn check_properties(
        &self,
        at: &Described<'_>,
        schema: &Value,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) {
        for (name, entry) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            let by_start = || {
                let patterns = schema.get("patternProperties")?.as_object()?;
                let of = patterns.iter().find(|(pattern, _)| starts(pattern, name))?;
                Some(of.1)
            };
            let listed = schema["properties"].get(name).or_else(by_start);
            match (listed, &schema["additionalProperties"]) {
                (Some(rule), _) | (None, rule @ Value::Object(_)) => {
                    self.check(at, rule, entry, &place, found);
                }
                (None, Value::Bool(true)) => {}
                (None, _) => found.push(format!("{place} is not described")),
            }
        }
    }
}

/// A parameter's text in its type, or as the text that it is.
pub(super) fn typed(schema: &Value, text: &str) -> Value {
    let read = match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().ok().map(Value::from),
        Some("boolean") => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

fn names(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
}

/// Whether a name begins as a pattern says and goes on: of patterns only `^` and plain text is known.
fn starts(pattern: &str, name: &str) -> bool {
    let plain = pattern.strip_prefix('^').unwrap().replace('\\', "");
    assert!(
        !plain.contains(|c: char| "[](){}*+?|$".contains(c)),
        "the description has the pattern {pattern}"
    );
    name.strip_prefix(&plain)
        .is_some_and(|rest| !rest.is_empty())
}

fn is_one_of(kinds: &Value, value: &Value) -> bool {
    let one = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the description has the type {other}"),
    };
    match kinds {
        Value::Array(kinds) => kinds.iter().any(one),
        kind => one(kind),
    }
}

fn check_text(keyword: &str, rule: &Value, text: &str, place: &str, found: &mut Vec<String>) {
    let length = text.encode_utf16().count() as u64;
    let fits = match keyword {
        "minLength" => rule.as_u64().unwrap() <= length,
        "maxLength" => rule.as_u64().unwrap() >= length,
        _ => {
            if !is_of(text, rule) {
                found.push(format!("{place} has not the form of {rule}"));
            }
            return;
        }
    };
    if !fits {
        found.push(format!("{place} has {length} characters"));
    }
}

fn check_count(
    keyword: &str,
    rule: &Value,
    entries: &[Value],
    place: &str,
    found: &mut Vec<String>,
) {
    let count = entries.len() as u64;
    let fits = match keyword {
        "minItems" => rule.as_u64().unwrap() <= count,
        "maxItems" => rule.as_u64().unwrap() >= count,
        _ => {
            let twice = |(index, entry)| entries[..index].contains(entry);
            if rule == true && entries.iter().enumerate().any(twice) {
                found.push(format!("{place} has an entry twice"));
            }
            return;
        }
    };
    if !fits {
        found.push(format!("{place} has {count} entries"));
    }
}

/// Whether a text has a form: those of OpenAPI that are in use, and some of ours.
fn is_of(text: &str, form: &Value) -> bool {
    let all = |fits: fn(&u8) -> bool| text.as_bytes().iter().all(fits);
    let digits_as_0 = || -> String {
        let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
        text.chars().map(digit).collect()
    };
    match form.as_str().unwrap() {
        "uri" => text.starts_with("https://") && !text.contains(' '),
        "date" => digits_as_0() == "0000-00-00",
        "date-time" => {
            ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"].contains(&digits_as_0().as_str())
        }
        // A whole number as text.
        "digits" => {
            let number = text.strip_prefix('-').unwrap_or(text);
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        }
        // A record's id in Salesforce.
        "salesforce-id" => matches!(text.len(), 15 | 18) && all(u8::is_ascii_alphanumeric),
        // A name in a program.
        "name" => {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && all(|b| *b == b'_' || b.is_ascii_alphanumeric())
        }
        other => panic!("the description has the format {other}"),
    }
}
