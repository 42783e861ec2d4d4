use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members that a new profile can begin with.
///
/// ```
/// let template: clown_api::Template = serde_json::from_str(
///     r#"{"id":"claude-api","name":"Claude","description":"","members":{"agent_id":"claude"}}"#,
/// )?;
/// assert_eq!(template.members["agent_id"], "claude");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// What `template` names it by.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Members of a profile. Values that may be secrets are masked.
    pub members: Map<String, Value>,
}
