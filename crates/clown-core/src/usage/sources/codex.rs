//! Codex: JSON lines, one file a thread, in `sessions/<year>/<month>/<day>/rollout-*.jsonl`; archived
//! threads are moved to `archived_sessions`.
//!
//! - Newer versions write a `token_usage_record` for each answer, with the provider's id of it.
//! - All write `token_count` events: the sum of the thread and its last step. An event whose sum is
//!   known tells of nothing new: it is written again, or stands behind the record of the same answer.
//! - The sum may fall, as when a thread is rolled back; the step is right all the same.
//! - A fork, and a subagent that inherits, begins with a copy of its parent's lines, all with the time
//!   of copying. The copies stand in the parent's own file. They end where a turn begins that is
//!   younger than the thread; ids of older versions do not say so, and only times are left.
//! - Caches are inside of `input_tokens`, what was thought inside of `output_tokens`.

use super::{Context, Memory, Read, key_of_answer, model_or_unknown, moment};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};

/// No marker: what a count belongs to stands on lines of other kinds.
pub(super) const READ: Read = Read::Lines { marker: None, line };

/// Threads that nobody has gone on with for a while are compressed, as `rollout-*.jsonl.zst`; one that
/// is taken up again becomes a plain file again. What stands in both is one.
pub(super) const COMPRESSED: Read = Read::Compressed(line);

/// Of [`Memory::sums`]: what the thread had used when it was last told of.
const THREAD: &str = "thread";
/// Of [`Memory::marks`]: how often that fell.
const FALLS: &str = "falls";
/// Of [`Memory::marks`]: the time of the last line that was copied, while lines are copies.
const COPIED: &str = "copied";
/// Of [`Memory::marks`]: whether a faster service is asked.
const FAST: &str = "fast";

/// Of [`Memory::marks`]: when a turn began, while lines are copies.
const TURN: &str = "turn";
/// Of [`Memory::marks`]: whether the ids of copied turns say when they began.
const DATED: &str = "dated";

/// Copies follow each other at once: behind such a pause, nothing is one.
const PAUSE_MILLIS: i64 = 1_000;
/// And behind such a one, no turn begins among them.
const TURN_MILLIS: i64 = 100;
/// No model answers sooner.
const ANSWER_MILLIS: i64 = 250;

#[derive(Default)]
struct Line<'a> {
    at: Text<'a>,
    kind: Text<'a>,
    payload: Payload<'a>,
}

#[derive(Default)]
struct Payload<'a> {
    kind: Text<'a>,
    id: Text<'a>,
    cwd: Text<'a>,
    model: Text<'a>,
    forked_from: Text<'a>,
    /// The thread that a subagent was started by.
    parent: Text<'a>,
    /// Of `thread_settings`.
    tier: Option<Text<'a>>,
    turn: Text<'a>,
    thread: Text<'a>,
    response: Text<'a>,
    /// The whole of the thread, and the last step.
    total: Option<Counts>,
    step: Option<Counts>,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let mut line = Line::default();
    let whole = read(text, &mut line);
    let at = moment(line.at)?;
    follow_copies(context.memory, at, &line);
    whole?;
    let payload = &line.payload;
    match line.kind.raw() {
        b"session_meta" if context.memory.session.is_empty() => {
            context.memory.session = payload.id.read()?.into_owned();
            context.memory.project = payload.cwd.read()?.into_owned();
            if !payload.forked_from.is_empty() || !payload.parent.is_empty() {
                context.memory.marks.insert(COPIED.to_owned(), at);
            }
        }
        b"turn_context" if !payload.model.is_empty() => {
            context.memory.model = payload.model.read()?.into_owned();
        }
        b"token_usage_record" => record(payload, at, context)?,
        b"event_msg" => match payload.kind.raw() {
            b"token_count" => token_count(payload, at, context)?,
            b"thread_settings_applied" => {
                if let Some(tier) = payload.tier {
                    let fast = matches!(tier.raw(), b"priority" | b"fast");
                    context
                        .memory
                        .marks
                        .insert(FAST.to_owned(), i64::from(fast));
                }
            }
            _ => {}
        },
        _ => {}
    }
    Some(())
}

