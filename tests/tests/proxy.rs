//! Proxies of profiles, by the real programs, before a provider that says what it is told to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Agent, Stream, Upstream, World, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Instant;

const BODY: &str = "{\"model\": \"asked-1\",  \"stream\":true}";

fn id(number: u32) -> String {
    format!("msg_01AAAAAAAAAAAAAAAAA{number:03}")
}

fn start_of_stream(number: u32) -> String {
    let message = json!({"type": "message_start", "message": {"id": id(number),
        "model": "claude-sonnet-5-5", "usage": {"input_tokens": 10, "output_tokens": 1}}});
    chunk(&format!("event: message_start\ndata: {message}\n\n"))
}

fn end_of_stream(output: u64) -> String {
    let delta = json!({"type": "message_delta", "usage": {"output_tokens": output}});
    let events = format!(
        "event: message_delta\ndata: {delta}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    );
    format!("{}0\r\n\r\n", chunk(&events))
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A world with a provider at `upstream` and a daemon.
fn world(upstream: &Upstream, agent: &str) -> World {
    let mut world = World::new();
    world.install("claude", "1.0.0", clown_tests::FakeAgent::Script(agent));
    fs::create_dir_all(world.path("config/providers.d")).unwrap();
    let provider = format!(
        "id = \"fake\"\nname = \"Fake\"\n[key]\nvariable = \"FAKE_KEY\"\nrequired = true\n[[endpoints]]\nid = \"here\"\n[endpoints.urls]\nanthropic-messages = \"http://{0}\"\nopenai-chat = \"http://{0}/v1\"\n",
        upstream.address
    );
    fs::write(world.path("config/providers.d/fake.toml"), provider).unwrap();
    fs::write(world.path("config/config.toml"), "[proxy]\nport = 0\n").unwrap();
    world.start();
    world
}

fn create(world: &World, alias: &str, proxy: Value) {
    let body = json!({"alias": alias, "agent_id": "claude", "provider_id": "fake",
        "key": {"value": "sk-real-1"}, "proxy_config": proxy});
    let answer = world.send("POST", "/api/v1/profiles", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn start(world: &World, alias: &str) -> (u16, u32) {
    let answer = world.send(
        "POST",
        &format!("/api/v1/proxies/{alias}/start"),
        &json!({}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    place(&answer.json())
}

/// Port and process of an instance.
fn place(proxy: &Value) -> (u16, u32) {
    let number = |name: &str| proxy[name].as_u64().unwrap();
    (number("port") as u16, number("pid") as u32)
}

fn local_key(world: &World, alias: &str) -> String {
    fs::read_to_string(world.path(&format!("state/proxies/{alias}/key"))).unwrap()
}

fn ask(world: &World, alias: &str, port: u16) -> Agent {
    let headers = format!("x-api-key: {}\r\n", local_key(world, alias));
    Agent::ask_with(port, "POST /v1/messages?beta=true", &headers, BODY)
}

/// Answers one request with a stream of so many tokens.
fn exchange(world: &World, upstream: &Upstream, alias: &str, port: u16, number: u32) {
    let mut agent = ask(world, alias, port);
    upstream.answer(&format!(
        "{STREAM}{}{}",
        start_of_stream(number),
        end_of_stream(5)
    ));
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// The next events of proxies, as type and what matters of each.
fn events(stream: &mut Stream, count: usize) -> Vec<(String, Value)> {
    let of = |event: Value| {
        let data = &event["data"];
        let member = ["exit_code", "error", "port"]
            .iter()
            .find_map(|name| data.get(*name));
        (
            event["type"].as_str().unwrap().to_owned(),
            member.cloned().unwrap_or_default(),
        )
    };
    (0..count).map(|_| of(stream.next_message())).collect()
}

fn tokens(world: &World) -> [u64; 2] {
    let total =
        world.get("/api/v1/usage?period=all&timezone=UTC").json()["total"]["tokens"].clone();
    ["input_tokens", "output_tokens"].map(|name| total[name].as_u64().unwrap_or(0))
}

#[test]
fn a_run_goes_through_its_proxy_and_never_sees_the_key() {
    let upstream = Upstream::start();
    let script = "env > env; while [ ! -e go ]; do sleep 0.02; done";
    let world = world(&upstream, script);
    create(&world, "work", json!({"enabled": true}));
    let mut stream = world.stream("?events=Proxy*,UsageUpdated,ProfileStarted");
    let mut run = world
        .clown(&["run", "work"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = stream.next_message();
    assert_eq!(started["type"], "ProxyStarted");
    let (port, pid) = place(&started["data"]);
    assert_eq!(stream.next_message()["type"], "ProfileStarted");
    let env = wait_for("the agent's environment", || {
        let text = fs::read_to_string(world.path("work/env")).ok()?;
        text.contains("CLOWN_RUN_ID").then_some(text)
    });
    let key = local_key(&world, "work");
    assert!(
        env.contains(&format!("ANTHROPIC_BASE_URL=http://127.0.0.1:{port}\n")),
        "{env}"
    );
    assert!(env.contains(&key), "{env}");
    assert!(!env.contains("sk-real-1"), "{env}");

    let mut agent = ask(&world, "work", port);
    let (request, mut there) = upstream.next();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/messages?beta=true "), "{head}");
    assert!(head.contains("x-api-key: sk-real-1"), "{head}");
    assert!(!head.contains(&key), "{head}");
    assert_eq!(body, BODY);
    there.write_all(STREAM.as_bytes()).unwrap();
    there.write_all(start_of_stream(1).as_bytes()).unwrap();
    // As it comes: the rest is not sent yet.
    agent.until("message_start");
    there.write_all(end_of_stream(5).as_bytes()).unwrap();
    assert!(agent.rest().1);
    let ended = Instant::now();
    let told = stream.next_message();
    assert!(ended.elapsed().as_millis() < 1_000, "{:?}", ended.elapsed());
    assert_eq!(told["type"], "UsageUpdated");
    assert_eq!(
        told["data"]["tokens"],
        json!({"input_tokens": 10, "output_tokens": 5})
    );

    // What the agent writes down of the same answer is no second one.
    let log = world.path("state/homes/work/claude/projects/p/s.jsonl");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let line = json!({"type": "assistant", "sessionId": "s1", "cwd": "/work/app",
        "requestId": "r1", "timestamp": "2026-03-01T10:00:00Z", "message": {"id": id(1),
        "model": "claude-sonnet-5-5", "usage": {"input_tokens": 10, "output_tokens": 5}}});
    fs::write(&log, format!("{line}\n")).unwrap();
    wait_for("the conversation", || {
        let path = "/api/v1/usage?period=all&timezone=UTC&group_by=session";
        let report = world.get(path).json();
        (report["rows"][0]["key"] == "s1").then_some(())
    });
    assert_eq!(tokens(&world), [10, 5]);

    // Others get nothing, and neither the key nor a prompt stands anywhere.
    let wrong = "x-api-key: sk-real-1\r\n";
    let mut stranger = Agent::ask_with(port, "POST /v1/messages", wrong, BODY);
    let (text, _) = stranger.rest();
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    assert!(text.contains("authentication_error"), "{text}");
    let folder = world.path("state/proxies/work");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        assert!(!text.contains("sk-real-1"), "{}", path.display());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    for file in ["cmdline", "environ"] {
        let text = fs::read(format!("/proc/{pid}/{file}")).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(
            !text.contains("sk-real-1") && !text.contains(&key),
            "{text}"
        );
    }
    fs::write(world.path("work/go"), "").unwrap();
    assert!(run.wait().unwrap().success());

    let logs = world.clown_ok(&["proxy", "logs", "work", "--json"]);
    let request: Value = serde_json::from_str(logs.lines().next().unwrap()).unwrap();
    assert_eq!(request["model"], "asked-1");
    assert_eq!(request["tokens"]["output"], 5);
    let logs = world.clown_ok(&["proxy", "logs", "work"]);
    assert!(
        logs.contains("asked-1 -> claude-sonnet-5-5  in 10 out 5"),
        "{logs}"
    );
    let status = world.clown_ok(&["proxy", "status", "work"]);
    assert!(
        status.contains(&format!("http://127.0.0.1:{port} as process {pid}")),
        "{status}"
    );
    assert!(world.clown_ok(&["proxy", "list"]).contains("running"));
    let state = world.get("/api/v1/state").json();
    assert_eq!(place(&state["proxies"][0]), (port, pid));
}

#[test]
fn an_instance_that_is_killed_is_told_and_comes_back_on_its_port() {
    let upstream = Upstream::start();
    let world = world(&upstream, "");
    create(&world, "work", json!({"enabled": true}));
    let mut stream = world.stream("?events=Proxy*");
    let (port, pid) = start(&world, "work");
    exchange(&world, &upstream, "work", port, 1);
    signal(pid, Signal::KILL);
    let told = events(&mut stream, 4);
    let died = json!("the proxy ended unasked, by signal 9");
    assert_eq!(told[0], ("ProxyStarted".to_owned(), json!(port)));
    assert_eq!(told[1], ("ProxyStopped".to_owned(), json!(137)));
    assert_eq!(told[2], ("ProxyError".to_owned(), died));
    assert_eq!(told[3], ("ProxyStarted".to_owned(), json!(port)));
    exchange(&world, &upstream, "work", port, 2);
    // By hand, in order: with its code, and not for good either.
    let proxy = world.get("/api/v1/proxies/work").json();
    signal(place(&proxy).1, Signal::TERM);
    let told = events(&mut stream, 3);
    assert_eq!(told[0], ("ProxyStopped".to_owned(), json!(143)));
    assert_eq!(told[2], ("ProxyStarted".to_owned(), json!(port)));
    wait_for("both requests", || {
        (tokens(&world) == [20, 10]).then_some(())
    });
}

#[test]
fn the_daemon_is_killed_and_the_next_one_takes_over() {
    let upstream = Upstream::start();
    let mut world = world(&upstream, "");
    create(&world, "work", json!({"enabled": true}));
    let (port, pid) = start(&world, "work");
    let before = world.get("/api/v1/state").json()["seq"].as_u64().unwrap();
    let mut agent = ask(&world, "work", port);
    let (_, mut there) = upstream.next();
    there.write_all(STREAM.as_bytes()).unwrap();
    there.write_all(start_of_stream(1).as_bytes()).unwrap();
    agent.until("message_start");
    world.crash_daemon();
    there.write_all(end_of_stream(5).as_bytes()).unwrap();
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
    // Or the next request would come by the same connection.
    drop(there);
    // While nobody looks.
    exchange(&world, &upstream, "work", port, 2);
    world.start();
    let proxy = world.get("/api/v1/proxies/work").json();
    assert_eq!(place(&proxy), (port, pid));
    exchange(&world, &upstream, "work", port, 3);
    wait_for("all three requests", || {
        (tokens(&world) == [30, 15]).then_some(())
    });
    let path = format!("/api/v1/events?since={before}&events=Proxy*");
    assert_eq!(world.get(&path).json()["items"], json!([]), "no event");
    // It is this daemon's now.
    let mut stream = world.stream("?events=Proxy*");
    signal(pid, Signal::KILL);
    let told = events(&mut stream, 3);
    assert_eq!(told[0].0, "ProxyStopped");
    assert_eq!(told[2], ("ProxyStarted".to_owned(), json!(port)));
    exchange(&world, &upstream, "work", port, 4);

    // One that dies while no daemon runs is told of by the next.
    let (_, pid) = place(&world.get("/api/v1/proxies/work").json());
    world.crash_daemon();
    signal(pid, Signal::KILL);
    wait_for("its end", || (!is_alive(pid)).then_some(()));
    world.start();
    let proxy = world.get("/api/v1/proxies/work").json();
    assert_eq!(proxy["state"], "stopped", "{proxy}");
    assert_eq!(proxy["exit_code"], -1, "{proxy}");
    assert!(
        proxy["error"].as_str().unwrap().contains("unasked"),
        "{proxy}"
    );
}

#[test]
fn a_port_in_use_is_told_with_its_owner() {
    let upstream = Upstream::start();
    let mut world = world(&upstream, "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    create(&world, "fixed", json!({"enabled": true, "port": port}));
    create(&world, "usual", json!({"enabled": true}));
    // A run that is only planned starts nothing.
    for (alias, place) in [("fixed", port.to_string()), ("usual", "PORT".to_owned())] {
        let question =
            json!({"cwd": "/", "path": world.path("bin"), "cli_pid": std::process::id()});
        let path = format!("/api/v1/profiles/{alias}/plan");
        let env = world.send("POST", &path, &question).json()["env"].clone();
        assert_eq!(
            env["ANTHROPIC_BASE_URL"],
            format!("http://127.0.0.1:{place}")
        );
        assert_eq!(env["ANTHROPIC_API_KEY"], "********");
    }
    let proxies = world.get("/api/v1/proxies").json();
    let states: Vec<&Value> = proxies["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["state"])
        .collect();
    assert_eq!(states, ["stopped", "stopped"]);
    let mut stream = world.stream("?events=Proxy*");
    let refused = world.send("POST", "/api/v1/proxies/fixed/start", &json!({}));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.json()["code"], "port_in_use");
    let expected = format!(
        "Port already in use: {port}, by process {} (",
        std::process::id()
    );
    let (kind, error) = events(&mut stream, 1).remove(0);
    assert_eq!(kind, "ProxyError");
    assert!(error.as_str().unwrap().starts_with(&expected), "{error}");
    let output = world.clown(&["proxy", "start", "fixed"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    events(&mut stream, 1);

    // Where none was fixed, the next one is taken.
    world.signal_daemon(Signal::TERM);
    world.daemon_ended();
    fs::write(
        world.path("config/config.toml"),
        format!("[proxy]\nport = {port}\n"),
    )
    .unwrap();
    world.start();
    let mut stream = world.stream("?events=Proxy*");
    let (next, _) = start(&world, "usual");
    assert!(next > port);
    // Others may have the next ones, too.
    let told = stream.until("ProxyStarted");
    let first = told[0]["data"]["error"].as_str().unwrap();
    assert!(first.starts_with(&expected), "{told:?}");
    let (last, errors) = told.split_last().unwrap();
    assert_eq!(last["data"]["port"], next);
    assert!(errors.iter().all(|told| told["type"] == "ProxyError"));
}

#[test]
fn a_stop_drains_and_a_clean_end_of_the_daemon_stops_all() {
    let upstream = Upstream::start();
    let mut world = world(&upstream, "");
    create(&world, "work", json!({"enabled": true}));
    let mut stream = world.stream("?events=Proxy*,Daemon*");
    let (port, pid) = start(&world, "work");
    let mut agent = ask(&world, "work", port);
    let (_, mut there) = upstream.next();
    there.write_all(STREAM.as_bytes()).unwrap();
    there.write_all(start_of_stream(1).as_bytes()).unwrap();
    agent.until("message_start");
    let mut stop = world
        .clown(&["proxy", "stop", "work"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("an end of new connections", || {
        std::net::TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    assert!(stop.try_wait().unwrap().is_none());
    there.write_all(end_of_stream(5).as_bytes()).unwrap();
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
    assert!(stop.wait().unwrap().success());
    assert!(!is_alive(pid));
    let told = events(&mut stream, 2);
    assert_eq!(told[1], ("ProxyStopped".to_owned(), json!(0)));
    // Stopped is stopped: a second time is as good.
    world.clown_ok(&["proxy", "stop", "work"]);
    let (_, pid) = start(&world, "work");
    let restarted = world.send("POST", "/api/v1/proxies/work/restart", &json!({}));
    let (_, again) = place(&restarted.json());
    assert_ne!(pid, again);
    events(&mut stream, 3);
    world.signal_daemon(Signal::TERM);
    let told = events(&mut stream, 2);
    assert_eq!(told[0], ("ProxyStopped".to_owned(), json!(0)));
    assert_eq!(told[1].0, "DaemonShuttingDown");
    assert_eq!(world.daemon_ended(), Some(0));
    assert_eq!(world.proxy_pids(), [0; 0]);
}

#[test]
fn an_update_of_the_daemon_and_a_change_of_the_profile_cut_nothing_off() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let mut world = world(&first, "");
    create(&world, "work", json!({"enabled": true}));
    let (port, pid) = start(&world, "work");
    let mut agent = ask(&world, "work", port);
    let (_, mut there) = first.next();
    there.write_all(STREAM.as_bytes()).unwrap();
    there.write_all(start_of_stream(1).as_bytes()).unwrap();
    agent.until("message_start");
    let stop = world.send(
        "POST",
        "/api/v1/daemon/shutdown",
        &json!({"reason": "update"}),
    );
    assert_eq!(stop.status, 202);
    assert_eq!(world.daemon_ended(), Some(0));
    assert!(is_alive(pid));
    world.start();
    // By hand, in the file: another endpoint, and another key.
    let manifest = world.path("config/providers.d/fake.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let other = format!(
        "{text}[[endpoints]]\nid = \"there\"\n[endpoints.urls]\nanthropic-messages = \"http://{}\"\n",
        second.address
    );
    fs::write(&manifest, other).unwrap();
    fs::write(world.path("key"), "sk-real-2").unwrap();
    let file = world.profile_file("work");
    let text = fs::read_to_string(&file).unwrap();
    let key = world.path("key").display().to_string();
    let text = text.replace("provider_id", "endpoint_id = \"there\"\nprovider_id");
    let text: String = text
        .lines()
        .map(|line| match line.starts_with("key") {
            true => format!("key = {{ file = \"{key}\" }}\n"),
            false => format!("{line}\n"),
        })
        .collect();
    fs::write(&file, text).unwrap();
    let (request, mut answered) = wait_for("a request to the other", || {
        let _asking = ask(&world, "work", port);
        // Those that still go to the first are dropped there.
        second.soon()
    });
    assert!(request.contains("x-api-key: sk-real-2"), "{request}");
    answered
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    there.write_all(end_of_stream(5).as_bytes()).unwrap();
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
    assert_eq!(
        place(&world.get("/api/v1/proxies/work").json()),
        (port, pid)
    );

    // Without a proxy, or without the profile, there is none.
    let patch = json!({"proxy_config": {"enabled": false}});
    world.send("PATCH", "/api/v1/profiles/work", &patch);
    wait_for("its end", || (!is_alive(pid)).then_some(()));
    let refused = world.send("POST", "/api/v1/proxies/work/start", &json!({}));
    assert_eq!(refused.json()["code"], "proxy_not_enabled", "{refused:?}");
}

#[test]
fn a_running_proxy_holds_the_idle_timeout_back() {
    let upstream = Upstream::start();
    let mut world = world(&upstream, "");
    create(&world, "work", json!({"enabled": true}));
    world.signal_daemon(Signal::TERM);
    world.daemon_ended();
    let text = "idle_timeout = \"300ms\"\n[proxy]\nport = 0\n";
    fs::write(world.path("config/config.toml"), text).unwrap();
    world.start();
    let (port, _) = start(&world, "work");
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed().as_millis() < 1_500 {
        number += 1;
        exchange(&world, &upstream, "work", port, number);
    }
    world.clown_ok(&["proxy", "stop", "work"]);
    assert_eq!(world.daemon_ended(), Some(0));
}

#[test]
fn rules_send_requests_elsewhere_translated_and_are_explained() {
    let (own, other) = (Upstream::start(), Upstream::start());
    let world = world(&own, "exit 0");
    let provider = format!(
        "id = \"chatty\"\nname = \"Chatty\"\n[key]\nvariable = \"CHATTY_KEY\"\nrequired = true\n[[endpoints]]\nid = \"here\"\nurls = {{ openai-chat = \"http://{}/v1\" }}\n",
        other.address
    );
    fs::write(world.path("config/providers.d/chatty.toml"), provider).unwrap();
    fs::write(world.path("work/chatty.key"), "sk-chatty-1").unwrap();
    create(&world, "work", json!({"enabled": true}));
    let route = |arguments: &[&str]| {
        let arguments = [&["proxy", "route"], arguments].concat();
        let output = world.clown(&arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    };
    let refused = |arguments: &[&str], code: i32, part: &str| {
        let (found, text) = route(arguments);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(part), "{part}: {text}");
    };
    let add = ["add", "work", "long", "--to", "chatty/big-1", "--when"];
    refused(
        &[&add[..], &["tokns > 100"]].concat(),
        2,
        "proxy_config.routes.long.when: column 1: there is no `tokns`: did you mean `tokens`?",
    );
    refused(
        &[&add[..], &["tokens > 100"]].concat(),
        2,
        "a rule names chatty, which wants a key: say where it is",
    );
    refused(&["remove", "work", "long"], 3, "has no rule long");
    let keys =
        json!({"proxy_config": {"keys": {"chatty": {"file": world.path("work/chatty.key")}}}});
    assert_eq!(
        world.send("PATCH", "/api/v1/profiles/work", &keys).status,
        200
    );
    let (port, pid) = start(&world, "work");
    assert_eq!(route(&[&add[..], &["tokens > 100"]].concat()).0, 0);
    refused(
        &[&add[..], &["tools"]].concat(),
        4,
        "has a rule long already",
    );
    assert!(route(&["list", "work"]).1.contains("tokens > 100"));

    // Said before anything is sent, and then so.
    let long = json!({"model": "asked-1", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "x".repeat(1_000)}]});
    fs::write(world.path("work/request.json"), long.to_string()).unwrap();
    let explained = world.clown_ok(&["proxy", "explain", "work", "--request", "request.json"]);
    assert_eq!(
        explained,
        "long takes it: chatty/big-1\n  long: tokens > 100 holds (tokens is 251)\n"
    );
    let mut stream = world.stream("?events=UsageUpdated");
    let headers = format!("x-api-key: {}\r\n", local_key(&world, "work"));
    let mut agent = Agent::ask_with(port, "POST /v1/messages", &headers, &long.to_string());
    let event = |value: Value| chunk(&format!("data: {value}\n\n"));
    let request = other.answer(
        &[
            STREAM.to_owned(),
            event(
                json!({"id": "chatcmpl-0123456789abcdef01", "model": "big-1",
                "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}),
            ),
            event(json!({"id": "chatcmpl-0123456789abcdef01", "choices": [],
                "usage": {"prompt_tokens": 300, "completion_tokens": 7}})),
            chunk("data: [DONE]\n\n"),
            "0\r\n\r\n".to_owned(),
        ]
        .concat(),
    );
    assert!(
        request.contains("authorization: Bearer sk-chatty-1\r\n"),
        "{request}"
    );
    assert!(
        !request.contains("sk-real-1") && !request.contains("local"),
        "{request}"
    );
    let (text, is_whole) = agent.rest();
    assert!(
        is_whole && text.contains("\"text\":\"Hello\"") && text.contains("message_stop"),
        "{text}"
    );
    assert!(
        text.contains("x-clown-route: rule=long target=chatty/big-1\r\n"),
        "{text}"
    );
    let used = stream.next_message();
    assert_eq!(used["data"]["tokens"]["input_tokens"], 300);
    assert_eq!(used["data"]["tokens"]["output_tokens"], 7);
    let log = world.clown_ok(&["proxy", "logs", "work"]);
    assert!(
        log.contains("asked-1 -> big-1") && log.contains("long -> chatty"),
        "{log}"
    );

    // A short one goes to the profile's own provider; the same process, without the rule, takes all.
    exchange(&world, &own, "work", port, 1);
    assert_eq!(route(&["remove", "work", "long"]).0, 0);
    wait_for("the instance without the rule", || {
        let mut agent = Agent::ask_with(port, "POST /v1/messages", &headers, &long.to_string());
        let (_, mut stream) = own.soon()?;
        stream
            .write_all(format!("{STREAM}{}{}", start_of_stream(2), end_of_stream(5)).as_bytes())
            .unwrap();
        agent.rest().1.then_some(())
    });
    assert_eq!(
        place(&world.get("/api/v1/proxies/work").json()),
        (port, pid)
    );
}
