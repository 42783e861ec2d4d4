use super::super::super::tests::World;
use crate::usage::record::Counts;
use serde_json::{Value, json};

const SPOOL: &str = "proxies/work/spool.jsonl";
const LOG: &str = "homes/work/claude/projects/p/s1.jsonl";

fn request(id: &str, message: Option<&str>, agent: &str, output: u64) -> String {
    let line = json!({
        "id": id, "at": "2026-11-24T10:00:00Z", "agent": agent, "provider": "anthropic",
        "format": "anthropic-messages", "path": "/v1/messages", "model": "asked",
        "model_used": "claude-sonnet-5-5", "message_id": message, "streamed": true, "status": 200,
        "duration_ms": 7, "tokens": {"input": 9, "output": output, "cache_write": 1,
            "cache_write_hour": 2, "cache_read": 4},
    });
    format!("{line}\n")
}

fn counted(records: i64, output: u64) -> (i64, [i64; Counts::KINDS]) {
    let of_each = [9, 0, 1, 2, 4].map(|kind| kind * records);
    let mut kinds = of_each;
    kinds[1] = i64::try_from(output).unwrap();
    (records, kinds)
}

/// What Claude Code writes down of the same answer.
fn logged(message: &str, output: u64) -> String {
    let line: Value = json!({
        "type": "assistant", "sessionId": "s1", "cwd": "/work/app", "requestId": "req_1",
        "timestamp": "2026-11-24T10:00:03Z", "uuid": format!("u-{message}"),
        "message": {"id": message, "model": "claude-sonnet-5-5",
            "usage": {"input_tokens": 9, "output_tokens": output, "cache_read_input_tokens": 4,
                "cache_creation_input_tokens": 3,
                "cache_creation": {"ephemeral_1h_input_tokens": 2}}},
    });
    format!("{line}\n")
}

const ID: &str = "msg_01ABCDEFGHIJKLMNOPQRST";

#[test]
fn requests_count_once_and_those_without_usage_do_not() {
    let world = World::new();
    let nothing =
        json!({"id": "r0", "at": "2026-11-24T10:00:00Z", "error": "upstream_unreachable"});
    let lines = format!(
        "{nothing}\n{}{}",
        request("r1", Some(ID), "claude", 3),
        request("r2", None, "pi", 4)
    );
    world.append(SPOOL, &lines);
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(2, 7));
    // Put aside, it is another file with the same requests.
    let folder = world.folder.path().join("proxies/work");
    std::fs::rename(folder.join("spool.jsonl"), folder.join("spool-1-0.jsonl")).unwrap();
    world.append(SPOOL, &request("r3", None, "pi", 1));
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(3, 8));
}

#[test]
fn an_answer_in_the_spool_and_in_the_agents_log_is_one_and_the_logs_conversation() {
    let check = |first: (&str, String), second: (&str, String)| {
        let world = World::new();
        for (path, text) in [first, second] {
            world.append(path, &text);
            world.usage.look().unwrap();
        }
        assert_eq!(world.sums(), counted(1, 5));
        let sessions = super::super::tests::sessions(&world);
        assert!(
            sessions.contains(&("s1".to_owned(), "/work/app".to_owned())),
            "{sessions:?}"
        );
        assert_eq!(world.told("work").output_tokens, 5);
    };
    let spooled = || (SPOOL, request("r1", Some(ID), "claude", 5));
    let logged_too = || (LOG, logged(ID, 5));
    check(spooled(), logged_too());
    check(logged_too(), spooled());
    // The one of the two that has seen more of it.
    check((SPOOL, request("r1", Some(ID), "claude", 1)), logged_too());
}

#[test]
fn what_no_id_joins_counts_by_the_proxy_alone_while_runs_go_through_it() {
    let world = World::new();
    let work = "work".parse().unwrap();
    // A gateway's id, which says nothing.
    world.append(LOG, &logged("msg_1", 5));
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(1, 5));
    world.usage.is_proxied(&work, true).unwrap();
    world.usage.is_proxied(&work, true).unwrap();
    let late = |text: String| text.replace("2026-11-24T10:00:03Z", "2999-01-01T00:00:00Z");
    world.append(LOG, &late(logged("msg_2", 5)));
    world.append(SPOOL, &request("r2", Some("msg_2"), "claude", 5));
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(2, 10));
    world.usage.is_proxied(&work, false).unwrap();
    world.append(LOG, &late(logged("msg_3", 5)));
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(3, 15));
}

#[test]
fn spools_go_once_they_are_counted() {
    let world = World::new();
    let there = || {
        let folder = world.folder.path().join("proxies/work");
        let names = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    for number in 1..=4 {
        let name = format!("proxies/work/spool-{number}-0.jsonl");
        world.append(&name, &request(&format!("r{number}"), None, "pi", 1));
    }
    // Its last line is not whole: what may come of it is not lost.
    world.append("proxies/work/spool-0-0.jsonl", "{\"id\":\"half");
    world.append(SPOOL, "");
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(4, 4));
    let kept = [
        "spool-0-0.jsonl",
        "spool-3-0.jsonl",
        "spool-4-0.jsonl",
        "spool.jsonl",
    ];
    assert_eq!(there(), kept);
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted(4, 4));
}

#[test]
fn agents_without_ids_of_the_provider_count_by_the_proxy_alone() {
    let world = World::new();
    world
        .usage
        .is_proxied(&"work".parse().unwrap(), true)
        .unwrap();
    let session = json!({"type": "session", "version": 3, "id": "s1", "timestamp": "2999-01-01T00:00:00.000Z",
        "cwd": "/work/app"});
    let message = json!({"type": "message", "id": "a1", "parentId": null, "timestamp": "2999-01-01T00:00:00.000Z",
        "message": {"role": "assistant", "provider": "p", "model": "m", "timestamp": 32_472_144_000_000_i64,
            "usage": {"input": 10, "output": 5, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 15}}});
    world.append(
        "homes/work/pi/sessions/a/b.jsonl",
        &format!("{session}\n{message}\n"),
    );
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 0);
    world
        .usage
        .is_proxied(&"work".parse().unwrap(), false)
        .unwrap();
    let later = message
        .to_string()
        .replace("2999-01-01", "2999-01-03")
        .replace("32472144000000", "32472316800000");
    world.append("homes/work/pi/sessions/a/b.jsonl", &format!("{later}\n"));
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 1);
}
