//! Ids of answers that are not Anthropic's.

use super::*;

#[test]
fn a_long_id_is_trusted_whoever_gave_it() {
    let of = |id: &str, changes: Value| claude(id, 5, changes);
    let chat = "chatcmpl-3f2b8a52-91c6-4d27-9a80-0a37e6b1c111";
    let in_session = |session: &str| {
        of(
            chat,
            json!({"requestId": null, "sessionId": session, "uuid": session}),
        )
    };
    check_claude("two sessions", &[in_session("a"), in_session("b")], 1, 5);
    let asked = |request: &str| {
        of(
            "gen-1771234567-AbCdEfGhIjKlMnOpQrSt",
            json!({"requestId": request}),
        )
    };
    check_claude("two requests", &[asked("a"), asked("b")], 1, 5);
}

/// A line without a request's id, as Claude Code writes it: behind another.
fn behind(id: &str, parent: &str, uuid: &str, seconds: u64, input: u64, output: u64) -> String {
    let changes = json!({
        "requestId": null, "uuid": uuid, "parentUuid": parent,
        "timestamp": format!("2026-03-01T10:{:02}:{:02}.000Z", seconds / 60, seconds % 60),
        "message": {"usage": {"input_tokens": input, "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0, "cache_creation": null}},
    });
    claude(id, output, changes)
}

#[test]
fn a_short_id_is_one_answers_for_as_long_as_its_lines_follow_each_other() {
    let check = |what: &str, lines: &[String], answers: i64, output: i64| {
        check_claude(what, lines, answers, output);
        // As it is written: line by line, and the daemon starts again in between.
        let mut world = World::new();
        for line in lines {
            world.append("homes/work/claude/projects/p/s.jsonl", line);
            world.usage.look().unwrap();
            world.restart();
        }
        let (found, kinds) = world.sums();
        assert_eq!((found, kinds[1]), (answers, output), "{what}, line by line");
    };
    let line = |parent: &str, uuid: &str, seconds, input, output| {
        behind("msg_1", parent, uuid, seconds, input, output)
    };
    // Each has a line of the person or of a tool before it, which tells of no usage.
    let apart = [
        line("user1", "a", 0, 0, 50),
        line("tool1", "b", 60, 0, 51),
        line("tool2", "c", 120, 0, 52),
    ];
    check("three answers that count no prompt", &apart, 3, 153);
    let quick = [
        line("user1", "a", 0, 0, 50),
        line("tool1", "b", 1, 0, 51),
        line("tool2", "c", 2, 0, 52),
    ];
    check("three quick ones", &quick, 3, 153);
    let same = [
        line("user1", "a", 0, 12, 3),
        line("user2", "b", 60, 12, 3),
        line("user3", "c", 120, 12, 3),
    ];
    check("a prompt that is as long as the one before", &same, 3, 9);
    let grows = [
        line("user1", "a", 0, 0, 1),
        line("a", "b", 1, 120, 40),
        line("b", "c", 40, 120, 90),
    ];
    check("one that grows, and its prompt, too", &grows, 1, 90);
    let between = [
        line("user1", "a", 0, 120, 1),
        line("tool1", "b", 2, 120, 40),
        line("tool2", "c", 9, 170, 7),
    ];
    check("a tool's result between its lines", &between, 2, 47);
    let without = |line: String| line.replace("\"parentUuid\":\"\"", "\"parentUuid\":null");
    let alone = [
        without(line("", "a", 0, 0, 1)),
        without(line("", "b", 1, 120, 40)),
        without(line("", "c", 61, 0, 7)),
    ];
    check("lines that do not say what is before them", &alone, 2, 47);
    let two = [
        behind("msg_1", "user1", "a", 0, 0, 5),
        behind("msg_2", "a", "b", 1, 0, 6),
        behind("msg_1", "b", "c", 2, 0, 7),
    ];
    check("another id", &two, 3, 18);
}

#[test]
fn a_fork_of_answers_with_short_ids_counts_nothing() {
    let world = World::new();
    let lines = [
        behind("msg_1", "user1", "a", 0, 0, 1),
        behind("msg_1", "a", "b", 1, 0, 40),
        behind("msg_1", "tool1", "c", 5, 0, 7),
    ];
    world.write("homes/work/claude/projects/p/s.jsonl", &lines.concat());
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 2);
    let fork: String = lines
        .iter()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let uuid = line["uuid"].clone();
            let new = |uuid: &Value| json!(format!("new-{}", uuid.as_str().unwrap()));
            let changes = json!({
                "sessionId": "fork", "uuid": new(&uuid), "parentUuid": new(&line["parentUuid"]),
                "forkedFrom": {"sessionId": line["sessionId"], "messageUuid": uuid},
                "timestamp": "2026-03-02T10:00:00.000Z",
            });
            merge(&mut line, changes);
            format!("{line}\n")
        })
        .collect();
    world.write("homes/work/claude/projects/p/fork.jsonl", &fork);
    world.usage.look().unwrap();
    assert_eq!((world.sums().0, world.sums().1[1]), (2, 47));
    // What is written in the fork itself is new.
    let own = behind("msg_1", "new-c", "d", 9, 0, 3).replace("\"s1\"", "\"fork\"");
    let own = own.replace("new-c", "user9");
    world.append("homes/work/claude/projects/p/fork.jsonl", &own);
    world.usage.look().unwrap();
    assert_eq!((world.sums().0, world.sums().1[1]), (3, 50));
}
