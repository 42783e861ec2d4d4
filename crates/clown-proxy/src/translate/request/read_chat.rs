//! Requests of Chat Completions.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::context::Names;
use super::super::happening::Signature;
use super::RequestError;
use super::model::{
    AnswerShape, Choice, Content, Part, Request, Role, Source, Thinking, Tool, ToolKind, Turn,
};
use crate::format::Format;
use crate::json::{Count, Text, Words, present, text_of};

#[derive(Debug, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Text<'a>,
    messages: Vec<Message<'a>>,
    #[serde(default)]
    n: Option<Count>,
    #[serde(default)]
    tools: Option<Vec<ToolBlock<'a>>>,
    #[serde(default)]
    tool_choice: Option<&'a RawValue>,
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    #[serde(default)]
    max_tokens: Option<Count>,
    #[serde(default)]
    max_completion_tokens: Option<Count>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    top_k: Option<Count>,
    #[serde(default)]
    stop: Option<&'a RawValue>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    reasoning_effort: Option<Text<'a>>,
    #[serde(default)]
    reasoning: Option<Reasoning<'a>>,
    #[serde(default)]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(default)]
    verbosity: Option<Text<'a>>,
    #[serde(default)]
    user: Option<Text<'a>>,
    #[serde(default)]
    safety_identifier: Option<Text<'a>>,
    #[serde(default)]
    prompt_cache_key: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Reasoning<'a> {
    #[serde(borrow, default)]
    effort: Option<Text<'a>>,
    #[serde(default)]
    max_tokens: Option<Count>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    json_schema: Option<JsonSchema<'a>>,
}

#[derive(Debug, Deserialize)]
struct JsonSchema<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    description: Option<Text<'a>>,
    #[serde(default)]
    schema: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(default)]
    content: Option<Content<'a, Block<'a>>>,
    #[serde(default)]
    refusal: Option<Text<'a>>,
    #[serde(default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(default)]
    reasoning_details: Option<Vec<Detail<'a>>>,
    #[serde(default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(default)]
    tool_call_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Detail<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    signature: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default)]
    description: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<&'a RawValue>,
    #[serde(default)]
    parameters: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ToolBlock<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
    #[serde(default)]
    cache_control: Option<&'a RawValue>,
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
    image_url: Option<Content<'a, ImageUrl<'a>>>,
    #[serde(default)]
    file: Option<File<'a>>,
    #[serde(default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ImageUrl<'a> {
    #[serde(borrow, default)]
    url: Text<'a>,
    #[serde(default)]
    detail: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    filename: Option<Text<'a>>,
    #[serde(default)]
    file_data: Option<Text<'a>>,
    #[serde(default)]
    file_id: Option<Text<'a>>,
}

pub(super) fn read<'a>(body: &'a [u8], names: &mut Names) -> Result<Request<'a>, RequestError> {
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|source| RequestError::Unreadable {
            format: Format::Chat,
            source,
        })?;
    if body.n.is_some_and(|count| count.0 > 1) {
        return Err(RequestError::Untranslatable {
            member: "n",
            reason: "there is one answer to a request; ask again for another",
        });
    }
    let limit = body.max_completion_tokens.or(body.max_tokens);
    let mut thinking = Thinking::from_word(body.reasoning_effort.as_deref());
    if let Some(reasoning) = body.reasoning {
        if reasoning.effort.is_some() {
            thinking = Thinking::from_word(reasoning.effort.as_deref());
        }
        thinking.budget = reasoning.max_tokens.map(|budget| budget.0);
        thinking.wanted = reasoning
            .enabled
            .or(thinking.budget.map(|_| true))
            .or(thinking.wanted);
    }
    let include_usage = body
        .stream_options
        .and_then(|options| options.include_usage)
        .unwrap_or(false);
    let mut request = Request {
        model: body.model.0,
        stream: body.stream.unwrap_or(false),
        max_tokens: limit.map(|count| count.0),
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k.map(|count| count.0),
        parallel: body.parallel_tool_calls,
        thinking,
        verbosity: body.verbosity.map(|word| word.0),
        user: body.safety_identifier.or(body.user).map(|user| user.0),
        cache_key: body.prompt_cache_key.map(|key| key.0),
        include_usage,
        stop: stops(body.stop),
        shape: body.response_format.and_then(shape),
        ..Request::default()
    };
    for tool in body.tools.unwrap_or_default() {
        let Some(function) = tool.function else {
            continue;
        };
        request.tools.push(Tool {
            name: names.plain(&function.name),
            description: function.description.map(|text| text.0),
            kind: ToolKind::Function(present(function.parameters)),
            strict: function.strict,
            cache: present(tool.cache_control),
        });
    }
    request.choice = choice(body.tool_choice, names);
    for message in body.messages {
        read_message(message, &mut request, names);
    }
    Ok(request)
}

