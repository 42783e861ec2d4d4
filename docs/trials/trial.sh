#!/usr/bin/env bash
# Runs real agents from npm and PyPI under profiles, against upstream.py on loopback, with `clown
# watch` beside them, and prints what each saw. Nothing but the installation needs a network.
#
# usage: docs/trials/trial.sh [FOLDER WITH node_modules/.bin, AND PERHAPS bin, aider/bin]
# (built with: cargo build). An agent that is not there, or does not tell its version, is left out.
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
    # One by one: a package that cannot be had here keeps no other away.
    for package in node@22 @anthropic-ai/claude-code @openai/codex opencode-ai @google/gemini-cli \
        @qwen-code/qwen-code @moonshot-ai/kimi-code @github/copilot @xai-official/grok \
        @factory/cli @ampcode/cli @charmland/crush; do
        npm install --silent --no-audit --no-fund --prefix "$agents" "$package" || true
    done
    python3 -m venv "$agents/aider" && "$agents/aider/bin/pip" install --quiet aider-chat || true
fi
python3 "$here/upstream.py" "$work/requests.jsonl" >"$work/port" &
upstream=$!
while ! [ -s "$work/port" ]; do sleep 0.05; done
address=http://127.0.0.1:$(cat "$work/port")

export CLOWN_CONFIG_DIR=$work/config CLOWN_STATE_DIR=$work/state CLOWN_LISTEN=127.0.0.1:0
export PATH=$agents/bin:$agents/node_modules/node/bin:$agents/node_modules/.bin:$agents/aider/bin:$PATH
export HOME=$work/home NO_COLOR=1
export TRIAL_KEY=sk-of-the-profile
# The caller's own, which must not reach any agent.
export ANTHROPIC_API_KEY=sk-of-the-caller OPENAI_API_KEY=sk-of-the-caller GEMINI_API_KEY=sk-of-the-caller
export ANTHROPIC_BASE_URL=http://127.0.0.1:9 OPENAI_BASE_URL=http://127.0.0.1:9
# Keys of providers, one of which nobody knows yet; and those that tools need, which stay.
keys=(OPENAI_API_KEY GEMINI_API_KEY GOOGLE_API_KEY XAI_API_KEY KIMI_API_KEY FACTORY_API_KEY
    QWEN_API_KEY COPILOT_PROVIDER_API_KEY AMP_API_KEY HF_TOKEN NVIDIA_API_KEY DASHSCOPE_API_KEY VENICE_API_KEY
    AWS_BEARER_TOKEN_BEDROCK GOOGLE_VERTEX_PROJECT OF_A_PROVIDER_TO_COME_API_KEY)
keys_of_tools=(GITHUB_TOKEN GITLAB_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    CLOUDFLARE_API_TOKEN GOOGLE_APPLICATION_CREDENTIALS)
for name in "${keys[@]}" "${keys_of_tools[@]}"; do export "$name=sk-of-the-caller"; done
mkdir -p "$CLOWN_CONFIG_DIR/providers.d" "$HOME" "$work/project"
for format in anthropic-messages openai-responses openai-chat gemini; do
    case $format in openai-*) base=$address/v1 ;; *) base=$address ;; esac
    cat >"$CLOWN_CONFIG_DIR/providers.d/$format.toml" <<END
id = "trial-$format"
name = "Upstream of the trial"
key = { variable = "TRIAL_KEY", required = true }

[[endpoints]]
id = "loopback"
urls = { $format = "$base" }
END
done
cd "$work/project"
# What a project brings along, which must not choose either.
cat >.env <<END
ANTHROPIC_API_KEY=sk-of-the-project
OPENAI_API_KEY=sk-of-the-project
GEMINI_API_KEY=sk-of-the-project
GOOGLE_API_KEY=sk-of-the-project
HF_TOKEN=sk-of-the-project
OPENAI_BASE_URL=http://127.0.0.1:9
OPENAI_API_BASE=http://127.0.0.1:9
ANTHROPIC_BASE_URL=http://127.0.0.1:9
OPENAI_MODEL=model-of-the-project
END
# A busy machine may take an agent more than the 5 s for its version; it is asked again.
for _ in 1 2 3; do clown agents detect | grep -q ' unknown ' || break; done
clown watch --since 0 >"$work/watch.txt" 2>&1 &

say() { printf '\n$ %s\n' "$*"; }
try() { say "$@"; "$@" 2>&1 </dev/null || echo "(exit code $?)"; }

