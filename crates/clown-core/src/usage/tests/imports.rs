//! Imports, for a profile and for none.

use super::*;

#[test]
fn what_was_imported_for_nobody_is_a_profiles_when_it_is_imported_for_that() {
    let world = World::new();
    let three = "msg_01CCCCCCCCCCCCCCCCCCCCCC";
    world.write(
        "person/.claude/projects/p/s.jsonl",
        &[
            claude(ONE, 5, json!({})),
            claude(TWO, 7, json!({})),
            claude(three, 9, json!({})),
        ]
        .concat(),
    );
    world.write(
        "homes/lab/claude/projects/p/s.jsonl",
        &claude(three, 9, json!({})),
    );
    world.usage.look().unwrap();
    let import = |profile: Option<&str>| {
        let request = ImportRequest {
            source: "claude".to_owned(),
            path: None,
            profile: profile.map(|alias| alias.parse().unwrap()),
        };
        world.usage.import(&request).unwrap().records
    };
    assert_eq!(import(None), 2);
    for again in ["for the first time", "once more"] {
        assert_eq!(import(Some("work")), 0, "{again}");
        let report = ask(&world, GroupBy::Profile, "UTC");
        let mut sums = keys(&report);
        sums.sort_unstable();
        assert_eq!(sums, [("lab", 9), ("work", 12)], "{again}");
        assert_eq!(world.told("work").output_tokens, 12, "{again}");
        assert_eq!(world.told("lab").output_tokens, 9, "{again}");
    }
}
