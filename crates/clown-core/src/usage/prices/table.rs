//! Price lists: the one that is built in, and those of a registry.

use super::entry::{self, Entry};
use crate::providers::{self, Problem};
use crate::registry::is_json;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// One model a line, in the order of the names: made by `snapshot/build.py`. It is never parsed as
/// a whole, and of its 0.7 MB only the pages are read where somebody looked.
const BUILT_IN: &str = include_str!("snapshot/models.json");

/// The line that says what the list was made of. It sorts before all models.
const ABOUT: &str = "#";

/// What the built-in list says of a model of exactly this name.
pub(super) fn built_in(name: &str) -> Option<Entry> {
    let value = serde_json::from_str(line(BUILT_IN, name)?).ok()?;
    entry::parse(name, &value)
}

/// The version of LiteLLM whose list it is.
pub(super) fn built_in_version() -> String {
    let about: Option<Value> =
        line(BUILT_IN, ABOUT).and_then(|about| serde_json::from_str(about).ok());
    about
        .as_ref()
        .and_then(|about| about["litellm"][0].as_str())
        .unwrap_or("unknown")
        .to_owned()
}

/// What stands behind a name in a list that is sorted, a line each.
fn line<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let bytes = list.as_bytes();
    // Without the braces.
    let (mut low, mut high) = (list.find('\n')? + 1, list.trim_end().len() - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let start = memchr::memrchr(b'\n', &bytes[low..middle]).map_or(low, |at| low + at + 1);
        let end = memchr::memchr(b'\n', &bytes[middle..high]).map_or(high, |at| middle + at);
        let (there, value) = list[start..end].strip_prefix('"')?.split_once("\":")?;
        match there.cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = start,
            Ordering::Equal => return Some(value.trim_end_matches(',')),
        }
    }
    None
}

/// A list of a registry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table(HashMap<Box<str>, Entry>);

impl Table {
    /// LiteLLM's table in JSON, as it is published, or the same in TOML. Models that are not
    /// understood are not in it.
    pub(super) fn parse(path: &Path, content: &str) -> Result<Self, Problem> {
        let entries = if is_json(content) {
            of_json(content).map_err(|error| Problem {
                line: error.line(),
                column: error.column(),
                ..Problem::of(path, format!("it is no JSON: {error}"))
            })?
        } else {
            of_toml(providers::parse_table(path, content)?)
        };
        if entries.is_empty() {
            let message =
                "no model in it has a price: a member such as `input_cost_per_token` is missing";
            return Err(Problem::of(path, message.to_owned()));
        }
        Ok(Self(entries))
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }
}

fn of_toml(table: toml::Table) -> HashMap<Box<str>, Entry> {
    let entries = table.into_iter().filter_map(|(name, value)| {
        let value = serde_json::to_value(value).ok()?;
        let entry = entry::parse(&name, &value)?;
        Some((name.into_boxed_str(), entry))
    });
    entries.collect()
}

fn of_json(content: &str) -> Result<HashMap<Box<str>, Entry>, serde_json::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = HashMap<Box<str>, Entry>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object with a member for each model")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = HashMap::new();
            // Each for itself: a number that is too large would end all of it.
            while let Some((name, value)) = map.next_entry::<Box<str>, &RawValue>()? {
                let value = serde_json::from_str(value.get()).ok();
                if let Some(entry) = value.and_then(|value| entry::parse(&name, &value)) {
                    entries.insert(name, entry);
                }
            }
            Ok(entries)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(content);
    let entries = deserializer.deserialize_map(Entries)?;
    deserializer.end()?;
    Ok(entries)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
