//! Entries of every shape.

use super::*;
use crate::usage::prices::Tier;
use serde_json::json;

const M: u64 = 1_000_000;

/// Dollars for a million of input, output, cache writes, those for an hour, and cache reads, for a
/// prompt of so many tokens.
fn of(name: &str, entry: &Value, prompt: u64, fast: bool) -> Option<[Option<f64>; Counts::KINDS]> {
    let Entry::Priced(schedule) = parse(name, entry)? else {
        return None;
    };
    let counts = Counts {
        input: prompt,
        ..Counts::default()
    };
    let rates = schedule.rates(Tier::new(counts, fast))?;
    Some(rates.kinds().map(|rate| Some(rate?.nanos() as f64 / 1e9)))
}

#[track_caller]
fn check(
    name: &str,
    entry: Value,
    prompt: u64,
    fast: bool,
    expected: Option<[f64; Counts::KINDS]>,
) {
    let expected = expected.map(|rates| rates.map(Some));
    assert_eq!(
        of(name, &entry, prompt, fast),
        expected,
        "{name} {prompt} {fast}"
    );
}

#[test]
fn a_missing_price_of_caching_follows_from_that_of_input() {
    let entry = json!({"input_cost_per_token": 3e-6, "output_cost_per_token": 15e-6});
    check(
        "some-model",
        entry.clone(),
        1,
        false,
        Some([3.0, 15.0, 3.0, 3.0, 3.0]),
    );
    check(
        "claude-x-9",
        entry,
        1,
        false,
        Some([3.0, 15.0, 3.75, 6.0, 0.3]),
    );
    let entry = json!({"input_cost_per_token": 3e-6, "output_cost_per_token": 15e-6,
        "cache_creation_input_token_cost": 4e-6, "cache_read_input_token_cost": 0});
    check(
        "some-model",
        entry.clone(),
        1,
        false,
        Some([3.0, 15.0, 4.0, 4.0, 0.0]),
    );
    check(
        "claude-x-9",
        entry,
        1,
        false,
        Some([3.0, 15.0, 4.0, 6.0, 0.0]),
    );
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
        "input_cost_per_token_cache_hit": 1e-7});
    check("old", entry, 1, false, Some([1.0, 2.0, 1.0, 1.0, 0.1]));
}

#[test]
fn odd_members_are_as_good_as_not_there() {
    let entry = json!({"input_cost_per_token": " 4e-07 ", "output_cost_per_token": 1,
        "cache_read_input_token_cost": null, "cache_creation_input_token_cost": {"a": 1},
        "input_cost_per_token_above_x_tokens": 9, "input_cost_per_token_above_": 9,
        "input_cost_per_token_above_99999999999999999999k_tokens": 9,
        "input_cost_per_token_flex": 9, "input_cost_per_token_batches": 9,
        "output_cost_per_token_above_1hr": 9, "cache_creation_input_token_cost_above_12hr": 9,
        "tiered_pricing": "none", "provider_specific_entry": [], "mode": 7});
    check("odd", entry, 2 * M, true, Some([0.4, 1e6, 0.4, 0.4, 0.4]));
    for entry in [
        json!(null),
        json!([]),
        json!({}),
        json!({"output_cost_per_token": 1e-6}),
        json!({"input_cost_per_token": "much", "output_cost_per_token": 1e-6}),
        json!({"input_cost_per_token": -1, "output_cost_per_token": 1e-6}),
        json!({"input_cost_per_token": true, "output_cost_per_token": 1e-6}),
        json!({"tiered_pricing": [{"range": [0, 5]}, 7, null, {"input_cost_per_token": 1}]}),
    ] {
        assert_eq!(parse("odd", &entry), None, "{entry}");
    }
    let priced = json!({"input_cost_per_token": 0, "output_cost_per_token": 0});
    assert_eq!(parse("sample_spec", &priced), None);
    // A price of 0 that stands there is one.
    check("free", priced, 1, false, Some([0.0; 5]));
    // Without one for output, only input can be priced.
    let embedding = json!({"input_cost_per_token": 1e-6});
    let rates = of("e", &embedding, 1, false).unwrap();
    assert_eq!(rates, [Some(1.0), None, Some(1.0), Some(1.0), Some(1.0)]);
    let alias = parse("x-latest", &json!({"alias_of": "x-2"}));
    assert_eq!(alias, Some(Entry::Alias("x-2".to_owned())));
}

