//! Requests for an upstream of Messages.

use super::super::happening::Signature;
use super::super::write::object_of;
use super::marks::Marks;
use super::model::{
    AnswerShape, Cache, Choice, Effort, Part, Request, Role, Source, ToolKind, Turn,
};
use super::openai::float;
use super::{Dialect, models};
use crate::json::Json;

const BREAKPOINT: &str = "{\"type\":\"ephemeral\"}";

/// The least that may be thought, by the provider's rule.
const SMALLEST_BUDGET: u64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Adaptive(Option<Effort>),
    Budget(u64),
}

pub(super) fn write(request: &Request<'_>, dialect: &Dialect, json: &mut Json<'_>) {
    let limit = request.max_tokens.unwrap_or(dialect.max_tokens);
    let mode = mode(request, dialect, limit);
    let marks = Marks::find(request, dialect);
    json.object(|json| {
        json.text_field("model", &request.model);
        json.number_field("max_tokens", limit);
        write_system(json, request, &marks);
        json.key("messages").array(|json| {
            if request
                .turns
                .first()
                .is_none_or(|turn| turn.role == Role::Assistant)
            {
                json.raw("{\"role\":\"user\",\"content\":\"Go on.\"}");
            }
            let last = request.turns.len().saturating_sub(1);
            for (place, turn) in request.turns.iter().enumerate() {
                write_turn(
                    json,
                    turn,
                    marks.turns.contains(&Some(place)),
                    place == last,
                );
            }
        });
        write_tools(json, request, &marks);
        if mode == Mode::Off {
            // Newer models take one of the two only.
            float(
                json,
                "temperature",
                request.temperature.map(|heat| heat.clamp(0.0, 1.0)),
            );
            if request.temperature.is_none() {
                float(json, "top_p", request.top_p);
            }
            if let Some(top) = request.top_k {
                json.number_field("top_k", top);
            }
        }
        if !request.stop.is_empty() {
            json.key("stop_sequences").array(|json| {
                // A sequence of white space alone is refused.
                for stop in request.stop.iter().filter(|stop| !stop.trim().is_empty()) {
                    json.string(stop);
                }
            });
        }
        write_thinking(json, request, mode);
        if let Some(user) = &request.user {
            json.key("metadata")
                .object(|json| json.text_field("user_id", user));
        }
        if request.stream {
            json.raw_field("stream", "true");
        }
    });
}

fn mode(request: &Request<'_>, dialect: &Dialect, limit: u64) -> Mode {
    let forced = matches!(request.choice, Some(Choice::Any | Choice::Tool(_)));
    let told = dialect
        .effort
        .unwrap_or_else(|| models::can_think(&request.model));
    if request.thinking.wanted != Some(true) || forced || !told {
        return Mode::Off;
    }
    let adaptive = dialect
        .adaptive_thinking
        .unwrap_or_else(|| models::thinks_adaptively(&request.model));
    if adaptive {
        return Mode::Adaptive(request.thinking.effort());
    }
    // A budget wants each turn of a running tool loop to begin with its thinking.
    if lost_thinking(&request.turns) || limit <= SMALLEST_BUDGET {
        return Mode::Off;
    }
    let budget = request
        .thinking
        .budget
        .unwrap_or(match request.thinking.effort() {
            None | Some(Effort::Medium) => 8192,
            Some(Effort::Minimal | Effort::Low) => 2048,
            Some(Effort::High) => 16_384,
            Some(Effort::ExtraHigh | Effort::Max) => 32_000,
        });
    Mode::Budget(budget.clamp(SMALLEST_BUDGET, limit - 1))
}

