use crate::commands::events::within;
use crate::commands::usage::budget::Warnings;
use crate::context::Context;
use crate::event::ahead::Ahead;
use crate::event::args::{EventArgs, help_of_events};
use crate::event::check::Source;
use crate::event::handler::{Ended, Handler};
use crate::event::replay::replay;
use crate::failure::{Failure, NOT_REACHABLE, USAGE};
use crate::output::{self, note};
use crate::table::printable;
use clap::Args;
use clown_client::{
    Client, DisconnectReason, EventStream, Received, Since, StreamItem, StreamOptions,
};
use clown_events::{Event, Timestamp};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::sleep;

/// Which events.
#[derive(Debug, Args)]
#[command(after_long_help = help_of_events!("\
Examples:
  clown watch
  clown watch --events 'Profile*,ProxyError' --profile work --since 10m
  clown watch --json | jq -c 'select(.type == \"ProfileStopped\") | .data'
  clown watch --events ProfileStopped --format '{time} {alias} {data.exit_code}'
  clown watch --exit-on ProfileStopped:alias=work --timeout 30m && echo 'work has ended'
  clown watch --events ProxyError --exec 'jq -r .data.error >> proxy-errors.txt'
  clown watch --since 1767868200123456 --strict --show-seq
  clown watch --since 1h --until now --count 100"))]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    events: EventArgs,
}

/// Prints each event as it happens, until it is enough or interrupted.
pub(crate) async fn watch(context: &Context, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let args = args.events;
    args.check(Source::Live, context.output.is_json())?;
    // Before the daemon is started, so that an interrupt at any time ends this the same way.
    let interrupted = tokio::signal::ctrl_c();
    let mut handler = Handler::new(&args, context.output);
    let ended = tokio::select! {
        biased;
        _ = interrupted => Ended::Interrupted,
        // Without a reader it would keep the daemon awake for nobody.
        () = output::reader_gone() => return Ok(ExitCode::SUCCESS),
        ended = within(args.timeout, follow(context, &args, &mut handler)) => ended?,
    };
    handler.finish(ended)
}

async fn follow(
    context: &Context,
    args: &EventArgs,
    handler: &mut Handler<'_>,
) -> anyhow::Result<Ended> {
    let client = context.daemon().await?;
    let bound = Bound::of(args, &client).await?;
    if let Bound::Past(until) = bound {
        let since = args.since.ok_or_else(|| {
            let why = "--until has gone by already; say with --since where to begin";
            Failure::new(USAGE, why)
        })?;
        return replay(&client, args, since, Some(until), handler).await;
    }
    let options = StreamOptions {
        events: args.events.clone(),
        profiles: args.profile.clone(),
        since: args.since,
        keepalive: true,
        ..StreamOptions::default()
    };
    let mut stream = Ahead::new(EventStream::new(context.discovery(), options));
    let mut told = Told::default();
    let mut warnings = Warnings::default();
    loop {
        let item = tokio::select! {
            biased;
            item = stream.next() => item?,
            () = bound.over() => return rest(&client, args, &stream, bound, handler).await,
        };
        match item {
            StreamItem::Event(received) => {
                if bound.is_before(&received) {
                    return Ok(Ended::Done);
                }
                let ended = stream.during(handler.event(&received)).await?;
                if matches!(received.envelope.event, Event::UsageUpdated(_)) {
                    Box::pin(stream.during(warnings.look(&client))).await;
                }
                if let Some(ended) = ended.or_else(|| bound.ends_at(received.envelope.seq)) {
                    return Ok(ended);
                }
            }
            StreamItem::Cursor(seq) => {
                if let Some(ended) = bound.ends_at(Some(seq)) {
                    return Ok(ended);
                }
            }
            StreamItem::Gap(gap) => handler.gap(&gap)?,
            StreamItem::Unreadable(item) => handler.unreadable(&item)?,
            StreamItem::Disconnected { reason, .. } if !told.was_connected => {
                return Err(not_reachable(reason));
            }
            other => told.tell(&other),
        }
    }
}

/// What was committed before the clock passed --until and did not come through the stream yet.
async fn rest(
    client: &Client,
    args: &EventArgs,
    stream: &Ahead,
    bound: Bound,
    handler: &mut Handler<'_>,
) -> anyhow::Result<Ended> {
    match (stream.last_seq(), bound) {
        (Some(last), Bound::Time(time)) => {
            let (since, until) = (Since::Seq(last), Some(Since::Time(time)));
            replay(client, args, since, until, handler).await
        }
        _ => Ok(Ended::Done),
    }
}

/// Where --until ends the stream.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Never,
    /// In what is history already.
    Past(Since),
    Seq(u64),
    Time(Timestamp),
}

impl Bound {
    async fn of(args: &EventArgs, client: &Client) -> anyhow::Result<Self> {
        let now = Timestamp::now();
        Ok(match args.until.map(|until| until.pinned(now)) {
            None => Self::Never,
            Some(Since::Now) => Self::Past(Since::Seq(client.state().await?.seq)),
            Some(Since::Seq(seq)) if client.state().await?.seq < seq => Self::Seq(seq),
            Some(Since::Time(time)) if time > now => Self::Time(time),
            Some(past) => Self::Past(past),
        })
    }

    /// Whether this event is not wanted any more.
    fn is_before(self, received: &Received) -> bool {
        match self {
            Self::Never | Self::Past(_) => false,
            Self::Seq(last) => received.envelope.seq > Some(last),
            Self::Time(last) => received.envelope.timestamp > last,
        }
    }

    /// Whether nothing can come after this number.
    fn ends_at(self, seq: Option<u64>) -> Option<Ended> {
        match self {
            Self::Seq(last) if seq >= Some(last) => Some(Ended::Done),
            _ => None,
        }
    }

    /// Waits until the clock has passed the bound, if it is one of time. The clock may be set, and
    /// the machine may sleep, so it is looked at now and then.
    async fn over(self) {
        const LOOK_EVERY: Duration = Duration::from_secs(1);

        let Self::Time(last) = self else {
            return std::future::pending().await;
        };
        loop {
            let left = last.unix_millis() - Timestamp::now().unix_millis();
            let Ok(left @ 0..) = u64::try_from(left) else {
                return;
            };
            sleep(LOOK_EVERY.min(Duration::from_millis(left + 1))).await;
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
struct Told {
    was_connected: bool,
    is_away: bool,
}

impl Told {
    /// Says once that the connection is gone and once that it is back.
    fn tell(&mut self, item: &StreamItem) {
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
                    let reason = printable(&reason.to_string());
                    note(format_args!(
                        "clown: {reason}; trying again until it is back"
                    ));
                }
                self.is_away = true;
            }
            _ => {}
        }
    }
}
