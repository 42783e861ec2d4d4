use crate::context::Context;
use crate::event_line::EventLines;
use crate::failure::{Failure, NOT_REACHABLE};
use crate::output::note;
use clap::Args;
use clown_client::{
    DisconnectReason, EventStream, Gap, Since, StreamItem, StreamOptions, Unreadable,
};
use std::process::ExitCode;

/// What a program that was interrupted exits with.
const INTERRUPTED: u8 = 130;

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) selection: EventSelection,
    /// Begin in the past: after this event's number, this long ago, or at this time
    #[arg(long, value_name = "SEQ|DUR|TIME")]
    since: Option<Since>,
}

/// Flags that `watch` and `events` share.
#[derive(Debug, Args)]
pub(crate) struct EventSelection {
    /// Only these events: names, or prefixes such as Profile*
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Only what concerns these profiles
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = crate::cli::alias)]
    pub(crate) profile: Vec<String>,
}

/// Prints each event as it happens, until interrupted.
pub(crate) async fn watch(context: &Context, args: WatchArgs) -> anyhow::Result<ExitCode> {
    // Before the daemon is started, so that an interrupt at any time ends this the same way.
    let interrupted = tokio::signal::ctrl_c();
    tokio::select! {
        biased;
        _ = interrupted => Ok(ExitCode::from(INTERRUPTED)),
        outcome = follow(context, args) => outcome,
    }
}

async fn follow(context: &Context, args: WatchArgs) -> anyhow::Result<ExitCode> {
    context.daemon().await?;
    let options = StreamOptions {
        events: args.selection.events,
        profiles: args.selection.profile,
        since: args.since,
        keepalive: true,
        ..StreamOptions::default()
    };
    let mut stream = EventStream::new(context.discovery(), options);
    let mut lines = EventLines::new(context.output);
    let mut told = Told::default();
    loop {
        match stream.next().await? {
            StreamItem::Event(received) if context.output.is_json() => {
                context.output.line(&received.text)?;
            }
            StreamItem::Event(received) => lines.print(&received.envelope)?,
            StreamItem::Disconnected { reason, .. } if !told.was_connected => {
                return Err(not_reachable(reason));
            }
            other => told.tell(&other),
        }
    }
}

fn not_reachable(reason: DisconnectReason) -> anyhow::Error {
    let failure = Failure::new(NOT_REACHABLE, "the event stream could not be had");
    match reason {
        DisconnectReason::Unavailable(error) => anyhow::Error::new(error),
        other => anyhow::Error::new(other).context(failure),
    }
}

/// What has been said on stderr about the connection.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) was_connected: bool,
    is_away: bool,
}

impl Told {
    /// Says once that the connection is gone and once that it is back, and tells each gap.
    pub(crate) fn tell(&mut self, item: &StreamItem) {
        match item {
            StreamItem::Connected { address, since } => {
                if self.is_away {
                    note(format_args!(
                        "clown: connected to {address} again, going on after {since}"
                    ));
                }
                self.was_connected = true;
                self.is_away = false;
            }
            StreamItem::Disconnected { reason, .. } => {
                if !self.is_away {
                    let reason = crate::table::printable(&reason.to_string());
                    note(format_args!(
                        "clown: {reason}; trying again until it is back"
                    ));
                }
                self.is_away = true;
            }
            StreamItem::Gap(Gap {
                since,
                oldest,
                latest,
                ..
            }) => note(format_args!(
                "clown: what happened between {since} and {oldest} is no longer kept, and is missing here \
                 (the latest is {latest})"
            )),
            StreamItem::Unreadable(Unreadable { text, error, .. }) => note(format_args!(
                "clown: this version cannot read an event ({error}): {}",
                crate::table::printable(text)
            )),
            _ => {}
        }
    }
}
