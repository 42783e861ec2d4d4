//! The daemon's life: claim, open, listen, serve, stop.

use crate::instance::Instance;
use crate::launcher::InstanceLauncher;
use crate::settings::Settings;
use crate::stop::Signals;
use crate::{file_limit, idle, log, port_owner, registry_sync, token};
use anyhow::{Context as _, bail};
use clown_core::bus::Slice;
use clown_core::store::StoreError;
use clown_core::{Core, CoreSettings, STATE_MARKS, Seq, journal};
use clown_events::{DaemonShuttingDown, DaemonStarted, Event, ShutdownReason};
use clown_fetch::Fetcher;
use clown_server::{BindError, Observer, Server, VERSION};
use std::future::Future;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often the journal is trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// Runs the daemon until it is told to stop, or nobody needs it.
pub(crate) fn run(mut settings: Settings) -> anyhow::Result<()> {
    make_private_folder(&settings.state_dir)?;
    log::start(&settings.log)?;
    let mut instance = Instance::claim(&settings.state_dir)?;
    settings.server.token = Some(token::load_or_make(&settings.state_dir.join("token"))?);
    file_limit::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let served = serve(&runtime, settings, &mut instance);
    // Work that hangs (an agent's version command) must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

fn serve(runtime: &Runtime, settings: Settings, instance: &mut Instance) -> anyhow::Result<()> {
    // First of all, so that a signal during the start ends it cleanly as well.
    let signals = runtime
        .block_on(async { Signals::listen() })
        .context("cannot listen for signals")?;
    let launcher = InstanceLauncher::new(&settings.network)
        .context("this program does not know its own place")?;
    let core = Core::open(CoreSettings {
        config_dir: settings.config_dir,
        state_dir: settings.state_dir,
        environment: std::env::vars_os().collect(),
        keyring: true,
        store: settings.store,
        retention: settings.retention,
        launcher: Arc::new(launcher),
        first_proxy_port: settings.first_proxy_port,
        fetch: Arc::new(Fetcher::new(settings.network)),
        registry: settings.registry,
        usage_sources: settings.usage_sources,
        usage_timezone: settings.usage_timezone,
        prices: settings.prices,
    })?;
    let core = Arc::new(core);
    let server = runtime
        .block_on(Server::bind(settings.server, Arc::clone(&core)))
        .map_err(explain)?;
    // What changed while no daemon ran is true before the first client asks.
    let died = core.start()?;
    core.follow_profiles(died)
        .context("cannot start a thread")?;
    let life = Life {
        core,
        observer: server.observer(),
        idle_timeout: settings.idle_timeout,
        syncs: settings.syncs,
    };
    runtime.block_on(life.run(server, signals, instance))
}

struct Life {
    core: Arc<Core>,
    observer: Observer,
    idle_timeout: Option<Duration>,
    /// Whether the registry is synced without being asked to.
    syncs: bool,
}

impl Life {
    async fn run(
        self,
        server: Server,
        mut signals: Signals,
        instance: &mut Instance,
    ) -> anyhow::Result<()> {
        let address = server.address();
        let started_at = server.started_at();
        let (stop, stopped) = oneshot::channel::<Seq>();
        let serving = tokio::spawn(server.serve(async move {
            match stopped.await {
                Ok(last) => last,
                // The other end is dropped only when the daemon ends anyway.
                Err(_) => std::future::pending().await,
            }
        }));
        // Before the file by which clients find it: whoever comes by that finds the event told.
        let started = self
            .publish(DaemonStarted::new(VERSION, std::process::id()))
            .await;
        instance.announce(address, VERSION, started_at)?;
        tracing::info!(%address, version = VERSION, pid = std::process::id(), "clownd serves");
        let trimming = tokio::spawn(trim(Arc::clone(&self.core)));
        let syncing = self
            .syncs
            .then(|| tokio::spawn(registry_sync::now_and_then(Arc::clone(&self.core))));

        let reason = match started {
            Ok(_) => self.reason_to_stop(&mut signals).await,
            Err(error) => {
                instance.withdraw();
                return Err(error).context("cannot record that the daemon has started");
            }
        };
        tracing::info!(%reason, "clownd stops");
        trimming.abort();
        if let Some(syncing) = syncing {
            syncing.abort();
        }
        let finished = self.finish(reason, stop, serving);
        tokio::select! {
            () = finished => {}
            () = signals.interrupted_again() => {
                instance.withdraw();
                bail!("interrupted while it was stopping");
            }
        }
        instance.withdraw();
        Ok(())
    }

    async fn reason_to_stop(&self, signals: &mut Signals) -> ShutdownReason {
        tokio::select! {
            reason = signals.stop() => reason,
            reason = self.observer.shutdown_requested() => reason,
            () = self.idle() => ShutdownReason::IdleTimeout,
        }
    }

    async fn idle(&self) {
        let Some(timeout) = self.idle_timeout else {
            return std::future::pending().await;
        };
        idle::idle_for(timeout, async || {
            let core = Arc::clone(&self.core);
            let idle = tokio::task::spawn_blocking(move || is_needed_by_none(&core)).await;
            // A daemon that cannot tell stays.
            match idle {
                Ok(true) => self.observer.idle_since(),
                _ => None,
            }
        })
        .await;
    }

    /// The event is committed before any connection is closed.
    async fn finish(
        &self,
        reason: ShutdownReason,
        stop: oneshot::Sender<Seq>,
        serving: impl Future<Output = Result<(), tokio::task::JoinError>>,
    ) {
        let core = Arc::clone(&self.core);
        let goes_on = reason == ShutdownReason::Update;
        // Proxies first, while clients are told of it: what is open gets the time to end.
        let proxies = tokio::task::spawn_blocking(move || match goes_on {
            true => core.proxies.leave(),
            false => core.proxies.stop_all(),
        });
        if let Err(error) = proxies.await {
            tracing::error!(%error, "proxies are left as they are");
        }
        let core = Arc::clone(&self.core);
        let watching = tokio::task::spawn_blocking(move || core.stop());
        // Watching may be in the middle of something slow; nobody should wait for that.
        if tokio::time::timeout(Duration::from_secs(1), watching)
            .await
            .is_err()
        {
            tracing::warn!("what watches files and agents is still busy");
        }
        let last = self
            .publish(DaemonShuttingDown::new(reason))
            .await
            .unwrap_or_else(|error| {
                tracing::error!("cannot record that the daemon stops: {error:#}");
                self.core.store.head()
            });
        // The other end is gone only if serving has failed.
        let _ = stop.send(last);
        if let Err(error) = serving.await {
            tracing::error!(%error, "serving ended badly");
        }
    }

    /// Commits `event`, and gives its number.
    async fn publish(&self, event: impl Into<Event>) -> anyhow::Result<Seq> {
        let event = event.into();
        let core = Arc::clone(&self.core);
        tokio::task::spawn_blocking(move || {
            let kind = event.kind();
            let before = core.store.head();
            core.store.commit(move |tx| {
                tx.publish(event);
                Ok::<_, StoreError>(())
            })?;
            // Others may have published meanwhile.
            let page = journal::page(&core.store, before, journal::PAGE_EVENTS, usize::MAX)?;
            let slice = page.segment.map(|segment| Slice::whole(Arc::new(segment)));
            let entries = slice.iter().flat_map(Slice::entries);
            let seq = entries
                .filter(|entry| entry.kind == kind)
                .map(|entry| entry.seq)
                .next_back();
            Ok(seq.unwrap_or_else(|| core.store.head()))
        })
        .await
        .context("the thread that publishes has ended")?
    }
}

/// Whether neither a run nor a proxy needs the daemon.
fn is_needed_by_none(core: &Core) -> bool {
    matches!(core.runs.open_count(), Ok(0)) && matches!(core.proxies.running_count(), Ok(0))
}

/// Keeps the journal within its limits, now and then.
async fn trim(core: Arc<Core>) {
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let core = Arc::clone(&core);
        let trimmed = tokio::task::spawn_blocking(move || core.trim_journal()).await;
        let pause = match trimmed {
            // A short one, so that others may write in between.
            Ok(Ok(true)) => Duration::from_millis(20),
            Ok(Ok(false)) => TRIM_EVERY,
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot trim the journal"
                );
                TRIM_EVERY
            }
            Err(_) => return,
        };
        next = Instant::now() + pause;
    }
}

/// Says who has the port, where that can be told, and what to do.
fn explain(error: BindError) -> anyhow::Error {
    let BindError::Listen { address, source } = &error else {
        return error.into();
    };
    match source.kind() {
        ErrorKind::AddrInUse => {
            let owner = match port_owner::owner(*address) {
                Some((pid, name)) => format!("process {pid} ({name})"),
                None => "another program".to_owned(),
            };
            anyhow::anyhow!(
                "port {} is in use by {owner}: end it, or choose another port with --listen 127.0.0.1:PORT, or port 0 for any free one",
                address.port()
            )
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "you may not listen on port {}: choose one above 1023 with --listen 127.0.0.1:PORT",
            address.port()
        ),
        _ => error.into(),
    }
}

fn make_private_folder(path: &Path) -> anyhow::Result<()> {
    clown_core::files::make_private_folder(path, STATE_MARKS)
        .with_context(|| format!("cannot use the state folder {}", path.display()))
}
