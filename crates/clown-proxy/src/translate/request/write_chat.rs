//! Requests for an upstream of Chat Completions.

use std::borrow::Cow;

use super::super::happening::Signature;
use super::model::{AnswerShape, Choice, Effort, Part, Request, Role, Source, Turn};
use super::openai::{LONGEST_USER, float, or_object, url};
use super::{Dialect, Replay, models};
use crate::json::{Json, Words};

pub(super) fn write(request: &Request<'_>, dialect: &Dialect, json: &mut Json<'_>) {
    let strict = models::thinks_at_openai(&request.model);
    json.object(|json| {
        json.text_field("model", &request.model);
        json.key("messages").array(|json| {
            if !request.system.is_empty() {
                message(json, "system", &request.system, dialect);
            }
            for turn in &request.turns {
                write_turn(json, turn, dialect);
            }
        });
        write_tools(json, request, dialect);
        if let Some(limit) = request.max_tokens {
            let completion = dialect.completion_tokens.unwrap_or(strict);
            if completion {
                json.number_field("max_completion_tokens", limit);
            } else {
                json.number_field("max_tokens", limit);
            }
        }
        if !strict {
            float(json, "temperature", request.temperature);
            float(json, "top_p", request.top_p);
        }
        if !request.stop.is_empty() && !strict {
            json.key("stop").array(|json| {
                // OpenAI takes four.
                for stop in request.stop.iter().take(4) {
                    json.string(stop);
                }
            });
        }
        let told = dialect
            .effort
            .unwrap_or_else(|| models::takes_effort(&request.model));
        if told && let Some(effort) = request.thinking.effort() {
            json.text_field("reasoning_effort", word(effort));
        }
        write_shape(json, request.shape.as_ref());
        if let Some(verbosity) = request.verbosity.as_ref().filter(|_| dialect.own_members) {
            json.text_field("verbosity", verbosity);
        }
        if let Some(user) = request
            .user
            .as_ref()
            .filter(|user| user.len() <= LONGEST_USER)
        {
            json.text_field("user", user);
        }
        if let Some(key) = request.cache_key.as_ref().filter(|_| dialect.own_members) {
            json.text_field("prompt_cache_key", key);
        }
        if request.stream {
            json.raw_field("stream", "true");
            json.raw_field("stream_options", "{\"include_usage\":true}");
        }
    });
}

/// What every upstream that knows the member at all understands.
fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::ExtraHigh | Effort::Max => "high",
    }
}

fn write_tools(json: &mut Json<'_>, request: &Request<'_>, dialect: &Dialect) {
    if request.tools.is_empty() {
        return;
    }
    json.key("tools").array(|json| {
        for tool in &request.tools {
            json.object(|json| {
                json.text_field("type", "function");
                json.key("function").object(|json| {
                    json.text_field("name", &tool.name);
                    if let Some(description) = &tool.description {
                        json.text_field("description", description);
                    }
                    if let Some(schema) = tool.schema() {
                        json.raw_field("parameters", schema);
                    }
                    if tool.strict == Some(true) {
                        json.raw_field("strict", "true");
                    }
                });
                if let Some(cache) = tool.cache.filter(|_| dialect.cache_control) {
                    json.raw_field("cache_control", cache.get());
                }
            });
        }
    });
    match &request.choice {
        None => {}
        Some(Choice::Auto) => json.text_field("tool_choice", "auto"),
        Some(Choice::None) => json.text_field("tool_choice", "none"),
        Some(Choice::Any) => json.text_field("tool_choice", "required"),
        Some(Choice::Tool(name)) => json.key("tool_choice").object(|json| {
            json.text_field("type", "function");
            json.key("function")
                .object(|json| json.text_field("name", name));
        }),
    }
    // The other is what happens anyway.
    if request.parallel == Some(false) {
        json.raw_field("parallel_tool_calls", "false");
    }
}