#[test]
fn a_long_prompt_changes_the_price_of_all_of_its_request() {
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6,
        "cache_creation_input_token_cost": 2e-6, "cache_creation_input_token_cost_above_1hr": 3e-6,
        "cache_read_input_token_cost": 1e-7,
        "output_cost_per_token_above_200k_tokens": 8e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6,
        "cache_creation_input_token_cost_above_200k_tokens": 4e-6,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 6e-6,
        "input_cost_per_token_above_512k_tokens": 3e-6,
        "input_cost_per_token_above_128000_tokens": 1.5e-6});
    let at = |prompt, expected| check("m", entry.clone(), prompt, false, Some(expected));
    at(128_000, [1.0, 4.0, 2.0, 3.0, 0.1]);
    at(128_001, [1.5, 4.0, 2.0, 3.0, 0.1]);
    at(200_000, [1.5, 4.0, 2.0, 3.0, 0.1]);
    at(200_001, [2.0, 8.0, 4.0, 6.0, 0.1]);
    at(600_000, [3.0, 8.0, 4.0, 6.0, 0.1]);
    // An hour's price of before does not stay beside a new one.
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6,
        "cache_creation_input_token_cost": 1.25e-6, "cache_creation_input_token_cost_above_1hr": 2e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6,
        "cache_creation_input_token_cost_above_200k_tokens": 2.5e-6});
    check(
        "claude-x-9",
        entry,
        300_000,
        false,
        Some([2.0, 4.0, 2.5, 4.0, 0.2]),
    );
}

#[test]
fn a_length_that_is_not_told_apart_gives_no_price_around_it() {
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "input_cost_per_token_above_150k_tokens": 2e-6});
    check("m", entry.clone(), 128_000, false, Some([1.0; 5]));
    check("m", entry.clone(), 129_000, false, None);
    check("m", entry.clone(), 199_999, false, None);
    check("m", entry, 200_000, false, Some([2.0, 1.0, 2.0, 2.0, 2.0]));
}

#[test]
fn xai_charges_more_from_a_length_on() {
    let mut entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6});
    let dear = Some([2.0, 1.0, 2.0, 2.0, 2.0]);
    check("xai/grok-9", entry.clone(), 199_999, false, Some([1.0; 5]));
    check("xai/grok-9", entry.clone(), 200_000, false, dear);
    check(
        "other/grok-9",
        entry.clone(),
        200_000,
        false,
        Some([1.0; 5]),
    );
    check("other/grok-9", entry.clone(), 200_001, false, dear);
    entry["litellm_provider"] = json!("xai");
    check("grok-9", entry, 200_000, false, dear);
}

#[test]
fn ranges_go_before_members() {
    let entry = json!({"input_cost_per_token": 9, "output_cost_per_token": 9, "tiered_pricing": [
        {"range": [32000.0, 128000.0], "input_cost_per_token": "2e-6", "output_cost_per_token": 6e-6},
        {"range": [0, 32000.0], "input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6,
         "cache_read_input_token_cost": 1e-7},
        {"range": [128000, 256000], "input_cost_per_token": null},
        {"range": "all", "input_cost_per_token": 7},
    ]});
    let at = |prompt, expected| check("q", entry.clone(), prompt, false, Some(expected));
    at(0, [1.0, 5.0, 1.0, 1.0, 0.1]);
    at(32_000, [1.0, 5.0, 1.0, 1.0, 0.1]);
    at(32_001, [2.0, 6.0, 2.0, 2.0, 2.0]);
    // Beyond the last one, the last one.
    at(9 * M, [2.0, 6.0, 2.0, 2.0, 2.0]);
}

#[test]
fn a_faster_service_has_its_price() {
    let usual = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6,
        "cache_read_input_token_cost": 1e-7});
    let with = |member: &str, value: Value| {
        let mut entry = usual.clone();
        entry[member] = value;
        entry
    };
    let fast = |name: &str, entry: Value, expected| check(name, entry, 1, true, expected);
    // Who has none answers as usual; of Anthropic's, nobody says what it costs.
    fast("m", usual.clone(), Some([1.0, 4.0, 1.0, 1.0, 0.1]));
    fast("claude-x-9", usual.clone(), None);
    check(
        "claude-x-9",
        usual.clone(),
        1,
        false,
        Some([1.0, 4.0, 1.25, 2.0, 0.1]),
    );
    // What is not said of it is as usual.
    let entry = with("output_cost_per_token_priority", json!(8e-6));
    fast("m", entry, Some([1.0, 8.0, 1.0, 1.0, 0.1]));
    let entry = with(
        "provider_specific_entry",
        json!({"us": 1.1, "fast": "2.0", "x": {}}),
    );
    fast("claude-x-9", entry, Some([2.0, 8.0, 2.5, 4.0, 0.2]));
    for name in [
        "claude-opus-4-6",
        "claude-opus-4-7-20260416",
        "us.anthropic.claude-opus-4-6-v1:0",
        "vertex_ai/claude-opus-4-7@default",
    ] {
        fast(name, usual.clone(), Some([6.0, 24.0, 7.5, 12.0, 0.6]));
    }
    fast(
        "claude-opus-4-8",
        usual.clone(),
        Some([2.0, 8.0, 2.5, 4.0, 0.2]),
    );
    fast("claude-opus-4-66", usual.clone(), None);

    // Long prompts.
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "input_cost_per_token_priority": 3e-6, "output_cost_per_token_priority": 3e-6,
        "input_cost_per_token_above_272k_tokens": 2e-6,
        "input_cost_per_token_above_272k_tokens_priority": 5e-6,
        "output_cost_per_token_above_272k_tokens": 2e-6});
    check("m", entry.clone(), 272_000, true, Some([3.0; 5]));
    check("m", entry, 272_001, true, Some([5.0, 2.0, 5.0, 5.0, 5.0]));
}
