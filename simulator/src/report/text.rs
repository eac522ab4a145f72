//! The report for a terminal.

use std::fmt::Write as _;

use super::markdown::{number, priced, sentence};
use super::{AccountSummary, Summary, Verdict};

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";

/// Findings shown; the report's files have more.
const FINDINGS_SHOWN: usize = 10;

pub(super) fn render(summary: &Summary, color: bool) -> String {
    let mut text = String::with_capacity(2_048);
    write_to(&mut text, summary, color).expect("writing to a String can't fail");
    text
}

fn write_to(out: &mut String, summary: &Summary, color: bool) -> std::fmt::Result {
    let painted = |shade: &str, text: &str| {
        if color {
            format!("{shade}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    };
    let shade = match summary.verdict {
        Verdict::Pass => GREEN,
        Verdict::Fail => RED,
        Verdict::Unfit => YELLOW,
    };
    writeln!(
        out,
        "{}  {} (seed {}, {})",
        painted(shade, summary.verdict.as_str()),
        summary.scenario,
        summary.seed,
        summary.mode.as_str()
    )?;
    writeln!(out, "{}\n", sentence(summary))?;
    for row in &summary.slo {
        let mark = if row.pass {
            painted(GREEN, "✓")
        } else {
            painted(RED, "✗")
        };
        writeln!(
            out,
            "  {mark} {:<18} {:>10}   expected {}",
            row.name,
            number(row.actual),
            row.expected
        )?;
    }
    let writes = &summary.writes;
    let not_dialled = match summary.calls.not_dialled {
        Some(count) if count > 0 => format!(", {count} not dialled"),
        _ => String::new(),
    };
    writeln!(
        out,
        "\n  calls    {} ({} at once{not_dialled})   events {} acknowledged of {}",
        summary.calls.started,
        summary.calls.peak_concurrent,
        summary.events.acked,
        summary.events.planned
    )?;
    writeln!(
        out,
        "  effects  {} expected: {} applied, {} merged, {} superseded, {} dead, {} lost",
        writes.expected, writes.applied, writes.merged, writes.superseded, writes.dead, writes.lost
    )?;
    writeln!(
        out,
        "  CRM      {} requests, {} answered 429, {} effects per request",
        summary.crm.requests, summary.crm.throttled, summary.crm.writes_per_request
    )?;
    writeln!(
        out,
        "  publish  p50 {} ms, p99 {} ms   age op p99 {} ms, en p99 {} ms",
        number(summary.publish_ms.p50),
        number(summary.publish_ms.p99),
        number(summary.age_ms.op.p99),
        number(summary.age_ms.en.p99)
    )?;
    for account in &summary.accounts {
        accounts_line(out, account)?;
    }
    if !summary.fitness.fit {
        writeln!(
            out,
            "  machine  {}: bare publish p99 {} ms, stalled {} %",
            painted(YELLOW, "not fit to judge latency"),
            number(summary.fitness.bare_p99_ms),
            number(summary.fitness.stalls_pct)
        )?;
    }
    for finding in summary.findings.iter().take(FINDINGS_SHOWN) {
        writeln!(out, "  - {finding}")?;
    }
    let further = summary.findings.len().saturating_sub(FINDINGS_SHOWN);
    if further > 0 {
        writeln!(out, "  - and {further} more in summary.md")?;
    }
    writeln!(out, "\n  again: {}", summary.command)
}

/// One account: what went wrong, and what a call cost.
fn accounts_line(out: &mut String, account: &AccountSummary) -> std::fmt::Result {
    let (writes, crm) = (&account.writes, &account.crm);
    writeln!(
        out,
        "  {:<10} {} calls: {} lost, {} doubled, {} persons doubled, {} reordered, {} dead, {} over the limit; op p99 {} ms",
        account.vendor,
        account.calls,
        writes.lost,
        writes.doubled,
        writes.persons_doubled,
        writes.reordered,
        writes.dead,
        crm.over_limit,
        number(account.age_ms.op.p99)
    )?;
    let parts: Vec<String> = account
        .per_call
        .parts()
        .iter()
        .map(|(name, price)| format!("{name} {}", priced(price)))
        .collect();
    let unit = match account.per_call.operational.tokens {
        Some(_) => "requests (tokens)",
        None => "requests",
    };
    writeln!(out, "{:13}{unit} per call: {}", "", parts.join(", "))
}
