//! Files in, sums and events out.

use super::*;
use crate::bus::Read;
use clown_events::{Envelope, Event};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

mod absurd;
mod files;
mod folders;
mod gateways;
mod imports;
mod odd_lines;
mod proxied;
mod reports_of_one;

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Arc<Store>,
    pub(super) usage: Arc<Usage>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open_in_memory().unwrap());
        let usage = Self::usage(folder.path(), &store);
        Self {
            folder,
            store,
            usage,
        }
    }

    fn usage(folder: &Path, store: &Arc<Store>) -> Arc<Usage> {
        let agents = Manifests::new(folder.join("agents.d"), crate::agents::load);
        let environment = [("HOME", folder.join("person"))];
        Arc::new(Usage::new(
            Arc::clone(store),
            Arc::new(agents),
            UsageSettings {
                homes: folder.join("homes"),
                proxies: folder.join("proxies"),
                environment: environment.into_iter().collect(),
                sources: Vec::new(),
                timezone: None,
                prices: BTreeMap::new(),
            },
        ))
    }

    /// The daemon starts again.
    pub(super) fn restart(&mut self) {
        self.usage = Self::usage(self.folder.path(), &self.store);
    }

    pub(super) fn write(&self, path: &str, content: &(impl AsRef<[u8]> + ?Sized)) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn append(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(content.as_bytes()).unwrap();
    }

    /// The sums of all cells: records, and each kind.
    pub(super) fn sums(&self) -> (i64, [i64; Counts::KINDS]) {
        let mut all = ledger::Amount::default();
        for cell in self.store.read(ledger::cells).unwrap() {
            all.add(cell.amount);
        }
        let rows: i64 = self
            .store
            .read(|connection| {
                Ok(connection
                    .query_row("SELECT count(*) FROM usage_records", [], |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(rows, all.records, "cells and records tell the same");
        (all.records, all.kinds)
    }

    fn events(&self) -> Vec<Event> {
        let Read::Slices(slices) = self.store.bus().read_after(crate::Seq::START, usize::MAX)
        else {
            panic!("the ring holds it");
        };
        let entries = slices.iter().flat_map(|slice| {
            (0..slice.entries().len()).map(|index| slice.json(index, false).to_vec())
        });
        entries
            .map(|json| serde_json::from_slice::<Envelope>(&json).unwrap().event)
            .collect()
    }

    /// What clients were told of a profile, summed up.
    pub(super) fn told(&self, profile: &str) -> Tokens {
        let mut sum = Tokens::default();
        for event in self.events() {
            if let Event::UsageUpdated(updated) = event
                && updated.profile == profile
            {
                sum.input_tokens += updated.tokens.input_tokens;
                sum.output_tokens += updated.tokens.output_tokens;
                sum.cache_creation_input_tokens += updated.tokens.cache_creation_input_tokens;
                sum.cache_read_input_tokens += updated.tokens.cache_read_input_tokens;
            }
        }
        sum
    }
}

/// A line of Claude Code, with `changes` over it.
fn claude(id: &str, output: u64, changes: Value) -> String {
    let mut line = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/work/app",
        "sessionId": "s1", "version": "2.1.197", "gitBranch": "main",
        "message": {
            "model": "claude-sonnet-4-5-20250929", "id": id, "type": "message", "role": "assistant",
            "content": [{"type": "text", "text": "a \"usage\": {\"output_tokens\": 999}"}],
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 1000, "output_tokens": output,
                "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}},
        },
        "requestId": format!("req_of_{id}"), "type": "assistant", "uuid": "u1",
        "timestamp": "2026-03-01T10:00:00.123Z",
    });
    merge(&mut line, changes);
    format!("{line}\n")
}

fn merge(line: &mut Value, changes: Value) {
    match (line, changes) {
        (Value::Object(line), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(line.entry(name).or_insert(Value::Null), change);
            }
        }
        (line, change) => *line = change,
    }
}

