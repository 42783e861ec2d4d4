//! Requests for an upstream of Responses.

use super::super::happening::Signature;
use super::model::{AnswerShape, Choice, Effort, Part, Request, Role, Source, Turn};
use super::openai::{LONGEST_USER, float, or_object, url};
use super::{Dialect, models};
use crate::json::Json;

/// OpenAI refuses less.
const SMALLEST_LIMIT: u64 = 16;

pub(super) fn write(request: &Request<'_>, dialect: &Dialect, json: &mut Json<'_>) {
    json.object(|json| {
        json.text_field("model", &request.model);
        if !request.system.is_empty() {
            let system = request.system.iter().filter_map(Part::words);
            json.key("instructions").words(system, "\\n\\n");
        }
        json.key("input").array(|json| {
            for turn in &request.turns {
                write_turn(json, turn);
            }
        });
        write_tools(json, request);
        if let Some(limit) = request.max_tokens {
            json.number_field("max_output_tokens", limit.max(SMALLEST_LIMIT));
        }
        if !models::thinks_at_openai(&request.model) {
            float(json, "temperature", request.temperature);
            float(json, "top_p", request.top_p);
        }
        let told = dialect
            .effort
            .unwrap_or_else(|| models::takes_effort(&request.model));
        if told && request.thinking.wanted == Some(true) {
            json.key("reasoning").object(|json| {
                if let Some(effort) = request.thinking.effort() {
                    json.text_field("effort", word(effort));
                }
                json.text_field("summary", "auto");
            });
            // Nothing is kept at the provider, so what proves the thinking has to travel.
            json.raw_field("include", "[\"reasoning.encrypted_content\"]");
        }
        write_text(json, request);
        if let Some(user) = request
            .user
            .as_ref()
            .filter(|user| user.len() <= LONGEST_USER)
        {
            json.text_field("user", user);
        }
        if let Some(key) = &request.cache_key {
            json.text_field("prompt_cache_key", key);
        }
        json.raw_field("store", "false");
        if request.stream {
            json.raw_field("stream", "true");
        }
    });
}

fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::ExtraHigh | Effort::Max => "xhigh",
    }
}

fn write_tools(json: &mut Json<'_>, request: &Request<'_>) {
    if request.tools.is_empty() {
        return;
    }
    json.key("tools").array(|json| {
        for tool in &request.tools {
            json.object(|json| {
                let Some(schema) = tool.schema() else {
                    json.text_field("type", "web_search");
                    return;
                };
                json.text_field("type", "function");
                json.text_field("name", &tool.name);
                if let Some(description) = &tool.description {
                    json.text_field("description", description);
                }
                json.raw_field("parameters", schema);
                // Left out, it would mean yes.
                let strict = tool.strict.unwrap_or(false);
                json.raw_field("strict", if strict { "true" } else { "false" });
            });
        }
    });
    match &request.choice {
        None => {}
        Some(Choice::Auto) => json.text_field("tool_choice", "auto"),
        Some(Choice::None) => json.text_field("tool_choice", "none"),
        Some(Choice::Any) => json.text_field("tool_choice", "required"),
        Some(Choice::Tool(name)) => json.key("tool_choice").object(|json| {
            let own = request.tools.iter().find(|tool| tool.name == *name);
            if own.is_some_and(|tool| tool.schema().is_none()) {
                json.text_field("type", "web_search");
            } else {
                json.text_field("type", "function");
                json.text_field("name", name);
            }
        }),
    }
    if let Some(parallel) = request.parallel {
        json.raw_field(
            "parallel_tool_calls",
            if parallel { "true" } else { "false" },
        );
    }
}