fn lost_thinking(turns: &[Turn<'_>]) -> bool {
    let Some(last) = turns.iter().rev().find(|turn| turn.role == Role::Assistant) else {
        return false;
    };
    let loops = turns.last().is_some_and(|turn| {
        turn.parts
            .iter()
            .any(|part| matches!(part, Part::Result { .. }))
    });
    loops && !last.parts.first().is_some_and(proven)
}

/// Thinking that the provider will take back.
fn proven(part: &Part<'_>) -> bool {
    matches!(
        part,
        Part::Thinking {
            signature: Some(Signature::Messages(_)),
            ..
        } | Part::Redacted(Signature::Messages(_))
    )
}

fn cache(json: &mut Json<'_>, own: Cache<'_>, marked: bool) {
    match own {
        Some(own) => json.raw_field("cache_control", own.get()),
        None if marked => json.raw_field("cache_control", BREAKPOINT),
        None => {}
    }
}

fn write_system(json: &mut Json<'_>, request: &Request<'_>, marks: &Marks) {
    let object = matches!(request.shape, Some(AnswerShape::Object));
    if request.system.is_empty() && !object {
        return;
    }
    json.key("system").array(|json| {
        let last = request.system.len().saturating_sub(1);
        for (place, part) in request.system.iter().enumerate() {
            write_part(json, part, marks.system && place == last);
        }
        if object {
            // Messages has no word for any JSON object.
            let text = Part::text("Answer with one JSON object and nothing else.");
            write_part(json, &text, false);
        }
    });
}

fn write_tools(json: &mut Json<'_>, request: &Request<'_>, marks: &Marks) {
    if request.tools.is_empty() {
        return;
    }
    json.key("tools").array(|json| {
        let last = request.tools.len() - 1;
        for (place, tool) in request.tools.iter().enumerate() {
            json.object(|json| {
                if matches!(tool.kind, ToolKind::WebSearch) {
                    json.text_field("type", "web_search_20250305");
                    json.text_field("name", "web_search");
                } else {
                    json.text_field("name", &tool.name);
                    if let Some(description) = &tool.description {
                        json.text_field("description", description);
                    }
                    if let Some(schema) = tool.schema() {
                        json.raw_field("input_schema", schema);
                    }
                }
                cache(json, tool.cache, marks.tools && place == last);
            });
        }
    });
    let single = request.parallel == Some(false);
    let (kind, name) = match &request.choice {
        None if single => ("auto", None),
        None => return,
        Some(Choice::Auto) => ("auto", None),
        Some(Choice::None) => ("none", None),
        Some(Choice::Any) => ("any", None),
        Some(Choice::Tool(name)) => ("tool", Some(name)),
    };
    json.key("tool_choice").object(|json| {
        json.text_field("type", kind);
        if let Some(name) = name {
            json.text_field("name", name);
        }
        if single && kind != "none" {
            json.raw_field("disable_parallel_tool_use", "true");
        }
    });
}

fn write_thinking(json: &mut Json<'_>, request: &Request<'_>, mode: Mode) {
    match mode {
        Mode::Off => {}
        Mode::Adaptive(_) => json.raw_field("thinking", "{\"type\":\"adaptive\"}"),
        Mode::Budget(budget) => json.key("thinking").object(|json| {
            json.text_field("type", "enabled");
            json.number_field("budget_tokens", budget);
        }),
    }
    let effort = match mode {
        Mode::Adaptive(Some(Effort::Minimal | Effort::Low)) => Some("low"),
        Mode::Adaptive(Some(Effort::Medium)) => Some("medium"),
        Mode::Adaptive(Some(Effort::High | Effort::ExtraHigh)) => Some("high"),
        Mode::Adaptive(Some(Effort::Max)) => Some("max"),
        _ => None,
    };
    let schema = match &request.shape {
        Some(AnswerShape::Schema { schema, .. }) => Some(schema),
        _ => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    json.key("output_config").object(|json| {
        if let Some(effort) = effort {
            json.text_field("effort", effort);
        }
        if let Some(schema) = schema {
            json.key("format").object(|json| {
                json.text_field("type", "json_schema");
                json.raw_field("schema", schema.get());
            });
        }
    });
}

fn write_turn(json: &mut Json<'_>, turn: &Turn<'_>, marked: bool, last: bool) {
    let assistant = turn.role == Role::Assistant;
    json.object(|json| {
        json.text_field("role", if assistant { "assistant" } else { "user" });
        json.key("content").array(|json| {
            let end = turn.parts.len().saturating_sub(1);
            for (place, part) in turn.parts.iter().enumerate() {
                match part {
                    // The beginning of an answer must not end in white space.
                    Part::Text { text, cache } if assistant && last && place == end => {
                        let text = text.plain();
                        let text = text.trim_end();
                        if !text.is_empty() {
                            let part = Part::Text {
                                text: text.into(),
                                cache: *cache,
                            };
                            write_part(json, &part, false);
                        }
                    }
                    part => write_part(json, part, marked && place == end),
                }
            }
        });
    });
}

fn write_part(json: &mut Json<'_>, part: &Part<'_>, marked: bool) {
    match part {
        // Refused where empty.
        Part::Text { text, .. } if text.is_empty() => {}
        Part::Text { text, cache: own } => json.object(|json| {
            json.text_field("type", "text");
            json.key("text").words([text], "");
            cache(json, *own, marked);
        }),
        Part::Image {
            source, cache: own, ..
        } => json.object(|json| {
            json.text_field("type", "image");
            write_source(json, source, "image/png");
            cache(json, *own, marked);
        }),
        Part::Document {
            source,
            name,
            cache: own,
        } => json.object(|json| {
            json.text_field("type", "document");
            write_source(json, source, "application/pdf");
            if let Some(name) = name {
                json.text_field("title", name);
            }
            cache(json, *own, marked);
        }),
        Part::Thinking {
            text,
            signature: Some(Signature::Messages(signature)),
        } => {
            json.object(|json| {
                json.text_field("type", "thinking");
                json.text_field("thinking", text);
                json.text_field("signature", signature);
            });
        }
        Part::Redacted(Signature::Messages(data)) => json.object(|json| {
            json.text_field("type", "redacted_thinking");
            json.text_field("data", data);
        }),
        // What nobody signed, or another provider, would be refused.
        Part::Thinking { .. } | Part::Redacted(_) => {}
        Part::Call {
            id,
            name,
            arguments,
            cache: own,
        } => json.object(|json| {
            json.text_field("type", "tool_use");
            json.text_field("id", id);
            json.text_field("name", name);
            json.raw_field("input", &object_of(arguments));
            cache(json, *own, marked);
        }),
        Part::Result {
            id,
            parts,
            error,
            cache: own,
        } => json.object(|json| {
            json.text_field("type", "tool_result");
            json.text_field("tool_use_id", id);
            json.key("content").array(|json| {
                for part in parts {
                    write_part(json, part, false);
                }
            });
            if *error {
                json.raw_field("is_error", "true");
            }
            cache(json, *own, marked);
        }),
    }
}

fn write_source(json: &mut Json<'_>, source: &Source<'_>, media: &'static str) {
    json.key("source").object(|json| match source {
        Source::Url(url) => {
            json.text_field("type", "url");
            json.text_field("url", url);
        }
        Source::Data { media: own, data } => {
            json.text_field("type", "base64");
            json.text_field("media_type", if own.is_empty() { media } else { own });
            json.text_field("data", data);
        }
        Source::Plain(text) => {
            json.text_field("type", "text");
            json.text_field("media_type", "text/plain");
            json.text_field("data", text);
        }
        Source::File(id) => {
            json.text_field("type", "file");
            json.text_field("file_id", id);
        }
    });
}