const ONE: &str = "msg_01AAAAAAAAAAAAAAAAAAAAAA";
const TWO: &str = "msg_01BBBBBBBBBBBBBBBBBBBBBB";

/// Looks at one file of `lines`; then once more, and once more as a copy.
fn check_claude(what: &str, lines: &[String], records: i64, output: i64) {
    let world = World::new();
    world.write("homes/work/claude/projects/p/s.jsonl", &lines.concat());
    world.usage.look().unwrap();
    let (found, kinds) = world.sums();
    assert_eq!((found, kinds[1]), (records, output), "{what}");
    world.write("homes/work/claude/projects/q/copy.jsonl", &lines.concat());
    world.usage.look().unwrap();
    assert_eq!(
        world.sums(),
        (found, kinds),
        "{what}: a copy counts nothing"
    );
    let told = world.told("work");
    assert_eq!(
        [
            told.input_tokens,
            told.output_tokens,
            told.cache_creation_input_tokens,
            told.cache_read_input_tokens
        ]
        .map(|count| count as i64),
        [kinds[0], kinds[1], kinds[2] + kinds[3], kinds[4]],
        "{what}: told as counted"
    );
}

#[test]
fn claude_counts_each_answer_once() {
    let line = |output| claude(ONE, output, json!({}));
    let with = |output, changes| claude(ONE, output, changes);
    check_claude("one", &[line(5)], 1, 5);
    check_claude("grows", &[line(1), line(5), line(90)], 1, 90);
    check_claude("out of order", &[line(90), line(1)], 1, 90);
    check_claude("two", &[line(5), claude(TWO, 7, json!({}))], 2, 12);
    let fork = json!({"sessionId": "s2", "uuid": "u9", "timestamp": "2026-03-02T10:00:00Z"});
    check_claude("a fork", &[line(5), with(5, fork)], 1, 5);
    let side =
        json!({"isSidechain": true, "requestId": "req_other", "timestamp": "2026-03-01T11:00:00Z"});
    check_claude("a side chain", &[line(5), with(5, side)], 1, 5);
    let gone = json!({"requestId": null});
    check_claude("no request", &[with(1, gone.clone()), with(9, gone)], 1, 9);
    let nameless = |uuid: &str| {
        with(
            5,
            json!({"message": {"id": null}, "requestId": null, "uuid": uuid}),
        )
    };
    check_claude(
        "no ids",
        &[nameless("a"), nameless("b"), nameless("a")],
        2,
        10,
    );
    let nulls = json!({"message": {"content": [{"type": "tool_use", "id": null, "input": {"id": null, "requestId": null, "model": null}}]}});
    check_claude("null in inputs", &[with(5, nulls)], 1, 5);
    let synthetic = json!({"message": {"model": "<synthetic>"}});
    check_claude("synthetic", &[with(5, synthetic)], 0, 0);
    let nested = json!({"type": "progress", "data": {"message": {"type": "assistant", "message": {"id": TWO, "usage": {"output_tokens": 50}}}}, "message": null});
    check_claude("progress", &[line(5), with(5, nested)], 1, 5);
    let result = json!({"type": "user", "message": {"role": "user", "usage": null}, "toolUseResult": {"usage": {"output_tokens": 70}}});
    check_claude("a tool's result", &[line(5), claude(TWO, 70, result)], 1, 5);
    let pretty: Value = serde_json::from_str(&line(5)).unwrap();
    let spaced = pretty.to_string().replace("\":", "\" : ");
    check_claude("spaced", &[format!("{spaced}\n")], 1, 5);
    check_claude(
        "garbage",
        &[
            "{\"usage\": nonsense\n".to_owned(),
            "\0\n".to_owned(),
            line(5),
        ],
        1,
        5,
    );
    let half = line(5);
    check_claude(
        "cut off, then another",
        &[
            format!("{}\n", &half[..half.len() / 2]),
            claude(TWO, 7, json!({})),
        ],
        1,
        7,
    );
    check_claude(
        "without an end",
        &[line(5), claude(TWO, 7, json!({})).trim_end().to_owned()],
        2,
        12,
    );
    let advisor = json!({"message": {"usage": {"iterations": [
        {"type": "message", "input_tokens": 10, "output_tokens": 5},
        {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 3, "output_tokens": 4}]}}});
    check_claude("advised", &[with(5, advisor)], 2, 9);
    let big = json!({"message": {"content": [{"type": "text", "text": "x".repeat(50 << 20)}]}});
    check_claude("50 MB", &[with(5, big)], 1, 5);
}

