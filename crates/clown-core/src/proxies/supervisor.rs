//! The life of one profile's instance, on a thread of its own: what is asked and what happens come
//! one after the other.

use super::error::{self, ProxyFault, port_in_use};
use super::launcher::{Plan, Worked};
use super::ports::{self, PortWish};
use super::restarts::Restarts;
use super::{Inner, Instance, Observed};
use crate::Alias;
use crate::process::{ProcessHandle, ProcessIdentity, WatchToken};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How long an instance may take until it answers its health check.
const HEALTHY_WITHIN: Duration = Duration::from_secs(10);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How often an instance is asked how its targets stand.
pub(super) const LOOK_AT_HEALTH: Duration = Duration::from_secs(2);

/// How long one may take to end: it gives open requests 10 s.
const ENDS_WITHIN: Duration = Duration::from_secs(13);

/// How long one that serves nothing may take.
const ENDS_AT_ONCE_WITHIN: Duration = Duration::from_secs(2);

/// What a supervisor is told.
pub(super) enum Message {
    /// It is to run, and to work by this plan.
    Start(Start, SyncSender<Result<Instance, ProxyFault>>),
    /// It is to end and to begin anew.
    Restart(Start, SyncSender<Result<Instance, ProxyFault>>),
    /// What it works by, if it runs.
    Tell(SyncSender<Option<Plan>>),
    /// If it runs, it is to work by this plan.
    Apply(Box<Plan>, SyncSender<()>),
    /// It is to end.
    Stop(SyncSender<Result<(), ProxyFault>>),
    /// One was found that an earlier daemon has started.
    Adopt(Box<Adopted>, SyncSender<()>),
    /// A process that was watched has ended.
    Ended(WatchToken),
}

/// How it is to run.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) plan: Plan,
    pub(super) wish: PortWish,
}

/// One that runs.
#[derive(Debug)]
pub(super) struct Adopted {
    pub(super) instance: Instance,
    pub(super) handle: Arc<ProcessHandle>,
    pub(super) plan: Plan,
}

pub(super) struct Supervisor {
    inner: Arc<Inner>,
    alias: Alias,
    folder: PathBuf,
    /// What it last worked by.
    start: Option<Start>,
    running: Option<Running>,
    /// Where it last listened.
    last_port: Option<u16>,
    restarts: Restarts,
    /// When it is started again.
    again_at: Option<Instant>,
    /// When it is asked again how its targets stand.
    look_at: Option<Instant>,
    /// What was told of that.
    trouble: Option<String>,
}

struct Running {
    instance: Instance,
    handle: Arc<ProcessHandle>,
    token: Option<WatchToken>,
    /// None for one that an earlier daemon has started.
    child: Option<Child>,
}

impl Supervisor {
    pub(super) fn new(inner: Arc<Inner>, alias: Alias) -> Self {
        Self {
            folder: inner.folder_of(&alias),
            inner,
            alias,
            start: None,
            running: None,
            last_port: None,
            restarts: Restarts::default(),
            again_at: None,
            look_at: None,
            trouble: None,
        }
    }

