use crate::context::Context;
use crate::event::args::{EventArgs, help_of_events};
use crate::event::check::Source;
use crate::event::handler::{Ended, Handler};
use crate::event::replay::{latest, replay};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// How many of the latest events are shown where nothing else was asked for.
const LATEST: u64 = 50;

/// Which events of the past.
///
/// Without --since these are the latest, 50 or as many as --count says; with it all that came after,
/// or the first as many.
#[derive(Debug, Args)]
#[command(after_long_help = help_of_events!("\
Examples:
  clown events
  clown events --since 1h --events 'Profile*,ProxyError' --profile work
  clown events --since 7d --until 1d --json | jq -r .type | sort | uniq -c
  clown events --since 1d --events ProfileStopped --format '{date} {time} {alias} {data.exit_code}'
  clown events --since 1767868200123456 --strict --json > missed.jsonl
  clown events --since 10m --exit-on ProxyError >/dev/null && echo 'a proxy had trouble'"))]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    events: EventArgs,
}

/// Prints events of the past, oldest first.
pub(crate) async fn events(context: &Context, args: EventsArgs) -> anyhow::Result<ExitCode> {
    let args = args.events;
    args.check(Source::Past, context.output.is_json())?;
    let mut handler = Handler::new(&args, context.output);
    let ended = within(args.timeout, print(context, &args, &mut handler)).await?;
    handler.finish(ended)
}

async fn print(
    context: &Context,
    args: &EventArgs,
    handler: &mut Handler<'_>,
) -> anyhow::Result<Ended> {
    let client = context.daemon().await?;
    match args.since {
        Some(since) => replay(&client, args, since, args.until, handler).await,
        None => latest(&client, args, args.count.unwrap_or(LATEST), handler).await,
    }
}

/// What came of it, or that the time was over first.
pub(crate) async fn within(
    limit: Option<Duration>,
    work: impl Future<Output = anyhow::Result<Ended>>,
) -> anyhow::Result<Ended> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Ok(Ended::OutOfTime)),
        None => work.await,
    }
}
