//! The rules that keep decisions apart from IO, read from the sources and manifests themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use callflume_core::codes;

/// What has no place where things are decided, and why.
const BANNED: &[(&str, &str)] = &[
    ("Instant::now", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("UtcNow", "time is an argument"),
    ("Timestamp::now", "time is an argument"),
    ("Zoned::now", "time is an argument"),
    ("std::thread", "decisions have no threads"),
    ("tokio", "decisions don't wait"),
    ("async fn", "decisions don't wait"),
    ("std::fs", "answers are inputs"),
    ("std::net", "answers are inputs"),
    ("std::env", "configuration is an argument"),
    ("std::process", "answers are inputs"),
    ("HashMap", "its order differs from run to run; use BTreeMap"),
    ("HashSet", "its order differs from run to run; use BTreeSet"),
    ("RandomState", "its order differs from run to run"),
    ("rand::", "randomness is a seed"),
    ("println!", "decisions don't print"),
    ("eprintln!", "decisions don't print"),
    ("dbg!", "decisions don't print"),
];

/// Our packages and whom of ours each may use, besides itself.
const EDGES: &[(&str, &[&str])] = &[
    ("callflume-core", &[]),
    ("callflume-crm", &["callflume-core"]),
    ("callflume-jetstream", &["callflume-core", "callflume-crm"]),
    (
        "callflume-client",
        &["callflume-core", "callflume-jetstream"],
    ),
    (
        "callflume-worker",
        &["callflume-core", "callflume-crm", "callflume-jetstream"],
    ),
    ("callflume-testkit", &[]),
    (
        "callflume-sim",
        &[
            "callflume-core",
            "callflume-crm",
            "callflume-jetstream",
            "callflume-client",
            "callflume-worker",
            "callflume-testkit",
        ],
    ),
    ("callflume-benches", ANY),
    ("callflume", ANY),
];

const ANY: &[&str] = &[
    "callflume-core",
    "callflume-crm",
    "callflume-jetstream",
    "callflume-client",
    "callflume-worker",
    "callflume-testkit",
    "callflume-sim",
];

/// For tests anyone may use these of ours.
const EDGES_OF_TESTS: &[&str] = &[
    "callflume-testkit",
    "callflume-jetstream",
    "callflume-client",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lines that use something banned; comments don't count.
fn breaches(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for (banned, _) in BANNED {
            if uses(code, banned) {
                found.push((number + 1, *banned));
            }
        }
    }
    found
}

/// Whether `code` names `banned` as a word of its own: `operand::` is not `rand::`.
fn uses(code: &str, banned: &str) -> bool {
    code.match_indices(banned).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn core_and_crm_decide_without_clock_thread_network_files_or_chance() {
    let mut faults = Vec::new();
    for directory in ["crates/core/src", "crates/crm/src"] {
        let files = sources(&root().join(directory));
        assert!(files.len() > 5, "{directory} was not found as expected");
        for file in files {
            for (line, banned) in breaches(&read(&file)) {
                let why = BANNED
                    .iter()
                    .find(|(word, _)| *word == banned)
                    .map_or("", |(_, why)| why);
                faults.push(format!("{}:{line}: `{banned}`: {why}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_checker_finds_what_is_planted_and_nothing_else() {
    for (banned, _) in BANNED {
        let planted = format!("fn f() {{\n    let x = {banned}();\n}}\n");
        assert!(breaches(&planted).contains(&(2, banned)), "{banned}");
        assert_eq!(
            breaches(&format!("// never {banned}\n")),
            [],
            "{banned} in a comment"
        );
    }
    assert_eq!(breaches("let x = operand::new(BTreeMap::new());\n"), []);
}

/// A package's manifest.
fn manifests() -> BTreeMap<String, toml::Table> {
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| {
            let path = root().join(member.as_str().unwrap()).join("Cargo.toml");
            let manifest: toml::Table = read(&path).parse().unwrap();
            (
                manifest["package"]["name"].as_str().unwrap().to_owned(),
                manifest,
            )
        })
        .collect()
}

/// Names of the dependencies in a section, those for single platforms included.
fn names(manifest: &toml::Table, section: &str) -> Vec<String> {
    let mut tables: Vec<&toml::Value> = manifest.get(section).into_iter().collect();
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(|target| target.get(section)));
    }
    tables
        .into_iter()
        .filter_map(toml::Value::as_table)
        .flat_map(|table| {
            table.iter().map(|(name, value)| {
                let package = value.get("package").and_then(toml::Value::as_str);
                package.unwrap_or(name).to_owned()
            })
        })
        .collect()
}

/// What of its dependencies a package may not have.
fn forbidden(package: &str, manifest: &toml::Table) -> Vec<String> {
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package) else {
        return vec![format!(
            "{package} is not in this test's table: decide where it stands"
        )];
    };
    let mut faults = Vec::new();
    let ours = |name: &String| name.starts_with("callflume");
    for section in ["dependencies", "build-dependencies"] {
        for name in names(manifest, section).iter().filter(|name| ours(name)) {
            if !allowed.contains(&name.as_str()) {
                faults.push(format!("{package} → {name} ({section})"));
            }
        }
    }
    for name in names(manifest, "dev-dependencies") {
        let fine = allowed.contains(&name.as_str())
            || EDGES_OF_TESTS.contains(&name.as_str())
            || name == package;
        if ours(&name) && !fine {
            faults.push(format!("{package} → {name} (dev-dependencies)"));
        }
    }
    let everything = ["dependencies", "build-dependencies", "dev-dependencies"]
        .iter()
        .flat_map(|section| names(manifest, section));
    for name in everything {
        let stands_in = ["callflume-worker", "callflume-sim", "callflume"].contains(&package);
        if name == "wiremock" && !stands_in {
            faults.push(format!(
                "{package} → wiremock: only worker, simulator and command line meet a CRM over HTTP"
            ));
        }
    }
    if ["callflume-core", "callflume-crm"].contains(&package) {
        for name in names(manifest, "dependencies") {
            if ["tokio", "async-nats", "reqwest", "rand"].contains(&name.as_str()) {
                faults.push(format!("{package} → {name}: it decides, it does no IO"));
            }
        }
    }
    faults
}

#[test]
fn dependencies_point_one_way() {
    let manifests = manifests();
    assert!(manifests.len() >= 8, "{:?}", manifests.keys());
    let faults: Vec<String> = manifests
        .iter()
        .flat_map(|(package, manifest)| forbidden(package, manifest))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_planted_edge_is_found() {
    for (package, text) in [
        (
            "callflume-core",
            "[dependencies]\ncallflume-crm.workspace = true",
        ),
        ("callflume-core", "[dependencies]\ntokio.workspace = true"),
        (
            "callflume-crm",
            "[dependencies]\nclock = { package = \"rand\", version = \"0.9\" }",
        ),
        (
            "callflume-worker",
            "[dependencies]\ncallflume-sim.workspace = true",
        ),
        (
            "callflume-client",
            "[target.'cfg(unix)'.dependencies]\ncallflume-worker.workspace = true",
        ),
        (
            "callflume-testkit",
            "[dev-dependencies]\ncallflume-sim.workspace = true",
        ),
        (
            "callflume-jetstream",
            "[dev-dependencies]\nwiremock.workspace = true",
        ),
        ("callflume-new", ""),
    ] {
        let manifest: toml::Table = text.parse().unwrap();
        assert_eq!(forbidden(package, &manifest).len(), 1, "{package}: {text}");
    }
}

#[test]
fn every_package_takes_the_workspaces_lints() {
    for (package, manifest) in manifests() {
        let taken = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        assert_eq!(
            taken.and_then(toml::Value::as_bool),
            Some(true),
            "{package}: add `[lints] workspace = true`"
        );
    }
}

#[test]
fn every_error_code_has_its_section_and_every_section_its_code() {
    let text = read(&root().join("docs/errors.md"));
    let mut sections: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some((code, title)) = line
            .strip_prefix("## ")
            .and_then(|rest| rest.split_once(' '))
        {
            assert!(sections.insert(code, (title, 0)).is_none(), "{code} twice");
            current = Some(code);
        } else if let Some((_, lines)) = current.and_then(|code| sections.get_mut(code)) {
            *lines += usize::from(!line.trim().is_empty());
        }
    }
    for (code, title) in codes::ALL {
        let (said, lines) = sections
            .remove(code.as_str())
            .unwrap_or_else(|| panic!("docs/errors.md lacks `## {code} {title}`"));
        assert_eq!(said, *title, "{code}");
        assert!(lines >= 2, "{code}: say the cause and what to do");
    }
    assert!(sections.is_empty(), "no such codes: {:?}", sections.keys());
}
