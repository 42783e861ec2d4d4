//! How an agent is started under a profile: its environment, and what its own configuration files
//! have to say.
//!
//! [`plan`] is pure. [`apply`] is the part that touches files.

mod document;
mod error;
mod mcp;
mod merge;
mod plan;
mod written;

pub use error::{LaunchError, MergeError};
pub use mcp::McpServer;
pub use merge::{FileChange, MemberChange, apply, preview};
pub use plan::{LaunchInput, addresses, addresses_of, check, effective_model, plan, shared_format};

use crate::agents::FileKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What a run needs.
#[derive(Clone, PartialEq)]
pub struct LaunchPlan {
    /// Over the caller's environment; None unsets a variable.
    pub env: BTreeMap<String, Option<String>>,
    /// The agent's arguments.
    pub args: Vec<String>,
    /// The folder that the agent keeps its things in for this profile.
    pub home: PathBuf,
    /// Folders that must be there, below the home.
    pub folders: Vec<String>,
    /// What has to stand in the agent's files, by path below the home.
    pub files: BTreeMap<String, FileMerge>,
}

/// Changes to one of an agent's files.
#[derive(Debug, Clone, PartialEq)]
pub struct FileMerge {
    /// How it is written.
    pub kind: FileKind,
    /// What has to stand in it.
    pub members: Vec<Member>,
}

/// One thing that has to stand in a file.
#[derive(Clone, PartialEq)]
pub struct Member {
    /// The names on the way to it.
    pub at: Vec<String>,
    /// What has to stand there.
    pub wanted: Wanted,
    /// Whether it is not to be shown to anybody.
    pub secret: bool,
}

/// What has to stand at a place of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// This value. An empty table stands for any table.
    Value(Value),
    /// A list that holds this among other things.
    Element(Value),
}

/// Names only: values hold keys.
impl fmt::Debug for LaunchPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LaunchPlan")
            .field("env", &self.env.keys())
            .field("args", &self.args.len())
            .field("home", &self.home)
            .field("folders", &self.folders)
            .field("files", &self.files)
            .finish()
    }
}

/// Without what is not to be shown.
impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut member = formatter.debug_struct("Member");
        member.field("at", &self.at);
        if self.secret {
            return member.finish_non_exhaustive();
        }
        member.field("wanted", &self.wanted).finish()
    }
}

#[cfg(test)]
mod caller_tests;
#[cfg(test)]
mod mcp_tests;
#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod proposal_tests;
#[cfg(test)]
mod told_tests;
