//! Resources: what goes in by HTTP comes out by HTTP and on the stream.

use super::client::{Answer, Client, get, request};
use super::support::TestServer;
use clown_api::{Daemon, EventPage, List, Profile, Provider, Run, State};
use serde_json::{Value, json};

fn send(server: &TestServer, method: &str, path: &str, body: &Value) -> Answer {
    let (host, body) = (server.address, body.to_string());
    let length = body.len();
    request(
        host,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

#[test]
fn a_profile_is_made_read_changed_and_deleted() {
    let server = TestServer::start();
    let mut stream = Client::open(server.address, "/ws");
    let body = json!({"alias": "work", "agent_id": "claude", "model": "m1", "env": {"A": "1"}});
    let made = send(&server, "POST", "/api/v1/profiles", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("location"), Some("/api/v1/profiles/work"));
    let profile: Profile = serde_json::from_str(&made.body).unwrap();
    assert_eq!(
        (profile.alias.as_str(), profile.provider_id.as_str()),
        ("work", "self")
    );
    assert_eq!(stream.json()["type"], "ProfileCreated");

    assert_eq!(
        send(&server, "POST", "/api/v1/profiles", &body).code(),
        "profile_exists"
    );
    assert_eq!(get(server.address, "/api/v1/profiles/work").body, made.body);
    let list: List<Profile> =
        serde_json::from_str(&get(server.address, "/api/v1/profiles").body).unwrap();
    assert_eq!(list.items, [profile]);

    let patched = send(
        &server,
        "PATCH",
        "/api/v1/profiles/work",
        &json!({"model": "m2", "env": null}),
    );
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(patched.json()["model"], "m2");
    assert_eq!(
        stream.json()["data"],
        json!({"alias": "work", "changes": ["model", "env"]})
    );

    assert_eq!(
        send(&server, "PATCH", "/api/v1/profiles/work", &json!([])).code(),
        "invalid_body"
    );
    assert_eq!(
        send(
            &server,
            "PATCH",
            "/api/v1/profiles/work",
            &json!({"agent_id": 7})
        )
        .status,
        422
    );
    assert_eq!(
        send(
            &server,
            "DELETE",
            "/api/v1/profiles/work?purge=maybe",
            &json!({})
        )
        .code(),
        "invalid_parameter"
    );
    assert_eq!(
        send(
            &server,
            "DELETE",
            "/api/v1/profiles/work?purge=true",
            &json!({})
        )
        .status,
        204
    );
    assert_eq!(stream.json()["type"], "ProfileDeleted");
    assert_eq!(
        get(server.address, "/api/v1/profiles/work").code(),
        "profile_not_found"
    );
}

#[test]
fn a_profile_needs_a_name_and_an_agent() {
    let server = TestServer::start();
    let check = |body: Value, code: &str, part: &str| {
        let answer = send(&server, "POST", "/api/v1/profiles", &body);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, code),
            "{body}: {}",
            answer.body
        );
        assert!(answer.body.contains(part), "{body}: {}", answer.body);
    };
    check(json!({"agent_id": "claude"}), "invalid_body", "alias");
    check(
        json!({"alias": 1, "agent_id": "claude"}),
        "invalid_body",
        "alias",
    );
    check(
        json!({"alias": "a/b", "agent_id": "claude"}),
        "invalid_alias",
        "a/b",
    );
    check(json!({"alias": "work"}), "invalid_profile", "agent_id");
    check(
        json!({"alias": "work", "agent_id": "nobody"}),
        "invalid_profile",
        "nobody",
    );
}

#[test]
fn a_key_goes_in_and_never_comes_out() {
    let server = TestServer::start();
    let secret = "sk-secret-0123456789";
    let body = json!({"alias": "work", "agent_id": "claude", "provider_id": "anthropic", "key": {"value": secret}});
    let made = send(&server, "POST", "/api/v1/profiles", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        made.json()["key"],
        json!({"source": "secrets", "set": true})
    );
    for path in [
        "/api/v1/profiles/work",
        "/api/v1/profiles",
        "/api/v1/state",
        "/api/v1/events",
    ] {
        let answer = get(server.address, path);
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains(secret), "{path}");
    }
}

