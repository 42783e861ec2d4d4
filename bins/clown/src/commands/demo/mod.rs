pub(crate) mod agent;
mod provider;
mod stage;

use crate::event::line::EventLines;
use crate::output::{Output, note};
use anstyle::Effects;
use anyhow::Context as _;
use clap::Args;
use clown_client::{EventStream, Since, StreamItem, StreamOptions};
use clown_events::EventKind;
use provider::Provider;
use stage::{MODEL, Stage};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

/// How long each step may take before the demo is given up.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// A moment to read each step, for people.
const PACE: Duration = Duration::from_millis(250);

/// The profile that the demo makes, and the model that it has first.
const ALIAS: &str = "demo";
/// The one whose agent goes through a proxy.
const PROXIED: &str = "proxied";
const FIRST_MODEL: &str = "small-1";

/// The demo takes nothing.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

/// Plays every event that is published, each caused by what it tells of, in a world of its own. The
/// person's own folders and daemon are not touched, and nothing is left behind.
pub(crate) async fn demo(output: Output) -> anyhow::Result<ExitCode> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut hangups = signal(SignalKind::hangup())?;
    // Whatever ends this, the stage is struck when it is dropped.
    let provider = Provider::start().await?;
    let mut stage = Stage::set(&provider.base())?;
    tokio::select! {
        biased;
        _ = interrupts.recv() => Ok(ExitCode::from(130)),
        _ = terminations.recv() => Ok(ExitCode::from(143)),
        _ = hangups.recv() => Ok(ExitCode::from(129)),
        outcome = play(output, &mut stage) => outcome.map(|()| ExitCode::SUCCESS),
    }
}

async fn play(output: Output, stage: &mut Stage) -> anyhow::Result<()> {
    let caption = Caption::new(output);

    caption
        .say(
            "A daemon starts, in a temporary folder of its own.",
            "clownd",
        )
        .await?;
    stage.start_daemon().await?;
    let options = StreamOptions {
        since: Some(Since::Seq(0)),
        keepalive: true,
        ..StreamOptions::default()
    };
    let stream = EventStream::new(stage.discovery(), options);
    let mut show = Show {
        output,
        lines: EventLines::new(output),
        stream,
    };
    show.until(EventKind::DaemonStarted).await?;

    caption
        .say(
            "It finds the coding agents on the PATH: here a make-believe one.",
            "",
        )
        .await?;
    show.until(EventKind::AgentDetected).await?;

    let create = [
        "profiles",
        "create",
        ALIAS,
        "--agent",
        agent::ID,
        "--model",
        FIRST_MODEL,
    ];
    caption
        .say(
            "A profile binds an agent to a provider and a model.",
            &command(&create),
        )
        .await?;
    stage.clown(&create).await?;
    show.until(EventKind::ProfileCreated).await?;

    let edit = format!("sed -i s/{FIRST_MODEL}/{MODEL}/ profiles/{ALIAS}.toml");
    caption
        .say(
            "Profiles are files. An edit by hand counts like any other.",
            &edit,
        )
        .await?;
    stage.edit_profile(ALIAS, FIRST_MODEL, MODEL)?;
    show.until(EventKind::ProfileUpdated).await?;

    let run = ["run", ALIAS, "--", "Say hello"];
    caption
        .say(
            "The agent runs, as a process of its own. What it uses is counted from its own log.",
            "clown run demo -- 'Say hello'",
        )
        .await?;
    show.run(stage, &run, &[EventKind::ProfileStopped]).await?;

    let import = ["usage", "import", agent::ID, "--path", "../earlier"];
    stage.write_old_log("earlier")?;
    caption
        .say(
            "What it used before there was a profile is counted when you ask for it.",
            &command(&import),
        )
        .await?;
    stage.clown(&import).await?;
    show.until(EventKind::UsageImported).await?;

    caption.say("The agent is upgraded.", "").await?;
    stage.install_agent(agent::SECOND_VERSION)?;
    stage.clown(&["agents", "detect"]).await?;
    show.until(EventKind::AgentUpdated).await?;

    show.registry(stage, &caption).await?;
    show.proxy(stage, &caption).await?;

    let delete = ["profiles", "delete", ALIAS];
    caption
        .say("The profile is deleted.", &command(&delete))
        .await?;
    stage.clown(&delete).await?;
    show.until(EventKind::ProfileDeleted).await?;

    let stop = ["daemon", "stop"];
    caption
        .say("The daemon stops, and says so first.", &command(&stop))
        .await?;
    tokio::try_join!(stage.clown(&stop), show.until_closed())?;
    stage.daemon_ended().await?;

    note(
        "\nThat was all of it, and nothing is left behind. Now the real thing:\n\
         \x20 clown init       makes your first profile\n\
         \x20 clown run NAME   runs its agent in this terminal\n\
         \x20 clown watch      shows what happens, in another one",
    );
    Ok(())
}

fn command(args: &[&str]) -> String {
    format!("clown {}", args.join(" "))
}

/// Says what comes next, and leaves people the time to read it.
struct Caption {
    output: Output,
    pace: Duration,
}

impl Caption {
    fn new(output: Output) -> Self {
        let is_watched = std::io::stdout().is_terminal();
        Self {
            output,
            pace: if is_watched { PACE } else { Duration::ZERO },
        }
    }

    async fn say(&self, text: &str, command: &str) -> anyhow::Result<()> {
        sleep(self.pace).await;
        if self.output.is_json() {
            note(text);
        } else {
            let bold = anstyle::Style::new().effects(Effects::BOLD);
            let text = self.output.paint(bold, text);
            let typed = if command.is_empty() {
                String::new()
            } else {
                format!("\n$ {command}")
            };
            self.output.line(format_args!("\n{text}{typed}"))?;
        }
        sleep(self.pace).await;
        Ok(())
    }
}