fn write_text(json: &mut Json<'_>, request: &Request<'_>) {
    if request.shape.is_none() && request.verbosity.is_none() {
        return;
    }
    json.key("text").object(|json| {
        match &request.shape {
            None => {}
            Some(AnswerShape::Object) => json.raw_field("format", "{\"type\":\"json_object\"}"),
            Some(AnswerShape::Schema {
                name,
                description,
                schema,
                strict,
            }) => {
                json.key("format").object(|json| {
                    json.text_field("type", "json_schema");
                    json.text_field("name", name.as_deref().unwrap_or("answer"));
                    if let Some(description) = description {
                        json.text_field("description", description);
                    }
                    json.raw_field("schema", schema.get());
                    if let Some(strict) = strict {
                        json.raw_field("strict", if *strict { "true" } else { "false" });
                    }
                });
            }
        }
        if let Some(verbosity) = &request.verbosity {
            json.text_field("verbosity", verbosity);
        }
    });
}

fn write_turn(json: &mut Json<'_>, turn: &Turn<'_>) {
    // Results and calls are items beside messages, so what a message holds is cut by them.
    let mut said: Vec<&Part<'_>> = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Text { .. } | Part::Image { .. } | Part::Document { .. } => said.push(part),
            Part::Thinking { text, signature } => {
                // Only the provider's own proof of its own thinking goes back to it.
                if let Some(Signature::Responses { id, encrypted }) = signature {
                    message(json, turn.role, &mut said);
                    json.object(|json| {
                        json.text_field("type", "reasoning");
                        if !id.is_empty() {
                            json.text_field("id", id);
                        }
                        json.key("summary").array(|json| {
                            if !text.is_empty() {
                                json.object(|json| {
                                    json.text_field("type", "summary_text");
                                    json.text_field("text", text);
                                });
                            }
                        });
                        json.text_field("encrypted_content", encrypted);
                    });
                }
            }
            Part::Redacted(_) => {}
            Part::Call {
                id,
                name,
                arguments,
                ..
            } => {
                message(json, turn.role, &mut said);
                json.object(|json| {
                    json.text_field("type", "function_call");
                    json.text_field("call_id", id);
                    json.text_field("name", name);
                    json.text_field("arguments", or_object(arguments));
                });
            }
            Part::Result { id, parts, .. } => {
                message(json, turn.role, &mut said);
                json.object(|json| {
                    json.text_field("type", "function_call_output");
                    json.text_field("call_id", id);
                    output(json, parts);
                });
            }
        }
    }
    message(json, turn.role, &mut said);
}

fn output(json: &mut Json<'_>, parts: &[Part<'_>]) {
    if parts.iter().all(|part| part.words().is_some()) {
        json.key("output")
            .words(parts.iter().filter_map(Part::words), "\\n");
    } else {
        json.key("output").array(|json| {
            for part in parts {
                write_part(json, part, "input_text");
            }
        });
    }
}

fn message(json: &mut Json<'_>, role: Role, said: &mut Vec<&Part<'_>>) {
    if said.is_empty() {
        return;
    }
    let (role, kind) = match role {
        Role::System => ("developer", "input_text"),
        Role::User => ("user", "input_text"),
        Role::Assistant => ("assistant", "output_text"),
    };
    json.object(|json| {
        json.text_field("type", "message");
        json.text_field("role", role);
        json.key("content").array(|json| {
            for part in said.drain(..) {
                write_part(json, part, kind);
            }
        });
    });
}

fn write_part(json: &mut Json<'_>, part: &Part<'_>, kind: &'static str) {
    match part {
        Part::Text { text, .. } => json.object(|json| {
            json.text_field("type", kind);
            json.key("text").words([text], "");
        }),
        Part::Image { source, detail, .. } => json.object(|json| {
            json.text_field("type", "input_image");
            match source {
                Source::File(id) => json.text_field("file_id", id),
                source => url(json, "image_url", source),
            }
            if let Some(detail) = detail {
                json.text_field("detail", detail);
            }
        }),
        Part::Document { source, name, .. } => json.object(|json| match source {
            Source::Plain(text) => {
                json.text_field("type", kind);
                json.text_field("text", text);
            }
            source => {
                json.text_field("type", "input_file");
                match source {
                    Source::File(id) => json.text_field("file_id", id),
                    Source::Url(address) => json.text_field("file_url", address),
                    source => {
                        json.text_field("filename", name.as_deref().unwrap_or("document.pdf"));
                        url(json, "file_data", source);
                    }
                }
            }
        }),
        _ => {}
    }
}
