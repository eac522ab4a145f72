//! What readings of open deals have in common, whatever the CRM.

use callflume_core::time::WallTime;
use serde_json::Value;

use crate::instants::rfc3339_ms;

/// When a record was made, as CRMs write it: ISO 8601 in UTC, to the second or finer. None for anything else: which of
/// several deals is the latest is then told by their ids.
pub(crate) fn made_at(record: &Value, name: &str) -> Option<WallTime> {
    let text = record.get(name)?.as_str()?;
    let zones = ["Z", "+00:00", "+0000"];
    let in_utc = zones.iter().find_map(|zone| text.strip_suffix(zone))?;
    let (_, fraction) = in_utc.split_once('.').unwrap_or_default();
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis: i64 = millis.parse().ok()?;
    let seconds = rfc3339_ms(&format!("{in_utc}Z"))?;
    Some(WallTime(seconds + millis))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instants_are_read_as_each_crm_writes_them() {
        for (text, expect) in [
            (json!("2026-10-30T03:30:17.25Z"), Some(1_793_331_017_250)),
            (json!("2026-10-30T03:30:17Z"), Some(1_793_331_017_000)),
            (
                json!("2026-10-30T03:30:17.250000+00:00"),
                Some(1_793_331_017_250),
            ),
            (
                json!("2026-10-30T03:30:17.250+0000"),
                Some(1_793_331_017_250),
            ),
            (json!("2026-10-30T03:30:17+02:00"), None),
            (json!("2026-10-30T03:30:17.x1Z"), None),
            (json!("yesterday"), None),
            (json!(1_793_331_017_250_u64), None),
            (json!(null), None),
        ] {
            let record = json!({"made": text});
            assert_eq!(made_at(&record, "made"), expect.map(WallTime), "{text}");
        }
    }
}
