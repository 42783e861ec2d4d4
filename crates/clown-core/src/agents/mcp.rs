//! How an agent's own configuration names servers of the Model Context Protocol.

use super::member::check_depth;
use super::template::check_size;
use super::{FileKind, RelativePath};
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where a profile's MCP servers go: each becomes a member of `member`, under its name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpFile {
    /// Below the profile's home.
    pub file: RelativePath,
    /// How it is written.
    pub kind: FileKind,
    /// The member that holds the servers.
    pub member: String,
    /// What a server that the agent starts becomes; None if it can have none.
    pub stdio: Option<McpTemplate>,
    /// What a server at an address becomes; None if it can have none.
    pub http: Option<McpTemplate>,
}

/// The members of one server. A text that is nothing but `{{ args }}`, `{{ env }}` or
/// `{{ headers }}` becomes that list or table itself, and a list within a list becomes its elements;
/// every other text is a template. What comes out empty is left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct McpTemplate(toml::Table);

/// What these templates can use. What does not apply is empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct McpValues<'a> {
    pub name: &'a str,
    pub command: &'a str,
    pub args: &'a [String],
    pub env: Option<&'a BTreeMap<String, String>>,
    pub url: &'a str,
    pub headers: Option<&'a BTreeMap<String, String>>,
}

/// Those whose values are texts.
const TEXTS: [&str; 3] = ["name", "command", "url"];
/// Those whose values are lists or tables.
const WHOLE: [&str; 3] = ["args", "env", "headers"];

impl McpTemplate {
    /// As they are written.
    pub(super) fn as_toml(&self) -> &toml::Table {
        &self.0
    }

    /// The members with everything filled in.
    pub(crate) fn render(&self, values: &McpValues<'_>) -> Result<Map<String, Value>, Error> {
        table(&self.0, values)
    }
}

impl TryFrom<toml::Table> for McpTemplate {
    type Error = String;

    fn try_from(members: toml::Table) -> Result<Self, String> {
        if members.is_empty() {
            return Err("a server has to become something: give it members".to_owned());
        }
        members.values().try_for_each(check_depth)?;
        members.values().try_for_each(check)?;
        Ok(Self(members))
    }
}

fn check(value: &toml::Value) -> Result<(), String> {
    match value {
        toml::Value::String(text) => check_text(text),
        toml::Value::Array(items) => items.iter().try_for_each(check),
        toml::Value::Table(table) => table.values().try_for_each(check),
        toml::Value::Datetime(_) => Err("dates cannot be set, write a text".to_owned()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), String> {
    if whole_value(text).is_some() {
        return Ok(());
    }
    check_size(text)?;
    let environment = environment();
    let template = environment
        .template_from_str(text)
        .map_err(|error| format!("this template does not parse: {error}"))?;
    let mut used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    used.sort();
    for name in used {
        if WHOLE.contains(&name.as_str()) {
            return Err(format!(
                "`{name}` is a list or a table: it has to stand alone, as \"{{{{ {name} }}}}\""
            ));
        }
        if !TEXTS.contains(&name.as_str()) {
            return Err(format!(
                "there is no variable `{name}`: of a server there are {} and {}",
                TEXTS.join(", "),
                WHOLE.join(", ")
            ));
        }
    }
    Ok(())
}

/// The name, if the text is nothing but one variable that is a list or a table.
fn whole_value(text: &str) -> Option<&'static str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    WHOLE.into_iter().find(|name| *name == inner)
}

fn table(members: &toml::Table, values: &McpValues<'_>) -> Result<Map<String, Value>, Error> {
    let mut rendered = Map::new();
    for (name, value) in members {
        if let Some(value) = render(value, values)? {
            rendered.insert(name.clone(), value);
        }
    }
    Ok(rendered)
}

/// None when it comes out empty.
fn render(value: &toml::Value, values: &McpValues<'_>) -> Result<Option<Value>, Error> {
    let rendered = match value {
        toml::Value::String(text) => return render_text(text, values),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                match render(item, values)? {
                    Some(Value::Array(elements)) => list.extend(elements),
                    other => list.extend(other),
                }
            }
            Value::Array(list)
        }
        toml::Value::Table(members) => Value::Object(table(members, values)?),
    };
    Ok(Some(rendered))
}

fn render_text(text: &str, values: &McpValues<'_>) -> Result<Option<Value>, Error> {
    let named = |named: Option<&BTreeMap<String, String>>| {
        let named = named.filter(|named| !named.is_empty())?;
        let members = named
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()));
        Some(Value::Object(members.collect()))
    };
    Ok(match whole_value(text) {
        Some("args") => (!values.args.is_empty()).then(|| Value::from(values.args)),
        Some("env") => named(values.env),
        Some(_) => named(values.headers),
        None => {
            let context = [values.name, values.command, values.url];
            let context = minijinja::Value::from_pairs(TEXTS.into_iter().zip(context));
            let text = environment().render_str(text, context)?;
            (!text.is_empty()).then_some(Value::String(text))
        }
    })
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}
