//! The report as Markdown: verdict first, then what was judged, counted and measured, then how to make the run again.

use std::fmt::Write as _;

use super::{AccountSummary, LaneAge, Price, Summary, Verdict};

pub(super) fn render(summary: &Summary) -> String {
    let mut text = String::with_capacity(4_096);
    write_to(&mut text, summary).expect("writing to a String can't fail");
    text
}

fn write_to(out: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(
        out,
        "# {}: load test `{}`\n",
        summary.verdict.as_str(),
        summary.scenario
    )?;
    writeln!(out, "{}\n", sentence(summary))?;
    writeln!(
        out,
        "| objective | expected | actual | |\n| --- | --- | ---: | --- |"
    )?;
    for row in &summary.slo {
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            row.name,
            row.expected,
            number(row.actual),
            if row.pass { "✓" } else { "✗" }
        )?;
    }
    let writes = &summary.writes;
    writeln!(out, "\n## Effects\n")?;
    writeln!(
        out,
        "| expected | applied | merged | superseded | lost | doubled | persons doubled | reordered | dead |"
    )?;
    writeln!(
        out,
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        writes.expected,
        writes.applied,
        writes.merged,
        writes.superseded,
        writes.lost,
        writes.doubled,
        writes.persons_doubled,
        writes.reordered,
        writes.dead
    )?;
    writeln!(out, "\n## Times in milliseconds\n")?;
    writeln!(
        out,
        "| | p50 | p99 | p99.9 | max |\n| --- | ---: | ---: | ---: | ---: |"
    )?;
    let publish = &summary.publish_ms;
    writeln!(
        out,
        "| publish, call to acknowledgement | {} | {} | {} | {} |",
        number(publish.p50),
        number(publish.p99),
        number(publish.p999),
        number(publish.max)
    )?;
    age(out, "age of operational effects", &summary.age_ms.op)?;
    age(out, "age of enrichment", &summary.age_ms.en)?;
    if let Some(ratio) = &summary.publish_ratio {
        writeln!(
            out,
            "\nPublish as a multiple of a bare publish loop beside it, median over blocks: {} (p50), {} (p99).",
            ratio.p50, ratio.p99
        )?;
    }
    writeln!(out, "\n## Counts\n")?;
    writeln!(out, "| | |\n| --- | ---: |")?;
    let crm = &summary.crm;
    let mut rows = vec![
        ("calls", summary.calls.started.to_string()),
        (
            "most calls at once",
            summary.calls.peak_concurrent.to_string(),
        ),
        ("events planned", summary.events.planned.to_string()),
        ("events acknowledged", summary.events.acked.to_string()),
        ("events not acknowledged", summary.events.failed.to_string()),
        ("requests to the CRM", crm.requests.to_string()),
        ("answered 429", crm.throttled.to_string()),
        ("over the limit", crm.over_limit.to_string()),
        ("effects per request", crm.writes_per_request.to_string()),
    ];
    if let Some(not_dialled) = summary.calls.not_dialled.filter(|count| *count > 0) {
        rows.push(("outbound calls not dialled", not_dialled.to_string()));
    }
    if let Some(done_ms) = summary.backlog_done_ms {
        rows.push(("backlog worked off after, ms", done_ms.to_string()));
    }
    if let Some(workers) = &summary.workers {
        rows.push(("workers killed", workers.kills.to_string()));
        rows.push(("longest takeover, ms", number(workers.takeover_ms_max)));
        rows.push(("largest worker, MB", number(workers.rss_mb_max)));
    }
    for (name, value) in rows {
        writeln!(out, "| {name} | {value} |")?;
    }
    if !summary.accounts.is_empty() {
        accounts(out, &summary.accounts)?;
    }
    let fitness = &summary.fitness;
    writeln!(out, "\n## Machine\n")?;
    writeln!(
        out,
        "{}: bare publish p99 {} ms, stalled {} % of the time, generator late by {} ms (p99).",
        if fitness.fit { "Fit" } else { "Not fit" },
        number(fitness.bare_p99_ms),
        number(fitness.stalls_pct),
        number(fitness.lag_p99_ms)
    )?;
    if !summary.environment.is_empty() {
        writeln!(out, "\n| | |\n| --- | --- |")?;
        for (name, value) in &summary.environment {
            writeln!(out, "| {} | {} |", cell(name), cell(value))?;
        }
    }
    if !summary.findings.is_empty() {
        writeln!(out, "\n## Findings\n")?;
        for finding in &summary.findings {
            writeln!(out, "- {finding}")?;
        }
    }
    writeln!(
        out,
        "\n## Make this run again\n\n```sh\n{}\n```\n",
        summary.command
    )?;
    writeln!(
        out,
        "Seed {}, {}, plan digest `{}`.",
        summary.seed,
        summary.mode.as_str(),
        summary.plan_digest
    )
}

/// Each account by itself: what became of its effects, then what a call cost.
fn accounts(out: &mut String, accounts: &[AccountSummary]) -> std::fmt::Result {
    writeln!(out, "\n## Accounts\n")?;
    writeln!(
        out,
        "| account | CRM | calls | expected | lost | doubled | persons doubled | reordered | dead | answered 429 | over the limit | op age p99, ms |"
    )?;
    writeln!(
        out,
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for account in accounts {
        let (writes, crm) = (&account.writes, &account.crm);
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            account.account,
            account.vendor,
            account.calls,
            writes.expected,
            writes.lost,
            writes.doubled,
            writes.persons_doubled,
            writes.reordered,
            writes.dead,
            crm.throttled,
            crm.over_limit,
            number(account.age_ms.op.p99)
        )?;
    }
    writeln!(
        out,
        "\nRequests per call, tokens in brackets where the CRM has a price per operation; last what the same events would cost a program that writes each thing for itself:\n"
    )?;
    writeln!(
        out,
        "| account | CRM | operational | enrichment | look-ups | other | all | written directly |"
    )?;
    writeln!(
        out,
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for account in accounts {
        write!(out, "| {} | {} |", account.account, account.vendor)?;
        for (_, price) in account.per_call.parts() {
            write!(out, " {} |", priced(price))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Requests, and tokens in brackets.
pub(super) fn priced(price: &Price) -> String {
    match price.tokens {
        Some(tokens) => format!("{} ({tokens})", price.requests),
        None => price.requests.to_string(),
    }
}

/// What the verdict says, in a sentence.
pub(super) fn sentence(summary: &Summary) -> String {
    let missed: Vec<&str> = summary
        .slo
        .iter()
        .filter(|row| !row.pass)
        .map(|row| row.name.as_ref())
        .collect();
    match summary.verdict {
        Verdict::Pass => format!("All {} objectives hold.", summary.slo.len()),
        Verdict::Fail => format!(
            "{} of {} objectives missed: {}.",
            missed.len(),
            summary.slo.len(),
            missed.join(", ")
        ),
        Verdict::Unfit if missed.is_empty() => {
            "Nothing lost, doubled or reordered; this machine is too uneven to judge latency."
                .to_owned()
        }
        Verdict::Unfit => format!(
            "Nothing lost, doubled or reordered; this machine is too uneven to judge latency (missed here: {}).",
            missed.join(", ")
        ),
    }
}

fn age(out: &mut String, name: &str, age: &LaneAge) -> std::fmt::Result {
    writeln!(
        out,
        "| {name} | {} | {} | | {} |",
        number(age.p50),
        number(age.p99),
        number(age.max)
    )
}

/// A number, or a dash when nothing was measured.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
