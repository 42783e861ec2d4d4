//! Whose price counts, and what well-known models cost.

use super::*;
use crate::registry::Layer;
use std::path::PathBuf;

const M: u64 = 1_000_000;

fn counts(kinds: [u64; Counts::KINDS]) -> Counts {
    Counts::of_kinds(kinds)
}

fn layer(files: &[(&str, &str)]) -> Arc<Layer> {
    let files = files.iter().map(|(id, content)| LayerFile {
        kind: Kind::Prices,
        id: (*id).to_owned(),
        path: PathBuf::from(format!("{id}.json")),
        content: (*content).to_owned(),
    });
    Arc::new(Layer::of_files(files.collect()))
}

fn input_of(prices: &Prices, model: &str) -> Option<(f64, PriceOrigin)> {
    let price = prices.find(model)?;
    let input = price.schedule.usual.standard.input?;
    Some((input.nanos() as f64 / 1e9, price.origin.clone()))
}

/// Reckoned by hand, of what the providers publish.
#[test]
fn well_known_models_cost_what_their_makers_say() {
    let prices = Prices::default();
    #[track_caller]
    fn check(prices: &Prices, model: &str, fast: bool, kinds: [u64; Counts::KINDS], cost: f64) {
        let counts = counts(kinds);
        let nanos = prices
            .cost(model, Tier::new(counts, fast), counts)
            .map(Usd::nanos);
        assert_eq!(
            nanos,
            Some((cost * 1e9).round() as i64),
            "{model} {kinds:?}"
        );
    }
    let check = |model, fast, kinds, cost| check(&prices, model, fast, kinds, cost);

    // Sonnet 4.5: 3 in, 15 out, 3.75 for 5 minutes, 6 for an hour, 0.30 read.
    // 1,000 × 3 + 2,000 × 15 + 10,000 × 3.75 + 20,000 × 6 + 100,000 × 0.3 = 220,500 millionths.
    let kinds = [1_000, 2_000, 10_000, 20_000, 100_000];
    check("claude-sonnet-4-5-20250929", false, kinds, 0.2205);
    check("claude-sonnet-4-5", false, kinds, 0.2205);
    check("anthropic/claude-sonnet-4.5", false, kinds, 0.2205);
    // Not dearer beyond 200,000 any more: 300,000 × 3 + 1,000 × 15.
    check(
        "claude-sonnet-4-5[1m]",
        false,
        [300_000, 1_000, 0, 0, 0],
        0.915,
    );
    // But Sonnet 4 was, all of it: 100,000 × 6 + 1,000 × 22.5 + 150,000 × 0.6.
    check(
        "claude-sonnet-4-20250514",
        false,
        [100_000, 1_000, 0, 0, 150_000],
        0.7125,
    );

    // Opus 4.6: 5 in, 25 out, 6.25, 10, 0.50; fast six times that.
    // 1,000 × 5 + 2,000 × 25 + 10,000 × 6.25 + 20,000 × 10 + 100,000 × 0.5 = 367,500.
    check("claude-opus-4-6", false, kinds, 0.3675);
    check("claude-opus-4-6", true, kinds, 2.205);
    check("claude-opus-4-6-fast", false, kinds, 2.205);
    check("claude-opus-4-6", true, [M, 0, 0, 0, 0], 30.0);
    // Opus 4.8, fast twice that; 1 million for an hour: 2 × 10.
    check("claude-opus-4-8", true, kinds, 0.735);
    check("claude-opus-4-8", true, [0, 0, 0, M, 0], 20.0);

    // Gemini 2.5 Pro: 1.25 in, 10 out, 0.125 read; beyond 200,000: 2.50, 15, 0.25.
    // 100,000 × 1.25 + 1,000 × 10 + 100,000 × 0.125, and one token more of each price beyond.
    check(
        "gemini-2.5-pro",
        false,
        [100_000, 1_000, 0, 0, 100_000],
        0.1475,
    );
    check(
        "gemini-2.5-pro",
        false,
        [100_001, 1_000, 0, 0, 100_000],
        0.290_002_5,
    );

    // GPT-5.4: 2.50 in, 15 out, 0.25 read; beyond 272,000: 5, 22.50, 0.50. Priority: 5, 30, 0.50.
    check("gpt-5.4", false, [172_000, 1_000, 0, 0, 100_000], 0.47);
    check("gpt-5.4", false, [172_001, 1_000, 0, 0, 100_000], 0.932_505);
    check("gpt-5.4", true, [172_000, 1_000, 0, 0, 100_000], 0.94);
    check("openai/gpt-5.4-2026-03-05", false, [0, M, 0, 0, 0], 15.0);

    // Qwen3 Coder Plus, in and out: 1 and 5 up to 32,000, 1.80 and 9 up to 128,000, 3 and 15 up to
    // 256,000, then 6 and 60.
    check("qwen3-coder-plus", false, [32_000, 1_000, 0, 0, 0], 0.037);
    check(
        "qwen3-coder-plus",
        false,
        [32_001, 1_000, 0, 0, 0],
        0.066_601_8,
    );
    check(
        "qwen3-coder-plus",
        false,
        [100_000, 1_000, 0, 0, 100_000],
        0.345,
    );
    check(
        "dashscope/qwen3-coder-plus",
        false,
        [300_000, 1_000, 0, 0, 0],
        1.86,
    );

    // Grok 4.3: 1.25 in, 2.50 out; from 200,000 on twice that.
    check("grok-4.3", false, [199_999, 0, 0, 0, 0], 0.249_998_75);
    check("grok-4.3", false, [200_000, 0, 0, 0, 0], 0.5);

    // Gone from newer lists.
    check("claude-3-5-haiku-20241022", false, [M, 0, 0, 0, 0], 0.8);
    // Another name for it.
    assert_eq!(
        prices.find("claude-sonnet-latest").unwrap().schedule,
        prices.find("claude-sonnet-5-5").unwrap().schedule
    );
}