fn write_shape(json: &mut Json<'_>, shape: Option<&AnswerShape<'_>>) {
    match shape {
        None => {}
        Some(AnswerShape::Object) => {
            json.raw_field("response_format", "{\"type\":\"json_object\"}");
        }
        Some(AnswerShape::Schema {
            name,
            description,
            schema,
            strict,
        }) => {
            json.key("response_format").object(|json| {
                json.text_field("type", "json_schema");
                json.key("json_schema").object(|json| {
                    json.text_field("name", name.as_deref().unwrap_or("answer"));
                    if let Some(description) = description {
                        json.text_field("description", description);
                    }
                    json.raw_field("schema", schema.get());
                    if let Some(strict) = strict {
                        json.raw_field("strict", if *strict { "true" } else { "false" });
                    }
                });
            });
        }
    }
}

fn write_turn(json: &mut Json<'_>, turn: &Turn<'_>, dialect: &Dialect) {
    match turn.role {
        Role::System => message(json, "system", &turn.parts, dialect),
        Role::Assistant => assistant(json, &turn.parts, dialect),
        Role::User => {
            let mut rest: Vec<Cow<'_, Part<'_>>> = Vec::new();
            for part in &turn.parts {
                match part {
                    Part::Result {
                        id, parts, error, ..
                    } => {
                        tool_message(json, id, parts, *error, &mut rest);
                    }
                    part => rest.push(Cow::Borrowed(part)),
                }
            }
            if !rest.is_empty() {
                message(json, "user", &rest, dialect);
            }
        }
    }
}

/// A tool's message takes text only; its images and files go to the user's message after it.
fn tool_message<'p, 'a>(
    json: &mut Json<'_>,
    id: &str,
    parts: &'p [Part<'a>],
    error: bool,
    rest: &mut Vec<Cow<'p, Part<'a>>>,
) {
    let mut texts: Vec<Cow<'_, Words<'a>>> = Vec::new();
    let mut lifted = 0;
    for part in parts {
        match part {
            Part::Text { text, .. } => texts.push(Cow::Borrowed(text)),
            Part::Image { .. } | Part::Document { .. } => {
                if lifted == 0 {
                    rest.push(Cow::Owned(Part::text(format!("From the tool call {id}:"))));
                }
                lifted += 1;
                rest.push(Cow::Borrowed(part));
            }
            _ => {}
        }
    }
    if texts.is_empty() && lifted > 0 {
        texts.push(Cow::Owned("The result is in the next message.".into()));
    }
    json.object(|json| {
        json.text_field("role", "tool");
        json.text_field("tool_call_id", id);
        let content = json.key("content");
        // Chat has no mark for a result that is an error.
        let first = texts.first().map_or("", |text| text.written());
        if error && !says_error(first) {
            let words = texts.first().map(|text| text.plain()).unwrap_or_default();
            let marked = Cow::Owned(format!("Error: {words}").into());
            match texts.first_mut() {
                Some(first) => *first = marked,
                None => texts.push(marked),
            }
        }
        content.words(texts.iter().map(|text| &**text), "\\n");
    });
}

fn says_error(text: &str) -> bool {
    text.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("error"))
        || text.starts_with("<tool_use_error")
}

fn assistant(json: &mut Json<'_>, parts: &[Part<'_>], dialect: &Dialect) {
    json.object(|json| {
        json.text_field("role", "assistant");
        let texts = || parts.iter().filter_map(Part::words);
        let calls = || {
            parts
                .iter()
                .filter(|part| matches!(part, Part::Call { .. }))
        };
        if texts().next().is_none() && calls().next().is_some() {
            json.raw_field("content", "null");
        } else {
            json.key("content").words(texts(), "");
        }
        thoughts(json, parts, dialect.replay);
        if calls().next().is_some() {
            json.key("tool_calls").array(|json| {
                let mut proof = None;
                for part in parts {
                    let (id, name, arguments) = match part {
                        Part::Call {
                            id,
                            name,
                            arguments,
                            ..
                        } => (id, name, arguments),
                        Part::Thinking {
                            signature: Some(Signature::Google(signature)),
                            ..
                        } => {
                            proof = Some(signature);
                            continue;
                        }
                        _ => continue,
                    };
                    json.object(|json| {
                        json.text_field("id", id);
                        json.text_field("type", "function");
                        json.key("function").object(|json| {
                            json.text_field("name", name);
                            json.text_field("arguments", or_object(arguments));
                        });
                        if let Some(proof) = proof.take() {
                            json.key("extra_content").object(|json| {
                                json.key("google")
                                    .object(|json| json.text_field("thought_signature", proof));
                            });
                        }
                    });
                }
            });
        }
    });
}

