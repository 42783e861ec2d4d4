//! The process: it claims its folder, listens to whoever steers it, serves, and leaves word of its
//! end.

use crate::control::server::{self, Steered};
use crate::control::{self, Ask, Assignment, Told};
use crate::serve::{Service, listen};
use crate::spool::Spool;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;

/// How often it looks whether it is still wanted.
const LOOK: Duration = Duration::from_secs(30);

/// What an instance leaves in its folder for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its process.
    pub pid: u32,
    /// Its port, once it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The code that it ended with; none while it runs, and when it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whether whoever steers it wanted the end.
    #[serde(default)]
    pub asked: bool,
}

impl Note {
    /// The one in `folder`, if there is one.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let beside = folder.join(format!("{NOTE}.new"));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(beside, folder.join(NOTE))
    }
}

const NOTE: &str = "instance.json";
const LOCK: &str = "lock";

/// Whether an instance lives in `folder`: it holds its lock for as long.
pub fn lives(folder: &Path) -> io::Result<bool> {
    match OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join(LOCK))
    {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An instance cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// Its folder cannot be used.
    #[error("cannot use the folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is one already.
    #[error("a proxy instance lives in {} already", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
}

/// How a signal ends it, as far as others are concerned.
const BY_SIGNAL: i32 = 128;

/// Runs the instance of `folder` until it is told to stop, and gives its exit code. `ready` is called
/// when it can be steered.
pub async fn run(folder: &Path, ready: impl FnOnce()) -> Result<i32, InstanceError> {
    let failed = |source| InstanceError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let lock = claim(folder)?;
    let mut note = Note {
        pid: std::process::id(),
        port: None,
        exit_code: None,
        asked: false,
    };
    note.write(folder).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    // A file that may not grow is then an error of the write, as a full disk is.
    let _file_size = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let listener = listen_for_steering(folder).map_err(failed)?;
    let (stop, mut stopped) = watch::channel(false);
    let steered = Arc::new(Instance {
        folder: folder.to_owned(),
        work: AsyncMutex::new(None),
        serving: Mutex::new(None),
        stop,
    });
    let steering = tokio::spawn(server::serve(listener, Arc::clone(&steered)));
    ready();
    let code = loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {
                note.asked = true;
                break 0;
            }
            _ = terminate.recv() => break BY_SIGNAL + 15,
            _ = interrupt.recv() => break BY_SIGNAL + 2,
            // It has no terminal that could be gone.
            _ = hangup.recv() => {}
            () = tokio::time::sleep(LOOK) => {
                // Whoever started it has gone, if it has nothing to do yet.
                if steered.is_idle() {
                    tracing::warn!("nobody has said what to do");
                    break 1;
                }
                if !is_own(folder, &lock) {
                    tracing::warn!("the folder {} is gone", folder.display());
                    break 1;
                }
            }
        }
    };
    steered.stop.send_replace(true);
    let serving = steered
        .serving
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some((port, serving)) = serving {
        note.port = Some(port);
        if let Ok(false) = serving.await {
            tracing::warn!("requests were cut off: they took longer than is waited for");
        }
    }
    steering.abort();
    note.exit_code = Some(code);
    // Without it, whoever looks is told that nobody knows the code.
    if let Err(error) = note.write(folder) {
        tracing::warn!("cannot leave word of the end: {error}");
    }
    let _ = fs::remove_file(control::socket(folder));
    drop(lock);
    Ok(code)
}

fn claim(folder: &Path) -> Result<File, InstanceError> {
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(folder.join(LOCK));
    let failed = |source| InstanceError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let lock = opened.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(InstanceError::Taken {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether the lock that is held is still the folder's.
fn is_own(folder: &Path, lock: &File) -> bool {
    let there = fs::metadata(folder.join(LOCK));
    match (there, lock.metadata()) {
        (Ok(there), Ok(held)) => (there.dev(), there.ino()) == (held.dev(), held.ino()),
        _ => false,
    }
}

/// A socket's name is short: it is bound from within the folder, and nothing else here goes by where
/// the process stands.
fn listen_for_steering(folder: &Path) -> io::Result<UnixListener> {
    std::env::set_current_dir(folder)?;
    let name = control::socket(Path::new(""));
    match fs::remove_file(&name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(name)
}

struct Instance {
    folder: PathBuf,
    /// One assignment at a time.
    work: AsyncMutex<Option<Work>>,
    serving: Mutex<Option<(u16, JoinHandle<bool>)>>,
    stop: watch::Sender<bool>,
}

struct Work {
    service: Service,
    port: u16,
}

impl Instance {
    fn is_idle(&self) -> bool {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        serving.is_none()
    }

    async fn work(&self, assignment: Assignment) -> Told {
        let mut work = self.work.lock().await;
        let refused = |reason: String| Told::Refused { reason };
        let Assignment {
            port,
            configuration,
        } = assignment;
        if let Some(work) = &*work {
            return match work.service.apply(configuration) {
                Ok(()) => Told::Works { port: work.port },
                Err(reason) => refused(reason),
            };
        }
        if *self.stop.borrow() {
            return refused("it is about to end".to_owned());
        }
        let listener = match listen(port).await {
            Ok(listener) => listener,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Told::PortInUse { port };
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return refused(format!(
                    "you may not listen on port {port}: choose one above 1023"
                ));
            }
            Err(error) => return refused(format!("port {port} cannot be used: {error}")),
        };
        let port = match listener.local_addr() {
            Ok(address) => address.port(),
            Err(error) => return refused(format!("port {port} cannot be used: {error}")),
        };
        let spool = match Spool::open(&self.folder) {
            Ok(spool) => spool,
            Err(error) => {
                let folder = self.folder.display();
                return refused(format!("nothing can be metered into {folder}: {error}"));
            }
        };
        let service = match Service::new(configuration, spool) {
            Ok(service) => service,
            Err(reason) => return refused(reason),
        };
        let note = Note {
            pid: std::process::id(),
            port: Some(port),
            exit_code: None,
            asked: false,
        };
        if let Err(error) = note.write(&self.folder) {
            return refused(format!(
                "cannot write in {}: {error}",
                self.folder.display()
            ));
        }
        let (serving, stop) = (service.clone(), self.stop.subscribe());
        let serving = tokio::spawn(async move { serving.serve(listener, stop).await });
        let mut place = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((port, serving));
        *work = Some(Work { service, port });
        Told::Works { port }
    }
}

impl Steered for Instance {
    async fn asked(&self, ask: Ask) -> Told {
        match ask {
            Ask::Work(assignment) => self.work(*assignment).await,
            Ask::Tell => {
                let work = self.work.lock().await;
                let works = work.as_ref().map(|work| {
                    Box::new(Assignment {
                        port: work.port,
                        configuration: work.service.configuration(),
                    })
                });
                let health = work.as_ref().map(|work| work.service.health());
                Told::Stands {
                    pid: std::process::id(),
                    works,
                    health: health.unwrap_or_default(),
                }
            }
            Ask::Stop => {
                self.stop.send_replace(true);
                Told::Stops
            }
        }
    }
}
