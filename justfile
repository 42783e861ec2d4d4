# The same commands as CI. `just` lists them.

default:
    @just --list

# The quick loop: format, lints, unit tests.
check: fmt-check lint
    cargo test --locked --workspace --exclude clown-tests --lib --bins

# Everything that the README's second command runs.
test:
    cargo test --locked

fmt:
    cargo fmt --all

fmt-check:
    cargo fmt --all --check

lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# Which crate may use which; licences; sources.
deny:
    cargo deny --locked check bans licenses sources

# Python's websockets and Node's ws, which two end-to-end tests use.
clients:
    tests/clients/install

# The Autobahn suite, h1spec and public clients against the server: docs/conformance.md.
conformance:
    tests/conformance/install
    tests/conformance/autobahn
    tests/conformance/h1spec
    tests/conformance/clients

# Measures the event stream beside its rivals; docs/performance.md tells of it.
bench *FLAGS:
    benches/install
    cargo build --release --locked -p clownd -p clown-bench
    target/release/clown-bench {{FLAGS}}

# Measures the count of usage beside ccusage; `--record` puts the figures into docs/usage-performance.md.
bench-usage *FLAGS:
    benches/install
    cargo build --release --locked -p clownd -p clown -p clown-bench
    target/release/clown-bench usage {{FLAGS}}

# What CI runs.
ci:
    .ci/run

# Breaks each guarantee on purpose, in a copy: fails unless the named test turns red.
sabotage *NAMES:
    tests/sabotage/run {{NAMES}}
