//! Gemini CLI: JSON lines, and JSON files of earlier versions, in `tmp/<project>/chats`.
//!
//! - A message comes again when more of it is known, and in every chat that goes on from it, under its
//!   own id.
//! - What came from the cache is a part of the prompt, but where the total says that it is not; thoughts
//!   are beside the answer and cost as much; what tools put into the prompt is beside it, too.

use super::value::{count, moment, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};
use serde_json::Value;

pub(super) const LINES: Read = Read::Lines { marker: None, line };
pub(super) const FILE: Read = Read::Whole(file);

fn line(text_of_line: &[u8], context: &mut Context<'_>) -> Option<()> {
    let value = object(text_of_line)?;
    let session = text(&value["sessionId"]);
    if !session.is_empty() {
        context.memory.session.replace_range(.., session);
    }
    answer(&value, context)
}

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let chat = object(content)?;
    context
        .memory
        .session
        .replace_range(.., text(&chat["sessionId"]));
    for message in chat["messages"].as_array()? {
        answer(message, context);
    }
    Some(())
}

fn answer(message: &Value, context: &mut Context<'_>) -> Option<()> {
    let (id, tokens) = (text(&message["id"]), &message["tokens"]);
    if message["type"] != "gemini" || id.is_empty() || !tokens.is_object() {
        return None;
    }
    let of = |name: &str| count(&tokens[name]);
    let (prompt, cached) = (of("input"), of("cached"));
    let without = [prompt, of("output"), of("thoughts"), of("tool")]
        .into_iter()
        .fold(0_u64, u64::saturating_add);
    let is_beside = cached > 0 && of("total") == without.saturating_add(cached);
    let fresh = if is_beside {
        prompt
    } else {
        prompt.saturating_sub(cached)
    };
    if context.memory.project.is_empty() {
        context.memory.project = project(context);
    }
    let session = context.memory.session.clone();
    context.found(&Record {
        key: Key::of(&[b"gemini", id.as_bytes()]),
        at: moment(&message["timestamp"])?,
        session: &session,
        model: model_or_unknown(text(&message["model"])),
        fast: false,
        counts: Counts {
            input: fresh.saturating_add(of("tool")),
            output: of("output").saturating_add(of("thoughts")),
            cache_read: cached,
            ..Counts::default()
        },
    });
    Some(())
}

/// The folder of a project stands in a file beside its chats.
fn project(context: &Context<'_>) -> String {
    let mut folders = context.path.ancestors();
    let chats = folders.find(|folder| folder.ends_with("chats"));
    let mark = chats.and_then(|chats| Some(chats.parent()?.join(".project_root")));
    let text = mark.and_then(|mark| crate::files::read_text(&mark, 4096).ok());
    text.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
