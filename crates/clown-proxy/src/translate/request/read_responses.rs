//! Requests of Responses.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::context::{Names, Original};
use super::super::happening::Signature;
use super::RequestError;
use super::model::{AnswerShape, Content, Part, Request, Role, Source, Str, Thinking, Turn};
use super::responses_tools::{ToolBlock, choice, read_tools};
use crate::format::Format;
use crate::json::{Count, Json, Text, Words, present, text_of};

#[derive(Debug, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(default)]
    input: Content<'a, Item<'a>>,
    #[serde(default)]
    instructions: Option<Text<'a>>,
    #[serde(default)]
    previous_response_id: Option<Text<'a>>,
    #[serde(default)]
    conversation: Option<&'a RawValue>,
    #[serde(default)]
    prompt: Option<&'a RawValue>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(default)]
    tools: Option<Vec<ToolBlock<'a>>>,
    #[serde(default)]
    tool_choice: Option<&'a RawValue>,
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    #[serde(default)]
    max_output_tokens: Option<Count>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    reasoning: Option<Reasoning<'a>>,
    #[serde(default)]
    text: Option<TextConfig<'a>>,
    #[serde(default)]
    user: Option<Text<'a>>,
    #[serde(default)]
    safety_identifier: Option<Text<'a>>,
    #[serde(default)]
    prompt_cache_key: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Reasoning<'a> {
    #[serde(borrow, default)]
    effort: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct TextConfig<'a> {
    #[serde(borrow, default)]
    format: Option<TextFormat<'a>>,
    #[serde(default)]
    verbosity: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct TextFormat<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    description: Option<Text<'a>>,
    #[serde(default)]
    schema: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    role: Option<Text<'a>>,
    #[serde(default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    content: Option<Content<'a, Block<'a>>>,
    #[serde(default)]
    summary: Option<Vec<Block<'a>>>,
    #[serde(default)]
    encrypted_content: Option<Text<'a>>,
    #[serde(default)]
    call_id: Option<Text<'a>>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    namespace: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<&'a RawValue>,
    #[serde(default)]
    input: Option<Text<'a>>,
    #[serde(default)]
    output: Option<&'a RawValue>,
    #[serde(default)]
    tools: Option<Vec<ToolBlock<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    text: Option<Words<'a>>,
    #[serde(default)]
    refusal: Option<Words<'a>>,
    #[serde(default)]
    image_url: Option<Text<'a>>,
    #[serde(default)]
    detail: Option<Text<'a>>,
    #[serde(default)]
    file_id: Option<Text<'a>>,
    #[serde(default)]
    filename: Option<Text<'a>>,
    #[serde(default)]
    file_data: Option<Text<'a>>,
    #[serde(default)]
    file_url: Option<Text<'a>>,
}

pub(super) fn read<'a>(body: &'a [u8], names: &mut Names) -> Result<Request<'a>, RequestError> {
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|source| RequestError::Unreadable {
            format: Format::Responses,
            source,
        })?;
    if body.previous_response_id.is_some_and(|id| !id.is_empty()) {
        return Err(RequestError::Untranslatable {
            member: "previous_response_id",
            reason: "only the provider that gave it knows the answer; send the whole input",
        });
    }
    if present(body.conversation).is_some() {
        return Err(RequestError::Untranslatable {
            member: "conversation",
            reason: "only the provider that keeps it knows it; send the whole input",
        });
    }
    if present(body.prompt).is_some() {
        return Err(RequestError::Untranslatable {
            member: "prompt",
            reason: "only the provider that keeps the template knows it; send what it says",
        });
    }
    if body.background == Some(true) {
        return Err(RequestError::Untranslatable {
            member: "background",
            reason: "the answer would have to be kept for later; ask without it",
        });
    }
    let mut request = Request {
        model: body.model.0,
        stream: body.stream.unwrap_or(false),
        max_tokens: body.max_output_tokens.map(|count| count.0),
        temperature: body.temperature,
        top_p: body.top_p,
        parallel: body.parallel_tool_calls,
        user: body.safety_identifier.or(body.user).map(|user| user.0),
        cache_key: body.prompt_cache_key.map(|key| key.0),
        ..Request::default()
    };
    request.system.extend(
        body.instructions
            .filter(|text| !text.is_empty())
            .map(|text| Part::text(text.0)),
    );
    if let Some(reasoning) = body.reasoning {
        request.thinking = Thinking::from_word(reasoning.effort.as_deref());
    }
    if let Some(text) = body.text {
        request.verbosity = text.verbosity.map(|word| word.0);
        request.shape = text.format.and_then(shape);
    }
    read_tools(body.tools.unwrap_or_default(), &mut request.tools, names);
    match body.input {
        Content::Text(text) => request.turns.push(Turn {
            role: Role::User,
            parts: vec![Part::text(text.0)],
        }),
        Content::Blocks(items) => {
            for item in items {
                read_item(item, &mut request, names)?;
            }
        }
    }
    request.choice = choice(body.tool_choice, names);
    Ok(request)
}

