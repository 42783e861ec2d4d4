use crate::commands::{
    agents, completions, daemon, demo, events, hooks, init, keys, mcp, profiles, providers, proxy,
    registry, run, shims, usage, watch,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Knows every coding agent, profile and run on this machine, and tells of each change as it happens
#[derive(Debug, Parser)]
#[command(
    name = "clown",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict, \
5 daemon not reachable, 6 time limit over. `clown run` exits with the agent's own code."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Use the daemon at this address; never start one
    #[arg(long, global = true, value_name = "HOST:PORT", env = "CLOWN_DAEMON")]
    pub(crate) daemon: Option<String>,
    /// Show this file's token to a daemon that asks for one; CLOWN_TOKEN holds a token itself
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Where configuration and profiles are [default: $XDG_CONFIG_HOME/clown or ~/.config/clown]
    #[arg(long, global = true, value_name = "DIR", env = "CLOWN_CONFIG_DIR")]
    pub(crate) config_dir: Option<PathBuf>,
    /// Where the daemon keeps its state [default: $XDG_STATE_HOME/clown or ~/.local/state/clown]
    #[arg(long, global = true, value_name = "DIR", env = "CLOWN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Fail when no daemon runs, instead of starting one
    #[arg(long, global = true)]
    pub(crate) no_start: bool,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a first profile, step by step
    Init(init::InitArgs),
    /// Run a profile's agent here
    Run(run::RunArgs),
    /// Print each event as it happens
    Watch(watch::WatchArgs),
    /// Print events of the past
    Events(events::EventsArgs),
    /// List, create, show, change and delete profiles
    #[command(subcommand, visible_alias = "profile")]
    Profiles(profiles::ProfilesCommand),
    /// List, add and remove hooks of a profile's agent
    #[command(subcommand, visible_alias = "hook")]
    Hooks(hooks::HooksCommand),
    /// List, add and remove servers of the Model Context Protocol that a profile's agent uses
    #[command(subcommand)]
    Mcp(mcp::McpCommand),
    /// List, set, rotate and delete keys that profiles share
    #[command(subcommand, visible_alias = "key")]
    Keys(keys::KeysCommand),
    /// Make, list and remove small programs on the PATH that run a profile
    #[command(subcommand, visible_alias = "shim")]
    Shims(shims::ShimsCommand),
    /// List, show and detect coding agents
    #[command(subcommand, visible_alias = "agent")]
    Agents(agents::AgentsCommand),
    /// List, show and check providers of models
    #[command(subcommand, visible_alias = "provider")]
    Providers(providers::ProvidersCommand),
    /// Start, stop and inspect the proxies of profiles
    #[command(subcommand, visible_alias = "proxies")]
    Proxy(proxy::ProxyCommand),
    /// Tell what agents have used: tokens, and what they cost
    Usage(usage::UsageArgs),
    /// Print one line on what is used now, for status lines and prompts
    Statusline(usage::statusline::StatuslineArgs),
    /// Sync, pin, inspect and build the registry of agents and providers
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Start, stop and inspect the daemon
    #[command(subcommand)]
    Daemon(daemon::DaemonCommand),
    /// Check the installation and say what to do
    Doctor,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// See it work: a private daemon and a make-believe agent, for a few seconds
    Demo(demo::DemoArgs),
    /// The make-believe agent of `clown demo`
    #[command(hide = true)]
    DemoAgent(demo::agent::DemoAgentArgs),
}

/// An alias, so that a wrong one is told before anything is asked or started.
pub(crate) fn alias(text: &str) -> Result<String, String> {
    const LONGEST: usize = 64;

    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && text.len() <= LONGEST && text.bytes().all(is_allowed) {
        Ok(text.to_owned())
    } else {
        Err(
            "an alias is 1 to 64 letters, digits, `.`, `_` and `-`, and begins with a letter or \
             digit"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_profile_of_nothing_is_told_both_ways_to_begin() {
        let line = ["clown", "profiles", "create", "work"];
        let error = Cli::try_parse_from(line).unwrap_err().to_string();
        for part in ["--agent <ID>", "--template <ID>"] {
            assert!(error.contains(part), "{error}");
        }
        let both = ["--agent", "claude", "--template", "claude-api"];
        assert!(Cli::try_parse_from(line.iter().chain(&both)).is_ok());
    }

    #[test]
    fn lines_that_parse_and_lines_that_do_not() {
        let check = |line: &str, parses: bool| {
            let outcome = Cli::try_parse_from(line.split(' '));
            assert_eq!(outcome.is_ok(), parses, "{line}: {:?}", outcome.err());
        };
        for line in [
            "clown watch",
            "clown watch --events Profile*,ProxyError --profile work --since 10m --json",
            "clown --json watch",
            "clown events --limit 5 --since 2026-01-08T10:30:00Z",
            "clown run work",
            "clown run work -- -p hi --json",
            "clown profiles create work --agent claude",
            "clown profiles create work --agent claude --env A=1 --env B=x=y --arg --verbose",
            "clown profiles create work --agent claude --key-env WORK_KEY",
            "clown profiles set work model=m env.A=",
            "clown profiles set work --unset model",
            "clown profiles delete work --purge",
            "clown agents detect",
            "clown registry status --json",
            "clown registry sync --channel beta --force",
            "clown registry sync --offline",
            "clown registry pin 5d41402",
            "clown registry build manifests --out public --sign key",
            "clown proxy start work",
            "clown proxy logs work -n 5 -f --json",
            "clown daemon status --no-start",
            "clown doctor --daemon 127.0.0.1:1 --state-dir /tmp/s",
            "clown completions zsh",
            "clown init --yes --agent claude",
        ] {
            check(line, true);
        }
        for line in [
            "clown",
            "clown run",
            "clown run ../etc",
            "clown profiles show .hidden",
            "clown watch --since soon",
            "clown profiles create work",
            "clown profiles create work --agent claude --env A",
            "clown profiles create work --agent claude --env =1",
            "clown profiles create work --agent claude --key-env A --key-stdin",
            "clown profiles set work model",
            "clown registry sync --force --offline",
            "clown registry build manifests",
            "clown registry build manifests --out public --password-stdin",
            "clown proxy logs work -n 0",
            "clown completions klingon",
        ] {
            check(line, false);
        }
    }
}
