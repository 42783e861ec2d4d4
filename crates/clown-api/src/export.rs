use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The body of `POST /api/v1/profiles/{alias}/clone`.
///
/// ```
/// let request = clown_api::CloneProfile { alias: "second".to_owned() };
/// assert_eq!(serde_json::to_string(&request)?, r#"{"alias":"second"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneProfile {
    /// The name of the copy.
    pub alias: String,
}

/// The body of `PUT /api/v1/profiles/{alias}/file`: an edited text in place of the one that was
/// edited.
///
/// ```
/// let request: clown_api::ReplaceFile = serde_json::from_str(r#"{"before":"a","text":"b"}"#)?;
/// assert_eq!(request.text, "b");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceFile {
    /// What stood in the file.
    pub before: String,
    /// What is to stand in it.
    pub text: String,
}

impl std::fmt::Debug for ReplaceFile {
    // A profile's file can hold tokens of MCP servers.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ReplaceFile")
            .finish_non_exhaustive()
    }
}

/// The body of `POST /api/v1/export`.
///
/// ```
/// let request: clown_api::AskExport = serde_json::from_str(r#"{"aliases":["work"]}"#)?;
/// assert!(!request.with_keys);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskExport {
    /// The profiles.
    pub aliases: Vec<String>,
    /// Whether stored keys, and values that may be secrets, are to be among it.
    #[serde(default)]
    pub with_keys: bool,
}

/// Profiles to be carried elsewhere: what `clown profiles export` writes.
///
/// ```
/// let export: clown_api::Export =
///     serde_json::from_str(r#"{"format":1,"profiles":[{"alias":"work","agent_id":"claude"}]}"#)?;
/// assert!(export.keys.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The format's version, 1.
    pub format: u32,
    /// Each as `POST /api/v1/profiles` takes it.
    pub profiles: Vec<Map<String, Value>>,
    /// The stored keys that they refer to, if asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ExportedKey>,
    /// Places of values that may be secrets and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl std::fmt::Debug for Export {
    // It can hold keys.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Export")
            .field("profiles", &self.profiles.len())
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// A stored key with its value.
///
/// ```
/// let key: clown_api::ExportedKey = serde_json::from_str(r#"{"name":"team","value":"sk-1"}"#)?;
/// assert!(!format!("{key:?}").contains("sk-1"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedKey {
    /// Its name.
    pub name: String,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The key itself.
    pub value: String,
}

impl std::fmt::Debug for ExportedKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ExportedKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
