use crate::http::{Query, Refusal};
use crate::since::Since;
use clown_events::Filter;

/// What the address of an event stream asks for.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) since: Option<Since>,
    pub(super) filter: Filter,
    pub(super) keepalive: bool,
}

impl Parameters {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut query = Query::parse(query, &["since", "events", "profile", "keepalive"])?;
        let since = query.take_parsed("since", Since::parse)?;
        let filter = query.take_filter()?;
        let keepalive = query.take_flag("keepalive")?;
        Ok(Self {
            since,
            filter,
            keepalive,
        })
    }
}
