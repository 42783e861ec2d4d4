use clown_events::Envelope;
use serde::{Deserialize, Serialize};

/// A page of history: `GET /api/v1/events`.
///
/// ```
/// let page: clown_api::EventPage = serde_json::from_str(r#"{"items":[],"next":17}"#)?;
/// assert_eq!(page.next, 17);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventPage {
    /// Events with their `seq`, oldest first.
    pub items: Vec<Envelope>,
    /// Give this as `since` to get what follows.
    pub next: u64,
}
