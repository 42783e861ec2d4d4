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
# Keys of providers, one of which nobody knows yet; and those that tools need, which stay.
keys=(OPENAI_API_KEY GEMINI_API_KEY HF_TOKEN NVIDIA_API_KEY DASHSCOPE_API_KEY VENICE_API_KEY
    AWS_BEARER_TOKEN_BEDROCK GOOGLE_VERTEX_PROJECT OF_A_PROVIDER_TO_COME_API_KEY)
keys_of_tools=(GITHUB_TOKEN GITLAB_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    CLOUDFLARE_API_TOKEN GOOGLE_APPLICATION_CREDENTIALS)
for name in "${keys[@]}" "${keys_of_tools[@]}"; do export "$name=sk-of-the-caller"; done
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
# What a project brings along, which must not choose either.
cat >.env <<END
ANTHROPIC_API_KEY=sk-of-the-project
OPENAI_API_KEY=sk-of-the-project
GEMINI_API_KEY=sk-of-the-project
GOOGLE_API_KEY=sk-of-the-project
HF_TOKEN=sk-of-the-project
END
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
leaked() {
    echo "A KEY OF THE CALLER LEAKED: $*"
    exit 1
}
grep -E 'sk-of-the-(caller|project)' "$work/requests.jsonl" && leaked "into a request"

# With its own login, and none made: nothing that the caller has may take its place.
try clown profiles create opencode-self --agent opencode --provider self
say "clown run opencode-self -- auth list"
clown run opencode-self -- auth list </dev/null 2>&1 | tee "$work/logins.txt"
for name in "${keys[@]}"; do
    grep -q "$name" "$work/logins.txt" && leaked "OpenCode sees $name"
done
# It lists what tools need, and uses none of it: only its own free models are there.
say "clown run opencode-self -- models | cut -d/ -f1 | sort -u"
clown run opencode-self -- models </dev/null 2>&1 | cut -d/ -f1 | sort -u | tee "$work/providers.txt"
grep -vx opencode "$work/providers.txt" && leaked "OpenCode would use it"
try clown profiles create gemini-self --agent gemini --provider self
say "clown run gemini-self -- --skip-trust -p ping"
clown run gemini-self -- --skip-trust -p ping </dev/null 2>&1 | tee "$work/gemini.txt" || true
grep -q "set an Auth method" "$work/gemini.txt" || leaked "Gemini CLI found a login"
try clown profiles create claude-self --agent claude --provider self
say "clown run claude-self -- -p ping"
clown run claude-self -- -p ping </dev/null 2>&1 | tee "$work/claude.txt" || true
grep -q "Not logged in" "$work/claude.txt" || leaked "Claude Code found a login"
clown --no-start daemon stop >/dev/null
say "clown watch --since 0"
sleep 0.5
cat "$work/watch.txt"
