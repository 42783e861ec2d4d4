use crate::usage::sources::tests::{HOME, check, fixture, look, models, put, quarters, sessions};
use crate::usage::tests::World;
use std::path::Path;

const FILE: &str = "droid/.factory/sessions/-work-app/s-1.settings.json";

#[test]
fn what_a_sum_has_grown_by_counts() {
    check(&[("droid/sum.json", FILE)], (1, [12, 3, 5, 0, 7]));
    let mut world = World::new();
    world.write(
        &format!("{HOME}/droid/.factory/sessions/-work-app/s-1.jsonl"),
        "{\"type\":\"session_start\",\"id\":\"s-1\",\"cwd\":\"/work/app\"}\n",
    );
    put(&world, "droid/sum.json", FILE);
    assert_eq!(look(&world), (1, [12, 3, 5, 0, 7]));
    world.restart();
    put(&world, "droid/sum-has-grown.json", FILE);
    assert_eq!(look(&world), (2, [20, 30, 5, 0, 7]));
    // A copy elsewhere, and the older one put back.
    put(
        &world,
        "droid/sum-has-grown.json",
        &FILE.replace("-work-app", "copy"),
    );
    world.write(&format!("{HOME}/{FILE}"), &fixture("droid/sum.json"));
    assert_eq!(look(&world), (2, [20, 30, 5, 0, 7]));
    assert_eq!(models(&world), [("glm-5".to_owned(), false)]);
    assert_eq!(
        sessions(&world),
        [("s-1".to_owned(), "/work/app".to_owned())]
    );
}

#[test]
fn a_session_tells_of_its_time_and_the_settings_of_its_model() {
    let sum = ("droid/sum-with-those-of-sub-agents.json", FILE);
    check(&[sum], (1, [12, 30, 5, 0, 7]));
    let world = World::new();
    put(&world, sum.0, sum.1);
    put(
        &world,
        "droid/session.jsonl",
        &FILE.replace(".settings.json", ".jsonl"),
    );
    put(
        &world,
        "droid/settings-of-the-program.jsonc",
        "droid/.factory/settings.json",
    );
    assert_eq!(look(&world), (1, [12, 30, 5, 0, 7]));
    assert_eq!(models(&world), [("claude-sonnet-4-5".to_owned(), false)]);
    // 10 o'clock on the first of March.
    assert_eq!(quarters(&world), [1_772_359_200 / 900]);
    assert_eq!(
        sessions(&world),
        [("s-1".to_owned(), "/work/app".to_owned())]
    );
}

#[test]
fn a_model_of_ones_own_has_its_makers_name_in_brackets() {
    let check = |model: &str, expected: &str| {
        let found = super::model(model, Path::new("/nowhere/sessions/a/s.settings.json"));
        assert_eq!(found, expected, "{model}");
    };
    check("claude-opus-4-5-20251101", "claude-opus-4-5-20251101");
    check("custom:GLM-5-[Z.AI]-0", "GLM-5");
    check("custom:Kimi K2 [Moonshot]", "Kimi K2");
    check("", "");
}