/// Notices where copies end.
fn follow_copies(memory: &mut Memory, at: i64, line: &Line<'_>) {
    let Some(copied) = memory.marks.get(COPIED).copied() else {
        return;
    };
    let payload = &line.payload;
    let event = match line.kind.raw() {
        b"event_msg" => payload.kind.raw(),
        kind => kind,
    };
    let begins = matches!(event, b"turn_context" | b"task_started" | b"user_message");
    let thread = made_at(memory.session.as_bytes());
    let turn = made_at(payload.turn.raw()).filter(|_| begins);
    let ends = if let (Some(turn), Some(thread)) = (turn, thread) {
        memory.marks.insert(DATED.to_owned(), 1);
        turn >= thread
    } else {
        let later = |than: i64, by: i64| at > than.saturating_add(by);
        let turn = memory.marks.get(TURN).copied();
        let answers = event == b"token_count" && payload.total.is_some();
        !memory.marks.contains_key(DATED)
            && (later(copied, PAUSE_MILLIS)
                || (begins && later(copied, TURN_MILLIS))
                || (answers && turn.is_some_and(|turn| later(turn, ANSWER_MILLIS))))
    };
    if ends {
        for mark in [COPIED, TURN, DATED] {
            memory.marks.remove(mark);
        }
        return;
    }
    memory.marks.insert(COPIED.to_owned(), at.max(copied));
    if begins {
        memory.marks.insert(TURN.to_owned(), at);
    }
}

/// Milliseconds since 1970 when an id was made, if it says so: version 7 of a UUID begins with it.
fn made_at(id: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(id).ok()?;
    if text.len() != 36 || id[14] != b'7' {
        return None;
    }
    let (first, rest) = text.split_once('-')?;
    let (second, _) = rest.split_once('-')?;
    u64::from_str_radix(&format!("{first}{second}"), 16).ok()
}

fn record(payload: &Payload<'_>, at: i64, context: &mut Context<'_>) -> Option<()> {
    let step = payload.step?;
    let memory = &mut *context.memory;
    let known = memory.sums.get(THREAD).copied().unwrap_or_default();
    let total = payload.total.unwrap_or_else(|| known.plus(step));
    memory.sums.insert(THREAD.to_owned(), total);
    // The copy of a record is known by its id, or says itself whose it is.
    let key = key_of_answer(payload.response).unwrap_or_else(|| {
        let total = total.bytes();
        let (thread, response) = (payload.thread.raw(), payload.response.raw());
        Key::of(&[b"codex-response", thread, response, &total])
    });
    found(key, step, Text::default(), at, context)
}

fn token_count(payload: &Payload<'_>, at: i64, context: &mut Context<'_>) -> Option<()> {
    let memory = &mut *context.memory;
    let known = memory.sums.get(THREAD).copied().unwrap_or_default();
    let total = match (payload.total, payload.step) {
        (Some(total), _) => total,
        (None, Some(step)) => known.plus(step),
        // Only about limits.
        (None, None) => return None,
    };
    if total == known {
        return None;
    }
    memory.sums.insert(THREAD.to_owned(), total);
    if total.total() < known.total() {
        *memory.marks.entry(FALLS.to_owned()).or_default() += 1;
    }
    if memory.marks.contains_key(COPIED) {
        return None;
    }
    let step = payload.step.unwrap_or_else(|| total.beyond(known));
    let falls = memory.marks.get(FALLS).copied().unwrap_or_default();
    let session = session(context)?;
    let total = total.bytes();
    let key = Key::of(&[
        b"codex-thread",
        session.as_bytes(),
        &falls.to_le_bytes(),
        &total,
    ]);
    found(key, step, payload.model, at, context)
}

fn found(
    key: Key,
    counts: Counts,
    model: Text<'_>,
    at: i64,
    context: &mut Context<'_>,
) -> Option<()> {
    let model = if context.memory.model.is_empty() {
        model.read()?.into_owned()
    } else {
        context.memory.model.clone()
    };
    let session = session(context)?;
    context.found(&Record {
        key,
        at,
        session: &session,
        model: model_or_unknown(&model),
        fast: Some(context.memory.marks.get(FAST) == Some(&1)),
        counts,
    });
    Some(())
}

