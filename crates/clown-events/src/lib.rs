#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod client;
mod control;
mod duration;
mod envelope;
mod error;
mod event;
mod filter;
mod kind;
mod payload;
mod server_message;
mod timestamp;
mod usd;

pub use client::{ClientError, ClientMessage, ErrorCode};
pub use control::{ControlEnvelope, ControlMessage};
pub use duration::parse_duration;
pub use envelope::{Envelope, MAX_SEQ, append_seq, write_sequenced};
pub use error::ParseError;
pub use event::{Event, UnknownEvent};
pub use filter::{EventPattern, Filter, FilterError, MAX_NAMES};
pub use kind::{EventGroup, EventKind, UnknownKind};
pub use payload::{
    AgentDetected, AgentUpdated, Cost, DaemonShuttingDown, DaemonStarted, ProfileCreated,
    ProfileDeleted, ProfileStarted, ProfileStopped, ProfileUpdated, ProxyError, ProxyStarted,
    ProxyStopped, RegistrySyncCompleted, RegistrySyncFailed, RegistrySyncStarted, ShutdownReason,
    Tokens, UsageImported, UsageUpdated,
};
pub use server_message::ServerMessage;
pub use timestamp::{Timestamp, TimestampError};
pub use usd::{Usd, UsdError};
