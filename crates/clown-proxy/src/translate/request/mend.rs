//! Puts a conversation in the order that every provider accepts: turns alternate, each tool call is
//! answered right after it and once, and no answer stands without its call.

use std::borrow::Cow;
use std::collections::HashSet;

use super::model::{Choice, Part, Request, Role, Str, Turn};

/// A call that waits for its result.
#[derive(Debug)]
struct Waiting<'a> {
    id: Str<'a>,
    renamed: Str<'a>,
    turn: usize,
    place: usize,
}

pub(super) fn mend(request: &mut Request<'_>) {
    // A tool that is offered twice is refused.
    let mut offered: HashSet<String> = HashSet::with_capacity(request.tools.len());
    request
        .tools
        .retain(|tool| offered.insert(tool.name.clone()));
    if request.tools.is_empty() {
        request.choice = None;
        request.parallel = None;
    }
    if let Some(Choice::Tool(name)) = &request.choice
        && !request.tools.iter().any(|tool| tool.name == *name)
    {
        request.choice = None;
    }
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(request.turns.len());
    // For each turn, the results of its calls.
    let mut results: Vec<Vec<Option<Part<'_>>>> = Vec::new();
    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for turn in std::mem::take(&mut request.turns) {
        let mut kept = Vec::with_capacity(turn.parts.len());
        // Where the turn will stand: with the one before it where that is the same role's, and no
        // result has to come between them.
        let joins = turns.last().is_some_and(|last: &Turn<'_>| {
            last.role == turn.role
                && turn.role != Role::System
                && results
                    .last()
                    .is_none_or(|results| results.iter().all(Option::is_none))
        });
        let place = if joins { turns.len() - 1 } else { turns.len() };
        let mut slots = Vec::new();
        let before = if joins { results[place].len() } else { 0 };
        for part in turn.parts {
            match part {
                Part::Call {
                    id,
                    name,
                    arguments,
                    cache,
                } => {
                    let renamed = rename(&id, &mut seen);
                    waiting.push(Waiting {
                        id,
                        renamed: renamed.clone(),
                        turn: place,
                        place: before + slots.len(),
                    });
                    slots.push(None);
                    kept.push(Part::Call {
                        id: renamed,
                        name,
                        arguments,
                        cache,
                    });
                }
                Part::Result {
                    id,
                    parts,
                    error,
                    cache,
                } => {
                    let call = waiting.iter().position(|call| call.id == id);
                    match call.map(|call| waiting.remove(call)) {
                        Some(call) if call.turn < results.len() => {
                            let id = call.renamed;
                            results[call.turn][call.place] = Some(Part::Result {
                                id,
                                parts,
                                error,
                                cache,
                            });
                        }
                        _ => kept.extend(orphan(&id, parts)),
                    }
                }
                Part::Text { text, .. } if text.is_empty() => {}
                part => kept.push(part),
            }
        }
        if joins {
            turns[place].parts.extend(kept);
            results[place].extend(slots);
        } else if !kept.is_empty() {
            turns.push(Turn {
                role: turn.role,
                parts: kept,
            });
            results.push(slots);
        }
    }
    request.turns = answered(turns, results);
}

/// Lays the results after their calls.
fn answered<'a>(turns: Vec<Turn<'a>>, results: Vec<Vec<Option<Part<'a>>>>) -> Vec<Turn<'a>> {
    let mut out: Vec<Turn<'a>> = Vec::with_capacity(turns.len() * 2);
    for (turn, results) in turns.into_iter().zip(results) {
        let ids: Vec<Str<'a>> = turn
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Call { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        match out.last_mut() {
            Some(last) if last.role == turn.role && turn.role != Role::System => {
                last.parts.extend(turn.parts);
            }
            _ => out.push(turn),
        }
        if ids.is_empty() {
            continue;
        }
        let parts = results
            .into_iter()
            .zip(ids)
            .map(|(result, id)| result.unwrap_or_else(|| interrupted(id)))
            .collect();
        out.push(Turn {
            role: Role::User,
            parts,
        });
    }
    out
}

fn interrupted(id: Str<'_>) -> Part<'_> {
    Part::Result {
        id,
        parts: vec![Part::text("The call was interrupted; it has no result.")],
        error: true,
        cache: None,
    }
}

/// A result without a call, as what the user says.
fn orphan<'a>(id: &str, parts: Vec<Part<'a>>) -> Vec<Part<'a>> {
    let mut kept = vec![Part::text(format!(
        "The result of an earlier tool call ({id}):"
    ))];
    kept.extend(parts);
    kept
}

/// An id that no call had before, of letters that every provider takes.
fn rename<'a>(id: &Str<'a>, seen: &mut HashSet<String>) -> Str<'a> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let mut renamed: Str<'a> = if !id.is_empty() && id.chars().all(plain) {
        id.clone()
    } else {
        let letters = id
            .chars()
            .map(|letter| if plain(letter) { letter } else { '_' });
        let letters: String = letters.collect();
        Cow::Owned(if letters.is_empty() {
            "call".to_owned()
        } else {
            letters
        })
    };
    let mut number = 2;
    while !seen.insert(renamed.to_string()) {
        renamed = Cow::Owned(format!("{id}_{number}").replace(|letter| !plain(letter), "_"));
        number += 1;
    }
    renamed
}
