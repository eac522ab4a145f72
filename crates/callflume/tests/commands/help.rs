//! Help teaches.

use crate::program::{Program, nobody};

#[tokio::test]
async fn every_command_explains_itself_with_an_example() {
    let program = Program::at(&nobody());
    for command in [
        "",
        "provision",
        "worker",
        "publish",
        "status",
        "dead",
        "dead list",
        "dead show",
        "dead replay",
        "dead drop",
        "cache",
        "cache warm",
        "cache lookup",
        "contact",
        "contact lookup",
        "reference",
        "account",
        "account check",
        "account prepare",
        "account resume",
    ] {
        let ran = program.run(&format!("{command} --help")).await.expect(0);
        let example = format!("callflume {command}");
        assert!(
            ran.stdout.contains("Examples:") && ran.stdout.contains(example.trim_end()),
            "{command}: {}",
            ran.stdout
        );
        assert!(!ran.stdout.contains('\u{1b}'), "no colours into a pipe");
    }
}

#[tokio::test]
async fn the_top_help_lists_the_exit_codes() {
    let program = Program::at(&nobody());
    let ran = program.run("--help").await.expect(0);
    for line in [
        "  0    ", "  1    ", "  2    ", "  3    ", "  4    ", "  130  ",
    ] {
        assert!(ran.stdout.contains(line), "{line}");
    }
    program
        .run("--version")
        .await
        .expect(0)
        .says("callflume 0.");
}

#[tokio::test]
async fn what_is_no_command_is_a_usage_error() {
    let program = Program::at(&nobody());
    for arguments in [
        "",
        "provide",
        "publish --account acme",
        "publish --account ACME x.json",
        "publish --account acme --lane up x.json",
        "publish --account acme --lane op --format vapi x.json",
        "publish --account acme there-is-no-such-file.json",
        "dead list --code CF9999",
        "dead list --limit 0",
        "dead replay",
        "dead replay one",
        "dead replay 1 --account acme",
        "dead replay 1 --code CF2101",
        "dead replay --account acme --limit 0",
        "dead drop",
        "cache lookup acme",
        "cache lookup acme --phone +12025550143 --email a@example.com",
        "contact lookup acme",
        "contact lookup acme --phone +12025550143 --email a@example.com",
        "status --every 5",
    ] {
        let ran = program.run(arguments).await.expect(2);
        assert!(
            !ran.stderr.is_empty() && ran.stdout.is_empty(),
            "{arguments}"
        );
    }
}