#[test]
fn gateways_that_give_one_id_to_everything_lose_nothing() {
    let line = |input: u64, request: Value, output| {
        claude(
            "msg_1",
            output,
            json!({"requestId": request, "message": {"usage": {"input_tokens": input}}}),
        )
    };
    check_claude(
        "by request",
        &[
            line(1, json!("a"), 5),
            line(1, json!("b"), 5),
            line(1, json!("a"), 8),
        ],
        2,
        13,
    );
    check_claude(
        "by prompt",
        &[
            line(1, json!(null), 5),
            line(2, json!(null), 5),
            line(2, json!(null), 9),
        ],
        2,
        14,
    );
    let of = |session: &str, changes: Value| {
        let mut line = json!({"sessionId": session, "requestId": null});
        merge(&mut line, changes);
        claude("msg_1", 5, line)
    };
    check_claude(
        "by session",
        &[of("a", json!({})), of("b", json!({}))],
        2,
        10,
    );
    let copy = json!({"forkedFrom": {"sessionId": "a", "messageUuid": "u1"}});
    check_claude("a fork", &[of("a", json!({})), of("b", copy)], 1, 5);
}

#[test]
fn what_was_written_to_caches_is_the_sum_of_its_kinds_where_nobody_summed_it_up() {
    let check = |sum: Value, expected: [i64; 2]| {
        let world = World::new();
        let kinds = json!({"ephemeral_5m_input_tokens": 5000, "ephemeral_1h_input_tokens": 700});
        let usage = json!({"cache_creation_input_tokens": sum, "cache_creation": kinds});
        let line = claude(ONE, 5, json!({"message": {"usage": usage}}));
        let line = line.replace("\"cache_creation_input_tokens\":\"\",", "");
        world.write("homes/work/claude/projects/p/s.jsonl", &line);
        world.usage.look().unwrap();
        let (_, [_, _, write, hour, _]) = world.sums();
        assert_eq!([write, hour], expected, "{sum}");
    };
    check(json!(null), [5000, 700]);
    check(json!(""), [5000, 700]);
    check(json!(6000), [5300, 700]);
    check(json!(500), [0, 500]);
    check(json!(0), [0, 0]);
}

#[test]
fn kinds_of_writes_and_the_fast_service_are_told_apart() {
    let world = World::new();
    let fast = json!({"message": {"usage": {"speed": "fast"}}});
    let old = json!({"message": {"usage": {"cache_creation": null}}});
    let content = [claude(ONE, 5, fast), claude(TWO, 5, old)].concat();
    world.write("homes/work/claude/projects/p/s.jsonl", &content);
    world.usage.look().unwrap();
    assert_eq!(world.sums(), (2, [20, 10, 160, 40, 2000]));
    let tiers = world
        .store
        .read(|connection| ledger::series_from(connection, 0))
        .unwrap();
    assert_eq!(tiers.iter().filter(|series| series.3.is_fast()).count(), 1);
}

