use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measures the event stream beside its rivals, and says which targets are met.
#[derive(Debug, Parser)]
#[command(name = "clown-bench", max_term_width = 100)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) serve: Option<Serve>,

    /// Only these scenarios (burst, fanout, filtered, stalled, idle, commit, latency, replay, state)
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Only these servers (clown, raw, tungstenite, ws, socketify, websockets); then it is not the
    /// full comparison
    #[arg(long, value_delimiter = ',')]
    pub(crate) servers: Vec<String>,

    /// How often each server is measured
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// Clients of a burst
    #[arg(long, default_value_t = 100)]
    pub(crate) clients: usize,

    /// Events of a burst
    #[arg(long, default_value_t = 10_000)]
    pub(crate) events: u64,

    /// Events of the replay
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) retained: u64,

    /// Events in one commit of a burst
    #[arg(long, default_value_t = 500)]
    pub(crate) batch: u64,

    /// Idle connections whose memory is measured
    #[arg(long, default_value_t = 2_000)]
    pub(crate) idle: usize,

    /// Idle connections that are held for longer than a ping takes
    #[arg(long, default_value_t = 10_000)]
    pub(crate) held: usize,

    /// Where ws, socketify and websockets are installed
    #[arg(long, default_value = "target/bench")]
    pub(crate) rivals: PathBuf,

    /// Write docs/performance-data.jsonl and the tables of docs/performance.md
    #[arg(long)]
    pub(crate) record: bool,
}

/// Something else than the event stream; the servers are started by the benchmark itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Measure the count of usage beside its rivals
    Usage(UsageFlags),
    /// Make a folder as Claude Code fills it, and say what it holds
    Corpus {
        folder: PathBuf,
        /// About how large
        #[arg(long, default_value_t = 1024)]
        mebibytes: u64,
        /// Answers and nothing else, so that there are many
        #[arg(long)]
        lean: bool,
    },
    /// Clown's own store, bus and server, told by its standard input what to publish
    #[command(hide = true)]
    Clown {
        #[arg(long)]
        state_dir: PathBuf,
        /// Sync the disk at each commit
        #[arg(long)]
        power: bool,
        #[arg(long)]
        batch: u64,
    },
    /// Raw sockets that get ready-made frames
    #[command(hide = true)]
    Raw {
        #[arg(long)]
        events: u64,
    },
    /// tokio-tungstenite with a send for each event and client
    #[command(hide = true)]
    Tungstenite {
        #[arg(long)]
        events: u64,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct UsageFlags {
    /// How large the corpus is
    #[arg(long, default_value_t = 1024)]
    pub(crate) mebibytes: u64,
    /// How often each program is measured
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Answers in the long history
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) history: u64,
    /// Where ccusage is installed, and the corpus is made
    #[arg(long, default_value = "target/bench")]
    pub(crate) rivals: PathBuf,
    /// Write docs/usage-performance-data.jsonl and the tables of docs/usage-performance.md
    #[arg(long)]
    pub(crate) record: bool,
}
