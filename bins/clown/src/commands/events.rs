use crate::commands::watch::EventSelection;
use crate::context::Context;
use crate::event_line::EventLines;
use clap::Args;
use clown_client::{Client, EventQuery, HistoryPage, Since};
use clown_events::Envelope;
use std::collections::VecDeque;
use std::time::Duration;

/// How many of the latest events are shown where nothing else was asked for.
const LATEST: usize = 50;

/// How many events are asked for at once.
const PAGE: u32 = 2000;

/// Which events of the past.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    selection: EventSelection,
    /// Only after this event's number, this long ago, or this time
    #[arg(long, value_name = "SEQ|DUR|TIME")]
    since: Option<Since>,
    /// Only up to this event's number, this long ago, or this time
    #[arg(long, value_name = "SEQ|DUR|TIME")]
    until: Option<Since>,
    /// At most this many: the first ones after --since, else the latest [default: all after --since, else 50]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Prints events of the past, oldest first.
pub(crate) async fn events(context: &Context, args: EventsArgs) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let mut printer = Printer {
        context,
        lines: EventLines::new(context.output),
    };
    match args.since {
        Some(since) => {
            let mut pages = Pages::new(&client, &args, since);
            let mut left = args.limit.unwrap_or(usize::MAX);
            while left > 0
                && let Some(page) = pages.next().await?
            {
                for envelope in page.into_iter().take(left) {
                    left -= 1;
                    printer.print(&envelope)?;
                }
            }
            Ok(())
        }
        None => {
            let latest = latest(&client, &args, args.limit.unwrap_or(LATEST)).await?;
            latest
                .iter()
                .try_for_each(|envelope| printer.print(envelope))
        }
    }
}

/// The last events. The daemon gives history forwards, so this looks at a short past first, and
/// at all of it only if that holds too few.
async fn latest(
    client: &Client,
    args: &EventsArgs,
    limit: usize,
) -> anyhow::Result<VecDeque<Envelope>> {
    const HOUR: Duration = Duration::from_secs(60 * 60);

    let mut latest = VecDeque::new();
    for since in [Since::Ago(HOUR), Since::Ago(24 * HOUR), Since::Seq(0)] {
        latest.clear();
        let mut pages = Pages::new(client, args, since);
        while let Some(page) = pages.next().await? {
            latest.extend(page);
            latest.drain(..latest.len().saturating_sub(limit));
        }
        if latest.len() == limit {
            break;
        }
    }
    Ok(latest)
}

struct Printer<'a> {
    context: &'a Context,
    lines: EventLines,
}

impl Printer<'_> {
    fn print(&mut self, envelope: &Envelope) -> anyhow::Result<()> {
        if self.context.output.is_json() {
            self.context.output.line(serde_json::to_string(envelope)?)
        } else {
            self.lines.print(envelope)
        }
    }
}

/// The history, page by page.
struct Pages<'a> {
    client: &'a Client,
    query: EventQuery,
    is_over: bool,
}

impl<'a> Pages<'a> {
    fn new(client: &'a Client, args: &EventsArgs, since: Since) -> Self {
        let query = EventQuery {
            since: Some(since),
            until: args.until,
            limit: Some(PAGE),
            events: args.selection.events.clone(),
            profiles: args.selection.profile.clone(),
        };
        Self {
            client,
            query,
            is_over: false,
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Vec<Envelope>>> {
        if self.is_over {
            return Ok(None);
        }
        let HistoryPage { items, next, .. } = self.client.events(&self.query).await?;
        self.query.since = Some(Since::Seq(next));
        self.is_over = items.is_empty();
        Ok(Some(
            items
                .into_iter()
                .flatten()
                .map(|item| item.envelope)
                .collect(),
        ))
    }
}