#[test]
fn what_is_told_and_what_is_counted_stay_one_through_everything() {
    let mut world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    world.append(path, &claude(ONE, 1, json!({})));
    world.usage.look().unwrap();
    world.append(path, &claude(ONE, 30, json!({})));
    let half = claude(TWO, 7, json!({}));
    world.append(path, &half[..200]);
    world.usage.look().unwrap();
    assert_eq!(world.sums(), (1, [10, 30, 60, 40, 1000]));
    world.restart();
    world.append(path, &half[200..]);
    world.usage.look().unwrap();
    let expected = (2, [20, 37, 120, 80, 2000]);
    assert_eq!(world.sums(), expected);
    // Rotated, written anew, and deleted.
    let all = fs::read_to_string(world.folder.path().join(path)).unwrap();
    world.write("homes/work/claude/projects/p/rotated.jsonl", &all);
    world.write(path, &claude(TWO, 7, json!({})));
    world.usage.look().unwrap();
    fs::remove_dir_all(world.folder.path().join("homes/work/claude/projects/p")).unwrap();
    world.usage.look().unwrap();
    assert_eq!(world.sums(), expected);
    let told = world.told("work");
    assert_eq!((told.input_tokens, told.output_tokens), (20, 37));
    let totals = world.store.read(list_in).unwrap();
    assert_eq!(totals[0].tokens, told);
}

#[test]
fn all_of_a_long_file_belongs_to_its_profile() {
    let world = World::new();
    // More than one transaction takes.
    let lines: String = (0..20_000)
        .map(|number| claude(&format!("msg_01{number:020}"), 5, json!({})))
        .collect();
    world.write("homes/work/claude/projects/p/s.jsonl", &lines);
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 20_000);
    assert_eq!(world.told("work").output_tokens, 100_000);
    let question = Question {
        zone: Zone::named("UTC").unwrap(),
        from: None,
        to: None,
        profile: Some("work".parse().unwrap()),
        agent: Some("claude".to_owned()),
        model: None,
        group_by: GroupBy::Session,
    };
    let report = world.usage.report(&question).unwrap();
    assert_eq!(report.total.answers, 20_000);
    assert_eq!(report.rows.len(), 1);
}

#[test]
fn imports_count_under_no_profile_and_once() {
    let world = World::new();
    let path = "person/.claude/projects/p/s.jsonl";
    world.append(
        path,
        &[claude(ONE, 5, json!({})), claude(TWO, 7, json!({}))].concat(),
    );
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 0, "nobody asked");
    let request = ImportRequest {
        source: "claude".to_owned(),
        path: None,
        profile: None,
    };
    assert_eq!(world.usage.import(&request).unwrap().records, 2);
    assert_eq!(world.usage.import(&request).unwrap().records, 0);
    world.append(path, &claude("msg_01CCCCCCCCCCCCCCCCCC", 9, json!({})));
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 3, "it is followed from now on");
    assert_eq!(world.told("work"), Tokens::default());
    // The same answer in a profile's home: it was the profile's, and is told now.
    world.append(
        "homes/work/claude/projects/p/s.jsonl",
        &claude(ONE, 5, json!({})),
    );
    world.usage.look().unwrap();
    assert_eq!(world.sums().0, 3);
    assert_eq!(world.told("work").output_tokens, 5);
    let imported: Vec<_> = world
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::UsageImported(imported) => Some(imported.records_imported),
            _ => None,
        })
        .collect();
    assert_eq!(imported, [2, 0]);
    let refused = |source: &str, part: &str| {
        let request = ImportRequest {
            source: source.to_owned(),
            ..request.clone()
        };
        let error = world.usage.import(&request).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("cloude", "claude");
    refused("codex", ".codex");
}

