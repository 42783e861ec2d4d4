pub(crate) mod agents;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod hooks;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod mcp;
mod plan;
pub(crate) mod profiles;
pub(crate) mod providers;
pub(crate) mod proxy;
pub(crate) mod registry;
pub(crate) mod run;
mod shell;
pub(crate) mod shims;
pub(crate) mod usage;
pub(crate) mod watch;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::output::Output;
use std::process::ExitCode;

/// Does what was asked for; the exit code is 0 where nothing says otherwise.
pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = cli;
    let context = || Context::new(&global);
    let done = match command {
        Command::Run(args) => return run::run(&context()?, args).await,
        Command::Watch(args) => return watch::watch(&context()?, args).await,
        Command::Events(args) => return events::events(&context()?, args).await,
        Command::Doctor => return doctor::doctor(&context()?).await,
        Command::Demo(_) => return demo::demo(Output::new(global.json)).await,
        Command::DemoAgent(args) => return demo::agent::run(&args),
        Command::Init(args) => init::init(&context()?, args).await,
        Command::Profiles(command) => profiles::dispatch(&context()?, command).await,
        Command::Hooks(command) => hooks::dispatch(&context()?, command).await,
        Command::Keys(command) => keys::dispatch(&context()?, command).await,
        Command::Shims(command) => shims::dispatch(&context()?, command).await,
        Command::Mcp(command) => mcp::dispatch(&context()?, command).await,
        Command::Agents(command) => agents::dispatch(&context()?, command).await,
        Command::Providers(command) => return providers::dispatch(&context()?, command).await,
        Command::Proxy(command) => proxy::dispatch(&context()?, command).await,
        Command::Usage(args) => usage::dispatch(&context()?, args).await,
        Command::Statusline(args) => usage::statusline::statusline(&context()?, args).await,
        Command::Registry(command) => registry::dispatch(&context()?, command).await,
        Command::Daemon(command) => daemon::dispatch(&context()?, command).await,
        Command::Completions(args) => completions::completions(Output::new(global.json), &args),
    };
    done.map(|()| ExitCode::SUCCESS)
}