fn stops(raw: Option<&RawValue>) -> Vec<std::borrow::Cow<'_, str>> {
    let Some(raw) = present(raw) else {
        return Vec::new();
    };
    match serde_json::from_str::<Content<'_, Text<'_>>>(raw.get()) {
        Ok(Content::Text(text)) => vec![text.0],
        Ok(Content::Blocks(list)) => list.into_iter().map(|text| text.0).collect(),
        Err(_) => Vec::new(),
    }
}

fn shape(format: ResponseFormat<'_>) -> Option<AnswerShape<'_>> {
    match &*format.kind {
        "json_object" => Some(AnswerShape::Object),
        "json_schema" => {
            let described = format.json_schema?;
            Some(AnswerShape::Schema {
                name: described.name.map(|name| name.0),
                description: described.description.map(|text| text.0),
                schema: present(described.schema)?,
                strict: described.strict,
            })
        }
        _ => None,
    }
}

#[derive(Debug, Deserialize)]
struct NamedChoice<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

fn choice(raw: Option<&RawValue>, names: &mut Names) -> Option<Choice> {
    let raw = present(raw)?;
    match raw.get() {
        "\"auto\"" => Some(Choice::Auto),
        "\"none\"" => Some(Choice::None),
        "\"required\"" | "\"any\"" => Some(Choice::Any),
        named => {
            let named: NamedChoice<'_> = serde_json::from_str(named).ok()?;
            Some(Choice::Tool(names.plain(&named.function?.name)))
        }
    }
}

fn read_message<'a>(message: Message<'a>, request: &mut Request<'a>, names: &mut Names) {
    let content = parts(message.content.unwrap_or_default());
    match &*message.role {
        "system" | "developer" if request.turns.is_empty() => request.system.extend(content),
        "system" | "developer" => request.turns.push(Turn {
            role: Role::System,
            parts: content,
        }),
        "tool" | "function" => {
            let result = Part::Result {
                id: message.tool_call_id.unwrap_or_default().0,
                parts: content,
                error: false,
                cache: None,
            };
            request.turns.push(Turn {
                role: Role::User,
                parts: vec![result],
            });
        }
        "assistant" => {
            let mut parts = thoughts(message.reasoning_content, message.reasoning_details);
            parts.extend(content);
            parts.extend(message.refusal.map(|refusal| Part::text(refusal.0)));
            for call in message.tool_calls.unwrap_or_default() {
                let Some(function) = call.function else {
                    continue;
                };
                parts.push(Part::Call {
                    id: call.id.unwrap_or_default().0,
                    name: names.plain(&function.name),
                    arguments: text_of(function.arguments),
                    cache: None,
                });
            }
            request.turns.push(Turn {
                role: Role::Assistant,
                parts,
            });
        }
        _ => request.turns.push(Turn {
            role: Role::User,
            parts: content,
        }),
    }
}

/// Details prove what the plain text only tells; streams give text and signature one by one.
fn thoughts<'a>(plain: Option<Text<'a>>, details: Option<Vec<Detail<'a>>>) -> Vec<Part<'a>> {
    let mut plain = plain.filter(|text| !text.is_empty());
    let mut parts = Vec::new();
    for detail in details.unwrap_or_default() {
        let text = detail.text.filter(|text| !text.is_empty());
        if let Some(data) = detail.data {
            parts.push(Part::Redacted(Signature::Messages(data.0.into_owned())));
        } else if let Some(signature) = detail.signature {
            let text = text.or_else(|| plain.take()).unwrap_or_default();
            plain = None;
            parts.push(Part::Thinking {
                text: text.0,
                signature: Signature::from_messages(&signature),
            });
        }
    }
    if let Some(text) = plain {
        parts.push(Part::Thinking {
            text: text.0,
            signature: None,
        });
    }
    parts
}

fn parts<'a>(content: Content<'a, Block<'a>>) -> Vec<Part<'a>> {
    match content {
        Content::Text(text) => vec![Part::text(text.0)],
        Content::Blocks(blocks) => blocks.into_iter().filter_map(part).collect(),
    }
}

fn part<'a>(block: Block<'a>) -> Option<Part<'a>> {
    let cache = present(block.cache_control);
    Some(match &*block.kind {
        "image_url" => {
            let (url, detail) = match block.image_url? {
                Content::Text(url) => (url, None),
                Content::Blocks(list) => {
                    let image = list.into_iter().next()?;
                    (image.url, image.detail)
                }
            };
            Part::Image {
                source: Source::from_url(url.0),
                detail: detail.map(|detail| detail.0),
                cache,
            }
        }
        "file" => {
            let file = block.file?;
            let source = match (file.file_data, file.file_id) {
                (Some(data), _) => Source::from_url(data.0),
                (None, id) => Source::File(id?.0),
            };
            Part::Document {
                source,
                name: file.filename.map(|name| name.0),
                cache,
            }
        }
        "refusal" => Part::Text {
            text: block.refusal?,
            cache,
        },
        _ => Part::Text {
            text: block.text?,
            cache,
        },
    })
}
