#!/usr/bin/env bash
# Runs real agents from npm under profiles, against upstream.py on loopback, with `clown watch`
# beside them, and prints what each saw. Nothing but the installation needs a network.
#
# usage: docs/trials/trial.sh [FOLDER WITH node_modules/.bin]     (built with: cargo build)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${CLOWN_BIN:-$(cd "$here/../.." && pwd)/target/debug}
agents=${1:-}
work=$(mktemp -d)
clown() { "$bin/clown" "$@"; }
cleanup() {
    clown --no-start daemon stop >/dev/null 2>&1 || true
    kill $(jobs -p) 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

if [ -z "$agents" ]; then
    agents=$work/npm
    npm install --silent --no-audit --no-fund --prefix "$agents" \
        @anthropic-ai/claude-code @openai/codex opencode-ai @google/gemini-cli
fi
python3 "$here/upstream.py" "$work/requests.jsonl" >"$work/port" &
upstream=$!
while ! [ -s "$work/port" ]; do sleep 0.05; done
address=http://127.0.0.1:$(cat "$work/port")

export CLOWN_CONFIG_DIR=$work/config CLOWN_STATE_DIR=$work/state CLOWN_LISTEN=127.0.0.1:0
export PATH=$agents/node_modules/.bin:$PATH HOME=$work/home NO_COLOR=1
export TRIAL_KEY=sk-of-the-profile
# The caller's own, which must not reach any agent.
export ANTHROPIC_API_KEY=sk-of-the-caller OPENAI_API_KEY=sk-of-the-caller GEMINI_API_KEY=sk-of-the-caller
export ANTHROPIC_BASE_URL=http://127.0.0.1:9 OPENAI_BASE_URL=http://127.0.0.1:9
mkdir -p "$CLOWN_CONFIG_DIR/providers.d" "$HOME" "$work/project"
cat >"$CLOWN_CONFIG_DIR/providers.d/trial.toml" <<END
id = "trial"
name = "Upstream of the trial"
key = { variable = "TRIAL_KEY", required = true }

[[endpoints]]
id = "loopback"

[endpoints.urls]
anthropic-messages = "$address"
openai-responses = "$address/v1"
openai-chat = "$address/v1"
gemini = "$address"
END
cd "$work/project"
clown agents detect >/dev/null
clown watch --since 0 >"$work/watch.txt" 2>&1 &

say() { printf '\n$ %s\n' "$*"; }
try() { say "$@"; "$@" 2>&1 </dev/null || echo "(exit code $?)"; }

try uname -sr
try clown --version
try clown agents list
for agent in claude codex opencode gemini; do
    try clown profiles create "$agent-trial" --agent "$agent" --provider trial \
        --model trial-model --key-env TRIAL_KEY
done
try clown run claude-trial -- -p ping
try clown run codex-trial -- exec --skip-git-repo-check ping
try clown run opencode-trial -- run ping
try clown run gemini-trial -- --skip-trust -p ping
say "cat requests.jsonl"
cat "$work/requests.jsonl"
if grep -q sk-of-the-caller "$work/requests.jsonl"; then
    echo "A KEY OF THE CALLER LEAKED"
    exit 1
fi
clown --no-start daemon stop >/dev/null
say "clown watch --since 0"
sleep 0.5
cat "$work/watch.txt"