try uname -sr
try clown --version
try clown agents list
leaked() {
    echo "A KEY OF THE CALLER LEAKED: $*"
    exit 1
}
is_there() { clown agents list | grep "^$1 " | grep -qv 'not installed\|unknown'; }
# What an agent is given to say "ping" to the model and nothing else.
ping_of() {
    case $1 in
    codex) echo exec --skip-git-repo-check ping ;;
    opencode) echo run ping ;;
    gemini) echo --skip-trust -p ping ;;
    droid) echo exec ping ;;
    aider) echo --no-git --yes-always --no-check-update --no-show-model-warnings --message ping ;;
    *) echo -p ping ;;
    esac
}
# Each agent in each format that it speaks: what it is told has to arrive, and nothing else.
while read -r agent formats; do
    is_there "$agent" || continue
    for format in $formats; do
        : >"$work/requests.jsonl"
        clown profiles create "$agent-$format" --agent "$agent" --provider "trial-$format" \
            --model trial-model --key-env TRIAL_KEY >/dev/null
        say "clown run $agent-$format -- $(ping_of "$agent")"
        # shellcheck disable=SC2046  # words of their own
        timeout -k 5 120 "$bin/clown" run "$agent-$format" -- $(ping_of "$agent") \
            </dev/null >"$work/said.txt" 2>&1 || true
        grep -o pong "$work/said.txt" | head -1 || echo "(no pong)"
        sort "$work/requests.jsonl" | uniq -c
        grep -q 'sk-of-the-profile' "$work/requests.jsonl" || leaked "nothing arrived"
        grep -q 'trial-model' "$work/requests.jsonl" || leaked "another model was asked"
        grep -E 'sk-of-the-(caller|project)|model-of-the' "$work/requests.jsonl" && leaked "into a request"
        (cd "$CLOWN_STATE_DIR/homes/$agent-$format" &&
            find . -mindepth 1 -maxdepth 2 -not -name '.clown*' | sort | tr '\n' ' ')
        echo
    done
done <<END
claude anthropic-messages
codex openai-responses
opencode anthropic-messages openai-responses openai-chat gemini
gemini gemini
qwen openai-responses openai-chat anthropic-messages gemini
kimi openai-responses openai-chat anthropic-messages gemini
copilot anthropic-messages openai-responses openai-chat
droid anthropic-messages openai-responses openai-chat
grok openai-responses openai-chat
aider openai-chat anthropic-messages gemini
END

# The rest of a profile: a small model, an MCP server and a hook. Both programs leave a mark. `asked`
# is an agent that asks the small model something beside "ping"; the others are told it, and ask it at
# other times.
missing() {
    echo "IT DID NOT REACH THE AGENT: $*"
    exit 1
}
while read -r agent format event small; do
    is_there "$agent" || continue
    alias=$agent-more
    mark=$work/marks/$alias
    mkdir -p "$work/marks"
    : >"$work/requests.jsonl"
    more=(--model trial-model --key-env TRIAL_KEY)
    [ "$small" = none ] || more+=(--small-model small-model)
    clown profiles create "$alias" --agent "$agent" --provider "trial-$format" "${more[@]}" >/dev/null
    clown mcp add "$alias" marker --env "TRIAL_MARK=$mark.mcp" -- python3 "$here/mcp_server.py" >/dev/null
    [ "$event" = none ] || clown hooks add "$alias" "$event" "touch $mark.hook" >/dev/null
    words=$(ping_of "$agent")
    # It runs no hook that nobody has trusted.
    [ "$agent" = codex ] && words="exec --dangerously-bypass-hook-trust ${words#exec }"
    say "clown run $alias -- $words"
    # shellcheck disable=SC2086  # words of their own
    timeout -k 5 120 "$bin/clown" run "$alias" -- $words </dev/null >"$work/said.txt" 2>&1 || true
    grep -o pong "$work/said.txt" | head -1 || echo "(no pong)"
    echo "MCP server: $(tr '\n' ' ' <"$mark.mcp" || true)"
    grep -q tools/list "$mark.mcp" || missing "the MCP server of $agent"
    if [ "$event" = none ]; then
        echo "hook: none"
    elif [ -e "$mark.hook" ]; then
        echo "hook at $event: ran"
    else
        missing "the hook of $agent"
    fi
    if [ "$small" = asked ]; then
        grep -q '"small-model"' "$work/requests.jsonl" || missing "the small model of $agent"
    fi
    echo "small model, $small: $(grep -c '"small-model"' "$work/requests.jsonl" || true) requests," \
        "$(grep -c '"trial-model"\|models/trial-model' "$work/requests.jsonl") to the other"
done <<END
claude anthropic-messages UserPromptSubmit told
codex openai-responses UserPromptSubmit none
opencode openai-chat none asked
gemini gemini BeforeAgent none
qwen openai-chat UserPromptSubmit asked
kimi openai-chat none told
copilot openai-chat userPromptSubmitted none
droid openai-chat SessionStart none
grok openai-chat UserPromptSubmit asked
END

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
# These have no login, so nothing may be asked of anybody: the caller's addresses lead nowhere, and
# the upstream is the only one that could answer.
rm .env
: >"$work/requests.jsonl"
for agent in qwen kimi copilot droid grok; do
    is_there "$agent" || continue
    clown profiles create "$agent-self" --agent "$agent" --provider self >/dev/null
    say "clown run $agent-self -- $(ping_of "$agent")"
    # shellcheck disable=SC2046  # words of their own
    timeout -k 5 60 "$bin/clown" run "$agent-self" -- $(ping_of "$agent") \
        </dev/null >"$work/said.txt" 2>&1 || true
    head -3 "$work/said.txt"
done
[ -s "$work/requests.jsonl" ] && leaked "the upstream was asked"
say "what the agents have left in the home folder"
find "$HOME" -mindepth 1 -maxdepth 2 | sed "s|$HOME|~|" | sort
clown --no-start daemon stop >/dev/null
say "clown watch --since 0"
sleep 0.5
cat "$work/watch.txt"