#[test]
fn a_run_is_prepared_started_and_ended() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = TestServer::start();
    let bin = server.folder.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("claude"), "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(bin.join("claude"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let made = send(
        &server,
        "POST",
        "/api/v1/profiles",
        &json!({"alias": "work", "agent_id": "claude"}),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let mut wanted = json!({"args": ["-p", "hi"], "cwd": "/", "path": "/nowhere", "cli_pid": std::process::id()});
    let prepare = |wanted: &Value| send(&server, "POST", "/api/v1/profiles/work/runs", wanted);
    assert_eq!(prepare(&wanted).code(), "agent_not_installed");
    wanted["path"] = format!("{}:/usr/bin:/bin", bin.display()).into();
    let prepared = prepare(&wanted);
    assert_eq!(prepared.status, 201, "{}", prepared.body);
    let prepared = prepared.json();
    assert_eq!(
        prepared["program"],
        bin.join("claude").display().to_string()
    );
    wanted["cwd"] = "relative".into();
    assert_eq!(prepare(&wanted).code(), "invalid_body");

    let mut stream = Client::open(server.address, "/ws");
    let mut agent = std::process::Command::new("/bin/sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let id = prepared["run_id"].as_str().unwrap();
    let started = format!("/api/v1/runs/{id}/started");
    for _ in 0..2 {
        assert_eq!(
            send(&server, "POST", &started, &json!({"pid": agent.id()})).status,
            200
        );
    }
    assert_eq!(
        stream.json()["data"],
        json!({"alias": "work", "pid": agent.id()})
    );
    let runs: List<Run> = serde_json::from_str(&get(server.address, "/api/v1/runs").body).unwrap();
    assert_eq!(
        (runs.items[0].id.as_str(), runs.items[0].pid),
        (id, Some(agent.id()))
    );
    let daemon: Daemon = serde_json::from_str(&get(server.address, "/api/v1/daemon").body).unwrap();
    assert_eq!((daemon.counts.runs, daemon.counts.connections), (1, 1));
    assert_eq!(
        send(&server, "DELETE", "/api/v1/profiles/work", &json!({})).code(),
        "profile_running"
    );

    let exited = format!("/api/v1/runs/{id}/exited");
    for _ in 0..2 {
        assert_eq!(
            send(&server, "POST", &exited, &json!({"exit_code": 7})).status,
            200
        );
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(stream.json()["data"]["exit_code"], 7);
    assert_eq!(
        send(&server, "POST", &exited, &json!({"exit_code": 1, "x": 1})).status,
        422
    );
}

#[test]
fn the_state_goes_on_exactly_in_the_stream() {
    let server = TestServer::start();
    send(
        &server,
        "POST",
        "/api/v1/profiles",
        &json!({"alias": "one", "agent_id": "claude"}),
    );
    let answer = get(server.address, "/api/v1/state");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let state: State = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(state.seq, server.store.head().0);
    assert_eq!(state.daemon.address, server.address.to_string());
    assert_eq!(state.daemon.pid, std::process::id());
    assert_eq!(state.profiles[0].alias, "one");
    let claude = state
        .agents
        .iter()
        .find(|agent| agent.id == "claude")
        .unwrap();
    assert_eq!(claude.profiles, ["one"]);
    assert!(state.providers.iter().any(|provider| provider.id == "self"));
    assert_eq!(answer.json()["registry"]["signature"], "built_in");
    send(
        &server,
        "POST",
        "/api/v1/profiles",
        &json!({"alias": "two", "agent_id": "claude"}),
    );
    let mut stream = Client::open(server.address, &format!("/ws?since={}", state.seq));
    assert_eq!(stream.json()["data"]["alias"], "two");
}

#[test]
fn agents_and_providers() {
    let server = TestServer::start();
    let agents = get(server.address, "/api/v1/agents").json();
    assert!(agents["items"].as_array().unwrap().len() >= 4);
    let agent = get(server.address, "/api/v1/agents/claude").json();
    assert_eq!(
        (&agent["id"], &agent["installed"]),
        (&json!("claude"), &json!(false))
    );
    let detected = send(&server, "POST", "/api/v1/agents/detect", &json!({}));
    assert_eq!(detected.status, 200, "{}", detected.body);
    let providers: List<Provider> =
        serde_json::from_str(&get(server.address, "/api/v1/providers").body).unwrap();
    let anthropic = providers
        .items
        .iter()
        .find(|provider| provider.id == "anthropic")
        .unwrap();
    assert_eq!(
        get(server.address, "/api/v1/providers/anthropic").json(),
        serde_json::to_value(anthropic).unwrap()
    );
    let page: EventPage =
        serde_json::from_str(&get(server.address, "/api/v1/events").body).unwrap();
    assert_eq!(page.next, server.store.head().0);
}

#[test]
fn a_check_of_a_provider_says_what_was_tried() {
    let server = TestServer::start();
    let check = |id: &str, body: Value| {
        send(
            &server,
            "POST",
            &format!("/api/v1/providers/{id}/check"),
            &body,
        )
    };
    let codes = [
        ("nobody", json!({}), "provider_not_found"),
        ("self", json!({}), "provider_not_checkable"),
        ("openai", json!({"endpoint_id": "x"}), "endpoint_not_found"),
        ("openai", json!({"profile": "x"}), "profile_not_found"),
        ("openai", json!({"key": {"value": "a\nb"}}), "key_missing"),
        ("openai", json!({"key": {"env": "A B"}}), "invalid_body"),
        ("openai", json!({"keys": 1}), "invalid_body"),
    ];
    for (id, body, code) in codes {
        assert_eq!(check(id, body).code(), code);
    }
    // This server's core reaches nobody.
    let answer = check("openai", json!({"key": {"value": "sk-secret"}}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("sk-secret"), "{}", answer.body);
    let found: clown_api::ProviderCheck = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((found.provider_id.as_str(), found.well), ("openai", false));
    let formats: Vec<&str> = found.checks.iter().map(|it| it.format.as_str()).collect();
    assert_eq!(formats, ["openai-responses", "openai-chat"]);
    let all = check("ollama", json!({"all_endpoints": true}));
    let found: clown_api::ProviderCheck = serde_json::from_str(&all.body).unwrap();
    assert_eq!(found.checks.len(), 5, "{}", all.body);
}
