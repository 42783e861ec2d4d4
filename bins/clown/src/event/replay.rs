use super::args::EventArgs;
use super::handler::{Ended, Handler};
use clown_client::{Client, EventQuery, HistoryPage, Received, Since, Unreadable};
use std::collections::VecDeque;
use std::time::Duration;

/// How many events are asked for at once.
const PAGE: u64 = 2000;

/// Treats what happened after `since` and up to `until`, oldest first.
pub(crate) async fn replay(
    client: &Client,
    args: &EventArgs,
    since: Since,
    until: Option<Since>,
    handler: &mut Handler<'_>,
) -> anyhow::Result<Ended> {
    let mut pages = Pages::new(client, args, since, until, args.count);
    let mut is_first = true;
    loop {
        let begin = pages.query.since;
        let Some(page) = pages.next().await? else {
            return Ok(Ended::Done);
        };
        // Asked after the page: events that are there now were not trimmed while it was read.
        if let Some(Since::Seq(seq)) = begin
            && seq != 0
            && (is_first || (args.strict && !page.is_empty()))
        {
            match client.gap_after(seq).await {
                Ok(Some(gap)) => handler.gap(&gap)?,
                Err(error) if args.strict => return Err(error.into()),
                // Events that can be had are worth more than the word that none is missing.
                Ok(None) | Err(_) => {}
            }
        }
        is_first = false;
        if let Some(ended) = treat(&page, handler).await? {
            return Ok(ended);
        }
    }
}

/// Treats the last `count` events up to `until`. The daemon gives history forwards, so this looks at
/// a short past first, and at all of it only if that holds too few.
pub(crate) async fn latest(
    client: &Client,
    args: &EventArgs,
    count: u64,
    handler: &mut Handler<'_>,
) -> anyhow::Result<Ended> {
    const HOUR: Duration = Duration::from_secs(60 * 60);

    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut latest = VecDeque::new();
    for since in [Since::Ago(HOUR), Since::Ago(24 * HOUR), Since::Seq(0)] {
        latest.clear();
        let mut pages = Pages::new(client, args, since, args.until, None);
        while let Some(page) = pages.next().await? {
            latest.extend(page);
            latest.drain(..latest.len().saturating_sub(count));
        }
        if latest.len() == count {
            break;
        }
    }
    let ended = treat(latest.make_contiguous(), handler).await?;
    Ok(ended.unwrap_or(Ended::Done))
}

async fn treat(
    items: &[Result<Received, Unreadable>],
    handler: &mut Handler<'_>,
) -> anyhow::Result<Option<Ended>> {
    handler.expect(items.iter().flatten());
    for item in items {
        match item {
            Ok(received) => {
                if let Some(ended) = handler.event(received).await? {
                    return Ok(Some(ended));
                }
            }
            Err(item) => handler.unreadable(item)?,
        }
    }
    Ok(None)
}

/// The history, page by page.
struct Pages<'a> {
    client: &'a Client,
    query: EventQuery,
    is_over: bool,
}

impl<'a> Pages<'a> {
    fn new(
        client: &'a Client,
        args: &EventArgs,
        since: Since,
        until: Option<Since>,
        wanted: Option<u64>,
    ) -> Self {
        let mut query = args.query(since, until);
        // Fits, as it is no more than a page.
        query.limit = u32::try_from(wanted.map_or(PAGE, |wanted| wanted.min(PAGE))).ok();
        Self {
            client,
            query,
            is_over: false,
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Vec<Result<Received, Unreadable>>>> {
        if self.is_over {
            return Ok(None);
        }
        let HistoryPage { items, next, .. } = self.client.events(&self.query).await?;
        self.query.since = Some(Since::Seq(next));
        self.is_over = items.is_empty();
        Ok(Some(items))
    }
}
