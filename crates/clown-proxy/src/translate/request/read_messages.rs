//! Requests of Messages.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::context::Names;
use super::super::happening::Signature;
use super::RequestError;
use super::model::{
    AnswerShape, Cache, Choice, Content, Effort, Part, Request, Role, Source, Thinking, Tool,
    ToolKind, Turn,
};
use crate::json::{Count, Text, Words, present};

#[derive(Debug, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Text<'a>,
    messages: Vec<Message<'a>>,
    #[serde(default)]
    system: Option<Content<'a, Block<'a>>>,
    #[serde(default)]
    tools: Option<Vec<ToolBlock<'a>>>,
    #[serde(default)]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(default)]
    max_tokens: Option<Count>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    top_k: Option<Count>,
    #[serde(default)]
    stop_sequences: Option<Vec<Text<'a>>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    thinking: Option<ThinkingBlock<'a>>,
    #[serde(default)]
    output_config: Option<OutputConfig<'a>>,
    #[serde(default)]
    output_format: Option<Format<'a>>,
    #[serde(default)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(default)]
    content: Content<'a, Block<'a>>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    text: Option<Words<'a>>,
    #[serde(default)]
    source: Option<&'a RawValue>,
    #[serde(default)]
    title: Option<Text<'a>>,
    #[serde(default)]
    thinking: Option<Text<'a>>,
    #[serde(default)]
    signature: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Text<'a>>,
    #[serde(default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    tool_name: Option<Text<'a>>,
    #[serde(default)]
    input: Option<&'a RawValue>,
    #[serde(default)]
    tool_use_id: Option<Text<'a>>,
    #[serde(default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct SourceBlock<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    media_type: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Text<'a>>,
    #[serde(default)]
    url: Option<Text<'a>>,
    #[serde(default)]
    file_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct ToolBlock<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    name: Text<'a>,
    #[serde(default)]
    description: Option<Text<'a>>,
    #[serde(default)]
    input_schema: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ToolChoice<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ThinkingBlock<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    budget_tokens: Option<Count>,
}

#[derive(Debug, Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow, default)]
    effort: Option<Text<'a>>,
    #[serde(default)]
    format: Option<Format<'a>>,
}

#[derive(Debug, Deserialize)]
struct Format<'a> {
    #[serde(borrow, default)]
    schema: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
}

pub(super) fn read<'a>(body: &'a [u8], names: &mut Names) -> Result<Request<'a>, RequestError> {
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|source| RequestError::Unreadable {
            format: crate::format::Format::Messages,
            source,
        })?;
    let mut request = Request {
        model: body.model.0,
        stream: body.stream.unwrap_or(false),
        system: body
            .system
            .map(|system| parts(system, names))
            .unwrap_or_default(),
        max_tokens: body.max_tokens.map(|count| count.0),
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k.map(|count| count.0),
        user: body
            .metadata
            .and_then(|metadata| metadata.user_id)
            .map(|user| user.0),
        ..Request::default()
    };
    request.cache_key = request
        .user
        .as_deref()
        .and_then(session)
        .map(std::borrow::Cow::Owned);
    for tool in body.tools.unwrap_or_default() {
        request.tools.extend(read_tool(tool, names));
    }
    if let Some(choice) = body.tool_choice {
        request.parallel = choice.disable_parallel_tool_use.map(|disabled| !disabled);
        request.choice = match &*choice.kind {
            "auto" => Some(Choice::Auto),
            "none" => Some(Choice::None),
            "any" => Some(Choice::Any),
            "tool" => choice.name.map(|name| Choice::Tool(names.plain(&name))),
            _ => None,
        };
    }
    let sequences = body.stop_sequences.unwrap_or_default();
    request.stop = sequences.into_iter().map(|sequence| sequence.0).collect();
    if let Some(thinking) = body.thinking {
        request.thinking = Thinking {
            wanted: Some(&*thinking.kind != "disabled"),
            effort: None,
            budget: thinking.budget_tokens.map(|budget| budget.0),
        };
    }
    let mut format = body.output_format;
    if let Some(config) = body.output_config {
        request.thinking.effort = config.effort.and_then(|word| Effort::read(&word));
        format = config.format.or(format);
    }
    request.shape = format
        .and_then(|format| present(format.schema))
        .map(|schema| AnswerShape::Schema {
            name: None,
            description: None,
            schema,
            strict: Some(true),
        });
    for message in body.messages {
        let role = match &*message.role {
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => Role::User,
        };
        let parts = parts(message.content, names);
        request.turns.push(Turn { role, parts });
    }
    Ok(request)
}

