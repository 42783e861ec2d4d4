//! What agents write down is counted, told and reported, by the real programs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{OnDisk, SmallDisk, World, request, wait_for};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A line as Claude Code writes it.
fn line(id: u64, output: u64) -> String {
    let line = json!({
        "type": "assistant", "sessionId": "s1", "cwd": "/work/app", "requestId": format!("req_{id}"),
        "timestamp": "2026-03-01T10:00:00Z",
        "message": {"id": format!("msg_01{id:020}"), "model": "claude-sonnet-4-5", "role": "assistant",
            "usage": {"input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 100}},
    });
    format!("{line}\n")
}

fn append(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What all events told of a profile: input, output and cached tokens, in how many events.
fn told(get: impl Fn(&str) -> Value, profile: &str) -> ([u64; 3], usize) {
    let path = format!("/api/v1/events?events=UsageUpdated&profile={profile}&limit=1000");
    let page = get(&path);
    let events = page["items"].as_array().unwrap();
    let mut sum = [0; 3];
    for event in events {
        let names = ["input_tokens", "output_tokens", "cache_read_input_tokens"];
        for (sum, name) in sum.iter_mut().zip(names) {
            *sum += event["data"]["tokens"][name].as_u64().unwrap_or(0);
        }
    }
    (sum, events.len())
}

/// The same, as it is reported.
fn reported(get: impl Fn(&str) -> Value, profile: &str) -> [u64; 3] {
    let path = format!("/api/v1/usage?group_by=profile&timezone=UTC&profile={profile}");
    let total = get(&path)["total"]["tokens"].clone();
    ["input_tokens", "output_tokens", "cache_read_input_tokens"]
        .map(|name| total[name].as_u64().unwrap_or(0))
}

#[test]
fn what_a_run_uses_is_told_while_it_runs() {
    let script = "folder=$CLAUDE_CONFIG_DIR/projects/new; mkdir -p $folder; \
                  cat line >> $folder/s.jsonl; while [ ! -e go ]; do sleep 0.02; done";
    let world = World::with_agent(script);
    world.create_profile("work");
    fs::create_dir_all(world.path("work")).unwrap();
    fs::write(world.path("work/line"), line(1, 5)).unwrap();
    let mut stream = world.stream("?events=UsageUpdated");
    let mut run = world
        .clown(&["run", "work"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let event = stream.next_message();
    let expected = json!({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100});
    assert_eq!(event["data"]["profile"], "work");
    assert_eq!(event["data"]["tokens"], expected);
    assert_eq!(
        reported(|path| world.get(path).json(), "work"),
        [10, 5, 100]
    );
    fs::write(world.path("work/go"), "").unwrap();
    assert!(run.wait().unwrap().success());

    let sessions = world.clown_ok(&["usage", "sessions", "--period", "all", "--json"]);
    let report: Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(report["rows"][0]["key"], "s1");
    assert_eq!(report["rows"][0]["session"]["profile"], "work");
    assert_eq!(report["rows"][0]["session"]["project"], "/work/app");
    let daily = world.clown_ok(&["usage", "--period", "all", "-z", "UTC"]);
    assert!(daily.contains("2026-03-01"), "{daily}");
    let csv = world.clown_ok(&["usage", "export", "--by", "month"]);
    assert!(
        csv.contains("2026-03,claude-sonnet-4-5,1,10,5,0,100,"),
        "{csv}"
    );
}

#[test]
fn nothing_is_lost_or_counted_twice_when_the_daemon_is_killed_while_it_counts() {
    let mut world = World::with_agent("");
    world.create_profile("work");
    let kills: u64 = std::env::var("CLOWN_USAGE_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12);
    let path = world.path("state/homes/work/claude/projects/p/s.jsonl");
    let mut written = 0;
    for kill in 0..kills {
        let begin = Instant::now();
        // Up to 400 ms: before it looks, while it counts, when it has told.
        for slot in 0..=kill * 7 % 40 {
            let text: String = (0..20).map(|more| line(written + more, 7)).collect();
            append(&path, &text);
            written += 20;
            let until = begin + Duration::from_millis(slot * 10);
            while Instant::now() < until {
                std::thread::yield_now();
            }
        }
        world.crash_daemon();
        world.start();
    }
    let expected = [written * 10, written * 7, written * 100];
    wait_for("all of it", || {
        (reported(|path| world.get(path).json(), "work") == expected).then_some(())
    });
    let sum = wait_for("all events", || {
        let (sum, events) = told(|path| world.get(path).json(), "work");
        (sum == expected).then_some(events)
    });
    println!("{kills} kills, {written} answers, told in {sum} events");
    let state = world.get("/api/v1/state").json();
    let total = &state["usage"]["profiles"][0]["tokens"];
    assert_eq!(total["output_tokens"], expected[1], "{state}");
}

/// The log lies on the full disk itself, written before and seen when there is no room any more.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_while_it_counts_loses_nothing_and_doubles_nothing() {
    let Some(disk) = SmallDisk::start(World::new(), OnDisk::State) else {
        return;
    };
    let get = |path: &str| disk.get(path);
    let lines = |from: u64, to: u64| (from..to).map(|id| line(id, 7)).collect::<String>();
    let sums = |answers: u64| [answers * 10, answers * 7, answers * 100];
    let folder = disk.file("homes/p0/claude/projects/p");
    append(&folder.join("before.jsonl"), &lines(0, 50));
    assert_eq!(disk.create(0).status, 201);
    let logs = disk.world.path("logs");
    let import = || {
        let wish = json!({"source": "claude", "path": logs, "profile": "p0"});
        request(&disk.address, "POST", "/api/v1/usage/import", Some(&wish))
    };
    fs::create_dir(&logs).unwrap();
    // An import has the daemon look for places that are followed.
    assert_eq!(import().status, 200);
    wait_for("what there was room for", || {
        (told(get, "p0").0 == sums(50)).then_some(())
    });

    append(&folder.join("unseen"), &lines(50, 700));
    append(&logs.join("projects/p/s.jsonl"), &lines(700, 1_100));
    disk.fill(1);
    fs::rename(folder.join("unseen"), folder.join("during.jsonl")).unwrap();
    let log = wait_for("a word about it", || {
        let log = fs::read_to_string(disk.world.path("log")).unwrap();
        log.contains("usage waits to be counted").then_some(log)
    });
    let told_so = "the disk that holds Clown's database is full, nothing was changed: make room";
    assert!(log.contains(told_so), "{log}");
    let answer = import();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["code"], "disk_full");
    // What is counted is still told right, also what is known of a file that is only half counted.
    assert_eq!(reported(get, "p0"), sums(50));

    disk.make_room();
    wait_for("all of it, by itself", || {
        (reported(get, "p0") == sums(700)).then_some(())
    });
    wait_for("all events", || {
        (told(get, "p0").0 == sums(700)).then_some(())
    });
    let answer = import().json();
    assert_eq!(answer["records_imported"], 400, "{answer}");
    assert_eq!(import().json()["records_imported"], 0);
    assert_eq!(reported(get, "p0"), sums(1_100));
    assert_eq!(told(get, "p0").0, sums(1_100));
}

#[test]
fn imports_and_budgets_by_hand() {
    let mut world = World::new();
    world.start();
    append(
        &world.path("logs/projects/p/s.jsonl"),
        &(line(1, 5) + &line(2, 6)),
    );
    let logs = world.path("logs").display().to_string();
    let import = ["usage", "import", "claude", "--path", &logs];
    let said = world.clown_ok(&import);
    assert!(said.starts_with("2 new answers of claude"), "{said}");
    let said = world.clown_ok(&import);
    assert!(said.starts_with("0 new answers of claude"), "{said}");
    let events = world.get("/api/v1/events?events=UsageImported").json();
    let counts: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["data"]["records_imported"])
        .collect();
    assert_eq!(counts, [&json!(2), &json!(0)]);
    let refused = |arguments: &[&str], code: i32, part: &str| {
        let output = world.clown(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    };
    refused(&["usage", "import", "cloude"], 3, "claude");
    refused(&["usage", "import", "codex"], 3, "nothing to import");
    refused(&["usage", "--period", "soon"], 2, "yesterday");
    refused(&["usage", "-z", "Mars/Base"], 2, "Europe/Berlin");
    refused(&["usage", "--since", "2026-02-30"], 2, "2026-02-30");
    refused(&["usage", "budget", "set", "work", "20"], 2, "20/day");
    refused(&["usage", "budget", "set", "work", "20/day"], 3, "work");
    refused(
        &["usage", "budget", "remove", "work", "day"],
        3,
        "no budget",
    );
}

#[test]
fn prices_say_whose_they_are() {
    let mut world = World::new();
    let own = "[prices.\"moon-1\"]\ninput = 3\noutput = 15\n";
    fs::write(world.path("config/config.toml"), own).unwrap();
    world.start();
    let check = |model: &str, parts: &[&str]| {
        let said = world.clown_ok(&["usage", "prices", model]);
        for part in parts {
            assert!(said.contains(part), "{model}: no {part} in {said}");
        }
    };
    check("moon-1", &["your own price", "$3.00", "$15.00"]);
    let limit = "longer than 272,000";
    check(
        "openai/gpt-5.4",
        &["built in (LiteLLM 1.", "as gpt-5.4", limit, "fast"],
    );
    let heading = "[prices.\"moon-2\"]";
    check("moon-2", &["the price is unknown", "config.toml", heading]);
    // Without a name, what was used.
    append(&world.path("logs/projects/p/s.jsonl"), &line(1, 5));
    let logs = world.path("logs").display().to_string();
    world.clown_ok(&["usage", "import", "claude", "--path", &logs]);
    let prices = world.clown_ok(&["usage", "prices", "--json"]);
    let prices: Value = serde_json::from_str(&prices).unwrap();
    assert_eq!(prices[0]["model"], "claude-sonnet-4-5");
    assert_eq!(prices[0]["price"]["source"], "built_in");
    assert_eq!(prices[0]["price"]["usual"]["standard"]["input"], 3);
    assert_eq!(prices[1], Value::Null);
    let table = world.clown_ok(&["usage", "prices"]);
    assert!(table.contains("claude-sonnet-4-5  $3.00"), "{table}");
}

#[test]
fn the_status_line_answers_with_and_without_a_daemon() {
    let mut world = World::new();
    let ask = |world: &World| {
        let mut child = world
            .clown(&["statusline"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = json!({"session_id": "s1", "model": {"display_name": "Sonnet"}});
        let stdin = child.stdin.take().unwrap();
        serde_json::to_writer(stdin, &told).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&world), "Sonnet · clownd is not running\n");
    world.start();
    assert!(ask(&world).starts_with("Sonnet · $0.00 today"));
}
