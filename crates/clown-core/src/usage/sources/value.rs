//! Members of JSON that is read as a tree: of logs that hold little else than what is counted.

use serde_json::Value;

/// A line, or a file. None for what is no whole object.
pub(super) fn object(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok().filter(Value::is_object)
}

/// A count; 0 for what is none. A fraction is cut off.
pub(super) fn count(value: &Value) -> u64 {
    let fraction = || value.as_f64().map(|number| number.max(0.0) as u64);
    value.as_u64().or_else(fraction).unwrap_or(0)
}

/// A text; empty for what is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
