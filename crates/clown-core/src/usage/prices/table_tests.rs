//! Lists as a whole.

use super::*;

fn table(content: &str) -> Result<Table, String> {
    Table::parse(Path::new("prices/1.json"), content).map_err(|problem| problem.to_string())
}

#[test]
fn each_line_of_the_built_in_list_is_found_and_understood() {
    let all: HashMap<String, Value> = serde_json::from_str(BUILT_IN).unwrap();
    assert!(all.len() > 4_000);
    let mut lines = 0;
    for (name, value) in &all {
        let found: Value = serde_json::from_str(line(BUILT_IN, name).unwrap()).unwrap();
        assert_eq!(&found, value, "{name}");
        lines += 1;
        if name != ABOUT {
            assert_eq!(built_in(name), entry::parse(name, value), "{name}");
            assert!(built_in(name).is_some(), "{name}");
        }
        let between = format!("{name}\u{1}");
        assert_eq!(line(BUILT_IN, &between), None);
    }
    assert_eq!(BUILT_IN.lines().count(), lines + 2);
    for name in ["", "!", "a", "\"", "zzzz", "gpt-5\n", "{", "}"] {
        assert_eq!(line(BUILT_IN, name), None, "{name}");
    }
    assert_eq!(built_in_version(), "1.110.2");
    assert_eq!(built_in("#"), None);
}

/// A length that prompts are not told apart at would make some prices unknown.
#[test]
fn prompts_are_told_apart_at_each_length_of_the_built_in_list() {
    let all: HashMap<String, Value> = serde_json::from_str(BUILT_IN).unwrap();
    for name in all.keys() {
        let Some(Entry::Priced(schedule)) = built_in(name) else {
            continue;
        };
        for step in schedule.steps {
            let known = crate::usage::prices::Tier::knows(step.above);
            assert!(known, "{name} has another price beyond {}", step.above);
        }
    }
}

#[test]
fn what_is_odd_in_a_list_spoils_nothing() {
    let odd = r#"{
        "sample_spec": {"input_cost_per_token": 0, "output_cost_per_token": 0, "mode": "one of: chat"},
        "text": "no entry", "nothing": null, "list": [], "empty": {}, "number": 7,
        "large": {"input_cost_per_token": 1e400},
        "deep": {"a": {"b": [{"c": {}}]}, "input_cost_per_token": {"x": 1}},
        "good\u002dname": {"input_cost_per_token": "4e-07", "output_cost_per_token": 1e-06, "more": {"a": null}}
    }"#;
    let found = table(odd).unwrap();
    assert_eq!(found.0.len(), 1);
    assert!(found.find("good-name").is_some());
    let toml = "[\"good-name\"]\ninput_cost_per_token = 4e-7\noutput_cost_per_token = 1e-6\n[odd]\ninput_cost_per_token = nan\n";
    assert_eq!(table(toml).unwrap(), found);
}

#[test]
fn what_is_no_list_is_told_with_its_place() {
    let check = |content: &str, parts: &[&str]| {
        let problem = table(content).unwrap_err();
        for part in parts {
            assert!(problem.contains(part), "{part} is not in {problem}");
        }
    };
    check("{\n\"a\": {]\n}", &["prices/1.json:2:", "no JSON"]);
    check("{\"a\": {}} x", &["prices/1.json:1:", "no JSON"]);
    check("{}", &["no model in it has a price"]);
    check("", &["no model in it has a price"]);
    check("a = \n", &["prices/1.json:1:"]);
}
