//! The seam to instances: processes of another program, which are steered over a socket. Who knows
//! that program (`clownd`) is given to the domain.

use crate::keys::Secret;
use crate::providers::{Format, KeyAuth};
use clown_routes::Rules;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Child;

/// Starts and steers instances, each in a folder of its own. Every call blocks, for seconds at most.
pub trait Launcher: fmt::Debug + Send + Sync {
    /// Starts the instance of `folder`, and returns once it can be steered. It listens nowhere yet.
    fn launch(&self, folder: &Path) -> io::Result<Child>;

    /// Has the instance of `folder`, which is the process `pid`, work by `plan` from now on. One that
    /// listens nowhere begins to on `port`, 0 for any free one.
    fn work(&self, folder: &Path, pid: u32, port: u16, plan: &Plan) -> io::Result<Worked>;

    /// How its targets stand.
    fn health(&self, folder: &Path, pid: u32) -> io::Result<Health>;

    /// Asks it to end when what is open has ended.
    fn stop(&self, folder: &Path, pid: u32) -> io::Result<()>;

    /// The instance that lives in `folder`, whoever has started it.
    fn find(&self, folder: &Path) -> io::Result<Option<Found>>;

    /// What the last one in `folder` has left word of.
    fn ending(&self, folder: &Path) -> Option<Ending>;

    /// Whether the process `pid` answers its health check on `port`.
    fn is_healthy(&self, port: u16, pid: u32) -> bool;

    /// Who listens on a port, for people, where that can be told.
    fn port_owner(&self, port: u16) -> Option<String>;
}

/// What became of an order to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// It works, on this port.
    On(u16),
    /// Another program has the port.
    PortInUse,
    /// It cannot, for this reason.
    Refused(String),
}

/// An instance that lives.
#[derive(Debug)]
pub struct Found {
    /// Its process.
    pub pid: u32,
    /// Its port and what it works by; None if it was not told yet.
    pub works: Option<(u16, Plan)>,
}

/// How an instance has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Its process.
    pub pid: u32,
    /// Its code.
    pub code: i32,
    /// Whether it was asked to.
    pub asked: bool,
}

/// What an instance works by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The profile.
    pub profile: String,
    /// Its agent.
    pub agent: String,
    /// Its provider.
    pub provider: String,
    /// The only key that is taken.
    pub local_key: Secret,
    /// How the provider is asked.
    pub upstream: Upstream,
    /// The other providers that rules name, by id.
    pub others: BTreeMap<String, Upstream>,
    /// Who takes which request.
    pub rules: Rules,
    /// The profile's model for small requests.
    pub small_model: Option<String>,
    /// Whether the profile has used up its budget.
    pub over_budget: bool,
}

/// How a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its keys, which take turns; none where none is wanted.
    pub keys: Vec<Secret>,
    /// How requests carry them.
    pub auth: KeyAuth,
    /// Its base address for each format.
    pub bases: BTreeMap<Format, String>,
}

/// How the targets of an instance stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Those that have failed again and again, and are left alone for a while.
    pub targets: Vec<TargetHealth>,
    /// Why nobody could answer a request, while nobody has since.
    pub trouble: Option<String>,
}

/// A target that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// `provider/model`.
    pub target: String,
    /// `open`, or `half-open`: the next request tries it.
    pub state: String,
    /// For how many more seconds.
    pub seconds: u64,
    /// What went wrong last.
    pub error: String,
}

/// Starts nothing, and says so: for programs that want no other processes.
#[derive(Debug, Clone, Copy)]
pub struct NoLauncher;

impl Launcher for NoLauncher {
    fn launch(&self, _folder: &Path) -> io::Result<Child> {
        Err(none())
    }

    fn work(&self, _folder: &Path, _pid: u32, _port: u16, _plan: &Plan) -> io::Result<Worked> {
        Err(none())
    }

    fn stop(&self, _folder: &Path, _pid: u32) -> io::Result<()> {
        Err(none())
    }

    fn health(&self, _folder: &Path, _pid: u32) -> io::Result<Health> {
        Err(none())
    }

    fn find(&self, _folder: &Path) -> io::Result<Option<Found>> {
        Ok(None)
    }

    fn ending(&self, _folder: &Path) -> Option<Ending> {
        None
    }

    fn is_healthy(&self, _port: u16, _pid: u32) -> bool {
        false
    }

    fn port_owner(&self, _port: u16) -> Option<String> {
        None
    }
}

fn none() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this program starts no proxy instances",
    )
}
