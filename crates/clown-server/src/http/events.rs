//! History: `GET /api/v1/events`.

use super::{Body, Query, Refusal, json_bytes};
use crate::since::Since;
use crate::stream::passes;
use clown_core::Seq;
use clown_core::bus::Slice;
use clown_core::journal::{self, PAGE_EVENTS};
use clown_core::store::{Store, StoreError};
use clown_events::Filter;
use http::{Response, StatusCode};
use std::sync::Arc;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;
/// The most bytes of one answer, whatever its limit.
const MAX_BYTES: usize = 8 << 20;
const PAGE_BYTES: usize = 256 << 10;

/// What part of history is asked for.
#[derive(Debug)]
pub(super) struct Parameters {
    since: Since,
    until: Option<Since>,
    limit: usize,
    filter: Filter,
}

impl Parameters {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut query = Query::parse(query, &["since", "until", "limit", "events", "profile"])?;
        Ok(Self {
            since: query
                .take_parsed("since", Since::parse)?
                .unwrap_or(Since::Seq(Seq::START)),
            until: query.take_parsed("until", Since::parse)?,
            limit: query
                .take_parsed("limit", parse_limit)?
                .unwrap_or(DEFAULT_LIMIT),
            filter: query.take_filter()?,
        })
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(format!("{text:?} is no number from 1 to {MAX_LIMIT}")),
    }
}

/// Events after `since` and up to `until`, oldest first, and where to go on. Blocks.
pub(super) fn page(
    store: &Arc<Store>,
    parameters: &Parameters,
) -> Result<Response<Body>, StoreError> {
    let until = match parameters.until {
        Some(until) => until.resolve(store)?,
        None => store.head(),
    };
    let mut cursor = parameters.since.resolve(store)?;
    let mut items = 0;
    let mut json = b"{\"items\":[".to_vec();
    'pages: while cursor < until {
        let page = journal::page(store, cursor, PAGE_EVENTS, PAGE_BYTES)?;
        let Some(segment) = page.segment else {
            cursor = until;
            break;
        };
        let slice = Slice::whole(Arc::new(segment));
        for (index, entry) in slice.entries().iter().enumerate() {
            if entry.seq > until {
                cursor = until;
                break 'pages;
            }
            if passes(&parameters.filter, entry) {
                if items == parameters.limit || json.len() >= MAX_BYTES {
                    break 'pages;
                }
                if items > 0 {
                    json.push(b',');
                }
                json.extend_from_slice(&slice.json(index, true));
                items += 1;
            }
            cursor = entry.seq;
        }
    }
    json.extend_from_slice(format!("],\"next\":{cursor}}}").as_bytes());
    Ok(json_bytes(StatusCode::OK, json))
}