/// The live stream on the screen.
struct Show {
    output: Output,
    lines: EventLines,
    stream: EventStream,
}

impl Show {
    /// Prints what happens, up to and with an event of this kind.
    async fn until(&mut self, kind: EventKind) -> anyhow::Result<()> {
        let deadline = Instant::now() + STEP_LIMIT;
        while timeout_at(deadline, self.next())
            .await
            .with_context(|| format!("the demo waited for {kind} in vain"))??
            != Some(kind)
        {}
        Ok(())
    }

    /// Prints what happens up to the daemon's end. Reading on answers its farewell, for which it
    /// waits a little.
    async fn until_closed(&mut self) -> anyhow::Result<()> {
        self.until(EventKind::DaemonShuttingDown).await?;
        let closed = async {
            while !matches!(self.stream.next().await?, StreamItem::Disconnected { .. }) {}
            anyhow::Ok(())
        };
        tokio::time::timeout(STEP_LIMIT, closed)
            .await
            .context("the demo waited for the daemon's end in vain")?
    }

    /// Prints the next event, if that is what the stream has next, and says which it was.
    async fn next(&mut self) -> anyhow::Result<Option<EventKind>> {
        match self.stream.next().await? {
            StreamItem::Event(received) => {
                if self.output.is_json() {
                    self.output.line(&received.text)?;
                } else {
                    self.lines.print(&received.envelope)?;
                }
                Ok(received.envelope.event.kind())
            }
            StreamItem::Disconnected { reason, .. } => {
                anyhow::bail!("the demo lost its daemon: {reason}")
            }
            _ => Ok(None),
        }
    }

    /// A registry is followed before there is one, then made, then followed again.
    async fn registry(&mut self, stage: &Stage, caption: &Caption) -> anyhow::Result<()> {
        let sync = ["registry", "sync"];
        caption
            .say(
                "Agents and providers can come from a registry. This one is not there yet.",
                &command(&sync),
            )
            .await?;
        stage.clown_fails(&sync).await?;
        self.until(EventKind::RegistrySyncFailed).await?;

        let build = ["registry", "build", "../manifests", "--out", "../registry"];
        caption
            .say(
                "It is made of a folder, and any web server or folder can hold it.",
                &format!("{} && {}", command(&build), command(&sync)),
            )
            .await?;
        stage.clown(&build).await?;
        stage.clown(&sync).await?;
        self.until(EventKind::RegistrySyncCompleted).await
    }

    /// An agent goes through a proxy, which counts for it, dies, comes back, and is stopped.
    async fn proxy(&mut self, stage: &Stage, caption: &Caption) -> anyhow::Result<()> {
        let create = [
            "profiles",
            "create",
            PROXIED,
            "--agent",
            agent::ID,
            "--provider",
            stage::PROVIDER,
            "--model",
            FIRST_MODEL,
            "--proxy",
        ];
        caption
            .say(
                "A proxy can stand between an agent and its provider. It keeps the key, and counts.",
                &format!("{}\n$ clown run {PROXIED}", command(&create)),
            )
            .await?;
        stage.clown(&create).await?;
        self.until(EventKind::ProfileCreated).await?;
        let told = [EventKind::ProfileStopped, EventKind::UsageUpdated];
        self.run(stage, &["run", PROXIED, "--", "Say hello"], &told)
            .await?;

        caption
            .say(
                "It is killed, and comes back where its agents know it.",
                "kill -9 …",
            )
            .await?;
        stage.kill_proxy(PROXIED).await?;
        self.until(EventKind::ProxyError).await?;
        self.until(EventKind::ProxyStarted).await?;

        let stop = ["proxy", "stop", PROXIED];
        caption
            .say("It stops once nothing is open.", &command(&stop))
            .await?;
        stage.clown(&stop).await?;
        self.until(EventKind::ProxyStopped).await
    }

    /// Runs the agent, with what it prints and what happens on one screen, until all that is to be
    /// told of it is.
    async fn run(
        &mut self,
        stage: &Stage,
        args: &[&str],
        told: &[EventKind],
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + STEP_LIMIT;
        let mut child = stage.spawn(args)?;
        let printed = child
            .take_output()
            .context("the agent's output cannot be read")?;
        let mut printed = BufReader::new(printed).lines();
        let mut ending = Box::pin(child.succeeded());
        let (mut is_printing, mut has_ended) = (true, false);
        let mut untold = told.to_vec();
        while is_printing || !has_ended || !untold.is_empty() {
            let step = async {
                tokio::select! {
                    line = printed.next_line(), if is_printing => match line? {
                        Some(line) => self.print_agents(&line)?,
                        None => is_printing = false,
                    },
                    ended = &mut ending, if !has_ended => {
                        ended?;
                        has_ended = true;
                    }
                    kind = self.next() => {
                        let kind = kind?;
                        untold.retain(|wanted| Some(*wanted) != kind);
                    }
                }
                anyhow::Ok(())
            };
            timeout_at(deadline, step)
                .await
                .context("the demo waited for the agent in vain")??;
        }
        Ok(())
    }

    fn print_agents(&self, line: &str) -> anyhow::Result<()> {
        if self.output.is_json() {
            return Ok(());
        }
        let dimmed = anstyle::Style::new().effects(Effects::DIMMED);
        self.output
            .line(self.output.paint(dimmed, format_args!("  │ {line}")))
    }
}