#[test]
fn what_a_running_agent_writes_is_told_soon() {
    let world = World::new();
    world.write(
        "homes/work/claude/projects/p/old.jsonl",
        &claude(ONE, 5, json!({})),
    );
    world.usage.follow().unwrap();
    let eventually = |output: u64| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while world.told("work").output_tokens != output {
            assert!(Instant::now() < deadline, "{:?}", world.told("work"));
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    eventually(5);
    world.append(
        "homes/work/claude/projects/new/deep/s.jsonl",
        &claude(TWO, 7, json!({})),
    );
    eventually(12);
    world.append(
        "homes/work/claude/projects/new/deep/s.jsonl",
        &claude(TWO, 9, json!({})),
    );
    eventually(14);
    world.usage.stop();
}

fn ask(world: &World, group_by: GroupBy, zone: &str) -> Report {
    let question = Question {
        zone: Zone::named(zone).unwrap(),
        from: None,
        to: None,
        profile: None,
        agent: None,
        model: None,
        group_by,
    };
    world.usage.report(&question).unwrap()
}

fn keys(report: &Report) -> Vec<(&str, u64)> {
    report
        .rows
        .iter()
        .map(|row| (row.key.as_str(), row.used.counts.output))
        .collect()
}

#[test]
fn what_was_used_is_grouped_as_asked() {
    let world = World::new();
    let mut ids = 0;
    let mut line = |at: &str, output: u64, changes: Value| {
        ids += 1;
        let mut all = json!({"timestamp": at});
        merge(&mut all, changes);
        claude(&format!("msg_01{ids:020}"), output, all)
    };
    let work = [
        line("2026-03-28T22:30:00Z", 1, json!({})),
        line(
            "2026-03-28T23:30:00Z",
            2,
            json!({"message": {"model": "claude-opus-4-8"}}),
        ),
        line("2026-03-29T22:10:00Z", 4, json!({"sessionId": "s2"})),
    ];
    world.write("homes/work/claude/projects/p/s.jsonl", &work.concat());
    world.usage.look().unwrap();
    assert_eq!(
        keys(&ask(&world, GroupBy::Day, "UTC")),
        [("2026-03-28", 3), ("2026-03-29", 4)]
    );
    // The second question meets sums that are held, and then changed.
    let lab = line("2026-04-05T10:00:00Z", 8, json!({"cwd": "/lab"}));
    world.write("homes/lab/claude/projects/p/s.jsonl", &lab);
    world.usage.look().unwrap();
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    let check = |group_by, zone: &str, expected: &[(&str, u64)]| {
        let report = ask(&world, group_by, zone);
        assert_eq!(keys(&report), expected, "{group_by:?}");
        assert_eq!((report.total.answers, report.total.counts.output), (4, 15));
    };
    check(
        GroupBy::Day,
        berlin,
        &[
            ("2026-03-28", 1),
            ("2026-03-29", 2),
            ("2026-03-30", 4),
            ("2026-04-05", 8),
        ],
    );
    check(
        GroupBy::Week,
        berlin,
        &[("2026-03-23", 3), ("2026-03-30", 12)],
    );
    check(GroupBy::Month, "UTC", &[("2026-03", 7), ("2026-04", 8)]);
    check(GroupBy::Profile, "UTC", &[("work", 7), ("lab", 8)]);
    check(GroupBy::Project, "UTC", &[("/work/app", 7), ("/lab", 8)]);
    check(GroupBy::Agent, "UTC", &[("claude", 15)]);
    check(
        GroupBy::Model,
        "UTC",
        &[("claude-sonnet-4-5-20250929", 13), ("claude-opus-4-8", 2)],
    );
    check(GroupBy::Session, "UTC", &[("s1", 3), ("s2", 4), ("s1", 8)]);
    check(
        GroupBy::Block,
        "UTC",
        &[
            ("2026-03-28T22:00:00Z", 3),
            ("2026-03-29T22:00:00Z", 4),
            ("2026-04-05T10:00:00Z", 8),
        ],
    );
    let work: Alias = "work".parse().unwrap();
    let question = Question {
        zone: Zone::named("UTC").unwrap(),
        from: Some(
            "2026-03-28T23:00:00Z"
                .parse::<clown_events::Timestamp>()
                .unwrap()
                .unix_millis(),
        ),
        to: Some(
            "2026-03-29T22:10:00Z"
                .parse::<clown_events::Timestamp>()
                .unwrap()
                .unix_millis(),
        ),
        profile: Some(work),
        agent: Some("claude".to_owned()),
        model: Some("claude-opus-4-8".to_owned()),
        group_by: GroupBy::Day,
    };
    assert_eq!(
        keys(&world.usage.report(&question).unwrap()),
        [("2026-03-28", 2)]
    );
}

#[test]
fn the_block_that_is_under_way_is_told_with_where_it_leads() {
    let world = World::new();
    let lines = [
        claude(
            "msg_01AAAAAAAAAAAAAAAAAAAAA1",
            1,
            json!({"timestamp": "2026-03-01T02:00:00Z"}),
        ),
        claude(
            "msg_01AAAAAAAAAAAAAAAAAAAAA2",
            100,
            json!({"timestamp": "2026-03-01T10:20:00Z"}),
        ),
        claude(
            "msg_01AAAAAAAAAAAAAAAAAAAAA3",
            100,
            json!({"timestamp": "2026-03-01T11:50:00Z"}),
        ),
    ];
    world.write("homes/work/claude/projects/p/s.jsonl", &lines.concat());
    world.usage.look().unwrap();
    let at = |text: &str| {
        text.parse::<clown_events::Timestamp>()
            .unwrap()
            .unix_millis()
    };
    let now = |moment: &str, profile: Option<&str>| {
        let question = NowQuestion {
            zone: Zone::named("UTC").unwrap(),
            profile: profile.map(|alias| alias.parse().unwrap()),
            session: Some("s1".to_owned()),
        };
        world.usage.now_at(&question, at(moment)).unwrap()
    };
    let noon = now("2026-03-01T12:00:00Z", None);
    assert_eq!(noon.today.answers, 3);
    assert_eq!(noon.session.unwrap().answers, 3);
    let block = noon.block.unwrap();
    assert_eq!(block.since, at("2026-03-01T10:00:00Z"));
    assert_eq!(block.until, at("2026-03-01T15:00:00Z"));
    // 2 answers of 1210 tokens in 120 of 300 minutes.
    assert_eq!(block.used.counts.total(), 2420);
    assert_eq!(
        (block.tokens_per_minute, block.projected_tokens),
        (20, 6050)
    );
    assert_eq!(now("2026-03-01T15:00:00Z", None).block, None);
    assert_eq!(now("2026-03-01T12:00:00Z", Some("lab")).block, None);
    assert_eq!(now("2026-03-02T00:00:00Z", None).today.answers, 0);
    // A session is as old as it is.
    assert_eq!(
        now("2026-06-01T00:00:00Z", None).session.unwrap().answers,
        3
    );

    // A block is the same one from wherever it is looked at.
    let question = |from: &str| Question {
        zone: Zone::named("UTC").unwrap(),
        from: Some(at(from)),
        to: None,
        profile: None,
        agent: None,
        model: None,
        group_by: GroupBy::Block,
    };
    let check = |from: &str, expected: &[(&str, u64)]| {
        let report = world.usage.report(&question(from)).unwrap();
        assert_eq!(keys(&report), expected, "{from}");
    };
    let (early, late) = ("2026-03-01T02:00:00Z", "2026-03-01T10:00:00Z");
    check("2026-03-01T00:00:00Z", &[(early, 1), (late, 200)]);
    check("2026-03-01T11:30:00Z", &[(late, 100)]);
}

#[test]
fn clients_are_told_a_few_times_a_second_at_most() {
    let world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    world.append(path, &claude(ONE, 1, json!({})));
    world.usage.follow().unwrap();
    let begin = Instant::now();
    let mut written = 1;
    // One line after the other, for a second.
    while begin.elapsed() < Duration::from_secs(1) {
        world.append(path, &claude(&format!("msg_01{written:020}"), 1, json!({})));
        written += 1;
    }
    world.usage.stop();
    let told = world.told("work");
    let seconds = begin.elapsed().as_secs() as usize + 1;
    let events = world.events().len();
    assert!(
        (1..=seconds * 5).contains(&events),
        "{events} events in {seconds} s"
    );
    assert!(told.output_tokens > 0 && told.output_tokens <= written);
}
