//! A fault as it is written on the command line: `KIND[,KEY=VALUE…]`, kinds and keys as in scenario files.

use serde::Deserialize as _;
use toml::{Table, Value};

use crate::scenario::FaultSpec;

/// Reads a fault. `path` may stand for `path_contains`.
pub(super) fn parsed(text: &str) -> Result<FaultSpec, String> {
    let mut parts = text.split(',').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let mut table = Table::new();
    table.insert("kind".to_owned(), kind.into());
    for part in parts {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is no KEY=VALUE: write, say, `{kind},times=3`"))?;
        let key = match key.trim() {
            "path" => "path_contains",
            key => key,
        };
        if table
            .insert(key.to_owned(), valued(key, value.trim()))
            .is_some()
        {
            return Err(format!("`{key}` is given two times: leave one"));
        }
    }
    let spec =
        FaultSpec::deserialize(Value::Table(table)).map_err(|error| error.message().to_owned())?;
    match spec.problem() {
        Some(problem) => Err(problem),
        None => Ok(spec),
    }
}

/// Numbers are numbers, but in a path.
fn valued(key: &str, text: &str) -> Value {
    let number = || {
        let whole = text.parse().map(Value::Integer).ok();
        whole.or_else(|| text.parse().map(Value::Float).ok())
    };
    match key {
        "path_contains" => None,
        // Seconds may have fractions, so they are floats throughout.
        "from_s" | "until_s" => text.parse().map(Value::Float).ok(),
        _ => number(),
    }
    .unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::FaultAction;

    #[test]
    fn kinds_and_keys_are_those_of_scenarios() {
        let spec = parsed("execute_then_drop,path=/batch/2,skip=2,times=1").unwrap();
        assert_eq!(spec.kind, FaultAction::ExecuteThenDrop);
        assert_eq!(spec.path_contains, "/batch/2");
        assert_eq!((spec.skip, spec.times), (2, Some(1)));
        let spec = parsed("status,status=503, from_s=10, until_s=20.5, method=post").unwrap();
        assert_eq!(spec.status, Some(503));
        assert_eq!((spec.from_s, spec.until_s), (Some(10.0), Some(20.5)));
        let spec = parsed("throttled,policy=daily").unwrap();
        assert_eq!(spec.times, None, "it need not end");
        assert_eq!(parsed("drop,path=42").unwrap().path_contains, "42");
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_would_be_one() {
        for (text, expect) in [
            ("", "unknown variant"),
            ("trottled", "`throttled`"),
            ("throttled,time=3", "`times`"),
            ("throttled,times", "is no KEY=VALUE"),
            ("throttled,times=many", "invalid type"),
            ("throttled,times=1,times=2", "two times"),
            ("status", "add `status`, such as 503"),
            ("status,status=200", "use 400 to 599"),
            ("execute_slowly", "add `delay_ms`"),
            ("drop,delay_ms=5", "remove it"),
            ("drop,from_s=5,until_s=5", "use a second after `from_s`"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }
}
