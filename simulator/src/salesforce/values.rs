//! What a field takes: the types of JSON values, and what becomes of them.
//!
//! A text is stored without the spaces around it, an empty one as nothing; both are what the vendor does. That a number
//! isn't taken for a text, nor a text for a number, is chosen: the strictest reading.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::ids;
use super::records::ObjectKind;
use super::replies::{Failure, instant};
use super::schema::{Field, Type};

/// The value as it is stored, null for none. References are checked for their form only.
pub(super) fn accepted(field: &Field, stages: &[&str], value: &Value) -> Result<Value, Failure> {
    if value.is_null() {
        return if field.kind == Type::Flag {
            Err(ill_typed(field, value))
        } else {
            Ok(Value::Null)
        };
    }
    match field.kind {
        Type::Number if value.is_number() => Ok(value.clone()),
        Type::Whole if value.is_i64() => Ok(value.clone()),
        Type::Flag if value.is_boolean() => Ok(value.clone()),
        Type::Number | Type::Whole | Type::Flag => Err(ill_typed(field, value)),
        _ => {
            let text = value.as_str().ok_or_else(|| ill_typed(field, value))?;
            text_accepted(field, stages, text.trim())
        }
    }
}

fn text_accepted(field: &Field, stages: &[&str], text: &str) -> Result<Value, Failure> {
    if text.is_empty() {
        return match field.kind {
            Type::Date | Type::Instant => Err(ill_typed(field, &text.into())),
            _ => Ok(Value::Null),
        };
    }
    let choice = |choices: &[&str]| {
        if choices.contains(&text) {
            return Ok(text.into());
        }
        let said = format!(
            "{}: bad value for restricted picklist field: {text}",
            field.label
        );
        Err(Failure::record(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            said,
            &[&field.name],
        ))
    };
    match field.kind {
        Type::Date => match text.parse::<Date>() {
            Ok(date) if text.len() == 10 && (1700..=4000).contains(&date.year()) => Ok(text.into()),
            _ => Err(ill_typed(field, &text.into())),
        },
        Type::Instant => moment(text)
            .map(|at_ms| instant(at_ms).into())
            .ok_or_else(|| ill_typed(field, &text.into())),
        Type::OneOf(choices) => choice(choices),
        Type::Stage => choice(stages),
        Type::Id | Type::Reference(_) => {
            let fits = ids::canonical(text).filter(|id| match field.kind {
                // Objects that the model has no records of can be named; their ids are checked later.
                Type::Reference([]) => ObjectKind::of_id(id).is_none(),
                Type::Reference(to) => ObjectKind::of_id(id).is_some_and(|it| to.contains(&it)),
                _ => true,
            });
            fits.map(Value::from).ok_or_else(|| {
                let said = format!("{}: id value of incorrect type: {text}", field.label);
                Failure::record("MALFORMED_ID", said, &[&field.name])
            })
        }
        Type::Email if !is_address(text) => {
            let said = format!("{}: invalid email address: {text}", field.label);
            Err(Failure::record(
                "INVALID_EMAIL_ADDRESS",
                said,
                &[&field.name],
            ))
        }
        _ if text.chars().count() > field.max => {
            let said = format!(
                "{}: data value too large: {text} (max length={})",
                field.label, field.max
            );
            Err(Failure::record("STRING_TOO_LONG", said, &[&field.name]))
        }
        _ => Ok(text.into()),
    }
}

/// An instant in the forms the API takes: ISO 8601 with `Z` or an offset, with or without a colon in it.
pub(super) fn moment(text: &str) -> Option<i64> {
    let (head, zone) = text.split_at_checked(text.len().checked_sub(5)?)?;
    let whole = if zone.starts_with(['+', '-']) && !zone.contains(':') {
        let (hours, minutes) = zone.split_at_checked(3)?;
        format!("{head}{hours}:{minutes}")
    } else {
        text.to_owned()
    };
    whole
        .parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Whether a text has the form of an e-mail address: one `@`, something before it, a domain with a dot after it. The
/// vendor's own check isn't published; chosen.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| {
        part.chars()
            .all(|one| !one.is_whitespace() && !"@,;<>()\"".contains(one))
    };
    let labels: Vec<&str> = domain.split('.').collect();
    !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && plain(local)
        && labels.len() > 1
        && labels.iter().all(|label| {
            !label.is_empty() && label.chars().all(|one| one.is_alphanumeric() || one == '-')
        })
}

fn ill_typed(field: &Field, value: &Value) -> Failure {
    let wanted = match field.kind {
        Type::Number => "double",
        Type::Whole => "int",
        Type::Flag => "boolean",
        Type::Date => "date",
        Type::Instant => "datetime",
        _ => "string",
    };
    let (token, shown) = match value {
        Value::Null => ("VALUE_NULL", String::new()),
        Value::Bool(flag) => ("VALUE_BOOLEAN", flag.to_string()),
        Value::Number(number) => ("VALUE_NUMBER", number.to_string()),
        Value::String(text) => ("VALUE_STRING", text.clone()),
        Value::Array(_) => ("START_ARRAY", String::new()),
        Value::Object(_) => ("START_OBJECT", String::new()),
    };
    Failure::unreadable(&format!(
        "Cannot deserialize instance of {wanted} from {token} value {shown} or request may be missing a required field"
    ))
}

/// A value of a CSV column, as JSON would have it.
pub(super) fn from_text(field: &Field, text: &str) -> Value {
    let exact = |value: Option<Value>| value.unwrap_or_else(|| text.into());
    match field.kind {
        Type::Flag => exact(match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true.into()),
            "false" | "0" => Some(false.into()),
            _ => None,
        }),
        Type::Whole => exact(text.parse::<i64>().ok().map(Value::from)),
        Type::Number => exact(text.parse::<f64>().ok().map(Value::from)),
        _ => text.into(),
    }
}