    /// Until nobody can tell it anything any more. An instance that runs then goes on.
    pub(super) fn run(mut self, told: &Receiver<Message>) {
        loop {
            let until = self.again_at.or(self.look_at);
            let message = match until {
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => told.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            // Nobody waits for an answer any more only where the daemon ends.
            match message {
                Ok(Message::Start(start, answer)) => {
                    let _ = answer.send(self.started(start));
                }
                Ok(Message::Restart(start, answer)) => {
                    let restarted = self.stopped().and_then(|()| self.started(start));
                    let _ = answer.send(restarted);
                }
                Ok(Message::Tell(answer)) => {
                    let start = self.start.as_ref().filter(|_| self.running.is_some());
                    let _ = answer.send(start.map(|start| start.plan.clone()));
                }
                Ok(Message::Apply(plan, answer)) => {
                    self.apply(*plan);
                    let _ = answer.send(());
                }
                Ok(Message::Stop(answer)) => {
                    let _ = answer.send(self.stopped());
                }
                Ok(Message::Adopt(adopted, answer)) => {
                    self.adopt(*adopted);
                    let _ = answer.send(());
                }
                Ok(Message::Ended(token)) => self.ended(token),
                Err(RecvTimeoutError::Timeout) if self.again_at.is_some() => self.start_again(),
                Err(RecvTimeoutError::Timeout) => self.look_at_health(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn started(&mut self, start: Start) -> Result<Instance, ProxyFault> {
        self.restarts.forget();
        self.again_at = None;
        // One that has just died is not known to yet.
        self.notice_end();
        self.again_at = None;
        if let Some(running) = &self.running {
            let instance = running.instance;
            self.start.get_or_insert_with(|| start.clone()).wish = start.wish;
            self.apply(start.plan);
            return Ok(instance);
        }
        self.start = Some(start);
        self.launch()
    }

    /// It is told once; whoever runs by the old plan meanwhile is not cut off.
    fn apply(&mut self, plan: Plan) {
        let (Some(running), Some(start)) = (&self.running, &mut self.start) else {
            return;
        };
        if start.plan == plan {
            return;
        }
        let Instance { pid, port } = running.instance;
        let applied = self.inner.launcher.work(&self.folder, pid, port, &plan);
        let reason = match applied {
            Ok(Worked::On(_)) => {
                start.plan = plan;
                return;
            }
            Ok(Worked::PortInUse) => "it does not listen".to_owned(),
            Ok(Worked::Refused(reason)) => reason,
            Err(error) => in_full(&error),
        };
        self.failed(format!("the proxy goes on as it was: {reason}"));
    }

    fn adopt(&mut self, adopted: Adopted) {
        let Adopted {
            instance,
            handle,
            plan,
        } = adopted;
        self.start = Some(Start {
            plan,
            // What the profile says now counts when it is started the next time.
            wish: PortWish::Usual,
        });
        self.record(Observed::Accepts(instance));
        self.watch(instance, handle, None);
    }

    /// Starts one that does not run.
    fn launch(&mut self) -> Result<Instance, ProxyFault> {
        let launched = self.try_launch();
        if let Err(fault) = &launched {
            match fault {
                // Told already.
                ProxyFault::PortInUse { .. } => {}
                ProxyFault::NotStarted { reason, .. } => self.failed(reason.clone()),
                other => self.failed(in_full(other)),
            }
        }
        launched
    }

    fn try_launch(&mut self) -> Result<Instance, ProxyFault> {
        let not_started = |reason: String| ProxyFault::NotStarted {
            alias: self.alias.clone(),
            reason,
        };
        let Some(start) = self.start.clone() else {
            return Err(not_started("it was never told how".to_owned()));
        };
        self.inner.make_folder(&self.alias)?;
        let mut child = self
            .inner
            .launcher
            .launch(&self.folder)
            .map_err(|error| not_started(in_full(&error)))?;
        let pid = child.id();
        let instance = match self.begin(pid, &start) {
            Ok(port) => Instance { pid, port },
            Err(fault) => {
                end_now(&*self.inner.launcher, &self.folder, &mut child);
                return Err(fault);
            }
        };
        let handle = ProcessIdentity::of(pid).map(ProcessHandle::open);
        let handle = match handle {
            Some(Ok(Some(handle))) if self.is_healthy(instance, &handle) => Arc::new(handle),
            _ => {
                end_now(&*self.inner.launcher, &self.folder, &mut child);
                let reason =
                    "it does not answer its health check; proxy.log in its folder may say why";
                return Err(not_started(reason.to_owned()));
            }
        };
        if let Err(error) = self.inner.record(&self.alias, Observed::Accepts(instance)) {
            end_now(&*self.inner.launcher, &self.folder, &mut child);
            return Err(error.into());
        }
        self.watch(instance, handle, Some(child));
        Ok(instance)
    }

    /// Has it work, on the first port that it can have; gives that.
    fn begin(&self, pid: u32, start: &Start) -> Result<u16, ProxyFault> {
        let not_started = |reason: String| ProxyFault::NotStarted {
            alias: self.alias.clone(),
            reason,
        };
        let taken = self.inner.ports_of_others(&self.alias)?;
        let first = self.inner.first_port;
        let mut in_use = None;
        for port in ports::candidates(start.wish, self.last_port, first, &taken) {
            let worked = self
                .inner
                .launcher
                .work(&self.folder, pid, port, &start.plan);
            match worked.map_err(|error| not_started(in_full(&error)))? {
                Worked::On(port) => return Ok(port),
                Worked::Refused(reason) => return Err(not_started(reason)),
                Worked::PortInUse => {
                    let owner = self.inner.launcher.port_owner(port);
                    self.failed(port_in_use(port, owner.as_deref()));
                    in_use = Some(ProxyFault::PortInUse { port, owner });
                }
            }
        }
        Err(in_use.unwrap_or_else(|| not_started("no port is left for it".to_owned())))
    }

    fn is_healthy(&self, instance: Instance, handle: &ProcessHandle) -> bool {
        let deadline = Instant::now() + HEALTHY_WITHIN;
        let Instance { pid, port } = instance;
        while !self.inner.launcher.is_healthy(port, pid) {
            if handle.has_ended() || Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        true
    }

    /// Tells once that all of its upstreams fail, until one answers again.
    fn look_at_health(&mut self) {
        self.look_at = None;
        let Some(running) = &self.running else {
            return;
        };
        let pid = running.instance.pid;
        self.look_at = Some(Instant::now() + LOOK_AT_HEALTH);
        // One that does not tell is told of by its end.
        let Ok(health) = self.inner.launcher.health(&self.folder, pid) else {
            return;
        };
        if let Some(trouble) = &health.trouble
            && self.trouble.is_none()
        {
            self.failed(trouble.clone());
        }
        self.trouble = health.trouble;
    }

    fn watch(&mut self, instance: Instance, handle: Arc<ProcessHandle>, child: Option<Child>) {
        self.look_at = Some(Instant::now() + LOOK_AT_HEALTH);
        self.trouble = None;
        let token = self.inner.watch(&self.alias, Arc::clone(&handle));
        self.last_port = Some(instance.port);
        self.running = Some(Running {
            instance,
            handle,
            token,
            child,
        });
    }

    fn stopped(&mut self) -> Result<(), ProxyFault> {
        self.restarts.forget();
        self.again_at = None;
        self.notice_end();
        self.again_at = None;
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        let pid = running.instance.pid;
        let asked = self.inner.launcher.stop(&self.folder, pid);
        let patience = match &asked {
            Ok(()) => ENDS_WITHIN,
            Err(error) => {
                tracing::warn!(profile = %self.alias, "the proxy cannot be asked to end: {}", in_full(error));
                Duration::ZERO
            }
        };
        if !matches!(running.handle.wait(patience), Ok(true)) {
            kill(&running.handle);
            if !matches!(running.handle.wait(ENDS_AT_ONCE_WITHIN), Ok(true)) {
                self.running = Some(running);
                return Err(ProxyFault::NotStopped {
                    alias: self.alias.clone(),
                    pid,
                });
            }
        }
        self.forget(running.token);
        let code = self.code_of(&mut running);
        self.record(Observed::Gone(code));
        Ok(())
    }

    /// A watched process has ended. It may be one that was stopped since.
    fn ended(&mut self, token: WatchToken) {
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.token == Some(token))
        {
            self.gone();
        }
    }

    fn notice_end(&mut self) {
        let has_ended = |running: &Running| running.handle.has_ended();
        if self.running.as_ref().is_some_and(has_ended) {
            self.gone();
        }
    }

    /// It ended, and this daemon did not want it to.
    fn gone(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        self.forget(running.token);
        let code = self.code_of(&mut running);
        self.record(Observed::Gone(code));
        let pid = running.instance.pid;
        let ending = self.inner.launcher.ending(&self.folder);
        if ending.is_some_and(|ending| ending.pid == pid && ending.asked) {
            return;
        }
        self.failed(error::died(code));
        self.start_later();
    }

    fn start_later(&mut self) {
        match self.restarts.next(Instant::now()) {
            Some(pause) => self.again_at = Some(Instant::now() + pause),
            None => self.failed(error::given_up(&self.alias)),
        }
    }

    fn start_again(&mut self) {
        self.again_at = None;
        if self.running.is_none() && self.launch().is_err() {
            self.start_later();
        }
    }

    fn forget(&self, token: Option<WatchToken>) {
        if let Some(token) = token {
            self.inner.forget(token);
        }
    }

    /// 128+N for signal N, -1 when nobody knows.
    fn code_of(&self, running: &mut Running) -> i32 {
        if let Some(child) = &mut running.child
            && let Ok(status) = child.wait()
        {
            let by_signal = status.signal().map(|signal| 128 + signal);
            return status.code().or(by_signal).unwrap_or(-1);
        }
        let pid = running.instance.pid;
        let ending = self.inner.launcher.ending(&self.folder);
        let told = ending.filter(|ending| ending.pid == pid);
        told.map(|ending| ending.code)
            .or_else(|| running.handle.exit_code())
            .unwrap_or(-1)
    }

    fn failed(&self, error: String) {
        tracing::warn!(profile = %self.alias, "{error}");
        self.record(Observed::Failed(error));
    }

    fn record(&self, observed: Observed) {
        if let Err(error) = self.inner.record(&self.alias, observed) {
            tracing::error!(profile = %self.alias, "what became of the proxy is not recorded: {error}");
        }
    }
}

/// Ends one that serves nobody yet.
fn end_now(launcher: &dyn super::Launcher, folder: &std::path::Path, child: &mut Child) {
    let asked = launcher.stop(folder, child.id());
    let deadline = Instant::now() + ENDS_AT_ONCE_WITHIN;
    while asked.is_ok() && Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    // One that is gone already is as good.
    let _ = child.kill();
    let _ = child.wait();
}

fn kill(handle: &ProcessHandle) {
    let identity = handle.identity();
    let pid = i32::try_from(identity.pid).ok();
    let pid = pid.and_then(rustix::process::Pid::from_raw);
    // Not another one with the same number.
    if let (Some(pid), true) = (pid, identity.is_alive()) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// An error and its causes.
pub(super) fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// The end of a supervisor's thread is waited for by nobody: it may be in the middle of a stop.
pub(super) fn spawn(inner: Arc<Inner>, alias: Alias, told: Receiver<Message>) -> io::Result<()> {
    let supervisor = Supervisor::new(inner, alias);
    std::thread::Builder::new()
        .name("proxy".to_owned())
        .spawn(move || supervisor.run(&told))
        .map(drop)
}