/// Claude Code names its session in the name of its user: what is alike in one session is worth a
/// cache of its own.
fn session(user: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct User<'a> {
        #[serde(borrow)]
        session_id: Text<'a>,
    }
    let user: User<'_> = serde_json::from_str(user).ok()?;
    Some(user.session_id.0.into_owned()).filter(|session| !session.is_empty())
}

fn read_tool<'a>(tool: ToolBlock<'a>, names: &mut Names) -> Option<Tool<'a>> {
    let kind = match tool.kind.as_deref() {
        None | Some("custom" | "") => ToolKind::Function(present(tool.input_schema)),
        Some(kind) if kind.starts_with("web_search") => ToolKind::WebSearch,
        // A tool that only its own provider can run or knows the schema of.
        Some(_) => ToolKind::Function(Some(present(tool.input_schema)?)),
    };
    Some(Tool {
        name: names.plain(&tool.name),
        description: tool.description.map(|text| text.0),
        kind,
        strict: tool.strict,
        cache: present(tool.cache_control),
    })
}

fn parts<'a>(content: Content<'a, Block<'a>>, names: &mut Names) -> Vec<Part<'a>> {
    match content {
        Content::Text(text) => vec![Part::text(text.0)],
        Content::Blocks(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for block in blocks {
                parts.extend(part(block, names));
            }
            parts
        }
    }
}

fn part<'a>(block: Block<'a>, names: &mut Names) -> Option<Part<'a>> {
    let cache: Cache<'a> = present(block.cache_control);
    Some(match &*block.kind {
        "text" | "" => Part::Text {
            text: block.text?,
            cache,
        },
        "image" => Part::Image {
            source: source(block.source?)?,
            detail: None,
            cache,
        },
        "document" => Part::Document {
            source: source(block.source?)?,
            name: block.title.map(|title| title.0),
            cache,
        },
        "thinking" => Part::Thinking {
            text: block.thinking.unwrap_or_default().0,
            signature: block
                .signature
                .and_then(|signature| Signature::from_messages(&signature)),
        },
        "redacted_thinking" => Part::Redacted(Signature::Messages(block.data?.0.into_owned())),
        "tool_use" => Part::Call {
            id: block.id.unwrap_or_default().0,
            name: names.plain(&block.name.unwrap_or_default()),
            arguments: present(block.input).map_or("{}", RawValue::get).into(),
            cache,
        },
        "tool_result" => Part::Result {
            id: block.tool_use_id.unwrap_or_default().0,
            parts: block
                .content
                .map(|raw| inner(raw, names))
                .unwrap_or_default(),
            error: block.is_error.unwrap_or(false),
            cache,
        },
        "tool_reference" => Part::text(block.tool_name?.0),
        // What another provider found; its text is all that can be carried.
        "search_result" => {
            let mut text = block.title.unwrap_or_default().0.into_owned();
            for part in block
                .content
                .map(|raw| inner(raw, names))
                .unwrap_or_default()
            {
                if let Part::Text { text: piece, .. } = part {
                    text.push('\n');
                    text.push_str(&piece.plain());
                }
            }
            Part::text(text)
        }
        // The use of a provider's own tools.
        _ => return None,
    })
}

fn inner<'a>(raw: &'a RawValue, names: &mut Names) -> Vec<Part<'a>> {
    if let Some(text) = Words::from_raw(raw) {
        return vec![Part::text(text)];
    }
    match serde_json::from_str(raw.get()) {
        Ok(Content::Blocks(blocks)) if blocks.is_empty() => Vec::new(),
        Ok(content) => {
            let parts = parts(content, names);
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

fn source<'a>(raw: &'a RawValue) -> Option<Source<'a>> {
    // A search result's source is a string, and no source of anything here.
    let source: SourceBlock<'a> = serde_json::from_str(raw.get()).ok()?;
    Some(match &*source.kind {
        "base64" => Source::Data {
            media: source.media_type.unwrap_or_default().0,
            data: source.data?.0,
        },
        "url" => Source::from_url(source.url?.0),
        "text" => Source::Plain(source.data?.0),
        "file" => Source::File(source.file_id?.0),
        _ => return None,
    })
}