/// The thread's id. A log whose first line is missing has it in its name:
/// `rollout-2026-03-01T10-00-00-<id>.jsonl`.
fn session(context: &Context<'_>) -> Option<String> {
    /// As long as the time and the stroke behind it.
    const TIME: usize = "2026-03-01T10-00-00-".len();
    if !context.memory.session.is_empty() {
        return Some(context.memory.session.clone());
    }
    let name = context.path.file_name()?.to_string_lossy();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    let name = name.strip_suffix(".jsonl").unwrap_or(name);
    let id = name
        .strip_prefix("rollout-")
        .and_then(|name| name.get(TIME..))
        .filter(|id| !id.is_empty());
    Some(id.unwrap_or(name).to_owned())
}

/// `None` for what is no whole line, or of a kind that does not matter; the time is there as far as
/// it was read.
fn read<'a>(text: &'a [u8], line: &mut Line<'a>) -> Option<()> {
    let mut json = Json::new(text);
    let mut payload = None;
    json.object(|key, value| {
        match key {
            b"timestamp" => line.at = value.text_or_empty()?,
            b"type" => {
                line.kind = value.text_or_empty()?;
                matters(line.kind).then_some(())?;
            }
            b"payload" => {
                payload = Some(value.clone());
                value.skip()?;
            }
            _ => value.skip()?,
        }
        Some(())
    })?;
    if !json.ends() {
        return None;
    }
    read_payload(&mut payload?, &mut line.payload)
}

fn matters(kind: Text<'_>) -> bool {
    matches!(
        kind.raw(),
        b"session_meta" | b"turn_context" | b"token_usage_record" | b"event_msg"
    )
}

fn read_payload<'a>(value: &mut Json<'a>, payload: &mut Payload<'a>) -> Option<()> {
    value.object(|key, value| {
        match key {
            b"type" => payload.kind = value.text_or_empty()?,
            b"id" => payload.id = value.text_or_empty()?,
            b"cwd" => payload.cwd = value.text_or_empty()?,
            b"model" => payload.model = value.text_or_empty()?,
            b"forked_from_id" => payload.forked_from = value.text_or_empty()?,
            b"parent_thread_id" => payload.parent = value.text_or_empty()?,
            b"source" => value.object_or_skip(|key, value| match key {
                b"subagent" => value.object_or_skip(|key, value| match key {
                    b"thread_spawn" => value.object_or_skip(|key, value| {
                        match key {
                            b"parent_thread_id" => {
                                payload.parent = value.text_or_empty()?;
                            }
                            _ => value.skip()?,
                        }
                        Some(())
                    }),
                    _ => value.skip(),
                }),
                _ => value.skip(),
            })?,
            b"thread_settings" => value.object_or_skip(|key, value| {
                match key {
                    b"service_tier" => payload.tier = Some(value.text_or_empty()?),
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"turn_id" => payload.turn = value.text_or_empty()?,
            b"thread_id" => payload.thread = value.text_or_empty()?,
            b"response_id" => payload.response = value.text_or_empty()?,
            b"usage" => payload.step = counts(value)?,
            b"thread_token_usage" => payload.total = counts(value)?,
            b"info" => value.object_or_skip(|key, value| {
                match key {
                    b"total_token_usage" => payload.total = counts(value)?,
                    b"last_token_usage" => payload.step = counts(value)?,
                    b"model" => payload.model = value.text_or_empty()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })
}

/// `None` within where there is no object.
fn counts(value: &mut Json<'_>) -> Option<Option<Counts>> {
    if !value.is_object() {
        value.skip()?;
        return Some(None);
    }
    let mut counts = Counts::default();
    value.object(|key, value| {
        match key {
            b"input_tokens" => counts.input = value.count()?,
            b"cached_input_tokens" => counts.cache_read = value.count()?,
            b"cache_write_input_tokens" => counts.cache_write = value.count()?,
            b"output_tokens" => counts.output = value.count()?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(Some(counts.without_caches_in_input()))
}

#[cfg(test)]
mod tests;
