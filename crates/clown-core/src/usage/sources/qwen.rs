//! Qwen Code: one JSON line a request in `usage/token-usage-<month>.jsonl`, requests beside the
//! conversation too. What came from the cache is in the prompt; thoughts are in the answer where the
//! total says so, else beside it.

use super::value::{count, moment, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};

pub(super) const READ: Read = Read::Lines { marker: None, line };

fn line(text_of_line: &[u8], context: &mut Context<'_>) -> Option<()> {
    let value = object(text_of_line)?;
    let id = text(&value["id"]);
    if id.is_empty() {
        return None;
    }
    let of = |name: &str| count(&value[name]);
    let (input, output, thoughts) = (of("inputTokens"), of("outputTokens"), of("thoughtsTokens"));
    let beside = of("totalTokens") == input.saturating_add(output).saturating_add(thoughts);
    context.found(&Record {
        key: Key::of(&[b"qwen", id.as_bytes()]),
        at: moment(&value["timestamp"])?,
        session: text(&value["sessionId"]),
        model: model_or_unknown(text(&value["model"])),
        fast: false,
        counts: Counts {
            input,
            output: if beside {
                output.saturating_add(thoughts)
            } else {
                output
            },
            cache_read: of("cachedTokens"),
            ..Counts::default()
        }
        .without_caches_in_input(),
    });
    Some(())
}

#[cfg(test)]
mod tests;
