//! Tools of a request of Responses: functions, tools of free text, and groups of both.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::context::{Names, Original};
use super::model::{Choice, Tool, ToolKind};
use crate::json::{Text, present};

#[derive(Debug, Deserialize)]
pub(super) struct ToolBlock<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    description: Option<Text<'a>>,
    #[serde(default)]
    parameters: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(default)]
    format: Option<Grammar<'a>>,
    #[serde(default)]
    tools: Option<Vec<ToolBlock<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Grammar<'a> {
    #[serde(borrow, default)]
    syntax: Option<Text<'a>>,
    #[serde(default)]
    definition: Option<Text<'a>>,
}

pub(super) fn read_tools<'a>(
    blocks: Vec<ToolBlock<'a>>,
    tools: &mut Vec<Tool<'a>>,
    names: &mut Names,
) {
    for block in blocks {
        if &*block.kind == "namespace" {
            let namespace = block.name.as_deref().unwrap_or_default().to_owned();
            for inner in block.tools.unwrap_or_default() {
                tools.extend(read_tool(inner, Some(&namespace), names));
            }
        } else {
            tools.extend(read_tool(block, None, names));
        }
    }
}

fn read_tool<'a>(
    block: ToolBlock<'a>,
    namespace: Option<&str>,
    names: &mut Names,
) -> Option<Tool<'a>> {
    let mut description = block.description.map(|text| text.0);
    let kind = match &*block.kind {
        "function" => ToolKind::Function(present(block.parameters)),
        "custom" => {
            // The grammar cannot be enforced elsewhere, but the model can read it.
            if let Some(grammar) = block.format
                && let Some(definition) = grammar.definition
            {
                let syntax = grammar.syntax.unwrap_or_default();
                let said = description.unwrap_or_default();
                description = Some(
                    format!(
                        "{said}\n\nThe input follows this {} grammar:\n{}",
                        &*syntax, &*definition
                    )
                    .into(),
                );
            }
            ToolKind::Custom
        }
        kind if kind.starts_with("web_search") => ToolKind::WebSearch,
        // Tools that the provider itself runs.
        _ => return None,
    };
    let name = match kind {
        ToolKind::WebSearch => "web_search".to_owned(),
        _ => block.name?.0.into_owned(),
    };
    let custom = matches!(kind, ToolKind::Custom);
    let original = Original {
        name,
        namespace: namespace.map(str::to_owned),
        custom,
    };
    Some(Tool {
        name: names.wire(original),
        description,
        kind,
        strict: block.strict,
        cache: None,
    })
}

#[derive(Debug, Deserialize)]
struct NamedChoice<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    mode: Option<Text<'a>>,
}

pub(super) fn choice(raw: Option<&RawValue>, names: &mut Names) -> Option<Choice> {
    let raw = present(raw)?;
    match raw.get() {
        "\"auto\"" => Some(Choice::Auto),
        "\"none\"" => Some(Choice::None),
        "\"required\"" => Some(Choice::Any),
        named => {
            let named: NamedChoice<'_> = serde_json::from_str(named).ok()?;
            match &*named.kind {
                "function" | "custom" => Some(Choice::Tool(names.wire(Original {
                    name: named.name?.0.into_owned(),
                    namespace: None,
                    custom: &*named.kind == "custom",
                }))),
                // Some of the tools are allowed: which, has no word elsewhere.
                "allowed_tools" if named.mode.as_deref() == Some("required") => Some(Choice::Any),
                _ => None,
            }
        }
    }
}
