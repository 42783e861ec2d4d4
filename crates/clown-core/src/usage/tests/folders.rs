//! What becomes of folders while they are followed.

use super::*;

const FILE: &str = "homes/work/claude/projects/p/s.jsonl";

/// Waits for less than it takes until everything is looked at anyway.
fn eventually(world: &World, output: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.told("work").output_tokens != output {
        assert!(Instant::now() < deadline, "{:?}", world.told("work"));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn folders_that_are_made_again_are_followed_again() {
    for gone in [
        "homes/work/claude/projects/p",
        "homes/work/claude/projects",
        "homes/work/claude",
    ] {
        let world = World::new();
        world.write(FILE, &claude(ONE, 1, json!({})));
        world.usage.follow().unwrap();
        eventually(&world, 1);
        for round in 0..2 {
            fs::remove_dir_all(world.folder.path().join(gone)).unwrap();
            for number in 1..3 {
                let id = format!("msg_01{round}{number:020}");
                world.append(FILE, &claude(&id, 1, json!({})));
                eventually(&world, 1 + 2 * round + number);
            }
        }
        world.usage.stop();
    }
}
