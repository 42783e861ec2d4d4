//! One model of LiteLLM's table.
//!
//! Nothing here is refused but what is no price at all: a member that is not understood is as good
//! as not there.

use super::names;
use super::rates::{Charge, Rates, Schedule, Step, dollars};
use super::tier::Tier;
use crate::usage::record::Counts;
use clown_events::Usd;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Priced(Schedule),
    /// It costs what another one costs.
    Alias(String),
}

/// Places in [`Counts::kinds`].
const INPUT: usize = 0;
const OUTPUT: usize = 1;
const CACHE_WRITE: usize = 2;
const CACHE_WRITE_HOUR: usize = 3;
const CACHE_READ: usize = 4;

const MEMBERS: [(&str, usize); 4] = [
    ("input_cost_per_token", INPUT),
    ("output_cost_per_token", OUTPUT),
    ("cache_creation_input_token_cost", CACHE_WRITE),
    ("cache_read_input_token_cost", CACHE_READ),
];

/// What Anthropic's faster service costs, times the usual price, of models whose entries do not say
/// so, or not any more. As Claude Code 2.1.197 reckons, and ccusage.
const FAST: [(&str, f64); 3] = [
    ("claude-opus-4-6", 6.0),
    ("claude-opus-4-7", 6.0),
    ("claude-opus-4-8", 2.0),
];

/// Whom a price is of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Prompts of more tokens.
    above: u64,
    fast: bool,
}

type Prices = BTreeMap<Place, [Option<Usd>; Counts::KINDS]>;

/// What `entry` says of the model `name`; `None` if that is no price of tokens.
pub(super) fn parse(name: &str, entry: &Value) -> Option<Entry> {
    // It explains the members, with prices of 0.
    if name == "sample_spec" {
        return None;
    }
    let entry = entry.as_object()?;
    if let Some(other) = entry.get("alias_of").and_then(Value::as_str) {
        return Some(Entry::Alias(other.to_owned()));
    }
    let schedule = of_ranges(name, entry).or_else(|| of_members(name, entry))?;
    Some(Entry::Priced(schedule))
}

/// Prices by the length of the prompt, in a list. They go before the others.
fn of_ranges(name: &str, entry: &Map<String, Value>) -> Option<Schedule> {
    let ranges = entry.get("tiered_pricing")?.as_array()?;
    let mut charges = BTreeMap::new();
    for range in ranges.iter().filter_map(Value::as_object) {
        let start = range
            .get("range")
            .and_then(Value::as_array)
            .and_then(|range| number(range.first()?))
            .filter(|start| *start >= 0.0);
        let prices = prices_of(range);
        let rates = prices.get(&Place::default()).copied().map(Rates::of_kinds);
        if let (Some(start), Some(rates)) = (start, rates)
            && rates.input.is_some()
        {
            let rates = rates.completed(names::is_claude(name));
            charges.insert(
                start as u64,
                Charge {
                    standard: rates,
                    fast: Some(rates),
                },
            );
        }
    }
    // What the first one says counts from the first token on: there is no other price.
    let (_, usual) = charges.pop_first()?;
    let steps = charges
        .into_iter()
        .map(|(above, charge)| Step { above, charge });
    Some(Schedule {
        usual,
        steps: steps.collect(),
    })
}

