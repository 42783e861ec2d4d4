use crate::usage::sources::tests::{HOME, check, fixture, look, models, put, sessions};
use crate::usage::tests::World;

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
