//! How an instance is steered: over a Unix socket in its folder, a JSON line each way.
//!
//! Each end asks the kernel who the other is, and speaks to its own user only.

pub mod client;
pub(crate) mod server;

use crate::config::Configuration;
use crate::serve::Health;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What an instance is asked. It holds keys where it says how to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Work by this from now on. One that does not listen yet does so then, on the assignment's
    /// port; one that does keeps its port.
    Work(Box<Assignment>),
    /// Where it stands.
    Tell,
    /// Take nothing new, and end when what is open has ended.
    Stop,
}

/// What an instance is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The port; 0 is any free one.
    pub port: u16,
    /// What it works by.
    pub configuration: Configuration,
}

/// What an instance answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It listens on this port, and works as it was told.
    Works {
        /// The port.
        port: u16,
    },
    /// Another program has the port.
    PortInUse {
        /// The port.
        port: u16,
    },
    /// It cannot do that.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// Where it stands.
    Stands {
        /// Its process.
        pid: u32,
        /// What it does; none before it was told.
        works: Option<Box<Assignment>>,
        /// How its targets stand.
        #[serde(default)]
        health: Health,
    },
    /// It is about to end.
    Stops,
}

/// The socket in an instance's folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("control")
}

/// A line beyond this is no message.
const MAX_LINE: usize = 4 << 20;
