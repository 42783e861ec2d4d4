//! What models take, told by their names, where nobody has said it.

/// Models of OpenAI that refuse `max_tokens`, temperatures and stop sequences.
pub(super) fn thinks_at_openai(model: &str) -> bool {
    begins(model, &["gpt-5", "o1", "o3", "o4"])
}

/// Models that may be told how hard to think. Others refuse to be told.
pub(super) fn takes_effort(model: &str) -> bool {
    let others = [
        "gpt-oss",
        "gemini-2.5",
        "gemini-3",
        "deepseek",
        "grok-3-mini",
    ];
    thinks_at_openai(model) || begins(model, &others)
}

/// The name without the folders that routers put before it.
fn begins(model: &str, starts: &[&str]) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    starts.iter().any(|start| name.starts_with(start))
}

/// Whether a model behind Messages takes a `thinking` at all: Claude from 3.7 on, and others, which
/// know the member or pass over it.
pub(super) fn can_think(model: &str) -> bool {
    claude(model).is_none_or(|version| version >= (3, 7))
}

/// Whether a model behind Messages decides itself how much to think: Claude from 4.6 on.
pub(super) fn thinks_adaptively(model: &str) -> bool {
    claude(model).is_some_and(|version| version >= (4, 6))
}

/// Claude searches the web itself from 3.5 on.
pub(super) fn searches_as_claude(model: &str) -> bool {
    claude(model).is_some_and(|version| version >= (3, 5))
}

pub(super) fn searches_at_openai(model: &str) -> bool {
    thinks_at_openai(model) || begins(model, &["gpt-4"])
}

fn claude(model: &str) -> Option<(u32, u32)> {
    let at = model.find("claude-")?;
    let mut numbers = model[at..]
        .split(['-', '.', '@', ':'])
        // A date is a number too.
        .filter_map(|part| part.parse().ok().filter(|number| *number < 1000));
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}
