//! Lines that were written in part, or otherwise than others.

use super::*;

#[test]
fn half_a_line_does_not_hide_the_one_that_is_written_behind_it() {
    let (one, two) = (claude(ONE, 5, json!({})), claude(TWO, 7, json!({})));
    for length in [3, 9, 40, one.len() / 2, one.len() - 3] {
        let half = &one[..length];
        let what = format!("{length} bytes");
        check_claude(&what, &[half.to_owned(), two.clone()], 1, 7);
        let halves = [half.to_owned(), half.to_owned(), two.clone()];
        check_claude(&what, &halves, 1, 7);
    }
    // Two whole lines without an end between them.
    let glued = [one.trim_end().to_owned(), two];
    check_claude("glued", &glued, 2, 12);
    // And half of one more.
    let glued = [glued[0].clone(), claude(TWO, 7, json!({}))];
    let more = [glued.concat().trim_end().to_owned(), one[..30].to_owned()];
    check_claude(
        "glued, and a half",
        &[more.concat(), "\n".to_owned()],
        2,
        12,
    );
}

#[test]
fn marks_and_holes_in_a_file_hide_no_line() {
    let one = |before: &str, after: &str| {
        let line = claude(ONE, 5, json!({}));
        format!("{before}{}{after}\n", line.trim_end())
    };
    let two = || claude(TWO, 7, json!({}));
    check_claude("a mark", &[one("\u{feff}", ""), two()], 2, 12);
    check_claude("a hole", &[two(), one(&"\0".repeat(50), "")], 2, 12);
    check_claude("a hole behind", &[one("", "\0\0"), two()], 2, 12);
    check_claude("both", &[one("\0\u{feff}\0", "\r"), two()], 2, 12);
    let half = &two()[..60];
    let behind = format!("{half}{}", "\0".repeat(9));
    check_claude("a hole behind half a line", &[behind, one("", "")], 1, 5);
}

#[test]
fn a_name_that_is_no_text_hides_no_answer() {
    let line = claude(ONE, 5, json!({"cwd": "/work/CWD"}));
    let world = World::new();
    let broken = line.replace("CWD", "\\ud83d-\\u00e4\\n\\\\");
    world.write("homes/work/claude/projects/p/s.jsonl", &broken);
    world.usage.look().unwrap();
    assert_eq!(
        keys(&ask(&world, GroupBy::Project, "UTC")),
        [("/work/\u{fffd}-\u{e4}\n\\", 5)]
    );
}
