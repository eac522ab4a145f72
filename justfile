# Lists what there is.
default:
    @just --list --unsorted

# Formats everything.
fmt:
    cargo fmt --all

# Lints everything, warnings denied.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Runs every test (starts real brokers on free ports).
test *ARGS:
    cargo test --workspace --locked {{ARGS}}

# The vendors' own SDKs drive the fake CRMs, e.g. `just conformance --only hubspot`.
conformance *ARGS:
    python3 conformance/run.py {{ARGS}}

# Sets everything up, runs 200+ simulated calls, prints a verdict.
demo *ARGS:
    cargo run --release --locked -- demo {{ARGS}}

# Runs a load test, e.g. `just loadtest loadtests/200-calls.toml`.
loadtest SCENARIO='loadtests/smoke.toml' *ARGS:
    cargo run --release --locked -p callflume-sim -- run {{SCENARIO}} {{ARGS}}

# Runs the benchmarks, each beside a bare baseline, e.g. `just bench --bench throughput -- single --quick`.
bench *ARGS:
    cargo bench -p callflume-benches {{ARGS}}

# Licences, advisories and duplicates of dependencies (needs cargo-deny).
deny:
    cargo deny check

# What CI runs.
verify:
    .ci/run