fn shape(format: TextFormat<'_>) -> Option<AnswerShape<'_>> {
    match &*format.kind {
        "json_object" => Some(AnswerShape::Object),
        "json_schema" => Some(AnswerShape::Schema {
            name: format.name.map(|name| name.0),
            description: format.description.map(|text| text.0),
            schema: present(format.schema)?,
            strict: format.strict,
        }),
        _ => None,
    }
}

fn read_item<'a>(
    item: Item<'a>,
    request: &mut Request<'a>,
    names: &mut Names,
) -> Result<(), RequestError> {
    let kind = item.kind.as_deref().unwrap_or("message");
    let (role, parts) = match kind {
        "message" => {
            let parts = parts(item.content.unwrap_or_default());
            match item.role.as_deref() {
                Some("assistant") => (Role::Assistant, parts),
                Some("system" | "developer") if request.turns.is_empty() => {
                    request.system.extend(parts);
                    return Ok(());
                }
                Some("system" | "developer") => (Role::System, parts),
                _ => (Role::User, parts),
            }
        }
        "function_call" | "custom_tool_call" => {
            let custom = kind == "custom_tool_call";
            let arguments: Str<'a> = match item.input {
                Some(input) if custom => custom_arguments(&input).into(),
                _ => text_of(item.arguments),
            };
            let name = names.wire(Original {
                name: item.name.unwrap_or_default().0.into_owned(),
                namespace: item.namespace.map(|namespace| namespace.0.into_owned()),
                custom,
            });
            let id = item.call_id.or(item.id).unwrap_or_default().0;
            let call = Part::Call {
                id,
                name,
                arguments,
                cache: None,
            };
            (Role::Assistant, vec![call])
        }
        "function_call_output" | "custom_tool_call_output" => {
            let result = Part::Result {
                id: item.call_id.unwrap_or_default().0,
                parts: output(item.output),
                error: false,
                cache: None,
            };
            (Role::User, vec![result])
        }
        "reasoning" => (Role::Assistant, reasoning(item)),
        "additional_tools" => {
            read_tools(item.tools.unwrap_or_default(), &mut request.tools, names);
            return Ok(());
        }
        "item_reference" => {
            return Err(RequestError::Untranslatable {
                member: "input",
                reason: "an item_reference is known only to the provider that keeps it; send the item",
            });
        }
        // The use of a provider's own tools, and what only it can read.
        _ => return Ok(()),
    };
    request.turns.push(Turn { role, parts });
    Ok(())
}

/// The input of a custom tool as the object that its function takes.
fn custom_arguments(input: &str) -> String {
    let mut out = Vec::with_capacity(input.len() + 16);
    Json(&mut out).object(|json| json.text_field("input", input));
    String::from_utf8_lossy(&out).into_owned()
}

fn output(raw: Option<&RawValue>) -> Vec<Part<'_>> {
    let Some(raw) = present(raw) else {
        return Vec::new();
    };
    if let Some(text) = Words::from_raw(raw) {
        return vec![Part::text(text)];
    }
    match serde_json::from_str::<Content<'_, Block<'_>>>(raw.get()) {
        Ok(Content::Blocks(blocks)) if blocks.is_empty() => Vec::new(),
        Ok(content) => {
            let parts = parts(content);
            // Of a shape of the tool's own; the model can read it.
            if parts.is_empty() {
                vec![Part::text(raw.get())]
            } else {
                parts
            }
        }
        Err(_) => vec![Part::text(raw.get())],
    }
}

fn reasoning(item: Item<'_>) -> Vec<Part<'_>> {
    let mut texts: Vec<Str<'_>> = item
        .summary
        .unwrap_or_default()
        .into_iter()
        .filter_map(|block| block.text)
        .map(|text| text.plain())
        .collect();
    if texts.is_empty() {
        for part in parts(item.content.unwrap_or_default()) {
            if let Part::Text { text, .. } = part {
                texts.push(text.plain());
            }
        }
    }
    let text = match texts.len() {
        1 => texts.remove(0),
        _ => texts.join("\n\n").into(),
    };
    match item.encrypted_content.filter(|text| !text.is_empty()) {
        None => vec![Part::Thinking {
            text,
            signature: None,
        }],
        Some(encrypted) => {
            let id = item.id.unwrap_or_default();
            match Signature::from_responses(&id, &encrypted) {
                (signature, true) => vec![Part::Redacted(signature)],
                (signature, false) => {
                    vec![Part::Thinking {
                        text,
                        signature: Some(signature),
                    }]
                }
            }
        }
    }
}

fn parts<'a>(content: Content<'a, Block<'a>>) -> Vec<Part<'a>> {
    match content {
        Content::Text(text) => vec![Part::text(text.0)],
        Content::Blocks(blocks) => blocks.into_iter().filter_map(part).collect(),
    }
}

fn part<'a>(block: Block<'a>) -> Option<Part<'a>> {
    Some(match &*block.kind {
        "input_image" => Part::Image {
            source: match (block.image_url, block.file_id) {
                (Some(url), _) => Source::from_url(url.0),
                (None, id) => Source::File(id?.0),
            },
            detail: block.detail.map(|detail| detail.0),
            cache: None,
        },
        "input_file" => Part::Document {
            source: match (block.file_data, block.file_url, block.file_id) {
                (Some(data), ..) => Source::from_url(data.0),
                (_, Some(url), _) => Source::from_url(url.0),
                (.., id) => Source::File(id?.0),
            },
            name: block.filename.map(|name| name.0),
            cache: None,
        },
        "refusal" => Part::text(block.refusal?),
        _ => Part::text(block.text?),
    })
}
