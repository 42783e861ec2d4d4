use crate::http::{Query, Refusal};
use crate::since::Since;
use clown_events::Filter;
use http::StatusCode;

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
        let keepalive = match query.take("keepalive").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let detail = format!("keepalive is true or false, not {other:?}");
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_parameter",
                    detail,
                ));
            }
        };
        Ok(Self {
            since,
            filter,
            keepalive,
        })
    }
}