fn thoughts(json: &mut Json<'_>, parts: &[Part<'_>], replay: Replay) {
    let thinking = |part: &Part<'_>| matches!(part, Part::Thinking { .. } | Part::Redacted(_));
    if replay == Replay::None || !parts.iter().any(thinking) {
        return;
    }
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Thinking { text, .. } => Some(&**text),
            _ => None,
        })
        .collect();
    if replay == Replay::ReasoningContent {
        if texts.iter().all(|text| text.is_empty()) {
            return;
        }
        json.text_field("reasoning_content", &texts.concat());
        return;
    }
    json.text_field("reasoning", &texts.concat());
    json.key("reasoning_details").array(|json| {
        for part in parts {
            match part {
                Part::Thinking { text, signature } => json.object(|json| {
                    json.text_field("type", "reasoning.text");
                    json.text_field("text", text);
                    if let Some(Signature::Messages(signature)) = signature {
                        json.text_field("signature", signature);
                        json.text_field("format", "anthropic-claude-v1");
                    }
                }),
                Part::Redacted(Signature::Messages(data)) => json.object(|json| {
                    json.text_field("type", "reasoning.encrypted");
                    json.text_field("data", data);
                    json.text_field("format", "anthropic-claude-v1");
                }),
                _ => {}
            }
        }
    });
}

fn message<'a, P: AsRef<Part<'a>>>(
    json: &mut Json<'_>,
    role: &str,
    parts: &[P],
    dialect: &Dialect,
) {
    let plain = parts.iter().all(|part| {
        let part = part.as_ref();
        matches!(part, Part::Text { .. }) && !(dialect.cache_control && part.cache().is_some())
    });
    json.object(|json| {
        json.text_field("role", role);
        if plain {
            let texts = parts.iter().filter_map(|part| part.as_ref().words());
            json.key("content").words(texts, "\\n\\n");
        } else {
            json.key("content").array(|json| {
                for part in parts {
                    write_part(json, part.as_ref(), dialect);
                }
            });
        }
    });
}

fn write_part(json: &mut Json<'_>, part: &Part<'_>, dialect: &Dialect) {
    let cache = part.cache().filter(|_| dialect.cache_control);
    match part {
        Part::Text { text, .. } => json.object(|json| {
            json.text_field("type", "text");
            json.key("text").words([text], "");
            if let Some(cache) = cache {
                json.raw_field("cache_control", cache.get());
            }
        }),
        Part::Image { source, detail, .. } => json.object(|json| {
            json.text_field("type", "image_url");
            json.key("image_url").object(|json| {
                url(json, "url", source);
                if let Some(detail) = detail {
                    json.text_field("detail", detail);
                }
            });
            if let Some(cache) = cache {
                json.raw_field("cache_control", cache.get());
            }
        }),
        Part::Document {
            source: Source::Plain(text),
            ..
        } => json.object(|json| {
            json.text_field("type", "text");
            json.text_field("text", text);
        }),
        // Chat takes files as data or by id; an address is for the model to read.
        Part::Document {
            source: Source::Url(address),
            ..
        } => json.object(|json| {
            json.text_field("type", "text");
            json.text_field("text", address);
        }),
        Part::Document { source, name, .. } => json.object(|json| {
            json.text_field("type", "file");
            json.key("file").object(|json| match source {
                Source::File(id) => json.text_field("file_id", id),
                _ => {
                    json.text_field("filename", name.as_deref().unwrap_or("document.pdf"));
                    url(json, "file_data", source);
                }
            });
        }),
        _ => {}
    }
}