/// Prices by members' names.
fn of_members(name: &str, entry: &Map<String, Value>) -> Option<Schedule> {
    let is_claude = names::is_claude(name);
    let prices = prices_of(entry);
    let usual = prices.get(&Place::default())?;
    usual[INPUT]?;
    let has_fast = prices.keys().any(|place| place.fast);
    let factor = if has_fast {
        None
    } else {
        fast_factor(name, entry)
    };
    // What is not said of a length is as before it.
    let mut standard = [None; Counts::KINDS];
    let mut fast = standard;
    let mut steps = Vec::new();
    let mut lengths: Vec<u64> = prices.keys().map(|place| place.above).collect();
    lengths.dedup();
    for above in lengths {
        let of = |fast| prices.get(&Place { above, fast });
        override_with(&mut standard, of(false));
        // A faster service of long prompts without a price of its own: such a prompt is answered
        // by the usual one, or charged so.
        override_with(&mut fast, of(false));
        override_with(&mut fast, of(true));
        let rates = Rates::of_kinds(standard).completed(is_claude);
        let fast = if has_fast {
            Some(Rates::of_kinds(fast).completed(is_claude))
        } else if let Some(factor) = factor {
            Some(rates.times(factor))
        } else if is_claude {
            // Anthropic's answers say themselves that they were fast.
            None
        } else {
            // Others' logs say what was asked for. Who has no such service answers as usual.
            Some(rates)
        };
        let charge = Charge {
            standard: rates,
            fast,
        };
        let above = inclusive(name, entry, above);
        steps.push(Step { above, charge });
    }
    let usual = steps.remove(0).charge;
    Some(Schedule { usual, steps })
}

/// xAI charges more from a length on, others beyond it.
fn inclusive(name: &str, entry: &Map<String, Value>, above: u64) -> u64 {
    let provider = entry.get("litellm_provider").and_then(Value::as_str);
    let is_xai = provider.map_or_else(|| name.starts_with("xai/"), |provider| provider == "xai");
    match above.checked_sub(1) {
        // Where that one token is not told apart, it is charged as the shorter ones.
        Some(last_before) if is_xai && Tier::knows(last_before) => last_before,
        _ => above,
    }
}

fn override_with(
    kinds: &mut [Option<Usd>; Counts::KINDS],
    with: Option<&[Option<Usd>; Counts::KINDS]>,
) {
    let Some(with) = with else { return };
    if with[CACHE_WRITE].is_some() {
        // An hour's price of before would no longer fit to it.
        kinds[CACHE_WRITE_HOUR] = None;
    }
    for (kind, with) in kinds.iter_mut().zip(with) {
        *kind = with.or(*kind);
    }
}

fn prices_of(members: &Map<String, Value>) -> Prices {
    let mut prices = Prices::new();
    for (member, value) in members {
        if let Some((place, kind)) = place_of(member)
            && let Some(price) = price(value)
        {
            prices.entry(place).or_default()[kind] = Some(price);
        }
    }
    let hit = members.get("input_cost_per_token_cache_hit");
    if let Some(price) = hit.and_then(price)
        && let Some(usual) = prices.get_mut(&Place::default())
    {
        // An older name.
        usual[CACHE_READ].get_or_insert(price);
    }
    prices
}

/// Whom a member's price is of, and of which kind of tokens. There are others, of services that no
/// agent tells of.
fn place_of(member: &str) -> Option<(Place, usize)> {
    let (mut rest, mut kind) = MEMBERS
        .iter()
        .find_map(|(name, kind)| Some((member.strip_prefix(name)?, *kind)))?;
    let mut place = Place::default();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("_priority") {
            place.fast = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("_above_1hr")
            && kind == CACHE_WRITE
        {
            kind = CACHE_WRITE_HOUR;
            rest = after;
        } else {
            let (length, after) = rest.strip_prefix("_above_")?.split_once("_tokens")?;
            let (digits, unit) = match length.strip_suffix('k') {
                Some(digits) => (digits, 1_000),
                None => (length, 1),
            };
            place.above = digits.parse::<u64>().ok()?.checked_mul(unit)?;
            rest = after;
        }
    }
    Some((place, kind))
}

fn fast_factor(name: &str, entry: &Map<String, Value>) -> Option<f64> {
    let said = entry
        .get("provider_specific_entry")
        .and_then(|specific| number(specific.get("fast")?))
        .filter(|factor| (0.0..1_000.0).contains(factor));
    let name = names::of_claude(name)?;
    said.or_else(|| {
        let (_, factor) = FAST.iter().find(|(model, _)| {
            name.strip_prefix(model).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('-') || rest.starts_with('@')
            })
        })?;
        Some(*factor)
    })
}

/// Dollars for a million, of dollars for one.
fn price(value: &Value) -> Option<Usd> {
    dollars(number(value)? * 1e6)
}

/// A number, also one in quotes: YAML makes such of `4e-07`.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
