//! Members of an agent's own configuration files.

use super::template::Template;
use serde::Deserialize;

/// Documents are walked one step down for each: a way without an end would overflow the stack.
pub(super) const MAX_STEPS: usize = 16;

/// What a member of a configuration file is set to. Every text in it is a template.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct MemberValue {
    value: toml::Value,
    uses_small_model: bool,
}

impl MemberValue {
    /// As it is written.
    pub fn as_toml(&self) -> &toml::Value {
        &self.value
    }

    /// Whether a text in it says anything about the model for small requests.
    pub(super) fn uses_small_model(&self) -> bool {
        self.uses_small_model
    }
}

impl TryFrom<toml::Value> for MemberValue {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        check_depth(&value)?;
        Ok(Self {
            uses_small_model: value_uses_small_model(&value)?,
            value,
        })
    }
}

/// Names separated by dots, each a template: the way to a member of a file. With `[]` at its end,
/// the member is a list, and the value one of its elements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct MemberPath {
    names: Vec<Template>,
    element: bool,
}

impl MemberPath {
    /// The names on the way.
    pub fn names(&self) -> &[Template] {
        &self.names
    }

    /// Whether the value is one element of a list there.
    pub fn is_element(&self) -> bool {
        self.element
    }
}

impl TryFrom<String> for MemberPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let steps = text.split('.').count();
        if steps > MAX_STEPS {
            let start: String = text.chars().take(40).collect();
            return Err(format!(
                "`{start}…` has {steps} names between its dots: at most {MAX_STEPS} are possible"
            ));
        }
        let list = text.strip_suffix("[]");
        let names: Result<Vec<Template>, String> = list
            .unwrap_or(&text)
            .split('.')
            .map(|name| match name {
                "" => Err(format!("`{text}` has an empty name between its dots")),
                name => Template::try_from(name.to_owned()),
            })
            .collect();
        Ok(Self {
            names: names?,
            element: list.is_some(),
        })
    }
}

/// Refuses lists and tables in others without an end.
pub(super) fn check_depth(value: &toml::Value) -> Result<(), String> {
    fn is_within(value: &toml::Value, left: usize) -> bool {
        let inner = |value: &toml::Value| left > 0 && is_within(value, left - 1);
        match value {
            toml::Value::Array(items) => left > 0 && items.iter().all(inner),
            toml::Value::Table(members) => left > 0 && members.values().all(inner),
            _ => true,
        }
    }
    match is_within(value, MAX_STEPS) {
        true => Ok(()),
        false => Err(format!(
            "lists and tables are more than {MAX_STEPS} deep in each other"
        )),
    }
}

/// Whether a text in it does; Err if one is no template.
fn value_uses_small_model(value: &toml::Value) -> Result<bool, String> {
    // All of them, so that every mistake is seen.
    let any = |found: bool, value| Ok(value_uses_small_model(value)? || found);
    match value {
        toml::Value::String(text) => {
            Template::try_from(text.clone()).map(|template| template.uses_small_model())
        }
        toml::Value::Array(items) => items.iter().try_fold(false, any),
        toml::Value::Table(table) => table.values().try_fold(false, any),
        toml::Value::Datetime(_) => Err("dates cannot be set, write a text".to_owned()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Ok(false),
    }
}