#[test]
fn what_nobody_knows_has_no_cost() {
    let prices = Prices::default();
    let check = |model: &str, fast: bool| {
        let counts = counts([5, 5, 0, 0, 0]);
        assert_eq!(
            prices.cost(model, Tier::new(counts, fast), counts),
            None,
            "{model}"
        );
    };
    check("trial-model", false);
    check("<synthetic>", false);
    check("", false);
    check("codex-auto-review", false);
    check("claude-sonnet-4-5", true);
    // Asked again, it is still not known.
    check("trial-model", false);
}

#[test]
fn the_persons_own_over_the_registrys_over_the_built_in_ones() {
    let rates = |input: f64| Rates {
        input: dollars(input),
        output: dollars(input),
        ..Rates::default()
    };
    let own = BTreeMap::from([
        ("gpt-5.4".to_owned(), rates(100.0)),
        ("my-model".to_owned(), rates(101.0)),
    ]);
    let older = r#"{
        "claude-opus-4-6": {"input_cost_per_token": 201e-6, "output_cost_per_token": 1e-6},
        "gpt-5.4": {"input_cost_per_token": 202e-6, "output_cost_per_token": 1e-6},
        "gemini-2.5-pro": {"input_cost_per_token": "unknown"},
        "gone": {"input_cost_per_token": 203e-6, "output_cost_per_token": 1e-6},
        "old-latest": {"alias_of": "gpt-5.5"},
        "circle": {"alias_of": "circle"}
    }"#;
    let newer =
        r#"{"claude-opus-4-6": {"input_cost_per_token": 301e-6, "output_cost_per_token": 1e-6}}"#;
    let prices = Prices::new(
        own,
        layer(&[("2026", older), ("2027", newer), ("broken", "{")]),
    );
    let check = |model: &str, input: f64, origin: PriceOrigin| {
        assert_eq!(input_of(&prices, model), Some((input, origin)), "{model}");
    };
    let registry = |id: &str| PriceOrigin::Registry {
        artifact: id.to_owned(),
    };
    let built_in = || PriceOrigin::BuiltIn {
        version: "1.110.2".to_owned(),
    };
    check("gpt-5.4", 100.0, PriceOrigin::Own);
    check("openai/gpt-5.4-2026-03-05", 100.0, PriceOrigin::Own);
    check("my-model", 101.0, PriceOrigin::Own);
    check("claude-opus-4-6", 301.0, registry("2027"));
    check("gone", 203.0, registry("2026"));
    // What is of no use hides nothing.
    check("gemini-2.5-pro", 1.25, built_in());
    check("claude-sonnet-4-5", 3.0, built_in());
    check("old-latest", 5.0, built_in());
    assert_eq!(prices.find("circle"), None);
    // An own price is for the fast service and for long prompts, too.
    let long = counts([M, 0, 0, 0, 0]);
    let cost = prices.cost("gpt-5.4", Tier::new(long, true), long);
    assert_eq!(cost, dollars(100.0));

    // Another set of the registry's.
    let prices = prices.over(Arc::default());
    assert_eq!(input_of(&prices, "gone"), None);
    assert_eq!(
        input_of(&prices, "my-model"),
        Some((101.0, PriceOrigin::Own))
    );
    assert_eq!(
        input_of(&prices, "gpt-5.4"),
        Some((100.0, PriceOrigin::Own))
    );
}

#[test]
fn any_number_of_names_takes_little_memory() {
    let prices = Prices::default();
    for number in 0..MAX_KNOWN + 10 {
        assert_eq!(prices.find(&format!("nobody-{number}")), None);
    }
    assert!(prices.known.read().unwrap().len() <= MAX_KNOWN);
    assert!(prices.find("gpt-5").is_some());
    assert_eq!(prices.find(&"gpt-5-latest".repeat(100_000)), None);
    assert_eq!(
        prices.find(&format!("gpt-5{}", "-latest".repeat(35))),
        prices.find("gpt-5")
    );
}
