use crate::query::Target;
use crate::since::Since;
use crate::stream::{Received, Unreadable};
use clown_events::{Envelope, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Which part of the history: all of it where nothing is set.
///
/// ```
/// use clown_client::{EventQuery, Since};
///
/// let query = EventQuery {
///     since: Some(Since::Seq(17)),
///     limit: Some(50),
///     events: vec!["Profile*".to_owned()],
///     ..EventQuery::default()
/// };
/// # let _ = query;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events after this point.
    pub since: Option<Since>,
    /// Only events up to this point.
    pub until: Option<Since>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Names of events, or prefixes with `*`; all where empty.
    pub events: Vec<String>,
    /// Aliases of profiles that the events must concern; any where empty.
    pub profiles: Vec<String>,
}

impl EventQuery {
    pub(crate) fn target(&self, path: &str) -> String {
        let mut target = Target::new(path);
        let now = Timestamp::now();
        for (name, point) in [("since", self.since), ("until", self.until)] {
            if let Some(point) = point {
                target = target.with(name, &point.pinned(now).to_string());
            }
        }
        if let Some(limit) = self.limit {
            target = target.with("limit", &limit.to_string());
        }
        target
            .with_list("events", &self.events)
            .with_list("profile", &self.profiles)
            .into_string()
    }
}

/// A page of history.
///
/// ```
/// let page: clown_client::HistoryPage = serde_json::from_str(r#"{"items":[],"next":17}"#)?;
/// assert_eq!((page.items.len(), page.next), (0, 17));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct HistoryPage {
    /// Events, oldest first, each as it came. One that this version cannot read does not hide the
    /// others.
    #[serde(deserialize_with = "read_items")]
    pub items: Vec<Result<Received, Unreadable>>,
    /// Where the next page begins, as [`Since::Seq`].
    pub next: u64,
}

fn read_items<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Result<Received, Unreadable>>, D::Error> {
    let items: Vec<Box<RawValue>> = Vec::deserialize(deserializer)?;
    let read = |item: Box<RawValue>| {
        let text = String::from(Box::<str>::from(item));
        match Envelope::parse(&text) {
            Ok(envelope) => Ok(Received { envelope, text }),
            Err(error) => Err(Unreadable {
                text,
                error: error.to_string(),
            }),
        }
    };
    Ok(items.into_iter().map(read).collect())
}
