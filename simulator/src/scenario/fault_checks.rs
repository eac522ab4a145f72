//! What a fault of a CRM must say to be usable.

use super::checks::{Fault, RUN_S_MAX, between};
use super::{FaultAction, FaultSpec};

impl FaultSpec {
    /// What keeps a fault that stands alone, outside of a scenario, from being usable. It need not end.
    pub(crate) fn problem(&self) -> Option<String> {
        let fault = shape("", self).err()?;
        Some(format!(
            "`{}` {}: {}",
            fault.field(),
            fault.problem,
            fault.remedy
        ))
    }
}

pub(super) fn fault(path: &str, spec: &FaultSpec) -> Result<(), Fault> {
    shape(path, spec)?;
    if spec.until_s.is_none() && spec.times.is_none() {
        return Err(Fault::new(
            path,
            "the fault never ends, so nothing can be settled",
            "add `until_s` or `times`",
        ));
    }
    Ok(())
}

fn shape(path: &str, spec: &FaultSpec) -> Result<(), Fault> {
    let at = |field: &str| format!("{path}.{field}");
    let needs_status = matches!(
        spec.kind,
        FaultAction::ExecuteThenStatus | FaultAction::Status
    );
    match spec.status {
        None if needs_status => {
            return Err(Fault::new(
                &at("kind"),
                "a fault of this kind answers with a status, and none is given",
                "add `status`, such as 503",
            ));
        }
        Some(status) if needs_status => {
            between(&at("status"), f64::from(status), 400.0, 599.0)?;
        }
        Some(_) => return Err(unused(&at("status"))),
        None => {}
    }
    match (spec.kind, spec.delay_ms) {
        (FaultAction::ExecuteSlowly, None) => {
            return Err(Fault::new(
                &at("kind"),
                "a slow answer needs its delay, and none is given",
                "add `delay_ms`",
            ));
        }
        (FaultAction::ExecuteSlowly, Some(delay_ms)) => {
            between(&at("delay_ms"), delay_ms as f64, 1.0, 600_000.0)?;
        }
        (_, Some(_)) => return Err(unused(&at("delay_ms"))),
        (_, None) => {}
    }
    if spec.retry_after_s.is_some() && spec.kind != FaultAction::Migrating {
        return Err(unused(&at("retry_after_s")));
    }
    if spec.policy.is_some() && spec.kind != FaultAction::Throttled {
        return Err(unused(&at("policy")));
    }
    for (field, seconds) in [("from_s", spec.from_s), ("until_s", spec.until_s)] {
        if let Some(seconds) = seconds {
            between(&at(field), seconds, 0.0, RUN_S_MAX as f64)?;
        }
    }
    if let (Some(from_s), Some(until_s)) = (spec.from_s, spec.until_s)
        && until_s <= from_s
    {
        return Err(Fault::new(
            &at("until_s"),
            "the fault ends before it begins",
            "use a second after `from_s`",
        ));
    }
    Ok(())
}

fn unused(path: &str) -> Fault {
    Fault::new(path, "has no meaning for a fault of this kind", "remove it")
}
